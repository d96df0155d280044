//! The queue itself.

use crate::consumers::{ConsumerKey, Consumers, Gate};
use crate::entry::{Counts, Entry, Figures};
use crate::levels::Levels;
use crate::rules::{NEVER, Rules};
use crate::storage::Storage;
use crate::zone::Zone;
use store::Message;

/// No limit, for [`Queue::plan_ready`].
pub const UNLIMITED: usize = usize::MAX;

/// Ready messages and consumers of one queue.
pub struct Queue<C> {
    /// Who takes messages.
    pub consumers: Consumers<C>,
    /// Messages of priority 0: all, in a queue without priorities.
    pub(crate) zone: Zone,
    /// Those of higher priorities.
    pub(crate) levels: Option<Box<Levels>>,
    pub(crate) rules: Option<Box<Rules>>,
    pub(crate) next_seq: u64,
    pub(crate) counts: Counts,
}

impl<C> Default for Queue<C> {
    fn default() -> Self {
        Queue {
            consumers: Consumers::default(),
            zone: Zone::default(),
            levels: None,
            rules: None,
            next_seq: 0,
            counts: Counts::default(),
        }
    }
}

impl<C> Queue<C> {
    /// A queue as a restart finds it: everything that is on disk, by priority, is ready.
    pub fn restored(parts: impl IntoIterator<Item = (u8, Storage)>) -> Queue<C> {
        let mut queue = Queue::default();
        for (level, storage) in parts {
            let backlog = &storage.backlog;
            queue.counts.ready += backlog.len();
            queue.counts.ready_bytes += backlog.body_bytes();
            queue.next_seq = queue.next_seq.max(backlog.next_seq_after_recovery());
            let is_occupied = !backlog.is_empty();
            let zone = queue.zone_mut(level);
            // Nobody knows when they expire before they are read.
            zone.latest_due_ms = NEVER;
            zone.storage = Some(Box::new(storage));
            if let Some(levels) = queue.levels.as_mut().filter(|_| is_occupied) {
                levels.occupy(level);
            }
        }
        queue
    }

