//! Messages as operators handle them: published and fetched without a channel, looked at where they are, taken out one by
//! one, moved.
//!
//! Everything that takes a queue's lock is done on a reactor, a piece at a time (`shard/errand.rs`); what takes long, the
//! reading, searching and encoding, is done on the thread that asks.

mod address;
mod command;
mod filter;
mod get;
mod operations;
mod peek;
mod publish;
mod scan;
mod transfer;
mod view;

pub use command::{AfterGet, MessageCommand, MessageReply, Who};
pub use filter::MessageFilter;
pub use operations::OperationView;
pub(crate) use operations::Operations;
pub use peek::{Holder, Peek, Peeked, Standing};
pub use scan::Cursor;
pub(crate) use scan::Seen;
pub use transfer::{MoveTarget, Origin, Transfer};
pub use view::MessageView;

use super::AdminError;
use crate::broker::Broker;
use auth::User;
use std::sync::Arc;

impl Broker {
    pub(super) fn message_command(&self, command: MessageCommand) -> Result<MessageReply, AdminError> {
        use MessageCommand as C;
        match command {
            C::Publish { who, vhost, exchange, routing_key, header, body } => {
                self.publish_message(&who, &vhost, exchange, routing_key, header, body)
            }
            C::Peek { vhost, queue, peek } => self.peek(&vhost, &queue, &peek),
            C::Remove { vhost, queue, quid, seq } => self.remove_message(&vhost, &queue, quid, seq),
            C::Transfer { who, vhost, queue, transfer } => self.transfer(who, &vhost, &queue, *transfer),
            C::ListOperations => Ok(MessageReply::Operations(self.operations.list())),
            C::CancelOperation { id } => self.operations.cancel(id).map(MessageReply::Operation),
            C::Get { vhost, queue, count, after, truncate } => {
                self.get_messages(&vhost, &queue, count, after, truncate)
            }
        }
    }

    /// The user that a command is carried out for; `None` for an operator.
    fn user_of(&self, who: &Who) -> Result<Option<Arc<User>>, AdminError> {
        match who {
            Who::Operator => Ok(None),
            Who::User(name) => match self.access.user(name) {
                Some(user) => Ok(Some(user)),
                None => Err(super::Missing::User.called(name)),
            },
        }
    }
}
