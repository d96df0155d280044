//! Giving messages to consumers.
//!
//! Under the queue's lock the queue plans first which message goes to whom. Then each consumer's connection is locked
//! once and its share encoded, in the order of the messages.

use super::firehose::Who;
use super::{BYTES_PER_LOCK, Core, MESSAGES_PER_LOCK};
use crate::dead_letter::with_count;
use crate::delivery::{Consumer, Content, OutputGate, Since, Unacked, encode_deliver};
use crate::link::{Output, OutputGuard};
use crate::topology::{QueueCell, QueueState};
use crate::trace::{At, Look, Operation};
use queue::{ConsumerKey, Entry};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a delivery adds to the counts of its queue.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) deliver: u64,
    pub(super) deliver_no_ack: u64,
    pub(super) redeliver: u64,
    pub(super) unacked_bytes: u64,
}

impl Core {
    /// Delivers what `cell` has ready, within the limits of one hold of its lock; the rest goes on another turn.
    pub(crate) fn deliver_ready(&mut self, cell: &Arc<QueueCell>) {
        let mut state = cell.lock();
        self.deliver_ready_locked(cell, &mut state);
        drop(state);
        self.scratch.done.clear();
    }

    /// As [`Core::deliver_ready`] for a queue that is locked.
    pub(super) fn deliver_ready_locked(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState) {
        if state.is_tended {
            self.end_waits(state);
            // As RabbitMQ: what came back may be one too many, and is then not delivered first.
            self.drop_heads(cell, state);
        }
        let mut entries = std::mem::take(&mut self.scratch.entries);
        let more = state.queue.plan_ready(
            MESSAGES_PER_LOCK,
            BYTES_PER_LOCK,
            self.time_ms,
            &mut OutputGate { cell },
            |entry, key| entries.push((Some(entry), key)),
        );
        if self.tracer.is_some() {
            for (entry, key) in &entries {
                let consumer = state.queue.consumers.handle(*key).map(|consumer| &**consumer);
                let planned = entry.as_ref().and_then(|entry| Some((entry.message.as_ref()?, entry.body_len)));
                if let Some((message, body_len)) = planned {
                    let look = Look::at(message, body_len as usize);
                    self.trace(Operation::Deliver, look, At { queue: &cell.name, consumer, routed: 0 });
                }
            }
        }
        if self.is_tracing() {
            for (entry, key) in &entries {
                let consumer = state.queue.consumers.handle(*key);
                let message = entry.as_ref().and_then(|entry| Some((entry.message.as_ref()?, entry.redelivered)));
                if let (Some((message, redelivered)), Some(consumer)) = (message, consumer) {
                    self.sight_deliver(cell, Who::Channel(consumer.entry.clone()), message, redelivered);
                }
            }
        }
        let mut tally = Tally::default();
        for start in 0..entries.len() {
            if entries[start].0.is_some() {
                self.deliver_share(cell, state, &mut entries[start..], &mut tally);
            }
        }
        entries.clear();
        self.scratch.entries = entries;
        state.queue.delivered(tally.deliver, tally.unacked_bytes);
        self.remove_done(cell, state);
        // Ahead of acknowledgements too, as long as there is room.
        let consumers = &state.queue.consumers;
        if consumers.want_messages() || (!consumers.is_empty() && !self.broker.is_short_of_memory()) {
            self.fetch(cell, state);
        }
        if state.is_tended {
            self.tend(cell, state);
        }
        self.count_deliveries(cell, &tally);
        cell.publish_gauges(state);
        cell.note_activity(state, self.time_ms);
        if more {
            self.schedule(cell, state);
        }
    }

    /// Goes on with a queue on another turn.
    pub(super) fn schedule(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState) {
        if !state.scheduled {
            state.scheduled = true;
            self.runnable.push_back(cell.clone());
        }
    }

    /// Delivers those of `entries` that go to the connection of the first.
    fn deliver_share(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        entries: &mut [(Option<Entry>, ConsumerKey)],
        tally: &mut Tally,
    ) {
        let Some(link) = state.queue.consumers.handle(entries[0].1).map(|consumer| consumer.link.clone()) else {
            debug_assert!(false, "a planned consumer is there as long as the queue is locked");
            return;
        };
        let frame_max = link.frame_max.load(Ordering::Relaxed) as usize;
        let mut output = link.output();
        let mut undeliverable = Vec::new();
        let short_of_memory = self.broker.is_short_of_memory();
        let counts_deliveries = state.counts_deliveries();
        for (place, key) in entries {
            let Some(consumer) = state.queue.consumers.handle(*key) else { continue };
            if !Arc::ptr_eq(&consumer.link, &link) {
                continue;
            }
            let Some(mut entry) = place.take() else { continue };
            let Some(message) = &entry.message else {
                debug_assert!(false, "what is planned is in memory");
                undeliverable.push(entry);
                continue;
            };
            let Some(tag) = output.take_tag(consumer) else {
                undeliverable.push(entry);
                continue;
            };
            let mut content = Content::of(message);
            let counted = if counts_deliveries { counted_header(&entry, content.header) } else { None };
            if let Some(header) = &counted {
                content.header = header;
            }
            encode_deliver(&mut output.batch, consumer, tag, entry.redelivered, frame_max, &content);
            tally.count(consumer, entry.redelivered, entry.body_len as usize);
            if consumer.no_ack {
                self.scratch.done.push(entry);
            } else {
                if entry.stored && short_of_memory {
                    entry.message = None;
                }
                self.keep(&mut output, cell, consumer, *key, tag, entry);
            }
        }
        drop(output);
        link.touch(&mut self.touched);
        undeliverable.into_iter().for_each(|entry| state.queue.put_back(entry));
    }

