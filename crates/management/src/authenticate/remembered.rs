//! Logins that succeeded a moment ago, so that a client that polls has its password hashed once.

use auth::User;
use broker::Broker;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Logins that are remembered; with one more all are forgotten.
const MOST: usize = 256;

/// A digest of credentials under a key that nobody knows, which tells as little of them as a password hash does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

/// Logins that succeeded, as long as nothing changes that a login depends on.
pub(crate) struct Remembered {
    /// None where the system gives no random numbers: then nothing is remembered.
    key: Option<[u8; 32]>,
    logins: Mutex<Logins>,
}

#[derive(Default)]
struct Logins {
    /// The broker that the logins are of: one that is started anew counts its generations anew.
    broker: Weak<Broker>,
    generation: u64,
    users: HashMap<Fingerprint, Arc<User>>,
}

impl Default for Remembered {
    fn default() -> Remembered {
        let mut key = [0; 32];
        let key = getrandom::fill(&mut key).is_ok().then_some(key);
        Remembered { key, logins: Mutex::default() }
    }
}

impl Remembered {
    pub(super) fn fingerprint(&self, user: &[u8], password: &[u8]) -> Option<Fingerprint> {
        // With the length before it, no part of the name can pass for the beginning of a password.
        let digest = Sha256::new()
            .chain_update(self.key?)
            .chain_update((user.len() as u64).to_le_bytes())
            .chain_update(user)
            .chain_update(password);
        Some(Fingerprint(digest.finalize().into()))
    }

    /// The user who logged in with these credentials before, if that still holds.
    pub(super) fn find(&self, broker: &Arc<Broker>, fingerprint: Fingerprint) -> Option<Arc<User>> {
        self.logins_of(broker, broker.access.generation(), |logins| logins.users.get(&fingerprint).cloned())
    }

    /// Remembers a login that was checked when the definitions had this `generation`.
    pub(super) fn keep(&self, broker: &Arc<Broker>, generation: u64, fingerprint: Fingerprint, user: Arc<User>) {
        self.logins_of(broker, generation, |logins| {
            if logins.users.len() >= MOST {
                logins.users.clear();
            }
            logins.users.insert(fingerprint, user);
        });
    }

    fn logins_of<T>(&self, broker: &Arc<Broker>, generation: u64, then: impl FnOnce(&mut Logins) -> T) -> T {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.generation != generation || !std::ptr::eq(logins.broker.as_ptr(), Arc::as_ptr(broker)) {
            *logins = Logins { broker: Arc::downgrade(broker), generation, users: HashMap::new() };
        }
        then(&mut logins)
    }
}
