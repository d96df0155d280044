//! Private keys with a password: PKCS#8 as OpenSSL writes it (PBES2 of RFC 8018 with PBKDF2 and AES), and the older form
//! with `Proc-Type: 4,ENCRYPTED` (RFC 1421) with AES.
//!
//! The cryptography is that of aws-lc, which rustls has already; this reads what is around it.

use crate::der;
use aws_lc_rs::cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use std::num::NonZeroU32;

/// More rounds than this keep a start waiting for many seconds; OpenSSL writes 2048 and others some 100,000.
const MOST_ROUNDS: u32 = 10_000_000;
const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const INTEGER: u8 = 0x02;
/// 1.2.840.113549.1.5.13
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
/// 1.2.840.113549.1.5.12
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// 1.2.840.113549.2, under which the digests of HMAC stand.
const DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// 2.16.840.1.101.3.4.1, under which AES stands.
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];

/// Why a key is not decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// It is not what its label says.
    Malformed,
    /// It is encrypted in a way that is not known here.
    Unsupported,
    /// The password is another one.
    Password,
}

/// An encrypted key, whole, as it stands in a file.
pub(crate) enum EncryptedKey<'a> {
    /// `BEGIN ENCRYPTED PRIVATE KEY`: the text in Base64.
    Pkcs8(&'a str),
    /// With a header that says how: the label, what `DEK-Info` says, and the text in Base64.
    Traditional { label: &'a str, method: &'a str, text: &'a str },
}

impl<'a> EncryptedKey<'a> {
    /// The first private key of a file in PEM, if that is encrypted.
    pub(crate) fn find(pem: &'a str) -> Option<EncryptedKey<'a>> {
        let mut rest = pem;
        loop {
            let (_, begun) = rest.split_once("-----BEGIN ")?;
            let (label, after) = begun.split_once("-----")?;
            if !label.ends_with("PRIVATE KEY") {
                rest = after;
                continue;
            }
            let (text, _) = after.split_once("-----END ")?;
            if label == "ENCRYPTED PRIVATE KEY" {
                return Some(EncryptedKey::Pkcs8(text));
            }
            if !text.contains("Proc-Type: 4,ENCRYPTED") {
                return None;
            }
            let (_, info) = text.split_once("DEK-Info:")?;
            let (method, text) = info.split_once('\n')?;
            return Some(EncryptedKey::Traditional { label, method: method.trim(), text });
        }
    }

    /// The key that this password opens.
    pub(crate) fn decrypt(&self, password: &str) -> Result<PrivateKeyDer<'static>, KeyError> {
        match self {
            EncryptedKey::Pkcs8(text) => {
                let der = decode(text)?;
                let plain = pkcs8(&der, password)?;
                Ok(PrivatePkcs8KeyDer::from(plain).into())
            }
            EncryptedKey::Traditional { label, method, text } => {
                let plain = traditional(method, &decode(text)?, password)?;
                match *label {
                    "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(plain).into()),
                    "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(plain).into()),
                    _ => Err(KeyError::Unsupported),
                }
            }
        }
    }
}

fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    let packed: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(packed).map_err(|_| KeyError::Malformed)
}

/// `EncryptedPrivateKeyInfo` of RFC 5958.
fn pkcs8(der: &[u8], password: &str) -> Result<Vec<u8>, KeyError> {
    let mut outer = Fields::of(der)?.inner(SEQUENCE)?;
    let mut algorithm = outer.inner(SEQUENCE)?;
    let sealed = outer.next(OCTETS)?;
    if algorithm.next(OBJECT)? != PBES2 {
        return Err(KeyError::Unsupported);
    }
    let mut parameters = algorithm.inner(SEQUENCE)?;
    let mut derivation = parameters.inner(SEQUENCE)?;
    let mut encryption = parameters.inner(SEQUENCE)?;
    let length = match encryption.next(OBJECT)?.strip_prefix(AES) {
        Some([2]) => 16,
        Some([22]) => 24,
        Some([42]) => 32,
        _ => return Err(KeyError::Unsupported),
    };
    let initial = encryption.next(OCTETS)?;
    if derivation.next(OBJECT)? != PBKDF2 {
        return Err(KeyError::Unsupported);
    }
    let key = derive(&mut derivation.inner(SEQUENCE)?, password, length)?;
    open(&key, initial, sealed)
}