    /// Makes it a queue with priorities. Messages that are there already have priority 0, or what they were restored with.
    pub fn have_priorities(&mut self) {
        if self.levels.is_none() {
            let mut levels = Box::<Levels>::default();
            if !self.zone.is_empty() {
                levels.occupy(0);
            }
            self.levels = Some(levels);
        }
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

    /// True when it tells messages apart by priority.
    #[inline]
    pub fn has_priorities(&self) -> bool {
        self.levels.is_some()
    }

    /// Memory that ready messages take which never left the queue, in bytes.
    #[inline]
    pub fn resident_bytes(&self) -> u64 {
        let above = self.levels.as_ref().map_or(0, |levels| levels.iter().map(|(_, zone)| zone.resident_bytes).sum());
        self.zone.resident_bytes + above
    }

    /// Where its messages are.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        let above = self.levels.iter().flat_map(|levels| levels.iter().map(|(_, zone)| zone));
        for zone in std::iter::once(&self.zone).chain(above) {
            zone.add_figures(&mut figures);
        }
        figures
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

    /// The zone with the first message.
    #[inline]
    pub(crate) fn first_zone(&self) -> &Zone {
        match &self.levels {
            None => &self.zone,
            Some(levels) => levels.get(levels.highest()).unwrap_or(&self.zone),
        }
    }

    #[inline]
    pub(crate) fn zone_mut(&mut self, level: u8) -> &mut Zone {
        if level == 0 {
            return &mut self.zone;
        }
        if self.levels.is_none() {
            self.have_priorities();
        }
        match &mut self.levels {
            Some(levels) => levels.zone_mut(level),
            None => &mut self.zone,
        }
    }

    pub(crate) fn find_zone(&mut self, level: u8) -> Option<&mut Zone> {
        if level == 0 { Some(&mut self.zone) } else { self.levels.as_mut()?.get_mut(level) }
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
    /// message that cannot be delivered yet (see [`Queue::pop`]). Messages that have expired at `now_ms`, of which it takes
    /// at most `most` out too, are left to [`Queue::take_expired`].
    #[inline]
    pub fn plan_ready(
        &mut self,
        most: usize,
        most_bytes: usize,
        now_ms: u64,
        gate: &mut impl Gate<C>,
        mut plan: impl FnMut(Entry, ConsumerKey),
    ) -> bool {
        let mut bytes = 0;
        let mut may_expire = most;
        for _ in 0..most {
            if self.rules.is_some() && !self.expire_first(now_ms, &mut may_expire) {
                return true;
            }
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

    /// Adds a message at the end of its priority. Returns when it expires if one before it there does so later, so that
    /// looking at the first message would not find it in time.
    #[inline]
    pub fn push(&mut self, message: Message, stored: bool, level: u8) -> Option<u64> {
        let seq = self.take_seqs(1);
        let entry = Entry::new(message, seq, stored, level);
        self.counts.add_ready(entry.body_len);
        if self.levels.is_none() && self.rules.is_none() {
            self.zone.push(entry);
            return None;
        }
        let is_first = self.counts.ready == 1;
        let (due_ms, is_own) = match (&mut self.rules, &entry.message) {
            (Some(rules), Some(message)) => {
                let due_ms = rules.due_ms(message);
                if is_first {
                    rules.is_unordered = false;
                    rules.earliest_due_ms = due_ms;
                }
                rules.earliest_due_ms = rules.earliest_due_ms.min(due_ms);
                (due_ms, due_ms != rules.ttl_due_ms(message))
            }
            _ => (NEVER, false),
        };
        let zone = self.zone_mut(level);
        if zone.is_empty() {
            zone.latest_due_ms = 0;
        }
        // Those that expire by the queue's time to live do so in their order, whatever it is.
        let is_out_of_order = is_own && due_ms < zone.latest_due_ms;
        zone.latest_due_ms = zone.latest_due_ms.max(due_ms);
        zone.push(entry);
        if let Some(levels) = &mut self.levels {
            levels.occupy(level);
        }
        if let Some(rules) = self.rules.as_mut().filter(|_| is_out_of_order) {
            rules.is_unordered = true;
        }
        is_out_of_order.then_some(due_ms)
    }

    /// True when the first ready message can be delivered at once: it is in memory, and would be known as possibly
    /// delivered after a crash.
    #[inline]
    pub fn has_deliverable(&self) -> bool {
        self.first_zone().has_deliverable()
    }

    /// Takes the first ready message that has not expired; `None` when there is none, and when it cannot be delivered
    /// yet: then [`Queue::is_empty`] is false, and [`Queue::wants`] says what it waits for.
    #[inline]
    pub fn pop(&mut self, now_ms: u64) -> Option<Entry> {
        if self.rules.is_some() {
            let mut may_expire = UNLIMITED;
            self.expire_first(now_ms, &mut may_expire);
        }
        if self.has_deliverable() { self.take_first() } else { None }
    }

    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<Entry> {
        self.take_from_first(Zone::take_first)
    }

    /// Takes the first message, in memory or not; one that is not is on disk, and to be read if it is needed.
    pub fn drop_first(&mut self) -> Option<Entry> {
        self.take_from_first(Zone::drop_first)
    }

    #[inline]
    fn take_from_first(&mut self, take: impl FnOnce(&mut Zone) -> Option<Entry>) -> Option<Entry> {
        let Some(levels) = &mut self.levels else {
            let entry = take(&mut self.zone)?;
            self.counts.remove_ready(entry.body_len);
            return Some(entry);
        };
        let level = levels.highest();
        let zone = if level == 0 { &mut self.zone } else { levels.get_mut(level)? };
        let entry = take(zone)?;
        if zone.is_empty() {
            levels.vacate(level);
        }
        self.counts.remove_ready(entry.body_len);
        Some(Entry { level, ..entry })
    }

    /// Takes the message at a position out of turn, in memory or not; `None` when it is not ready.
    pub fn take(&mut self, level: u8, seq: u64) -> Option<Entry> {
        self.take_from(level, |zone| zone.take(seq))
    }

    /// Takes a message of a priority.
    pub(crate) fn take_from(&mut self, level: u8, take: impl FnOnce(&mut Zone) -> Option<Entry>) -> Option<Entry> {
        let zone = self.find_zone(level)?;
        let entry = take(zone)?;
        let is_vacant = zone.is_empty();
        if let Some(levels) = self.levels.as_mut().filter(|_| is_vacant) {
            levels.vacate(level);
        }
        self.counts.remove_ready(entry.body_len);
        Some(Entry { level, ..entry })
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
        self.counts.add_ready(entry.body_len);
        let level = entry.level;
        let due_ms = match (&mut self.rules, &entry.message) {
            (Some(rules), Some(message)) => {
                let due_ms = rules.due_ms(message);
                rules.earliest_due_ms = rules.earliest_due_ms.min(due_ms);
                due_ms
            }
            (Some(rules), None) => {
                rules.earliest_due_ms = 0;
                NEVER
            }
            (None, _) => NEVER,
        };
        let zone = self.zone_mut(level);
        zone.returned_due_ms = zone.returned_due_ms.min(due_ms);
        zone.put_back(entry);
        if let Some(levels) = &mut self.levels {
            levels.occupy(level);
        }
    }

    /// Removes all ready messages; returns how many there were.
    ///
    /// Those in memory are handed to `sink`, so that the caller can free them without holding a lock, and take those
    /// that are stored off the books; those that are only on disk are [`Queue::forget_paged`]'s.
    pub fn purge(&mut self, sink: &mut Vec<Entry>) -> u64 {
        let count = self.counts.ready;
        self.zones_mut().for_each(|(_, zone)| zone.purge(sink));
        if let Some(levels) = &mut self.levels {
            levels.vacate_all();
        }
        self.counts.ready = 0;
        self.counts.ready_bytes = 0;
        count
    }

    /// Ready messages in memory from the first on, without taking them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        let above = self.levels.iter().flat_map(|levels| levels.iter().rev().flat_map(|(_, zone)| zone.iter()));
        above.chain(self.zone.iter())
    }

    /// Ready messages for relocation, at most `most` from position `from` on; returns where to go on.
    pub fn ready_from(&mut self, from: usize, most: usize) -> impl Iterator<Item = &mut Entry> {
        self.zones_mut().flat_map(|(_, zone)| zone.ready.iter_mut()).skip(from).take(most)
    }

    /// All zones, lowest priority first.
    pub(crate) fn zones_mut(&mut self) -> impl DoubleEndedIterator<Item = (u8, &mut Zone)> {
        let above = self.levels.iter_mut().flat_map(|levels| levels.iter_mut());
        std::iter::once((0, &mut self.zone)).chain(above)
    }
}
