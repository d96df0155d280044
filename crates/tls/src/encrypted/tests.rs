//! Keys that OpenSSL 3 encrypted with the password `secret`: the same key in every way that it knows.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use rustls::pki_types::pem::PemObject;

const PKCS8: [&str; 3] =
    [include_str!("keys/p8-256.pem"), include_str!("keys/p8-128-sha1.pem"), include_str!("keys/p8-192-512.pem")];
const TRADITIONAL: [&str; 2] = [include_str!("keys/trad-256.pem"), include_str!("keys/trad-128.pem")];

fn decrypt(pem: &str, password: &str) -> Result<PrivateKeyDer<'static>, KeyError> {
    EncryptedKey::find(pem).expect("it is encrypted").decrypt(password)
}

#[test]
fn what_openssl_writes_is_read() {
    let plain = PrivateKeyDer::from_pem_slice(include_bytes!("keys/plain.pem")).unwrap();
    for pem in PKCS8 {
        assert_eq!(decrypt(pem, "secret").unwrap().secret_der(), plain.secret_der());
    }
    let sec1 = PrivateKeyDer::from_pem_slice(include_bytes!("keys/sec1.pem")).unwrap();
    for pem in TRADITIONAL {
        let found = decrypt(pem, "secret").unwrap();
        assert!(matches!(found, PrivateKeyDer::Sec1(_)));
        assert_eq!(found.secret_der(), sec1.secret_der());
    }
}

#[test]
fn another_password_is_told_from_a_broken_file() {
    for pem in PKCS8.into_iter().chain(TRADITIONAL) {
        for password in ["", "Secret", "secret "] {
            assert_eq!(decrypt(pem, password).err(), Some(KeyError::Password), "{password:?}");
        }
        let cut: String = pem
            .lines()
            .filter(|line| line.contains('-') || line.contains(':'))
            .fold(String::new(), |text, line| text + line + "\n");
        assert_eq!(decrypt(&cut, "secret").err(), Some(KeyError::Malformed), "{cut}");
    }
}

#[test]
fn what_is_not_known_is_said_to_be() {
    for pem in
        [include_str!("keys/p8-des3.pem"), include_str!("keys/p8-scrypt.pem"), include_str!("keys/trad-des3.pem")]
    {
        assert_eq!(decrypt(pem, "secret").err(), Some(KeyError::Unsupported), "{pem}");
    }
}

#[test]
fn a_key_stands_anywhere_in_a_file_and_one_without_a_password_is_none() {
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(decrypt(&format!("{certificate}{}", PKCS8[0]), "secret").is_ok());
    assert!(decrypt(&PKCS8[0].replace('\n', "\r\n"), "secret").is_ok());
    assert!(decrypt(&TRADITIONAL[0].replace('\n', "\r\n"), "secret").is_ok());
    for plain in [certificate, include_str!("keys/plain.pem"), include_str!("keys/sec1.pem"), "", "-----BEGIN "] {
        assert!(EncryptedKey::find(plain).is_none());
    }
}

proptest! {
    /// Whatever a file holds, it is read or refused.
    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let _ = pkcs8(&bytes, "secret");
        let EncryptedKey::Pkcs8(text) = EncryptedKey::find(PKCS8[0]).expect("it is encrypted") else {
            panic!("it is PKCS#8")
        };
        let mut der = decode(text).expect("it is Base64");
        let at = at.index(der.len());
        // The number of rounds stands in front; more of them take their time, and nothing else.
        prop_assume!(!(33..50).contains(&at));
        der[at] = byte;
        let _ = pkcs8(&der, "secret");
    }
}
