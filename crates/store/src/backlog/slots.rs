//! Messages in the log, one by one.

use super::Removed;
use crate::place::{Lsn, Place};
use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::ops::{BitOr, BitOrAssign, Deref};

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

/// Slots of one block: 64 KiB of them.
const BLOCK_SLOTS: usize = 2048;

/// Some slots beside one another.
#[derive(Debug)]
struct Block {
    slots: Vec<Slot>,
    /// No slot that was ever in it lies below this in the log: what is to be retired is looked for under the queue's
    /// lock, and must not be looked for in every slot.
    lowest: Lsn,
}

impl Block {
    fn new(slots: &[Slot]) -> Block {
        let mut block = Block { slots: Vec::new(), lowest: Lsn(u64::MAX) };
        // The first block of a queue grows, so that a queue with few messages takes little.
        if slots.len() > 1 {
            block.slots.reserve_exact(BLOCK_SLOTS);
        }
        slots.iter().for_each(|slot| block.push(*slot));
        block
    }

    #[inline]
    fn push(&mut self, slot: Slot) {
        self.lowest = self.lowest.min(slot.lsn);
        self.slots.push(slot);
    }

    fn insert(&mut self, at: usize, slot: Slot) {
        self.lowest = self.lowest.min(slot.lsn);
        self.slots.insert(at, slot);
    }

    fn clear(&mut self) {
        self.slots.clear();
        self.lowest = Lsn(u64::MAX);
    }
}

impl Deref for Block {
    type Target = Vec<Slot>;

    fn deref(&self) -> &Vec<Slot> {
        &self.slots
    }
}

/// Slots by sequence number; removed ones stay as tombstones until most are.
///
/// They lie in blocks, because one piece of memory would be copied as it grows, would be twice as large as what it holds
/// for much of the time, and would be kept when it is empty.
#[derive(Debug, Default)]
pub(super) struct Slots {
    blocks: VecDeque<Block>,
    /// Slots of the first block that are gone.
    head: usize,
    /// Slots, dead ones among them.
    total: usize,
    dead: usize,
    body_bytes: u64,
}

/// A place among the slots: block, and slot in it. One past the last slot of the last block is the end.
type At = (usize, usize);

