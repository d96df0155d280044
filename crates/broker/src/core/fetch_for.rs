//! basic.get without a connection: some messages at a time, for an administrative command.

use super::deliver::counted_header;
use super::firehose::Who;
use super::tend::Return;
use super::{Core, MESSAGES_PER_LOCK};
use crate::delivery::{Since, Unacked};
use crate::topology::QueueCell;
use std::sync::Arc;
use store::Message;

/// Messages that are fetched under one hold of the queue's lock.
const AT_ONCE: usize = MESSAGES_PER_LOCK / 2;

/// A message that was fetched.
pub(crate) struct Fetched {
    pub(crate) message: Message,
    pub(crate) redelivered: bool,
    /// Messages that were ready when it had been taken.
    pub(crate) remaining: u64,
    /// Its content header with how often it came back, where the queue tells.
    pub(crate) header: Option<Vec<u8>>,
}

/// Why a piece of a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchEnd {
    /// It has as many as one piece may have.
    Full,
    /// The queue is empty.
    Empty,
    /// The first message is on its way from disk, or a mark on its way there.
    Later,
}

/// A piece of a fetch.
pub(crate) struct Fetch {
    pub(crate) fetched: Vec<Fetched>,
    /// Those that are to be returned or rejected.
    pub(crate) held: Vec<Unacked>,
    pub(crate) end: FetchEnd,
}

impl Core {
    /// Fetches up to `most` messages or until their bodies have more than `most_bytes`; with `no_ack` they are gone.
    pub(crate) fn fetch_for(&mut self, cell: &Arc<QueueCell>, most: usize, most_bytes: usize, no_ack: bool) -> Fetch {
        let (mut fetched, mut entries, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut state = cell.lock();
        let counts_deliveries = state.counts_deliveries();
        let mut end = FetchEnd::Full;
        while fetched.len() < most.min(AT_ONCE) && bytes < most_bytes {
            let Some(entry) = state.queue.pop(self.time_ms) else {
                end = if state.queue.is_empty() { FetchEnd::Empty } else { FetchEnd::Later };
                break;
            };
            if !no_ack {
                state.queue.delivered(1, u64::from(entry.body_len));
            }
            // What can be popped is in memory.
            let Some(message) = entry.message.clone() else { continue };
            bytes += message.body_len();
            if self.is_tracing() {
                self.sight_deliver(cell, Who::Operator(String::new()), &message, entry.redelivered);
            }
            let header = if counts_deliveries { counted_header(&entry, message.parts().header) } else { None };
            let (redelivered, remaining) = (entry.redelivered, state.queue.counts().ready);
            fetched.push(Fetched { message, redelivered, remaining, header });
            entries.push(entry);
        }
        match end {
            FetchEnd::Later => self.fetch(cell, &mut state),
            FetchEnd::Empty => cell.counters.get_empty.add(1),
            FetchEnd::Full => {}
        }
        let counter = if no_ack { &cell.counters.get_no_ack } else { &cell.counters.get };
        counter.add(entries.len() as u64);
        cell.counters.redeliver.add(fetched.iter().filter(|fetched| fetched.redelivered).count() as u64);
        let mut held = Vec::new();
        if no_ack {
            self.remove_entries(cell, &mut state, entries.iter());
            if cell.taps.any() {
                self.note_left(cell, "deliver_no_ack", entries.iter());
            }
            self.scratch.done.append(&mut entries);
        } else {
            let since = Since::at(self.now.mono_ms());
            let hold = |entry| Unacked { tag: 0, queue: cell.clone(), consumer: None, entry, due_ms: u64::MAX, since };
            held.extend(entries.into_iter().map(hold));
        }
        if state.is_tended {
            state.used_ms = self.time_ms;
            self.tend(cell, &mut state);
        }
        cell.publish_gauges(&state);
        drop(state);
        self.scratch.done.clear();
        Fetch { fetched, held, end }
    }

    /// Returns fetched messages to their queue: `failed` when as with basic.reject, else as with basic.nack.
    pub(crate) fn return_fetched(&mut self, held: Vec<Unacked>, failed: bool) {
        self.requeue_all(held, if failed { Return::Failed } else { Return::GivenBack });
    }

    /// Rejects fetched messages for good.
    pub(crate) fn reject_fetched(&mut self, held: Vec<Unacked>) {
        self.reject_for_good(held);
    }
}
