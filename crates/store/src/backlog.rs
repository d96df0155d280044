//! What of one queue is on disk, by sequence number: extents of cold segments first, then single messages of the log.
//!
//! No I/O and no locks: a backlog lives in its queue's state, under the queue's lock.

mod extent;
mod read;
mod slots;
#[cfg(test)]
mod tests;

pub(crate) use extent::Extent;
pub(crate) use read::{ColdRead, Passed, Region, Source};
pub use read::{Read, ReadHint};
pub(crate) use slots::Slot;
pub use slots::SlotFlags;

use crate::cold::ColdSegment;
use crate::manifest::QueueState;
use crate::place::{Lsn, Place};
use slots::Slots;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Sequence numbers that are left out after recovery: a message whose record was lost had one, too, and so may have been
/// delivered under it.
const SKIPPED_AFTER_RECOVERY: u64 = 1 << 20;

/// Messages of the log that are passed over at once.
const SLOTS_PASSED_OVER: u64 = 8192;

/// What goes with a message that was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The body's own file, which has one owner fewer.
    pub blob: Option<u64>,
}

/// What of one queue is on disk.
#[derive(Debug, Default)]
pub struct Backlog {
    extents: Vec<Extent>,
    slots: Slots,
    /// Every message below is in an extent or gone.
    retired: u64,
    /// Messages below are being retired: none may be added.
    frozen: u64,
    next_seq: u64,
    delivered_below: u64,
    /// Extents that are gone and still in the manifest, by first sequence number.
    gone: Vec<u64>,
    dirty_segment: u32,
}

impl Backlog {
    /// An empty backlog.
    pub fn new() -> Backlog {
        Backlog::default()
    }

    /// Messages.
    pub fn len(&self) -> u64 {
        self.slots.len() + self.extents.iter().map(Extent::live).sum::<u64>()
    }

    /// Bytes of their bodies.
    pub fn body_bytes(&self) -> u64 {
        self.slots.body_bytes() + self.extents.iter().map(|extent| extent.body_bytes).sum::<u64>()
    }

    /// True without messages.
    pub fn is_empty(&self) -> bool {
        self.extents.is_empty() && self.slots.len() == 0
    }

    /// The first message's sequence number.
    pub fn first_seq(&self) -> Option<u64> {
        self.extents.first().and_then(|extent| extent.next(0)).or_else(|| self.slots.next(0))
    }

    /// A number well past every one that the queue has ever seen.
    pub fn next_seq_after_recovery(&self) -> u64 {
        self.next_seq + SKIPPED_AFTER_RECOVERY
    }

    /// Messages below may have been delivered before the store was opened.
    pub fn delivered_below(&self) -> u64 {
        self.delivered_below
    }

    /// Messages below `seq` may have been delivered.
    pub fn set_delivered_below(&mut self, seq: u64) {
        self.delivered_below = seq;
    }

    /// True when a message with this number can be added.
    pub fn takes(&self, seq: u64) -> bool {
        seq >= self.retired.max(self.frozen)
    }

    /// A message is in the log. Usually it comes behind all others.
    pub fn add(&mut self, seq: u64, place: Place, body_len: u32, flags: SlotFlags) {
        self.seen(seq);
        // Replay finds what had been retired when the manifest was written.
        if seq >= self.retired {
            self.slots.add(Slot::new(seq, place, body_len, flags));
        }
    }

    /// Messages that were in memory only and are in the log now, ascending; they do not survive a restart.
    pub fn add_late(&mut self, late: Vec<(u64, Place, u32, SlotFlags)>) {
        let late = late.into_iter().map(|(seq, place, body_len, flags)| {
            assert!(seq >= self.retired.max(self.frozen), "message {seq} comes too late");
            self.next_seq = self.next_seq.max(seq.saturating_add(1));
            Slot::new(seq, place, body_len, flags | SlotFlags::TRANSIENT)
        });
        self.slots.merge(late);
    }

    /// A number was given away.
    pub(crate) fn seen(&mut self, seq: u64) {
        self.next_seq = self.next_seq.max(seq.saturating_add(1));
    }

    /// A message left the queue; `None` when it was not there.
    pub fn remove(&mut self, seq: u64, body_len: u32) -> Option<Removed> {
        if let Some(at) = self.extent_of(seq) {
            let removed = self.extents[at].remove(seq, body_len)?;
            self.drop_if_empty(at);
            return Some(removed);
        }
        self.slots.remove(seq)
    }

    /// All from `first` on left the queue, but for those in `except`; the blobs that they owned.
    pub fn remove_from(&mut self, first: u64, except: &[u64]) -> Vec<u64> {
        self.remove_range(first, u64::MAX, except)
    }