impl Slots {
    pub(super) fn len(&self) -> u64 {
        (self.total - self.dead) as u64
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    pub(super) fn add(&mut self, slot: Slot) {
        self.body_bytes += u64::from(slot.body_len);
        self.total += 1;
        if self.blocks.back().and_then(|block| block.last()).is_none_or(|last| last.seq < slot.seq) {
            match self.blocks.back_mut().filter(|block| block.len() < BLOCK_SLOTS) {
                Some(block) => block.push(slot),
                None => self.begin_block(slot),
            }
        } else {
            self.add_between(slot);
        }
    }

    #[cold]
    fn begin_block(&mut self, slot: Slot) {
        let mut block = Block::new(&[slot]);
        if !self.blocks.is_empty() {
            // One that follows another will be full: as it grew it would be allocated eleven times.
            block.slots.reserve_exact(BLOCK_SLOTS - 1);
        }
        self.blocks.push_back(block);
    }

    #[cold]
    fn add_between(&mut self, slot: Slot) {
        let (block, at) = self.position(slot.seq);
        let found = self.get((block, at));
        assert!(found.is_none_or(|found| found.seq != slot.seq), "message {} is added twice", slot.seq);
        let slots = &mut self.blocks[block];
        if slots.len() < BLOCK_SLOTS {
            slots.insert(at, slot);
            return;
        }
        let mut second = Block::new(&slots[at..]);
        slots.slots.truncate(at);
        if slots.len() < BLOCK_SLOTS {
            slots.push(slot);
        } else {
            second.insert(0, slot);
        }
        self.blocks.insert(block + 1, second);
    }

    /// Adds slots that ascend, some of which come before others: in one go, because each alone would move what is behind
    /// it.
    pub(super) fn merge(&mut self, late: impl Iterator<Item = Slot>) {
        let mut late = late.peekable();
        let Some(first) = late.peek() else { return };
        let behind = self.split_off(first.seq);
        for slot in behind.iter().flat_map(|block| &block.slots).filter(|slot| !slot.is_dead()) {
            while let Some(before) = late.next_if(|late| late.seq < slot.seq) {
                self.add(before);
            }
            self.add(*slot);
        }
        late.for_each(|slot| self.add(slot));
    }

    /// Takes off what is at or after `seq`.
    fn split_off(&mut self, seq: u64) -> VecDeque<Block> {
        let (block, at) = self.position(seq);
        let mut behind = self.blocks.split_off(block);
        if let Some(first) = behind.front_mut() {
            let tail = Block::new(&first[at..]);
            let mut before = mem::replace(first, tail);
            before.slots.truncate(at);
            if block == 0 && at == self.head {
                self.head = 0;
            } else if at > 0 {
                self.blocks.push_back(before);
            }
        }
        for slot in behind.iter().flat_map(|block| &block.slots) {
            self.total -= 1;
            if slot.is_dead() {
                self.dead -= 1;
            } else {
                self.body_bytes -= u64::from(slot.body_len);
            }
        }
        behind
    }

    /// Where the first slot at or after `seq` is.
    #[inline]
    fn position(&self, seq: u64) -> At {
        // Mostly it is the first.
        match self.blocks.front().and_then(|block| block.get(self.head)) {
            Some(first) if first.seq < seq => {}
            _ => return (0, self.head),
        }
        let after = self.blocks.partition_point(|block| block.first().is_some_and(|first| first.seq <= seq));
        let block = after.saturating_sub(1);
        let at = self.blocks[block].partition_point(|slot| slot.seq < seq);
        if at == self.blocks[block].len() && after < self.blocks.len() { (after, 0) } else { (block, at) }
    }

    #[inline]
    fn get(&self, (block, at): At) -> Option<&Slot> {
        self.blocks.get(block)?.get(at)
    }

    #[inline]
    fn get_mut(&mut self, (block, at): At) -> Option<&mut Slot> {
        self.blocks.get_mut(block)?.slots.get_mut(at)
    }

    pub(super) fn find(&self, seq: u64) -> Option<Slot> {
        self.get(self.position(seq)).filter(|slot| slot.seq == seq && !slot.is_dead()).copied()
    }

    fn from(&self, seq: u64) -> impl Iterator<Item = &Slot> {
        let (block, at) = self.position(seq);
        let first = self.blocks.get(block).into_iter().flat_map(move |block| &block[at..]);
        first.chain(self.blocks.iter().skip(block + 1).flat_map(|block| &block.slots)).filter(|slot| !slot.is_dead())
    }

    pub(super) fn next(&self, seq: u64) -> Option<u64> {
        self.from(seq).next().map(|slot| slot.seq)
    }

    pub(super) fn remove(&mut self, seq: u64) -> Option<Removed> {
        let at = self.position(seq);
        let slot = self.get_mut(at).filter(|slot| slot.seq == seq && !slot.is_dead())?;
        slot.flags |= SlotFlags::DEAD;
        let (blob, body_len) = (slot.blob(), slot.body_len);
        self.body_bytes -= u64::from(body_len);
        self.dead += 1;
        self.clear_dead();
        Some(Removed { blob })
    }

    fn clear_dead(&mut self) {
        while self.get((0, self.head)).is_some_and(Slot::is_dead) {
            self.drop_first();
            self.dead -= 1;
        }
        if self.dead > BLOCK_SLOTS && self.dead > self.total / 4 * 3 {
            self.rebuild();
        }
    }

    fn rebuild(&mut self) {
        let (blocks, head) = (mem::take(&mut self.blocks), mem::take(&mut self.head));
        (self.total, self.dead, self.body_bytes) = (0, 0, 0);
        for slot in blocks.iter().flat_map(|block| &block.slots).skip(head).filter(|slot| !slot.is_dead()) {
            self.add(*slot);
        }
    }

    /// Forgets the first slot.
    #[inline]
    fn drop_first(&mut self) {
        self.head += 1;
        self.total -= 1;
        if self.blocks.front().is_some_and(|block| block.len() == self.head) {
            self.head = 0;
            // The last block of a queue that is mostly empty is used again and again.
            if self.blocks.len() == 1 {
                self.blocks[0].clear();
            } else {
                self.blocks.pop_front();
            }
        }
    }

    pub(super) fn remove_range(&mut self, first: u64, last: u64, except: &BTreeSet<u64>, blobs: &mut Vec<u64>) {
        let (mut block, mut at) = self.position(first);
        while let Some(slots) = self.blocks.get_mut(block) {
            for slot in slots.slots[at..].iter_mut().take_while(|slot| slot.seq <= last) {
                if !slot.is_dead() && !except.contains(&slot.seq) {
                    slot.flags |= SlotFlags::DEAD;
                    blobs.extend(slot.blob());
                    self.body_bytes -= u64::from(slot.body_len);
                    self.dead += 1;
                }
            }
            (block, at) = (block + 1, 0);
        }
        self.clear_dead();
    }

    pub(super) fn requeued(&mut self, seq: u64, delivery_count: u16) {
        let at = self.position(seq);
        if let Some(slot) = self.get_mut(at).filter(|slot| slot.seq == seq) {
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

    /// Passes over up to `count` messages from `seq` on: how many, and the position behind them.
    pub(super) fn skip(&self, seq: u64, count: u64) -> (u64, u64) {
        let passed = self.from(seq).take(usize::try_from(count).unwrap_or(usize::MAX));
        passed.fold((0, seq), |(count, _), slot| (count + 1, slot.seq + 1))
    }

    pub(super) fn blobs(&self) -> impl Iterator<Item = u64> {
        self.from(0).filter_map(Slot::blob)
    }

    /// The last message that lies below a position of the log.
    pub(super) fn last_below(&self, below: Lsn) -> Option<u64> {
        let live = |slot: &&Slot| slot.lsn < below && !slot.is_dead();
        let may_be = |(_, block): &(usize, &Block)| block.lowest < below;
        let last = self.blocks.iter().enumerate().rev().filter(may_be).find_map(|(block, slots)| {
            let head = if block == 0 { self.head } else { 0 };
            slots[head..].iter().rev().find(live)
        });
        last.map(|slot| slot.seq)
    }

    pub(super) fn capture(&self, from: u64, to: u64, most: usize, out: &mut Vec<Slot>) -> Option<u64> {
        let before = out.len();
        out.extend(self.from(from).take_while(|slot| slot.seq < to).take(most));
        (out.len() - before == most).then(|| out.last().map_or(from, |last| last.seq + 1))
    }

    /// Takes the first message off, if its number is not above `last`.
    pub(super) fn pop_front_to(&mut self, last: u64) -> Option<Slot> {
        loop {
            let slot = self.get((0, self.head)).filter(|slot| slot.seq <= last).copied()?;
            self.drop_first();
            if !slot.is_dead() {
                self.body_bytes -= u64::from(slot.body_len);
                return Some(slot);
            }
            self.dead -= 1;
        }
    }

    /// How much each block has room for.
    #[cfg(test)]
    pub(super) fn block_capacities(&self) -> Vec<usize> {
        self.blocks.iter().map(|block| block.slots.capacity()).collect()
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.capacity() * size_of::<Slot>()).sum()
    }
}
