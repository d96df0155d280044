//! Why an administrative command was not carried out.

use crate::errors::ProtocolError;
use std::fmt;

/// An administrative command that was not carried out; each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// What the command is about is not there.
    #[error("{kind} '{name}' does not exist")]
    NotFound {
        /// What kind of object.
        kind: Missing,
        /// Its name.
        name: String,
    },
    /// What was to be created exists.
    #[error("user '{0}' already exists")]
    UserExists(String),
    /// The command makes no sense as it is.
    #[error("{0}")]
    Invalid(String),
    /// The state of an object forbids it; the text is that of the protocol error a client would get.
    #[error("{0}")]
    Refused(String),
    /// Whoever declares, binds, deletes or purges that over AMQP would be refused with this.
    #[error("{}", .0.text)]
    Method(ProtocolError),
    /// The channel of whoever publishes or gets that over AMQP would be closed with this.
    #[error("{}", .0.text)]
    Channel(ProtocolError),
    /// A virtual host that is protected from it was to be deleted.
    #[error("cannot delete vhost '{0}': it is protected from deletion")]
    Protected(String),
    /// A new password is not one that is allowed; the text is that of RabbitMQ's validator.
    #[error("{0}")]
    Credentials(String),
    /// The password is not the user's.
    #[error("{0}")]
    NotAuthenticated(String),
    /// The broker cannot do it now.
    #[error("{0}")]
    Unavailable(String),
}

/// The kinds of objects that commands look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A user.
    User,
    /// A virtual host.
    Vhost,
    /// A queue.
    Queue,
    /// A connection.
    Connection,
    /// An exchange.
    Exchange,
    /// A delayed message.
    DelayedMessage,
    /// A message in a queue.
    Message,
    /// An operation on messages.
    Operation,
    /// A policy or operator policy.
    Policy,
    /// A runtime parameter.
    Parameter,
}

impl Missing {
    /// The word for it: `user`, `vhost`, `queue`, `exchange`, `connection`, `delayed message`, `message`, `operation`,
    /// `policy`, `parameter`.
    pub fn as_str(self) -> &'static str {
        match self {
            Missing::User => "user",
            Missing::Vhost => "vhost",
            Missing::Queue => "queue",
            Missing::Exchange => "exchange",
            Missing::Connection => "connection",
            Missing::DelayedMessage => "delayed message",
            Missing::Message => "message",
            Missing::Operation => "operation",
            Missing::Policy => "policy",
            Missing::Parameter => "parameter",
        }
    }

    pub(crate) fn called(self, name: &str) -> AdminError {
        AdminError::NotFound { kind: self, name: name.to_owned() }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
