//! Direct reply-to: replies go straight to the channel that asked, through no queue.
//!
//! RabbitMQ: a client consumes from `amq.rabbitmq.reply-to` without acknowledgement and publishes requests with that
//! name as reply-to; the broker puts an address of its own in its place, and whoever publishes to that address reaches
//! the client. A reply whose client is gone is lost.

use crate::delivery::Consumer;
use crate::names::{REPLY_TO, base64url};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Everybody who waits for direct replies, by address.
#[derive(Default)]
pub(crate) struct ReplyConsumers(RwLock<HashMap<Box<str>, Arc<Consumer>, RandomState>>);

/// A new address: unguessable, because knowing it is all that it takes to reach the client.
pub(crate) fn new_address(random: [u64; 3]) -> String {
    let [a, b, c] = random.map(u64::to_le_bytes);
    format!("{REPLY_TO}.{}.{}", base64url(&a), base64url(&[b, c].concat()))
}

/// True for a routing key that is the address of a reply consumer, dead or alive.
#[inline]
pub(crate) fn is_address(routing_key: &[u8]) -> bool {
    routing_key.strip_prefix(REPLY_TO.as_bytes()).is_some_and(|rest| rest.starts_with(b"."))
}

/// True for the pseudo queue and for addresses.
pub(crate) fn is_pseudo_queue(name: &str) -> bool {
    name == REPLY_TO || is_address(name.as_bytes())
}

impl ReplyConsumers {
    pub(crate) fn add(&self, address: &str, consumer: Arc<Consumer>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(address.into(), consumer);
    }

    pub(crate) fn remove(&self, address: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(address);
    }

    pub(crate) fn find(&self, address: &[u8]) -> Option<Arc<Consumer>> {
        let address = std::str::from_utf8(address).ok()?;
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(address).cloned()
    }
}
