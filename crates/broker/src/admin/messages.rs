//! Messages as operators handle them: published and fetched without a channel, looked at where they are, taken out one by
//! one, moved.
//!
//! Everything that takes a queue's lock is done on a reactor, a piece at a time (`shard/errand.rs`); what takes long, the
//! reading, searching and encoding, is done on the thread that asks.

mod command;
mod get;
mod publish;
mod view;

pub use command::{AfterGet, MessageCommand, MessageReply, Who};
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
