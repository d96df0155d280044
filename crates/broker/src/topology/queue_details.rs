//! What of a queue takes its lock to know.

use super::{QueueCell, QueueState};
use crate::admin::AdminError;
use crate::broker::Broker;
use crate::delivery::Consumer;
use amqp::properties::PropertiesRef;
use queue::{Activity, Entry};
use std::sync::Arc;

/// What a message in a queue takes beside its body, and a consumer of it, in bytes; about.
const MESSAGE_BYTES: u64 = 128;
const CONSUMER_BYTES: u64 = 384;
/// Half of what the capacity of consumers was so long ago is forgotten, in ms (RabbitMQ's half-life).
const HALF_LIFE_MS: f64 = 1000.0;

/// What of a queue takes its lock to know; see [`Broker::queue_details`].
#[derive(Clone, Default)]
pub struct QueueDetails {
    /// Memory that it takes, in bytes; an estimate.
    pub memory_bytes: u64,
    /// Ready messages in memory.
    pub messages_ready_ram: u64,
    /// Delivered messages in memory.
    pub messages_unacknowledged_ram: u64,
    /// Ready messages that are on disk only.
    pub messages_paged_out: u64,
    /// Bytes of their bodies, about.
    pub message_bytes_paged_out: u64,
    /// Messages that survive a restart.
    pub messages_persistent: u64,
    /// Bytes of their bodies, about.
    pub message_bytes_persistent: u64,
    /// The property timestamp of the first ready message, in seconds since 1970; `None` too when that is not in memory.
    pub head_message_timestamp: Option<u64>,
    /// The tag of the consumer that consumes exclusively.
    pub exclusive_consumer_tag: Option<Arc<str>>,
    /// The tag of the single active consumer.
    pub single_active_consumer_tag: Option<Arc<str>>,
    /// Share of the time in which consumers could take messages at once, from 0 to 1, the last seconds above all; 0
    /// without consumers.
    pub consumer_capacity: f64,
    /// Its consumers in no order, and what they do.
    pub consumers: Vec<(Arc<Consumer>, Activity)>,
}

/// How willing the consumers of a queue have been.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    /// Whether they could take messages since `since_ms`.
    could: bool,
    since_ms: u64,
    average: f64,
}

impl Default for Capacity {
    fn default() -> Capacity {
        Capacity { could: false, since_ms: 0, average: 1.0 }
    }
}

impl Capacity {
    /// Notes at a time whether they can take messages now.
    #[inline]
    pub(crate) fn note(&mut self, can: bool, now_ms: u64) {
        if can != self.could {
            *self = Capacity { could: can, since_ms: now_ms, average: self.at(now_ms) };
        }
    }

    /// The average at a time, the time since the last note included.
    fn at(&self, now_ms: u64) -> f64 {
        // Consumers that take one message at a time change within a millisecond, many times: nothing is computed then.
        if self.since_ms == 0 || now_ms <= self.since_ms {
            return self.average;
        }
        let left = 0.5f64.powf(now_ms.saturating_sub(self.since_ms) as f64 / HALF_LIFE_MS);
        let now = if self.could { 1.0 } else { 0.0 };
        self.average * left + now * (1.0 - left)
    }
}

impl QueueCell {
    /// What takes its lock to know, at `now_ms` (since 1970).
    fn details(&self, now_ms: u64) -> QueueDetails {
        let state = self.lock();
        let (counts, figures) = (state.queue.counts(), state.queue.figures());
        let consumers: Vec<_> = state
            .queue
            .consumers
            .iter()
            .map(|(key, consumer)| (consumer.clone(), state.queue.consumers.activity(key).unwrap_or(Activity::Up)))
            .collect();
        let single_active = state.queue.consumers.single_active();
        let single_active = single_active.and_then(|key| state.queue.consumers.handle(key));
        let is_persistent = self.is_stored;
        let paged_bytes =
            if figures.paged_out == 0 { 0 } else { counts.ready_bytes.saturating_sub(figures.resident_bytes) };
        let in_memory = figures.resident + counts.unacked;
        QueueDetails {
            memory_bytes: size_of::<QueueCell>() as u64
                + figures.resident_bytes
                + counts.unacked_bytes
                + in_memory * MESSAGE_BYTES
                + consumers.len() as u64 * CONSUMER_BYTES,
            messages_ready_ram: counts.ready.saturating_sub(figures.paged_out),
            messages_unacknowledged_ram: counts.unacked,
            messages_paged_out: figures.paged_out,
            message_bytes_paged_out: paged_bytes,
            messages_persistent: if is_persistent { figures.on_disk } else { 0 },
            message_bytes_persistent: if is_persistent { figures.on_disk_bytes } else { 0 },
            head_message_timestamp: state.queue.iter().next().and_then(timestamp),
            exclusive_consumer_tag: consumers
                .iter()
                .find(|(consumer, _)| consumer.exclusive)
                .map(|(consumer, _)| consumer.tag.clone()),
            single_active_consumer_tag: single_active.map(|consumer| consumer.tag.clone()),
            consumer_capacity: if consumers.is_empty() { 0.0 } else { state.capacity.at(now_ms) },
            consumers,
        }
    }

    /// Notes that it was used, and whether its consumers can take messages; called with its lock held.
    #[inline]
    pub(crate) fn note_activity(&self, state: &mut QueueState, now_ms: u64) {
        self.active_ms.set(now_ms);
        let can = state.queue.consumers.want_messages();
        state.capacity.note(can, now_ms);
    }
}

impl Broker {
    /// What of a queue takes its lock to know, which a reactor looks at: for one queue at a time, on a thread that may wait.
    ///
    /// # Errors
    /// When the broker stops.
    pub fn queue_details(&self, cell: &Arc<QueueCell>) -> Result<QueueDetails, AdminError> {
        let asked = cell.clone();
        self.on_reactor_of(cell, move |core| asked.details(core.time_ms))
    }
}

/// Queues that a reactor looks at in one go.
const SLICE: usize = 256;

impl Broker {
    /// The same of many queues, a slice at a time.
    ///
    /// # Errors
    /// When the broker stops.
    pub fn details_of(&self, cells: &[Arc<QueueCell>]) -> Result<Vec<QueueDetails>, AdminError> {
        let mut all = Vec::with_capacity(cells.len());
        for slice in cells.chunks(SLICE) {
            let Some(first) = slice.first() else { continue };
            let asked = slice.to_vec();
            let details = self.on_reactor_of(first, move |core| {
                let now_ms = core.time_ms;
                asked.iter().map(|cell| cell.details(now_ms)).collect::<Vec<_>>()
            })?;
            all.extend(details);
        }
        Ok(all)
    }
}

/// The property timestamp of a message, where that can be read.
fn timestamp(entry: &Entry) -> Option<u64> {
    PropertiesRef::of_payload(entry.message.as_ref()?.parts().header)?.decode().ok()?.timestamp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_follows_what_consumers_can_take() {
        let mut capacity = Capacity::default();
        assert!((capacity.at(5_000) - 1.0).abs() < 1e-9, "nothing is known");
        capacity.note(true, 1_000);
        assert!((capacity.at(9_000) - 1.0).abs() < 1e-9);
        capacity.note(false, 10_000);
        capacity.note(false, 10_500);
        assert!((capacity.at(11_000) - 0.5).abs() < 1e-9, "half of it is forgotten after a second");
        assert!(capacity.at(60_000) < 0.01);
        capacity.note(true, 60_000);
        assert!((capacity.at(61_000) - 0.5).abs() < 0.01);
    }
}
