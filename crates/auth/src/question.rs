//! What a backend is asked about a user who has logged in, and what it may answer.

use std::net::IpAddr;

use crate::{Permission, Resource, ResourceKind};

/// Something that a user wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// Open a virtual host.
    Vhost {
        /// Its name.
        vhost: &'a str,
        /// Where the client is; `None` where nobody knows.
        peer: Option<IpAddr>,
    },
    /// Something with a queue or exchange.
    Object {
        /// Which.
        resource: Resource<'a>,
        /// What.
        permission: Permission,
    },
    /// Publish with, or bind to, a routing key of a topic exchange.
    Topic {
        /// The virtual host's name.
        vhost: &'a str,
        /// The exchange's name.
        exchange: &'a str,
        /// Write to publish, read to bind.
        permission: Permission,
        /// The routing key.
        routing_key: &'a str,
    },
}

/// A [`Question`] that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Open a virtual host.
    Vhost {
        /// Its name.
        vhost: String,
        /// Where the client is.
        peer: Option<IpAddr>,
    },
    /// Something with a queue or exchange.
    Object {
        /// The virtual host's name.
        vhost: String,
        /// Queue or exchange.
        kind: ResourceKind,
        /// Its name.
        name: String,
        /// What.
        permission: Permission,
    },
    /// Publish with, or bind to, a routing key of a topic exchange.
    Topic {
        /// The virtual host's name.
        vhost: String,
        /// The exchange's name.
        exchange: String,
        /// Write to publish, read to bind.
        permission: Permission,
        /// The routing key.
        routing_key: String,
    },
}

impl Question<'_> {
    /// The same, to be kept.
    pub fn to_asked(self) -> Asked {
        match self {
            Question::Vhost { vhost, peer } => Asked::Vhost { vhost: vhost.to_owned(), peer },
            Question::Object { resource: Resource { vhost, kind, name }, permission } => {
                Asked::Object { vhost: vhost.to_owned(), kind, name: name.to_owned(), permission }
            }
            Question::Topic { vhost, exchange, permission, routing_key } => Asked::Topic {
                vhost: vhost.to_owned(),
                exchange: exchange.to_owned(),
                permission,
                routing_key: routing_key.to_owned(),
            },
        }
    }
}

impl Asked {
    /// The same, borrowed.
    pub fn question(&self) -> Question<'_> {
        match self {
            Asked::Vhost { vhost, peer } => Question::Vhost { vhost, peer: *peer },
            Asked::Object { vhost, kind, name, permission } => {
                Question::Object { resource: Resource { vhost, kind: *kind, name }, permission: *permission }
            }
            Asked::Topic { vhost, exchange, permission, routing_key } => {
                Question::Topic { vhost, exchange, permission: *permission, routing_key }
            }
        }
    }
}

/// An answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// No.
    Refused,
    /// No, for a reason that the client is told.
    Because {
        /// The backend's module name.
        backend: &'static str,
        /// Its words.
        reason: String,
    },
    /// The backend could not tell, which is no.
    Failed {
        /// The backend's module name.
        backend: &'static str,
        /// What is wrong with it.
        error: String,
    },
    /// Not known without asking somebody, which takes a while.
    Unknown,
}

impl Verdict {
    /// True for yes.
    pub fn is_allowed(&self) -> bool {
        *self == Verdict::Allowed
    }
}

impl From<bool> for Verdict {
    fn from(allowed: bool) -> Verdict {
        if allowed { Verdict::Allowed } else { Verdict::Refused }
    }
}
