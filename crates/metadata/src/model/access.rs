//! Virtual hosts, users and what users may do.

use std::fmt;

/// A virtual host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VhostDefinition {
    /// Its name, unique on the node.
    pub name: String,
    /// Free text for operators.
    pub description: String,
    /// Free-form tags for operators.
    pub tags: Vec<String>,
    /// The queue type of a declare without `x-queue-type`; `None` takes the node's default.
    pub default_queue_type: Option<String>,
    /// True while `rabbitmqctl trace_on` is in force.
    pub tracing: bool,
    /// True when deleting it is refused until the protection is lifted.
    pub protected_from_deletion: bool,
}

/// A user of the internal authentication backend.
///
/// `Debug` leaves the password hash out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserDefinition {
    /// The user name, unique on the node.
    pub name: String,
    /// Base64 of salt and digest as RabbitMQ exports it; empty refuses every password.
    pub password_hash: String,
    /// RabbitMQ's module name, as `rabbit_password_hashing_sha256`.
    pub hashing_algorithm: String,
    /// `administrator`, `monitoring`, `policymaker`, `management`, `impersonator` or free-form.
    pub tags: Vec<String>,
    /// Limits of this user alone.
    pub limits: UserLimits,
}

impl fmt::Debug for UserDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserDefinition")
            .field("name", &self.name)
            .field("hashing_algorithm", &self.hashing_algorithm)
            .field("tags", &self.tags)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Per-user limits; `None` and negative numbers mean unlimited, 0 means none allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// `max-connections`.
    pub max_connections: Option<i64>,
    /// `max-channels`.
    pub max_channels: Option<i64>,
}

/// What a user may do in a virtual host: one regular expression per operation, empty matching only the empty name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionDefinition {
    /// The user's name.
    pub user: String,
    /// The virtual host's name.
    pub vhost: String,
    /// Names of the objects that the user may declare and delete.
    pub configure: String,
    /// Names of the objects that the user may write to.
    pub write: String,
    /// Names of the objects that the user may read from.
    pub read: String,
}

/// Which routing keys a user may publish with and bind to on one topic exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPermissionDefinition {
    /// The user's name.
    pub user: String,
    /// The virtual host's name.
    pub vhost: String,
    /// The exchange's name.
    pub exchange: String,
    /// Routing keys that the user may publish with.
    pub write: String,
    /// Routing keys that the user may bind to.
    pub read: String,
}
