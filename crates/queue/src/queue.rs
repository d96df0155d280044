//! The queue itself.

use crate::consumers::{ConsumerKey, Consumers, Gate};
use std::collections::{BTreeMap, VecDeque};
use store::Message;

/// No limit, for [`Queue::plan_ready`].
pub const UNLIMITED: usize = usize::MAX;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The message.
    pub message: Message,
    /// Its position: grows by one with each message that enters the queue.
    pub seq: u64,
    /// How often it came back after a delivery.
    pub delivery_count: u32,
    /// True when it may have been delivered before.
    pub redelivered: bool,
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Bytes of their bodies.
    pub ready_bytes: u64,
    /// Messages that are delivered and not settled.
    pub unacked: u64,
    /// Bytes of their bodies.
    pub unacked_bytes: u64,
}

/// Ready messages and consumers of one queue.
pub struct Queue<C> {
    /// Who takes messages.
    pub consumers: Consumers<C>,
    ready: VecDeque<Entry>,
    /// Messages that came back, all from before `ready`.
    returned: BTreeMap<u64, Entry>,
    next_seq: u64,
    counts: Counts,
}

impl<C> Default for Queue<C> {
    fn default() -> Self {
        Queue {
            consumers: Consumers::default(),
            ready: VecDeque::new(),
            returned: BTreeMap::new(),
            next_seq: 0,
            counts: Counts::default(),
        }
    }
}

impl<C> Queue<C> {
    /// What it holds.
    #[inline]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// True without ready messages.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.counts.ready == 0
    }

    /// The first of `count` positions for messages that enter and go straight to consumers.
    #[inline]
    pub fn take_seqs(&mut self, count: u64) -> u64 {
        let first = self.next_seq;
        self.next_seq += count;
        first
    }

    /// Assigns up to `count` messages that are about to enter to consumers, straight, one after the other in turn.
    ///
    /// Appends a key per message to `plan`; those that got none have to be [pushed](Queue::push). Nothing is assigned
    /// while older messages wait. Assigned messages that need an acknowledgement must be [counted](Queue::delivered).
    #[inline]
    pub fn plan_new(&mut self, count: usize, gate: &mut impl Gate<C>, plan: &mut Vec<ConsumerKey>) {
        if !self.is_empty() {
            return;
        }
        plan.extend((0..count).map_while(|_| self.consumers.next(gate)));
    }

    /// Assigns ready messages to consumers, at most `most` messages and about `most_bytes` bytes of bodies.
    ///
    /// Hands the entries, taken out of the queue in order, with their consumers to `plan`. Returns true when it stopped
    /// for one of the limits, so that there may be more to do.
    #[inline]
    pub fn plan_ready(
        &mut self,
        most: usize,
        most_bytes: usize,
        gate: &mut impl Gate<C>,
        mut plan: impl FnMut(Entry, ConsumerKey),
    ) -> bool {
        let mut bytes = 0;
        for _ in 0..most {
            if self.is_empty() {
                return false;
            }
            if bytes > most_bytes {
                return true;
            }
            let Some(consumer) = self.consumers.next(gate) else { return false };
            let Some(entry) = self.pop() else { return false };
            bytes += entry.message.body_len();
            plan(entry, consumer);
        }
        !self.is_empty()
    }

    /// Adds a message at the end.
    #[inline]
    pub fn push(&mut self, message: Message) {
        let seq = self.take_seqs(1);
        self.add_ready(message.body_len());
        self.ready.push_back(Entry { message, seq, delivery_count: 0, redelivered: false });
    }

    /// Takes the first ready message.
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = match self.returned.pop_first() {
            Some((_, entry)) => entry,
            None => self.ready.pop_front()?,
        };
        self.counts.ready -= 1;
        self.counts.ready_bytes -= entry.message.body_len() as u64;
        Some(entry)
    }

    /// Counts messages with `bytes` bytes of bodies as delivered and not settled.
    #[inline]
    pub fn delivered(&mut self, count: u64, bytes: u64) {
        self.counts.unacked += count;
        self.counts.unacked_bytes += bytes;
    }

    /// Counts a delivered message as gone: acknowledged, or rejected for good.
    #[inline]
    pub fn settled(&mut self, body_len: usize) {
        debug_assert!(self.counts.unacked > 0, "only what was delivered can be settled");
        self.counts.unacked = self.counts.unacked.saturating_sub(1);
        self.counts.unacked_bytes = self.counts.unacked_bytes.saturating_sub(body_len as u64);
    }

    /// Puts a delivered message back to its original position.
    pub fn requeue(&mut self, mut entry: Entry) {
        self.settled(entry.message.body_len());
        entry.redelivered = true;
        entry.delivery_count = entry.delivery_count.saturating_add(1);
        self.put_back(entry);
    }

    /// Puts a message back that was taken out and, as it turned out, not delivered.
    pub fn put_back(&mut self, entry: Entry) {
        self.add_ready(entry.message.body_len());
        debug_assert!(self.ready.front().is_none_or(|first| first.seq > entry.seq), "what returns came from the head");
        let old = self.returned.insert(entry.seq, entry);
        debug_assert!(old.is_none(), "a position is taken once");
    }

    /// Removes all ready messages; returns how many there were.
    ///
    /// The messages themselves are handed to `sink`, so that the caller can free them without holding a lock.
    pub fn purge(&mut self, sink: &mut Vec<Entry>) -> u64 {
        let count = self.counts.ready;
        sink.extend(std::mem::take(&mut self.returned).into_values());
        sink.extend(std::mem::take(&mut self.ready));
        self.counts.ready = 0;
        self.counts.ready_bytes = 0;
        count
    }

    /// Ready messages from the first on, without taking them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.returned.values().chain(&self.ready)
    }

    /// Ready messages for relocation, at most `most` from position `from` on; returns where to go on.
    pub fn ready_from(&mut self, from: usize, most: usize) -> impl Iterator<Item = &mut Entry> {
        self.ready.iter_mut().skip(from).take(most)
    }

    #[inline]
    fn add_ready(&mut self, body_len: usize) {
        self.counts.ready += 1;
        self.counts.ready_bytes += body_len as u64;
    }
}
