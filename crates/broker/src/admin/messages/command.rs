//! Commands about messages, and their replies.

use auth::User;
use std::sync::Arc;

use super::{MessageView, OperationView, Peek, Peeked, Transfer};

/// For whom something is done.
#[derive(Clone, Debug)]
pub enum Who {
    /// Whoever may do everything.
    Operator,
    /// This user, with the permissions that it has over AMQP.
    User(Arc<User>),
}

impl Who {
    /// The user; `None` for an operator.
    pub(crate) fn user(&self) -> Option<Arc<User>> {
        match self {
            Who::Operator => None,
            Who::User(user) => Some(user.clone()),
        }
    }
}

/// What becomes of messages that were fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterGet {
    /// They are gone.
    Take,
    /// They return to their queue, as with basic.nack.
    Return,
    /// They return to their queue, as with basic.reject.
    Fail,
    /// They are rejected for good, and dead-lettered where the queue does that.
    Reject,
}

/// Something that is done with messages.
#[derive(Clone, Debug)]
pub enum MessageCommand {
    /// Publishes a message, and waits until it is as safe as a confirm says.
    Publish {
        /// By whom.
        who: Who,
        /// Name of the virtual host.
        vhost: String,
        /// Name of the exchange; empty for the default one.
        exchange: String,
        /// Its routing key.
        routing_key: Vec<u8>,
        /// Payload of its content header.
        header: Vec<u8>,
        /// Its body.
        body: Vec<u8>,
    },
    /// Fetches messages from the head of a queue.
    Get {
        /// Name of the virtual host.
        vhost: String,
        /// Name of the queue.
        queue: String,
        /// At most so many.
        count: usize,
        /// What becomes of them.
        after: AfterGet,
        /// Bytes of a body that are wanted; `None` = all.
        truncate: Option<usize>,
    },
    /// Looks at messages of a queue without consuming them.
    Peek {
        /// Name of the virtual host.
        vhost: String,
        /// Name of the queue.
        queue: String,
        /// At which.
        peek: Box<Peek>,
    },
    /// Takes one message out of a queue, for good.
    Remove {
        /// Name of the virtual host.
        vhost: String,
        /// Name of the queue.
        queue: String,
        /// The queue's id, where the message's is known with it.
        quid: Option<u64>,
        /// The message's position.
        seq: u64,
    },
    /// Begins to move, or to delete, the messages of a queue.
    Transfer {
        /// With whose permissions they are published.
        who: Who,
        /// Name of the virtual host.
        vhost: String,
        /// Name of the queue.
        queue: String,
        /// Which, and where to.
        transfer: Box<Transfer>,
    },
    /// Operations that are under way or ended lately.
    ListOperations,
    /// Has an operation end where it is.
    CancelOperation {
        /// Its id.
        id: u64,
    },
}

impl MessageCommand {
    /// False for what only looks, and for publishing and getting, which clients do all the time.
    pub(crate) fn is_change(&self) -> bool {
        matches!(
            self,
            MessageCommand::Remove { .. } | MessageCommand::Transfer { .. } | MessageCommand::CancelOperation { .. }
        )
    }
}

/// What came of a [`MessageCommand`].
#[derive(Clone, Debug)]
pub enum MessageReply {
    /// The message is published; true when a queue has it.
    Published(bool),
    /// A queue refused the message.
    Rejected,
    /// Messages in their order.
    Messages(Vec<MessageView>),
    /// What a look found.
    Peeked(Box<Peeked>),
    /// It is done.
    Done,
    /// The message is with a consumer.
    Unacknowledged,
    /// An operation as it is now.
    Operation(OperationView),
    /// Operations by id.
    Operations(Vec<OperationView>),
}
