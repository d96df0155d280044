//! Password hashes: RabbitMQ's salted digests, and argon2.
//!
//! RabbitMQ's hash is base64 of four bytes of salt and the digest of salt and password. It is what `rabbitmqctl
//! hash_password` prints and definitions carry as `password_hash`. That of argon2 is text of its own.

use std::fmt;
use std::hint::black_box;

use crate::argon2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

const SALT_BYTES: usize = 4;

/// How salt and password become a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashingAlgorithm {
    /// `rabbit_password_hashing_sha256`, the default.
    #[default]
    Sha256,
    /// `rabbit_password_hashing_sha512`.
    Sha512,
    /// `rabbit_password_hashing_md5`, of versions before 3.6.
    Md5,
    /// `leveret_password_hashing_argon2`, which RabbitMQ does not have: made to be slow and to need memory.
    Argon2,
}

impl HashingAlgorithm {
    /// RabbitMQ's module name, as in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            HashingAlgorithm::Sha256 => "rabbit_password_hashing_sha256",
            HashingAlgorithm::Sha512 => "rabbit_password_hashing_sha512",
            HashingAlgorithm::Md5 => "rabbit_password_hashing_md5",
            HashingAlgorithm::Argon2 => "leveret_password_hashing_argon2",
        }
    }

    /// The algorithm of a module name; an empty one is a user of before 3.6, whose hash is MD5.
    pub fn from_name(name: &str) -> Option<HashingAlgorithm> {
        if name.is_empty() {
            return Some(HashingAlgorithm::Md5);
        }
        [HashingAlgorithm::Sha256, HashingAlgorithm::Sha512, HashingAlgorithm::Md5, HashingAlgorithm::Argon2]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    /// True when `hash` has the form of this algorithm's hashes, or is empty and lets nobody in.
    pub fn is_hash(self, hash: &str) -> bool {
        hash.is_empty()
            || match self {
                HashingAlgorithm::Argon2 => argon2::Hash::parse(hash).is_some(),
                _ => STANDARD.decode(hash).is_ok(),
            }
    }

    fn digest(self, salt: &[u8], password: &[u8]) -> Vec<u8> {
        fn of<D: Digest>(salt: &[u8], password: &[u8]) -> Vec<u8> {
            D::new().chain_update(salt).chain_update(password).finalize().to_vec()
        }
        match self {
            HashingAlgorithm::Sha256 => of::<Sha256>(salt, password),
            HashingAlgorithm::Sha512 => of::<Sha512>(salt, password),
            HashingAlgorithm::Md5 => of::<Md5>(salt, password),
            // Its hashes are another variant.
            HashingAlgorithm::Argon2 => Vec::new(),
        }
    }
}

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The system gave no random bytes for the salt.
    #[error("no random bytes for a password salt: {0}")]
    Salt(getrandom::Error),
    /// Argon2 would not take the password.
    #[error("the password cannot be hashed: {0}")]
    Argon2(String),
}

/// The hash of `password` with a random salt, as a definition stores it.
pub fn hash_password(algorithm: HashingAlgorithm, password: &[u8]) -> Result<String, PasswordError> {
    if algorithm == HashingAlgorithm::Argon2 {
        return argon2::hash(password);
    }
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(PasswordError::Salt)?;
    Ok(salted(algorithm, salt, password))
}

fn salted(algorithm: HashingAlgorithm, salt: [u8; SALT_BYTES], password: &[u8]) -> String {
    STANDARD.encode([&salt[..], &algorithm.digest(&salt, password)].concat())
}

/// A stored hash, taken apart; `Debug` shows nothing of it.
#[derive(Clone)]
pub(crate) enum PasswordHash {
    /// One of RabbitMQ's.
    Salted { algorithm: HashingAlgorithm, salt: [u8; SALT_BYTES], digest: Vec<u8> },
    /// One of argon2.
    Argon2(argon2::Hash),
}

impl PasswordHash {
    /// Reads a definition's hash; `None` when no password can ever fit it: empty, malformed or of an unknown algorithm.
    pub(crate) fn parse(hashing_algorithm: &str, password_hash: &str) -> Option<PasswordHash> {
        let algorithm = HashingAlgorithm::from_name(hashing_algorithm)?;
        if algorithm == HashingAlgorithm::Argon2 {
            return argon2::Hash::parse(password_hash).map(PasswordHash::Argon2);
        }
        let bytes = STANDARD.decode(password_hash).ok()?;
        let (salt, digest) = bytes.split_first_chunk::<SALT_BYTES>()?;
        Some(PasswordHash::Salted { algorithm, salt: *salt, digest: digest.to_vec() })
    }

