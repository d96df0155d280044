//! What a queue is like at a moment, for whoever wants to know why it does not move.

use super::Core;
use crate::delivery::Consumer;
use crate::link::{ConnectionId, OUTPUT_HIGH};
use crate::topology::{Overflow, QueueCell};
use queue::Activity;

/// Consumers that are described, at most; of those beyond only the number is told.
const MOST_CONSUMERS: usize = 512;

/// Why a consumer gets nothing now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// Nothing: it would take a message.
    None,
    /// It has as many messages as its prefetch limit allows.
    Prefetch,
    /// Its channel has as many as its limit for all consumers allows.
    ChannelPrefetch,
    /// Its client does not read what it was sent.
    Output,
    /// Another one is the single active consumer.
    Waiting,
}

/// A consumer.
#[derive(Clone, Debug)]
pub(crate) struct ConsumerFacts {
    pub(crate) connection: ConnectionId,
    pub(crate) channel: u16,
    pub(crate) tag: String,
    pub(crate) prefetch: u16,
    pub(crate) hindrance: Hindrance,
    pub(crate) pending_bytes: usize,
    pub(crate) is_single_active: bool,
}

/// A queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueueFacts {
    pub(crate) ready: u64,
    pub(crate) unacked: u64,
    pub(crate) consumers: usize,
    pub(crate) described: Vec<ConsumerFacts>,
    /// A consumer, whoever it is, would take a message.
    pub(crate) wants_messages: bool,
    pub(crate) has_single_active: bool,
    /// The first message cannot be delivered before something has come from disk, or gone there.
    pub(crate) waits_for_disk: bool,
    /// Messages that wait before they are ready again, and when the first of them is, in ms since 1970.
    pub(crate) retrying: usize,
    pub(crate) next_retry_ms: u64,
    /// Dead letters that no queue takes.
    pub(crate) unsent: usize,
    /// It has no room for a further message of a byte.
    pub(crate) is_full: bool,
    /// What it does then.
    pub(crate) refuses: bool,
    pub(crate) max_length: Option<u64>,
    pub(crate) max_length_bytes: Option<u64>,
    pub(crate) message_ttl_ms: Option<u64>,
    /// The engine's time, in ms since 1970.
    pub(crate) now_ms: u64,
}

impl Core {
    pub(crate) fn facts(&self, cell: &QueueCell) -> QueueFacts {
        let state = cell.lock();
        let (counts, consumers) = (state.queue.counts(), &state.queue.consumers);
        let single_active = consumers.single_active();
        let described = consumers.iter().take(MOST_CONSUMERS).map(|(key, consumer)| {
            let activity = consumers.activity(key).unwrap_or(Activity::Up);
            ConsumerFacts {
                connection: consumer.link.id,
                channel: consumer.channel,
                tag: consumer.tag.to_string(),
                prefetch: consumer.prefetch,
                hindrance: hindrance(consumer, activity, consumers.has_credit(key)),
                pending_bytes: consumer.link.pending(),
                is_single_active: single_active == Some(key),
            }
        });
        let described = described.collect();
        let options = state.options.as_ref();
        QueueFacts {
            ready: counts.ready,
            unacked: counts.unacked,
            consumers: consumers.len(),
            described,
            wants_messages: consumers.want_messages(),
            has_single_active: consumers.has_single_active(),
            waits_for_disk: counts.ready > 0 && !state.queue.has_deliverable(),
            retrying: state.waits.len(),
            next_retry_ms: state.waits.keys().next().map_or(0, |(due_ms, _)| *due_ms),
            unsent: state.unsent.len(),
            is_full: state.queue.room_for(std::iter::once(1)) == 0,
            refuses: options.is_some_and(|options| options.overflow != Overflow::DropHead),
            max_length: options.and_then(|options| options.max_length),
            max_length_bytes: options.and_then(|options| options.max_length_bytes),
            message_ttl_ms: options.and_then(|options| options.message_ttl_ms),
            now_ms: self.time_ms,
        }
    }
}

fn hindrance(consumer: &Consumer, activity: Activity, has_credit: bool) -> Hindrance {
    match activity {
        Activity::Waiting => Hindrance::Waiting,
        _ if !has_credit => Hindrance::Prefetch,
        _ if consumer.link.pending() >= OUTPUT_HIGH => Hindrance::Output,
        _ if consumer.channel_limit.is_full() => Hindrance::ChannelPrefetch,
        // It waits until its output has become short, or its channel has a place, which it has by now.
        _ => Hindrance::None,
    }
}
