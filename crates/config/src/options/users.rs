//! Who is there at first, and who may log in how.

use super::secret::Secret;
use super::words::words;
use std::collections::BTreeSet;

/// `default_user`, `default_pass`, `default_user_tags.*` and `default_permissions.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultUser {
    /// The user's name.
    pub name: String,
    /// The user's password in clear.
    pub password: Secret,
    /// Tags, sorted.
    pub tags: BTreeSet<String>,
    /// What the user may do in the default virtual host.
    pub permissions: Permissions,
}

/// Three regular expressions over names, unanchored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Names that may be configured.
    pub configure: String,
    /// Names that may be written to.
    pub write: String,
    /// Names that may be read from.
    pub read: String,
}

/// `anonymous_login_user` and `anonymous_login_pass`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonymousLogin {
    /// The user ANONYMOUS logs in as.
    pub user: String,
    /// That user's password in clear.
    pub password: Secret,
}

words! {
    /// SASL mechanisms, `auth_mechanisms.N`.
    AuthMechanism {
        /// RFC 4616.
        Plain = "PLAIN",
        /// LOGIN and PASSWORD in a field table.
        Amqplain = "AMQPLAIN",
        /// Logs in as [`Config::anonymous_login`].
        Anonymous = "ANONYMOUS",
        /// By the client's certificate.
        External = "EXTERNAL",
        /// RabbitMQ's demonstration of challenge and response.
        RabbitCrDemo = "RABBIT-CR-DEMO",
    }
}