    /// A hash that no password fits, to spend some time where nobody has one.
    pub(crate) fn of_nobody() -> PasswordHash {
        PasswordHash::Salted { algorithm: HashingAlgorithm::default(), salt: [0; SALT_BYTES], digest: Vec::new() }
    }

    /// True when `password` is the one; takes the same time wherever the digests differ.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        match self {
            PasswordHash::Salted { algorithm, salt, digest } => is_equal(digest, &algorithm.digest(salt, password)),
            PasswordHash::Argon2(hash) => hash.verify(password),
        }
    }
}

/// Compares in a time that does not depend on where the two differ.
pub(crate) fn is_equal(expected: &[u8], actual: &[u8]) -> bool {
    let differing = expected.iter().zip(actual).fold(0, |bits, (a, b)| black_box(bits | (a ^ b)));
    expected.len() == actual.len() && differing == 0
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = match self {
            PasswordHash::Salted { algorithm, .. } => *algorithm,
            PasswordHash::Argon2(_) => HashingAlgorithm::Argon2,
        };
        f.debug_struct("PasswordHash").field("algorithm", &algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifies(algorithm: HashingAlgorithm, hash: &str, password: &str) -> bool {
        PasswordHash::parse(algorithm.as_str(), hash).is_some_and(|hash| hash.verify(password.as_bytes()))
    }

    /// Made by RabbitMQ 3.10.8 for the password `correct horse`.
    const VECTORS: [(HashingAlgorithm, &str); 4] = [
        (HashingAlgorithm::Sha256, "tCK5b+da+5ESxTFlSSVQY0k+/1ZGNFakzwCFHBkg//WpBana"),
        (HashingAlgorithm::Sha256, "s/to1szzgWgg0B8JGJTZ9Xwk9seku+J9w9ll/8gQn/VsGjPe"),
        (
            HashingAlgorithm::Sha512,
            "u0MJV66OWTHidia+jLls4ovHhLTdjUdGpGE/NqndpD5VbiRVkGvVc7p/CGKLmvy0JDRaei30nCh1a36n3OTNfXMruAs=",
        ),
        (HashingAlgorithm::Md5, "nRFgm3TgfpKbEfdAFS3JRcb1zio="),
    ];

    #[test]
    fn rabbitmqs_hashes_verify() {
        for (algorithm, hash) in VECTORS {
            assert!(verifies(algorithm, hash, "correct horse"), "{algorithm:?}");
            assert!(!verifies(algorithm, hash, "correct horse "), "{algorithm:?}");
            assert!(!verifies(algorithm, hash, ""), "{algorithm:?}");
        }
    }

    #[test]
    fn the_same_salt_gives_rabbitmqs_bytes() {
        for (algorithm, hash) in VECTORS {
            let salt = STANDARD.decode(hash).unwrap()[..SALT_BYTES].try_into().unwrap();
            assert_eq!(salted(algorithm, salt, b"correct horse"), hash);
        }
    }

    #[test]
    fn new_hashes_verify_and_differ_by_salt() {
        for algorithm in [HashingAlgorithm::Sha256, HashingAlgorithm::Sha512, HashingAlgorithm::Md5] {
            let first = hash_password(algorithm, b"secret").unwrap();
            assert!(verifies(algorithm, &first, "secret"));
            assert_ne!(first, hash_password(algorithm, b"secret").unwrap());
        }
    }

    #[test]
    fn no_password_fits_a_missing_or_broken_hash() {
        for hash in ["", "AAAA", "not base64!", "AAAAAA==", "AAAAAAAA"] {
            assert!(!verifies(HashingAlgorithm::Sha256, hash, ""), "{hash}");
        }
        assert!(PasswordHash::parse("my_hashing_module", VECTORS[0].1).is_none());
        assert!(!PasswordHash::of_nobody().verify(b""));
    }

    #[test]
    fn a_user_without_algorithm_has_md5() {
        assert!(PasswordHash::parse("", VECTORS[3].1).unwrap().verify(b"correct horse"));
    }

    #[test]
    fn debug_shows_no_digest() {
        let hash = PasswordHash::parse(HashingAlgorithm::Md5.as_str(), VECTORS[3].1).unwrap();
        assert_eq!(format!("{hash:?}"), "PasswordHash { algorithm: Md5, .. }");
    }
}
