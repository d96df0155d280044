//! Password hashes of argon2id, written as `$argon2id$v=19$m=MEMORY,t=TIME,p=LANES$SALT$DIGEST`.
//!
//! Salt and digest are base64 without padding, as in the PHC string format, which other programs write too.

use std::sync::{Condvar, Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::PasswordError;
use crate::password::is_equal;

/// What OWASP recommends: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;

/// Most that a hash from elsewhere may demand: definitions must not be able to take the node's memory.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 32;
const MOST_LANES: u32 = 16;
const MOST_BYTES: usize = 64;

/// Passwords hashed at once: the memory of each is taken for as long as it is.
static PLACES: Places = Places { free: Mutex::new(2), freed: Condvar::new() };

struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Places {
    fn with<T>(&self, work: impl FnOnce() -> T) -> T {
        let lock = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.freed.wait_while(lock(), |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        let done = work();
        *lock() += 1;
        self.freed.notify_one();
        done
    }
}

/// A hash, taken apart.
#[derive(Clone)]
pub(crate) struct Hash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Hash {
    /// Reads one; `None` for any other text, and for one that demands too much.
    pub(crate) fn parse(text: &str) -> Option<Hash> {
        let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
        let (costs, salt, digest) = (parts.next()?, parts.next()?, parts.next()?);
        let mut costs = costs.split(',');
        let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let (memory_kib, passes, lanes) = (cost("m=")?, cost("t=")?, cost("p=")?);
        let bounded = memory_kib <= MOST_MEMORY_KIB && passes <= MOST_PASSES && lanes <= MOST_LANES;
        if parts.next().is_some() || costs.next().is_some() || !bounded {
            return None;
        }
        let bytes =
            |text: &str| STANDARD_NO_PAD.decode(text).ok().filter(|bytes| (8..=MOST_BYTES).contains(&bytes.len()));
        let hash = Hash { memory_kib, passes, lanes, salt: bytes(salt)?, digest: bytes(digest)? };
        hash.hasher().map(|_| hash.clone())
    }

    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        self.hash(password).is_ok_and(|digest| is_equal(&self.digest, &digest))
    }

    fn hasher(&self) -> Option<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(self.digest.len())).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    fn hash(&self, password: &[u8]) -> Result<Vec<u8>, String> {
        let hasher = self.hasher().ok_or("bad costs")?;
        let mut digest = vec![0; self.digest.len()];
        let hashed = PLACES.with(|| hasher.hash_password_into(password, &self.salt, &mut digest));
        hashed.map(|()| digest).map_err(|error| error.to_string())
    }
}

/// The hash of `password` with a random salt.
pub(crate) fn hash(password: &[u8]) -> Result<String, PasswordError> {
    let mut salt = vec![0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(PasswordError::Salt)?;
    let form = Hash { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt, digest: vec![0; DIGEST_BYTES] };
    let digest = form.hash(password).map_err(PasswordError::Argon2)?;
    let (salt, digest) = (STANDARD_NO_PAD.encode(&form.salt), STANDARD_NO_PAD.encode(digest));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the reference implementation, `argon2 somesalt -id -t 2 -m 16 -p 1` with the password `password`.
    const REFERENCE: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[test]
    fn a_hash_of_the_reference_implementation_verifies() {
        let hash = Hash::parse(REFERENCE).unwrap();
        assert!(hash.verify(b"password"));
        assert!(!hash.verify(b"Password"));
    }

    #[test]
    fn what_is_hashed_verifies_and_never_twice_the_same() {
        let (one, two) = (hash(b"s3cret").unwrap(), hash(b"s3cret").unwrap());
        assert_ne!(one, two);
        assert!(Hash::parse(&one).unwrap().verify(b"s3cret"));
        assert!(!Hash::parse(&two).unwrap().verify(b"s3cre"));
    }

    #[test]
    fn nothing_malformed_or_immense_is_taken() {
        for bad in [
            "",
            "$argon2id$v=19$",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=4294967295,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=1,t=0,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc$",
        ] {
            assert!(Hash::parse(bad).is_none(), "{bad}");
        }
    }
}
