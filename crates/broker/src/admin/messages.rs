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
use crate::core::publish_for::MOST_ASKED_KEYS;
use crate::topology::{ExchangeKind, Vhost};
use auth::{Permission, Question, Resource, User};

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

    /// Asks what reactors, which do the work, cannot wait for: whether a user may publish to `exchange`.
    fn ask_to_publish(&self, user: Option<&User>, vhost: &Vhost, exchange: &str, routing_keys: &[&[u8]]) {
        let Some(user) = user.filter(|user| user.has_to_be_asked_for()) else { return };
        let (permission, resource) = (Permission::Write, Resource::exchange(&vhost.name, exchange));
        self.access.ask(user, Question::Object { resource, permission });
        let is_topic = || vhost.exchange(exchange).is_some_and(|exchange| exchange.kind == ExchangeKind::Topic);
        if routing_keys.is_empty() || !is_topic() {
            return;
        }
        for key in routing_keys.iter().take(1 + MOST_ASKED_KEYS) {
            let routing_key = &*String::from_utf8_lossy(key);
            self.access.ask(user, Question::Topic { vhost: &vhost.name, exchange, permission, routing_key });
        }
    }
}