/// The key that PBKDF2 makes of a password: salt, rounds, perhaps the length, perhaps the digest.
fn derive(parameters: &mut Fields<'_>, password: &str, length: usize) -> Result<Vec<u8>, KeyError> {
    let salt = parameters.next(OCTETS)?;
    let digits = parameters.next(INTEGER)?;
    let rounds = digits.iter().try_fold(0_u32, |rounds, digit| rounds.checked_mul(256)?.checked_add(u32::from(*digit)));
    let rounds = rounds.filter(|rounds| *rounds <= MOST_ROUNDS).and_then(NonZeroU32::new);
    if parameters.has(INTEGER) {
        parameters.next(INTEGER)?;
    }
    let mut digest: &[u8] = &[7];
    if parameters.has(SEQUENCE) {
        digest = parameters.inner(SEQUENCE)?.next(OBJECT)?.strip_prefix(DIGEST).ok_or(KeyError::Unsupported)?;
    }
    let digest = match digest {
        [7] => pbkdf2::PBKDF2_HMAC_SHA1,
        [9] => pbkdf2::PBKDF2_HMAC_SHA256,
        [10] => pbkdf2::PBKDF2_HMAC_SHA384,
        [11] => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return Err(KeyError::Unsupported),
    };
    let mut key = vec![0; length];
    pbkdf2::derive(digest, rounds.ok_or(KeyError::Unsupported)?, salt, password.as_bytes(), &mut key);
    Ok(key)
}

/// OpenSSL's way before PKCS#8: the key is MD5 over itself, the password, and half of the initial vector.
fn traditional(method: &str, sealed: &[u8], password: &str) -> Result<Vec<u8>, KeyError> {
    let (name, initial) = method.split_once(',').ok_or(KeyError::Malformed)?;
    let length = match name {
        "AES-128-CBC" => 16,
        "AES-192-CBC" => 24,
        "AES-256-CBC" => 32,
        _ => return Err(KeyError::Unsupported),
    };
    let digit = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let initial: Option<Vec<u8>> = initial.trim().as_bytes().chunks(2).map(digit).collect();
    let initial = initial.ok_or(KeyError::Malformed)?;
    let salt = initial.get(..8).ok_or(KeyError::Malformed)?;
    let (mut key, mut last) = (Vec::new(), Vec::new());
    while key.len() < length {
        last = Md5::new().chain_update(&last).chain_update(password).chain_update(salt).finalize().to_vec();
        key.extend(&last);
    }
    key.truncate(length);
    open(&key, &initial, sealed)
}

/// Decrypts. Another password shows in what is behind the last block, or in what comes of it.
fn open(key: &[u8], initial: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
    let algorithm = match key.len() {
        16 => &cipher::AES_128,
        24 => &cipher::AES_192,
        _ => &cipher::AES_256,
    };
    let initial: [u8; 16] = initial.try_into().map_err(|_| KeyError::Malformed)?;
    if sealed.is_empty() || !sealed.len().is_multiple_of(16) {
        return Err(KeyError::Malformed);
    }
    let key = UnboundCipherKey::new(algorithm, key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7);
    let mut bytes = sealed.to_vec();
    let plain = key
        .and_then(|key| key.decrypt(&mut bytes, DecryptionContext::Iv128(FixedLength::from(initial))))
        .map_err(|_| KeyError::Password)?;
    match der::split(plain) {
        Some((SEQUENCE, _, [])) => Ok(plain.to_vec()),
        _ => Err(KeyError::Password),
    }
}

/// Elements of DER, one after another.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Result<Fields<'a>, KeyError> {
        if bytes.is_empty() { Err(KeyError::Malformed) } else { Ok(Fields(bytes)) }
    }

    fn has(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    fn next(&mut self, wanted: u8) -> Result<&'a [u8], KeyError> {
        match der::split(self.0) {
            Some((tag, content, rest)) if tag == wanted => {
                self.0 = rest;
                Ok(content)
            }
            _ => Err(KeyError::Malformed),
        }
    }

    fn inner(&mut self, wanted: u8) -> Result<Fields<'a>, KeyError> {
        self.next(wanted).map(Fields)
    }
}

#[cfg(test)]
mod tests;
