//! What only the lock of a queue shows of it.

use super::QueueCell;
use amqp::properties::PropertiesRef;
use std::sync::Arc;

/// What lists show of a queue beyond its counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueView {
    /// Tag of the consumer that has the queue for itself.
    pub exclusive_consumer: Option<Arc<str>>,
    /// Tag of the single active consumer.
    pub single_active_consumer: Option<Arc<str>>,
    /// The timestamp that the first ready message has among its properties, in seconds; `None` while it is on disk.
    pub head_timestamp_s: Option<u64>,
}

impl QueueCell {
    /// Looks at it, under its lock.
    pub fn view(&self) -> QueueView {
        let state = self.lock();
        let consumers = &state.queue.consumers;
        let tag_of = |key| consumers.iter().find(|(other, _)| *other == key).map(|(_, consumer)| consumer.tag.clone());
        let exclusive = state.consumed_exclusively.then(|| consumers.iter().next()).flatten();
        let head = state.queue.iter().next().and_then(|entry| entry.message.clone());
        QueueView {
            exclusive_consumer: exclusive.map(|(_, consumer)| consumer.tag.clone()),
            single_active_consumer: consumers.single_active().and_then(tag_of),
            head_timestamp_s: head
                .and_then(|message| PropertiesRef::of_payload(message.parts().header)?.decode().ok()?.timestamp),
        }
    }
}
