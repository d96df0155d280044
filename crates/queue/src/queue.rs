//! The queue itself.

use crate::consumers::{ConsumerKey, Consumers, Gate};
use crate::entry::{Counts, Entry};
use crate::storage::Storage;
use std::collections::{BTreeMap, VecDeque};
use store::Message;

/// No limit, for [`Queue::plan_ready`].
pub const UNLIMITED: usize = usize::MAX;

/// What a message in memory takes beside its body, in bytes; about right is enough for deciding what goes to disk.
const OVERHEAD: u64 = 128;

/// Ready messages and consumers of one queue.
pub struct Queue<C> {
    /// Who takes messages.
    pub consumers: Consumers<C>,
    /// Messages in memory, before all that are [paged out](crate::storage).
    pub(crate) ready: VecDeque<Entry>,
    /// Messages that came back, all from before `ready`.
    pub(crate) returned: BTreeMap<u64, Entry>,
    next_seq: u64,
    pub(crate) counts: Counts,
    /// Memory of the messages in `ready`.
    pub(crate) resident_bytes: u64,
    /// What of it is on disk; only for queues that have something there, or that are to survive a restart.
    pub(crate) storage: Option<Box<Storage>>,
}

impl<C> Default for Queue<C> {
    fn default() -> Self {
        Queue {
            consumers: Consumers::default(),
            ready: VecDeque::new(),
            returned: BTreeMap::new(),
            next_seq: 0,
            counts: Counts::default(),
            resident_bytes: 0,
            storage: None,
        }
    }
}

impl<C> Queue<C> {
    /// A queue as a restart finds it: everything that is on disk is ready.
    pub fn restored(storage: Storage) -> Queue<C> {
        let backlog = &storage.backlog;
        let counts = Counts { ready: backlog.len(), ready_bytes: backlog.body_bytes(), ..Counts::default() };
        let next_seq = backlog.next_seq_after_recovery();
        Queue { next_seq, counts, storage: Some(Box::new(storage)), ..Queue::default() }
    }

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

    /// Memory that ready messages take which never left the queue, in bytes.
    #[inline]
    pub fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }

    /// The position of the next message that enters.
    #[inline]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
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
    /// Hands the entries, taken out of the queue in order and in memory, with their consumers to `plan`. Returns true
    /// when it stopped for one of the limits, so that there may be more to do; it also stops, returning false, at a
    /// message that cannot be delivered yet (see [`Queue::pop`]).
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
            if !self.has_deliverable() {
                return false;
            }
            if bytes > most_bytes {
                return true;
            }
            let Some(consumer) = self.consumers.next(gate) else { return false };
            let Some(entry) = self.take_first() else { return false };
            bytes += entry.body_len as usize;
            plan(entry, consumer);
        }
        self.has_deliverable()
    }

    /// Adds a message at the end. One that is on disk is not kept in memory behind others that are not.
    #[inline]
    pub fn push(&mut self, message: Message, stored: bool) {
        let seq = self.take_seqs(1);
        let entry = Entry::new(message, seq, stored);
        self.add_ready(entry.body_len);
        if let Some(storage) = &mut self.storage
            && storage.is_paged()
        {
            assert!(stored, "what enters behind messages that are on disk only is on disk itself");
            storage.paged_out(1);
            return;
        }
        self.resident_bytes += memory(&entry);
        self.ready.push_back(entry);
    }

    /// True when the first ready message can be delivered at once: it is in memory, and would be known as possibly
    /// delivered after a crash.
    #[inline]
    pub fn has_deliverable(&self) -> bool {
        let first = match self.returned.first_key_value() {
            Some((_, entry)) => Some(entry),
            None => self.ready.front(),
        };
        first.is_some_and(|entry| entry.message.is_some() && self.is_marked(entry))
    }

    /// True when a crash right after the delivery of this message would find it marked.
    #[inline]
    fn is_marked(&self, entry: &Entry) -> bool {
        !entry.stored
            || entry.redelivered
            || self.storage.as_ref().is_none_or(|storage| entry.seq < storage.deliverable_below)
    }

    /// Takes the first ready message; `None` when there is none, and when it cannot be delivered yet: then
    /// [`Queue::is_empty`] is false, and [`Queue::wants`] says what it waits for.
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        if self.has_deliverable() { self.take_first() } else { None }
    }

    #[inline]
    fn take_first(&mut self) -> Option<Entry> {
        let entry = match self.returned.pop_first() {
            Some((_, entry)) => entry,
            None => {
                let entry = self.ready.pop_front()?;
                self.resident_bytes -= memory(&entry);
                entry
            }
        };
        self.remove_ready(entry.body_len);
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
    pub fn settled(&mut self, body_len: u32) {
        debug_assert!(self.counts.unacked > 0, "only what was delivered can be settled");
        self.counts.unacked = self.counts.unacked.saturating_sub(1);
        self.counts.unacked_bytes = self.counts.unacked_bytes.saturating_sub(u64::from(body_len));
    }

    /// Puts a delivered message back to its original position.
    pub fn requeue(&mut self, mut entry: Entry) {
        self.settled(entry.body_len);
        entry.redelivered = true;
        entry.delivery_count = entry.delivery_count.saturating_add(1);
        self.put_back(entry);
    }

    /// Puts a message back that was taken out and, as it turned out, not delivered.
    pub fn put_back(&mut self, entry: Entry) {
        self.add_ready(entry.body_len);
        debug_assert!(self.ready.front().is_none_or(|first| first.seq > entry.seq), "what returns came from the head");
        let old = self.returned.insert(entry.seq, entry);
        debug_assert!(old.is_none(), "a position is taken once");
    }

    /// Removes all ready messages; returns how many there were.
    ///
    /// Those in memory are handed to `sink`, so that the caller can free them without holding a lock, and take those
    /// that are stored off the books; those that are only on disk are [`Queue::forget_paged`]'s.
    pub fn purge(&mut self, sink: &mut Vec<Entry>) -> u64 {
        let count = self.counts.ready;
        sink.extend(std::mem::take(&mut self.returned).into_values());
        sink.extend(std::mem::take(&mut self.ready));
        self.resident_bytes = 0;
        self.counts.ready = 0;
        self.counts.ready_bytes = 0;
        count
    }

    /// Ready messages in memory from the first on, without taking them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.returned.values().chain(&self.ready)
    }

    /// Ready messages for relocation, at most `most` from position `from` on; returns where to go on.
    pub fn ready_from(&mut self, from: usize, most: usize) -> impl Iterator<Item = &mut Entry> {
        self.ready.iter_mut().skip(from).take(most)
    }

    /// Counts a ready message as gone. After a restart the bytes of what is in cold segments are not always exact, so that
    /// they are put right when the queue is empty.
    #[inline]
    pub(crate) fn remove_ready(&mut self, body_len: u32) {
        self.counts.ready = self.counts.ready.saturating_sub(1);
        let bytes = self.counts.ready_bytes.saturating_sub(u64::from(body_len));
        self.counts.ready_bytes = if self.counts.ready == 0 { 0 } else { bytes };
    }

    #[inline]
    fn add_ready(&mut self, body_len: u32) {
        self.counts.ready += 1;
        self.counts.ready_bytes += u64::from(body_len);
    }
}

/// Memory that an entry takes, in bytes.
#[inline]
pub(crate) fn memory(entry: &Entry) -> u64 {
    u64::from(entry.body_len) + OVERHEAD
}
