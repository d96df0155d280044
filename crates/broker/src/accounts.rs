//! What new users are like, which may change while the node runs.

use crate::broker::Broker;
use auth::{CredentialRule, HashingAlgorithm};
use std::fmt;
use std::sync::{Arc, PoisonError};

/// How passwords are hashed and what they have to be like, and whom virtual hosts begin with.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// How new passwords are hashed.
    pub password_hashing: HashingAlgorithm,
    /// What new passwords have to be like.
    pub credential_rule: CredentialRule,
    /// Users that new virtual hosts begin with.
    pub default_users: Vec<VhostUser>,
}

/// A user that virtual hosts begin with, whose names match a pattern (RabbitMQ's `default_users`).
#[derive(Clone, PartialEq, Eq)]
pub struct VhostUser {
    /// The user's name.
    pub name: String,
    /// Regular expression over the names of virtual hosts.
    pub vhost_pattern: String,
    /// The password it is created with; without one nobody can log in as it with a password.
    pub password: Option<String>,
    /// The tags it is created with.
    pub tags: Vec<String>,
    /// What it may configure.
    pub configure: String,
    /// What it may write to.
    pub write: String,
    /// What it may read from.
    pub read: String,
}

impl fmt::Debug for VhostUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VhostUser")
            .field("name", &self.name)
            .field("vhost_pattern", &self.vhost_pattern)
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// What holds for users and virtual hosts from now on.
    pub fn accounts(&self) -> Arc<Accounts> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes other ones; users that exist stay as they are.
    pub fn set_accounts(&self, accounts: Accounts) {
        *self.accounts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(accounts);
    }
}
