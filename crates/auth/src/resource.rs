//! What access is asked for, and RabbitMQ's texts for refusing it.

use std::fmt;

/// What a user wants to do with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Declare or delete it.
    Configure,
    /// Publish to it, or bind it as a destination.
    Write,
    /// Consume, get, purge, or bind it as a source.
    Read,
}

impl Permission {
    /// The word in refusals.
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::Configure => "configure",
            Permission::Write => "write",
            Permission::Read => "read",
        }
    }
}

/// The kind of an object that permissions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// A queue.
    Queue,
    /// An exchange.
    Exchange,
}

/// An object that permissions are about; prints as `queue 'q' in vhost '/'`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource<'a> {
    /// The virtual host's name.
    pub vhost: &'a str,
    /// Queue or exchange.
    pub kind: ResourceKind,
    /// Its name.
    pub name: &'a str,
}

impl<'a> Resource<'a> {
    /// The queue called `name`.
    pub fn queue(vhost: &'a str, name: &'a str) -> Resource<'a> {
        Resource { vhost, kind: ResourceKind::Queue, name }
    }

    /// The exchange called `name`; the default exchange goes by `amq.default`, as permissions and refusals call it.
    pub fn exchange(vhost: &'a str, name: &'a str) -> Resource<'a> {
        Resource { vhost, kind: ResourceKind::Exchange, name: if name.is_empty() { "amq.default" } else { name } }
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ResourceKind::Queue => "queue",
            ResourceKind::Exchange => "exchange",
        };
        write!(f, "{kind} '{}' in vhost '{}'", self.name, self.vhost)
    }
}

/// The text of a channel error 403 for an operation that permissions do not allow.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{} access to {resource} refused for user '{user}'", permission.as_str())]
pub struct AccessRefused<'a> {
    /// What was asked for.
    pub permission: Permission,
    /// On what.
    pub resource: Resource<'a>,
    /// By whom.
    pub user: &'a str,
}

/// The text of a channel error 403 for a routing key that topic permissions do not allow.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "{} access to topic '{routing_key}' in exchange '{exchange}' in vhost '{vhost}' refused for user '{user}'",
    permission.as_str()
)]
pub struct TopicRefused<'a> {
    /// What was asked for.
    pub permission: Permission,
    /// The virtual host's name.
    pub vhost: &'a str,
    /// The topic exchange's name.
    pub exchange: &'a str,
    /// The key published with or bound to.
    pub routing_key: &'a str,
    /// By whom.
    pub user: &'a str,
}

/// The text of a connection error 530 for a virtual host that cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VhostRefused {
    /// There is none of this name.
    #[error("vhost {vhost} not found")]
    NotFound {
        /// The name asked for.
        vhost: String,
    },
    /// The user has no permissions in it.
    #[error("access to vhost '{vhost}' refused for user '{user}'")]
    Refused {
        /// The virtual host's name.
        vhost: String,
        /// By whom.
        user: String,
    },
}