    pub(crate) fn remove_range(&mut self, first: u64, last: u64, except: &[u64]) -> Vec<u64> {
        let except: BTreeSet<u64> = except.iter().copied().collect();
        let mut blobs = Vec::new();
        for at in (0..self.extents.len()).rev() {
            self.extents[at].remove_range(first, last, &except, &mut blobs);
            self.drop_if_empty(at);
        }
        self.slots.remove_range(first, last, &except, &mut blobs);
        blobs
    }

    fn drop_if_empty(&mut self, at: usize) {
        // One that is being filled is the last, and must stay until it is complete.
        if self.extents[at].is_empty() && self.extents[at].is_complete {
            let extent = self.extents.remove(at);
            self.gone.push(extent.region.first);
        }
    }

    /// A message came back.
    pub fn requeued(&mut self, seq: u64, delivery_count: u32) {
        let count = u16::try_from(delivery_count).unwrap_or(u16::MAX);
        match self.extent_of(seq) {
            Some(at) => self.extents[at].requeued(seq, count),
            None => self.slots.requeued(seq, count),
        }
    }

    /// True when the message is there.
    pub fn contains(&self, seq: u64) -> bool {
        match self.extent_of(seq) {
            Some(at) => self.extents[at].contains(seq),
            None => self.slots.find(seq).is_some(),
        }
    }

    /// The first message at or after `seq`, with the bytes of its body: the mean of its region where they are not known.
    pub fn first_from(&self, seq: u64) -> Option<(u64, u32)> {
        let at = self.extents.partition_point(|extent| extent.region.last < seq);
        let cold = self.extents[at..].iter().find_map(|extent| Some((extent.next(seq)?, extent.mean_body_len())));
        cold.or_else(|| {
            let seq = self.slots.next(seq)?;
            self.slots.find(seq).map(|slot| (seq, slot.body_len))
        })
    }

    /// Passes over up to `count` messages from `seq` on, or fewer: how many, and where to go on.
    ///
    /// Cheap enough for the lock of a queue: in cold segments it counts bits, of the log it passes over some thousands.
    pub fn skip(&self, seq: u64, count: u64) -> (u64, u64) {
        let at = self.extents.partition_point(|extent| extent.region.last < seq);
        if let Some(extent) = self.extents.get(at) {
            return extent.skip(seq, count);
        }
        self.slots.skip(seq, count.min(SLOTS_PASSED_OVER))
    }

    /// The extent that has the message, if one has it.
    fn extent_of(&self, seq: u64) -> Option<usize> {
        let at = self.extents.partition_point(|extent| extent.region.last < seq);
        self.extents.get(at).is_some_and(|extent| extent.contains(seq)).then_some(at)
    }

    /// The first messages at or after `seq`, as many as have about this many bytes of body and lie in one place.
    pub fn read_from(&self, seq: u64, max_bytes: usize) -> Option<Read> {
        let at = self.extents.partition_point(|extent| extent.region.last < seq);
        let cold = self.extents[at..].iter().find_map(|extent| extent.read_from(seq, max_bytes));
        cold.map(|read| Read(Source::Cold(Box::new(read)))).or_else(|| {
            let slots = self.slots.read_from(seq, max_bytes);
            (!slots.is_empty()).then_some(Read(Source::Log(slots)))
        })
    }

    /// These messages, which ascend, as far as they are there.
    pub fn read_of(&self, seqs: &[u64]) -> Vec<Read> {
        let mut reads: Vec<Read> = Vec::new();
        for &seq in seqs {
            let single = match self.extent_of(seq) {
                Some(at) => self.extents[at].read_one(seq).map(|read| Source::Cold(Box::new(read))),
                None => self.slots.find(seq).map(|slot| Source::Log(vec![slot])),
            };
            match (reads.last_mut().map(|read| &mut read.0), single) {
                (Some(Source::Log(slots)), Some(Source::Log(more))) => slots.extend(more),
                (Some(Source::Cold(last)), Some(Source::Cold(next))) if last.region == next.region => {
                    last.wanted.extend(next.wanted);
                }
                (_, Some(single)) => reads.push(Read(single)),
                (_, None) => {}
            }
        }
        reads
    }

    /// A read is done: the next one in the same extent begins where it ended.
    pub fn passed(&mut self, hint: ReadHint) {
        let Some(passed) = hint.0 else { return };
        if let Some(extent) = self.extents.iter_mut().find(|extent| extent.region.first == passed.first) {
            extent.cursor = (passed.seq, passed.entry);
        }
    }

    /// Bodies in files of their own.
    pub fn blobs(&self) -> impl Iterator<Item = u64> {
        self.extents.iter().flat_map(Extent::blobs).chain(self.slots.blobs())
    }

    /// For the log: the last segment in which the queue is known to have anything.
    pub fn dirty_segment(&mut self) -> &mut u32 {
        &mut self.dirty_segment
    }
}

/// Retirement, compaction and the manifest.
impl Backlog {
    /// One past the last message whose record is in the log below `below`.
    pub(crate) fn retire_below(&self, below: Lsn) -> Option<u64> {
        self.slots.last_below(below).map(|seq| seq + 1)
    }

