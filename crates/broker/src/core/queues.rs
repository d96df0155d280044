//! Queues coming and going: consumers, deletion, and what happens when a connection ends.

use super::Core;
use super::leave::Letter;
use crate::broker::Broker;
use crate::delivery::Consumer;
use crate::errors::{self, ProtocolError, Resource};
use crate::message::{Address, ShardMessage};
use crate::topology::{QueueCell, Removed, Vhost};
use metadata::Token;
use queue::ConsumerKey;
use std::sync::Arc;

/// When a queue is to be deleted.
#[derive(Clone, Copy, Default)]
pub(crate) struct DeleteCondition {
    pub(crate) if_unused: bool,
    pub(crate) if_empty: bool,
}

impl Core {
    /// Deletes a queue. Returns how many messages were ready in it, and the change to wait for.
    ///
    /// Deleting a queue that is being deleted finds nothing.
    pub(crate) fn delete_queue(
        &mut self,
        vhost: &Vhost,
        cell: &Arc<QueueCell>,
        condition: DeleteCondition,
    ) -> Result<(u64, Option<Token>), ProtocolError> {
        delete_queue(&self.broker, vhost, cell, condition)
    }

    /// Removes a consumer from its queue, and the queue if that was the last one of an auto-delete queue.
    ///
    /// True when it was the single active consumer: the [next](Core::activate_next) gets nothing before what this one
    /// gives back is there, so that it finds the messages in order.
    pub(crate) fn remove_consumer(&mut self, vhost: &Vhost, cell: &Arc<QueueCell>, key: ConsumerKey) -> bool {
        let mut state = cell.lock();
        let was_single_active = state.queue.consumers.single_active() == Some(key);
        if state.queue.consumers.remove(key).is_none() {
            return false;
        }
        state.consumed_exclusively = false;
        if state.is_tended {
            state.used_ms = self.time_ms;
        }
        let unused = cell.auto_delete && state.queue.consumers.is_empty();
        cell.publish_gauges(&state);
        cell.note_activity(&mut state, self.time_ms);
        drop(state);
        if unused {
            // Somebody may have begun to consume meanwhile; then it stays.
            let condition = DeleteCondition { if_unused: true, if_empty: false };
            let _ = self.delete_queue(vhost, cell, condition);
        }
        was_single_active
    }

    /// After the single active consumer of a queue was removed: makes the next the one, and delivers to it.
    pub(crate) fn activate_next(&mut self, cell: &Arc<QueueCell>) {
        let mut state = cell.lock();
        if state.queue.consumers.activate_next() && !state.queue.is_empty() {
            self.deliver_ready_locked(cell, &mut state);
        }
        drop(state);
        self.scratch.done.clear();
    }
}

/// Deletes a queue, telling the reactors of its consumers; returns the ready messages and the change to wait for.
pub(crate) fn delete_queue(
    broker: &Broker,
    vhost: &Vhost,
    cell: &Arc<QueueCell>,
    condition: DeleteCondition,
) -> Result<(u64, Option<Token>), ProtocolError> {
    let mut messages = Vec::new();
    let mut consumers: Vec<Arc<Consumer>> = Vec::new();
    let mut state = cell.lock();
    if cell.is_dead() {
        return Ok((0, None));
    }
    let resource = Resource::queue(&vhost.name, &cell.name);
    if condition.if_unused && !state.queue.consumers.is_empty() {
        return Err(errors::IN_USE.with(&[&resource]));
    }
    if condition.if_empty && !state.queue.is_empty() {
        return Err(errors::NOT_EMPTY.with(&[&resource]));
    }
    cell.mark_dead();
    let count = state.queue.purge(&mut messages);
    // Letters hold on to their queue, and nobody sends them or ends waits any more.
    let (waits, unsent) = (std::mem::take(&mut state.waits), std::mem::take(&mut state.unsent));
    let kept_back = waits.values().map(|entry| entry.body_len).chain(unsent.iter().map(Letter::body_len));
    kept_back.for_each(|body_len| state.queue.settled(body_len));
    let keys: Vec<ConsumerKey> = state.queue.consumers.iter().map(|(key, _)| key).collect();
    consumers.extend(keys.into_iter().filter_map(|key| state.queue.consumers.remove(key)));
    cell.publish_gauges(&state);
    drop(state);
    let mut topology = vhost.write();
    let mut removed = topology.remove_queue(&vhost.name, cell, Removed::listing(broker.events.is_listening()));
    // Proposed under the lock, so that declaring the name again comes later in the journal too.
    let token = broker.propose(std::mem::take(&mut removed.changes));
    drop(topology);
    broker.emit_removed(&vhost.name, &removed, None);
    broker.emit_queue_deleted(cell);
    broker.end_hidden(removed.hidden);
    // Only now: until the deletion is in the journal, the store has to keep what a crash would find again.
    broker.remove_queue(cell);
    broker.totals.churn.queue_deleted.add(1);
    drop((messages, waits, unsent));
    for consumer in consumers {
        let address = Address { key: consumer.link.key, id: consumer.link.id };
        let (channel, tag) = (consumer.channel, consumer.tag.clone());
        broker.post(consumer.link.shard, ShardMessage::ConsumerGone { address, channel, tag, quid: cell.quid });
    }
    Ok((count, token))
}