    /// Keeps a delivery that needs an acknowledgement.
    #[inline]
    pub(super) fn keep(
        &self,
        output: &mut OutputGuard<'_>,
        cell: &Arc<QueueCell>,
        consumer: &Consumer,
        key: ConsumerKey,
        tag: u64,
        entry: Entry,
    ) {
        let now_ms = self.now.mono_ms();
        let due_ms = consumer.timeout_ms.map_or(u64::MAX, |timeout| now_ms + timeout);
        let since = Since::at(now_ms);
        let unacked = Unacked { tag, queue: cell.clone(), consumer: Some(key), entry, due_ms, since };
        if let Some(Some(deliveries)) = output.channels.get_mut(consumer.slot) {
            deliveries.keep(unacked);
        }
    }

    /// Delivers queues that had more than one turn allows; at most `most` holds of a lock.
    pub(crate) fn run_queues(&mut self, most: usize) {
        for _ in 0..most.min(self.runnable.len()) {
            let Some(cell) = self.runnable.pop_front() else { return };
            let mut state = cell.lock();
            state.scheduled = false;
            self.deliver_ready_locked(&cell, &mut state);
            drop(state);
            self.scratch.done.clear();
        }
    }

    /// Lets consumers go on that a full output or a channel's limit had held back, in the order in which they began to
    /// wait: a place that becomes free goes to the one that has waited longest.
    pub(crate) fn resume_consumers(&mut self, link: &crate::link::Link) {
        loop {
            let mut waiting = Vec::new();
            let mut limits = Vec::new();
            for (cell, key) in link.take_starved() {
                let mut state = cell.lock();
                let limit = state.queue.consumers.handle(key).map(|consumer| consumer.channel_limit.clone());
                if let Some(limit) = limit.filter(|limit| limit.is_full()) {
                    drop(state);
                    waiting.push((cell, key));
                    limits.push(limit);
                    continue;
                }
                if state.queue.consumers.ungate(key) && !state.queue.is_empty() {
                    self.deliver_ready_locked(&cell, &mut state);
                }
                drop(state);
                self.scratch.done.clear();
            }
            link.wait_on(waiting);
            // A place that became free while nobody stood on the list is looked for again.
            if limits.iter().all(|limit| limit.is_full()) {
                return;
            }
        }
    }
}

/// Headers of RabbitMQ's quorum queues: how often a message was delivered before, and how often of these it failed.
const ACQUIRED: &str = "x-acquired-count";
const FAILED: &str = "x-delivery-count";

/// The content header of a message that came back, with the counts that queues with a limit tell.
#[cold]
pub(crate) fn counted_header(entry: &Entry, header: &[u8]) -> Option<Vec<u8>> {
    let mut counted = with_count(header, ACQUIRED, entry.delivery_count);
    if entry.failures > 0 {
        counted = with_count(counted.as_deref().unwrap_or(header), FAILED, entry.failures);
    }
    counted
}

impl Output {
    /// The next delivery tag of the consumer's channel; `None` when the channel is gone.
    #[inline]
    pub(super) fn take_tag(&mut self, consumer: &Consumer) -> Option<u64> {
        let deliveries = self.channels.get_mut(consumer.slot)?.as_mut()?;
        Some(deliveries.take_tag())
    }
}

impl Tally {
    #[inline]
    pub(super) fn count(&mut self, consumer: &Consumer, redelivered: bool, body_len: usize) {
        if consumer.no_ack {
            self.deliver_no_ack += 1;
            consumer.counters.deliver_no_ack.add(1);
        } else {
            self.deliver += 1;
            self.unacked_bytes += body_len as u64;
            consumer.counters.deliver.add(1);
        }
        if redelivered {
            self.redeliver += 1;
            consumer.counters.redeliver.add(1);
        }
    }
}

impl Core {
    pub(super) fn count_deliveries(&self, cell: &QueueCell, tally: &Tally) {
        cell.counters.deliver.add(tally.deliver);
        cell.counters.deliver_no_ack.add(tally.deliver_no_ack);
        self.totals.delivered_consume_manual_ack.add(tally.deliver);
        self.totals.delivered_consume_auto_ack.add(tally.deliver_no_ack);
        if tally.redeliver > 0 {
            cell.counters.redeliver.add(tally.redeliver);
            self.totals.redelivered.add(tally.redeliver);
        }
    }
}
