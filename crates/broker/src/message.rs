//! What reactors tell each other, and what others tell them.

use crate::core::leave::Letter;
use crate::link::ConnectionId;
use crate::shard::Errand;
use crate::topology::{Destination, QueueCell, Vhost};
use auth::{LoginError, SecretRefused, User};
use metadata::Token;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// A connection as a reactor addresses it.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    pub(crate) key: usize,
    pub(crate) id: ConnectionId,
}

/// Which connections to close.
#[derive(Clone, Debug)]
pub enum Which {
    /// This one.
    Id(ConnectionId),
    /// All of a virtual host; `None` = all.
    Vhost(Option<String>),
    /// All of a user.
    User(String),
}

/// A message for a reactor.
pub enum ShardMessage {
    /// Dead letters of a queue that have been read from disk, or have to be read again.
    DeadLetters(Arc<QueueCell>, Vec<Letter>),
    /// For the first reactor: something is due earlier than anything was before.
    DueEarlier,
    /// A queue is to be looked at: its options are new.
    Look(Arc<QueueCell>),
    /// The journal has made everything up to this token durable.
    Durable(Token),
    /// An alarm was raised or cleared.
    AlarmsChanged,
    /// The queue of a consumer is gone.
    ConsumerGone {
        /// The consumer's connection.
        address: Address,
        /// Its channel.
        channel: u16,
        /// Its tag.
        tag: Arc<str>,
        /// The queue that is gone.
        quid: u64,
    },
    /// Another reactor wrote to a connection that is over: perhaps that was the last of it.
    Flushed {
        /// The connection.
        address: Address,
    },
    /// A queue has messages for consumers of this reactor's choosing.
    Deliver(Arc<QueueCell>),
    /// Close connections with 320 and this reason.
    Close {
        /// Which ones.
        which: Which,
        /// What the client is told.
        reason: String,
        /// Who is told how many there were.
        closed: Option<Sender<u64>>,
    },
    /// Give a new binding what its exchange remembers.
    Replay {
        /// The virtual host of both.
        vhost: Arc<Vhost>,
        /// The messages.
        history: Arc<QueueCell>,
        /// Where they go.
        destination: Destination,
    },
    /// Events wait to be published.
    Events,
    /// Move messages out of memory that is mostly empty.
    Compact,
    /// A login was checked.
    LoggedIn {
        /// The client's connection.
        address: Address,
        /// Who it is, or why it is refused.
        outcome: Result<Arc<User>, LoginError>,
    },
    /// A backend has answered a question about the user of a connection.
    Answered {
        /// The connection.
        address: Address,
    },
    /// A new secret was checked.
    Renewed {
        /// The client's connection.
        address: Address,
        /// The user as it is with the new secret, or why it is refused.
        outcome: Result<Arc<User>, SecretRefused>,
    },
    /// Work that an administrative command needs done where messages are handled.
    Errand(Errand),
    /// Close all connections: the broker stops.
    ShutDown,
}
