//! JSON web tokens: taken apart, and verified by a key that fits.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Map, Value};

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 128 << 10;

/// A token that was taken apart and not verified yet.
pub(super) struct Unverified<'a> {
    /// Everything before the signature.
    message: &'a str,
    signature: &'a str,
    algorithm: String,
    pub(super) key_id: Option<String>,
    pub(super) claims: Map<String, Value>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart; `None` for what is none.
    pub(super) fn parse(token: &'a [u8]) -> Option<Unverified<'a>> {
        if token.len() > LONGEST {
            return None;
        }
        let token = std::str::from_utf8(token).ok()?;
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header = object(header)?;
        // Extensions that a signer calls critical must be understood, and none is (RFC 7515, 4.1.11).
        if header.contains_key("crit") {
            return None;
        }
        Some(Unverified {
            message,
            signature,
            algorithm: header.get("alg")?.as_str()?.to_owned(),
            key_id: header.get("kid").and_then(Value::as_str).map(str::to_owned),
            claims: object(claims)?,
        })
    }

    /// The audience; `None` where the token has none.
    pub(super) fn audience(&self) -> Option<Vec<String>> {
        match self.claims.get("aud")? {
            Value::String(text) => Some(text.split(' ').filter(|id| !id.is_empty()).map(str::to_owned).collect()),
            Value::Array(list) => Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            _ => Some(Vec::new()),
        }
    }

    /// True when the key signed it, by an algorithm that fits the key and is among `allowed`, if there are any.
    ///
    /// The algorithm is the token's word: it never makes a public key a shared secret, and there is no `none`.
    pub(super) fn is_signed_by(&self, key: &SigningKey, allowed: &[Algorithm]) -> bool {
        let Ok(algorithm) = self.algorithm.parse::<Algorithm>() else { return false };
        let fits = key.algorithms().contains(&algorithm) && (allowed.is_empty() || allowed.contains(&algorithm));
        fits && crypto::verify(self.signature, self.message.as_bytes(), &key.key, algorithm).unwrap_or(false)
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// A key that verifies tokens; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SigningKey {
    key: DecodingKey,
    kind: Kind,
    /// The one algorithm that it is for.
    only: Option<Algorithm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
    /// A shared secret.
    Secret,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no public key in PEM.
    #[error("it holds no public key that is known: RSA, P-256, P-384 or Ed25519 in PEM")]
    Pem,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a public key, or a certificate with one, in PEM.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_pem(pem: &[u8]) -> Result<SigningKey, KeyError> {
        let of = |kind| move |key| SigningKey { key, kind, only: None };
        if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            return Ok(of(Kind::Rsa)(key));
        }
        if let Ok(key) = DecodingKey::from_ed_pem(pem) {
            return Ok(of(Kind::Ed25519)(key));
        }
        let key = DecodingKey::from_ec_pem(pem).map_err(|_| KeyError::Pem)?;
        // An uncompressed point: 04 and two coordinates.
        match key.try_get_as_bytes().map_or(0, <[u8]>::len) {
            65 => Ok(of(Kind::P256)(key)),
            97 => Ok(of(Kind::P384)(key)),
            _ => Err(KeyError::Pem),
        }
    }

    /// Reads a key as issuers publish them; `None` for one of a kind that is not known or not for signatures.
    pub(super) fn from_jwk(jwk: &Value) -> Option<SigningKey> {
        if jwk.get("use").and_then(Value::as_str).is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let only = match jwk.get("alg").and_then(Value::as_str) {
            Some(name) => Some(algorithm(name)?),
            None => None,
        };
        if jwk.get("kty").and_then(Value::as_str) == Some("MAC") {
            // What UAA calls a shared secret.
            let key = DecodingKey::from_secret(jwk.get("value")?.as_str()?.as_bytes());
            return Some(SigningKey { key, kind: Kind::Secret, only });
        }
        // The algorithm may have a name of UAA's.
        let mut plain = jwk.clone();
        plain.as_object_mut()?.remove("alg");
        let jwk: Jwk = serde_json::from_value(plain).ok()?;
        let kind = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Kind::Rsa,
            AlgorithmParameters::OctetKey(_) => Kind::Secret,
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Kind::Ed25519,
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => Kind::P256,
                EllipticCurve::P384 => Kind::P384,
                _ => return None,
            },
            _ => return None,
        };
        Some(SigningKey { key: DecodingKey::from_jwk(&jwk).ok()?, kind, only })
    }

    /// The algorithms that it may be used with.
    fn algorithms(&self) -> Vec<Algorithm> {
        use Algorithm as A;
        let of_kind: &[Algorithm] = match self.kind {
            Kind::Rsa => &[A::RS256, A::RS384, A::RS512, A::PS256, A::PS384, A::PS512],
            Kind::P256 => &[A::ES256],
            Kind::P384 => &[A::ES384],
            Kind::Ed25519 => &[A::EdDSA],
            Kind::Secret => &[A::HS256, A::HS384, A::HS512],
        };
        of_kind.iter().copied().filter(|algorithm| self.only.is_none_or(|only| only == *algorithm)).collect()
    }
}

/// The algorithm of this name, which may be one of UAA's.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "HMACSHA256" => Some(Algorithm::HS256),
        "HMACSHA384" => Some(Algorithm::HS384),
        "HMACSHA512" => Some(Algorithm::HS512),
        "SHA256withRSA" => Some(Algorithm::RS256),
        "SHA512withRSA" => Some(Algorithm::RS512),
        name => name.parse().ok(),
    }
}
