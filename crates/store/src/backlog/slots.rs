//! Messages in the log, one by one.

use super::Removed;
use crate::place::{Lsn, Place};
use std::collections::{BTreeSet, VecDeque};
use std::ops::{BitOr, BitOrAssign};

/// What is to be known of a message beside its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotFlags(u8);

impl SlotFlags {
    /// The body is in a file of its own, whose id is the position of the message's record.
    pub const BLOB: SlotFlags = SlotFlags(1);
    /// The message does not survive a restart.
    pub const TRANSIENT: SlotFlags = SlotFlags(2);
    /// It may have been delivered before.
    pub const DELIVERED: SlotFlags = SlotFlags(4);
    const DEAD: SlotFlags = SlotFlags(8);

    /// True when all of these are set.
    pub fn has(self, flags: SlotFlags) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl BitOrAssign for SlotFlags {
    fn bitor_assign(&mut self, flags: SlotFlags) {
        self.0 |= flags.0;
    }
}

impl BitOr for SlotFlags {
    type Output = SlotFlags;

    fn bitor(self, flags: SlotFlags) -> SlotFlags {
        SlotFlags(self.0 | flags.0)
    }
}

/// A message in the log: 32 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) seq: u64,
    pub(crate) lsn: Lsn,
    pub(crate) len: u32,
    pub(crate) body_len: u32,
    pub(crate) delivery_count: u16,
    pub(crate) flags: SlotFlags,
}

impl Slot {
    pub(crate) fn new(seq: u64, place: Place, body_len: u32, flags: SlotFlags) -> Slot {
        Slot { seq, lsn: place.lsn, len: place.len, body_len, delivery_count: 0, flags }
    }

    pub(crate) fn place(&self) -> Place {
        Place { lsn: self.lsn, len: self.len }
    }

    pub(crate) fn blob(&self) -> Option<u64> {
        self.flags.has(SlotFlags::BLOB).then_some(self.lsn.0)
    }

    fn is_dead(&self) -> bool {
        self.flags.has(SlotFlags::DEAD)
    }
}

/// Slots by sequence number; removed ones stay as tombstones until most are.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: VecDeque<Slot>,
    dead: usize,
    body_bytes: u64,
}

impl Slots {
    pub(super) fn len(&self) -> u64 {
        (self.slots.len() - self.dead) as u64
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    pub(super) fn add(&mut self, slot: Slot) {
        let at = if self.slots.back().is_none_or(|last| last.seq < slot.seq) {
            self.slots.len()
        } else {
            self.position(slot.seq)
        };
        assert!(self.slots.get(at).is_none_or(|found| found.seq != slot.seq), "message {} is added twice", slot.seq);
        self.body_bytes += u64::from(slot.body_len);
        self.slots.insert(at, slot);
    }

    /// Adds slots that ascend, some of which come before others: in one go, because each alone would move what is behind
    /// it.
    pub(super) fn merge(&mut self, late: impl Iterator<Item = Slot>) {
        let mut late = late.peekable();
        let Some(first) = late.peek() else { return };
        let behind = self.slots.split_off(self.position(first.seq));
        for slot in behind {
            while let Some(before) = late.next_if(|late| late.seq < slot.seq) {
                self.add(before);
            }
            self.slots.push_back(slot);
        }
        late.for_each(|slot| self.add(slot));
    }

    /// Where the first slot at or after `seq` is.
    fn position(&self, seq: u64) -> usize {
        match self.slots.front() {
            // Mostly it is the first.
            Some(first) if first.seq >= seq => 0,
            _ => self.slots.partition_point(|slot| slot.seq < seq),
        }
    }

    pub(super) fn find(&self, seq: u64) -> Option<Slot> {
        self.slots.get(self.position(seq)).filter(|slot| slot.seq == seq && !slot.is_dead()).copied()
    }

    fn from(&self, seq: u64) -> impl Iterator<Item = &Slot> {
        self.slots.range(self.position(seq)..).filter(|slot| !slot.is_dead())
    }

    pub(super) fn next(&self, seq: u64) -> Option<u64> {
        self.from(seq).next().map(|slot| slot.seq)
    }

    pub(super) fn remove(&mut self, seq: u64) -> Option<Removed> {
        let at = self.position(seq);
        let slot = self.slots.get_mut(at).filter(|slot| slot.seq == seq && !slot.is_dead())?;
        slot.flags |= SlotFlags::DEAD;
        let (blob, body_len) = (slot.blob(), slot.body_len);
        self.body_bytes -= u64::from(body_len);
        self.dead += 1;
        self.clear_dead();
        Some(Removed { blob })
    }

    fn clear_dead(&mut self) {
        while self.slots.front().is_some_and(Slot::is_dead) {
            self.slots.pop_front();
            self.dead -= 1;
        }
        if self.dead > 64 && self.dead > self.slots.len() / 4 * 3 {
            self.slots.retain(|slot| !slot.is_dead());
            self.dead = 0;
        }
        self.give_back();
    }

    /// A queue that was long once must not keep the memory of that.
    fn give_back(&mut self) {
        if self.slots.capacity() > 1024 && self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to(self.slots.len() * 2);
        }
    }

    pub(super) fn remove_range(&mut self, first: u64, last: u64, except: &BTreeSet<u64>, blobs: &mut Vec<u64>) {
        let at = self.position(first);
        for slot in self.slots.range_mut(at..).take_while(|slot| slot.seq <= last) {
            if !slot.is_dead() && !except.contains(&slot.seq) {
                slot.flags |= SlotFlags::DEAD;
                blobs.extend(slot.blob());
                self.body_bytes -= u64::from(slot.body_len);
                self.dead += 1;
            }
        }
        self.clear_dead();
    }

    pub(super) fn requeued(&mut self, seq: u64, delivery_count: u16) {
        let at = self.position(seq);
        if let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.seq == seq) {
            slot.delivery_count = delivery_count;
        }
    }

    pub(super) fn read_from(&self, seq: u64, max_bytes: usize) -> Vec<Slot> {
        let mut bytes = 0;
        let fits = |slot: &&Slot| {
            let fits = bytes < max_bytes;
            bytes += slot.body_len as usize + slot.len as usize;
            fits
        };
        self.from(seq).take_while(fits).copied().collect()
    }

    pub(super) fn blobs(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().filter(|slot| !slot.is_dead()).filter_map(Slot::blob)
    }

    /// The last message that lies below a position of the log.
    pub(super) fn last_below(&self, below: Lsn) -> Option<u64> {
        self.slots.iter().rev().find(|slot| slot.lsn < below && !slot.is_dead()).map(|slot| slot.seq)
    }

    pub(super) fn capture(&self, from: u64, to: u64, most: usize, out: &mut Vec<Slot>) -> Option<u64> {
        let before = out.len();
        out.extend(self.from(from).take_while(|slot| slot.seq < to).take(most));
        (out.len() - before == most).then(|| out.last().map_or(from, |last| last.seq + 1))
    }

    /// Takes the first message off, if its number is not above `last`.
    pub(super) fn pop_front_to(&mut self, last: u64) -> Option<Slot> {
        loop {
            let slot = self.slots.front().filter(|slot| slot.seq <= last).copied()?;
            self.slots.pop_front();
            self.give_back();
            if !slot.is_dead() {
                self.body_bytes -= u64::from(slot.body_len);
                return Some(slot);
            }
            self.dead -= 1;
        }
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }
}