    /// From now on nothing is added below `seq`; 0 ends that.
    pub(crate) fn freeze(&mut self, seq: u64) {
        self.frozen = seq;
    }

    /// The messages of the log from `from` and below `to`, at most `most`, and where to go on.
    pub(crate) fn capture(&self, from: u64, to: u64, most: usize, out: &mut Vec<Slot>) -> Option<u64> {
        self.slots.capture(from, to, most, out)
    }

    /// Begins to move messages to an extent, which has none of them yet.
    pub(crate) fn begin_moving(&mut self, extent: Extent) {
        assert!(self.extents.last().is_none_or(|last| last.region.last < extent.region.first), "extents ascend");
        assert!(self.slots.next(0).is_none_or(|seq| seq >= extent.region.first), "a prefix is retired");
        self.extents.push(extent);
    }

    /// Moves at most `most` messages of the log, up to `last`, to the extent that was begun last. True when none is left.
    pub(crate) fn move_some(&mut self, last: u64, most: usize) -> bool {
        let Some(extent) = self.extents.last_mut() else { return true };
        for _ in 0..most {
            match self.slots.pop_front_to(last) {
                Some(slot) => extent.take(&slot),
                None => {
                    extent.is_complete = true;
                    let at = self.extents.len() - 1;
                    self.drop_if_empty(at);
                    return true;
                }
            }
        }
        false
    }

    /// Everything below is in extents now, or gone.
    pub(crate) fn retired_below(&mut self, seq: u64) {
        assert!(self.slots.next(0).is_none_or(|first| first >= seq), "what was retired is not in the log's slots");
        self.retired = self.retired.max(seq);
        self.frozen = 0;
    }

    /// Copies of the extents in these segments, in runs without another between.
    pub(crate) fn extents_in(&self, segments: &BTreeSet<u64>) -> Vec<Vec<Extent>> {
        let mut runs: Vec<Vec<Extent>> = Vec::new();
        let mut is_adjacent = false;
        for extent in &self.extents {
            let is_in = segments.contains(&extent.segment.id());
            let fits = |run: &Vec<Extent>| {
                run.first().is_some_and(|first| extent.region.last - first.region.first <= u64::from(u32::MAX))
            };
            match runs.last_mut() {
                Some(run) if is_in && is_adjacent && fits(run) => run.push(extent.copy()),
                _ if is_in => runs.push(vec![extent.copy()]),
                _ => {}
            }
            is_adjacent = is_in;
        }
        runs
    }

    /// Replaces extents by one that was made of copies of them. What happened to them since is carried over.
    pub(crate) fn replace(&mut self, copies: &[Extent], mut new: Extent) {
        let mut at = None;
        for copied in copies {
            let found = self
                .extents
                .iter()
                .position(|extent| extent.region == copied.region && extent.segment.id() == copied.segment.id());
            let current = found.map(|index| self.extents.remove(index));
            new.succeed(copied, current.as_ref());
            at = at.or(found);
            self.gone.push(copied.region.first);
        }
        if let Some(at) = at.filter(|_| new.live() > 0) {
            new.count();
            self.extents.insert(at, new);
        }
    }

    /// What the manifest keeps beside the extents.
    pub(crate) fn state(&self) -> QueueState {
        QueueState {
            retired: self.retired,
            next_seq: self.next_seq,
            delivered_below: self.delivered_below,
            blobs: self.extents.iter().flat_map(Extent::blobs).collect(),
        }
    }

    /// Calls `f` with the first number and the bytes of each extent that changed since the last time; `None` for those
    /// that are gone.
    pub(crate) fn take_changed(&mut self, f: &mut dyn FnMut(u64, Option<Vec<u8>>)) {
        self.gone.drain(..).for_each(|first| f(first, None));
        for extent in self.extents.iter_mut().filter(|extent| extent.is_changed) {
            extent.is_changed = false;
            f(extent.region.first, Some(extent.to_bytes()));
        }
    }

    /// A backlog as the manifest has it, without its extents.
    pub(crate) fn restore(state: &QueueState) -> Backlog {
        let QueueState { retired, next_seq, delivered_below, .. } = *state;
        Backlog { retired, next_seq, delivered_below, ..Backlog::default() }
    }

    /// Adds an extent as the manifest has it, behind those before; false when its bytes are none.
    pub(crate) fn restore_extent(&mut self, bytes: &[u8], segment: &dyn Fn(u64) -> Option<Arc<ColdSegment>>) -> bool {
        let Some(extent) = Extent::from_bytes(bytes, segment) else { return false };
        if self.extents.last().is_some_and(|last| last.region.last >= extent.region.first) {
            return false;
        }
        self.extents.push(extent);
        // Its messages may all have been transient.
        self.drop_if_empty(self.extents.len() - 1);
        true
    }
}
