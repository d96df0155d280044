//! Messages of one queue in a cold segment.

use super::{ColdRead, Region, Removed, Slot, SlotFlags};
use crate::cold::{ColdSegment, INDEX_ENTRY};
use crate::record::{put_varint, take_varint};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const VERSION: u8 = 1;

/// Which messages of a region are still there. Numbers are kept as differences to the region's first.
#[derive(Debug)]
pub(crate) struct Extent {
    pub(crate) segment: Arc<ColdSegment>,
    pub(crate) region: Region,
    live: RoaringBitmap,
    transient: RoaringBitmap,
    blobs: BTreeMap<u32, u64>,
    /// How often messages came back, where that is not what their records say.
    counts: BTreeMap<u32, u16>,
    pub(super) body_bytes: u64,
    /// Those of them that do not survive a restart.
    transient_bytes: u64,
    /// A number, and the entry of the index where messages at or after it begin.
    pub(super) cursor: (u64, u32),
    /// Not as the manifest has it.
    pub(super) is_changed: bool,
    /// False while messages are being moved to it.
    pub(super) is_complete: bool,
    /// A copy, or an extent that nobody has taken: it does not count for the segment.
    is_counted: bool,
}

impl Extent {
    /// A region of a segment that has just been written, none of whose messages are in it yet.
    pub(crate) fn new(segment: Arc<ColdSegment>, region: Region) -> Extent {
        Extent {
            segment,
            region,
            live: RoaringBitmap::new(),
            transient: RoaringBitmap::new(),
            blobs: BTreeMap::new(),
            counts: BTreeMap::new(),
            body_bytes: 0,
            transient_bytes: 0,
            cursor: (0, 0),
            is_changed: true,
            is_complete: false,
            is_counted: true,
        }
    }

    /// A copy that the copied one may change beside.
    pub(super) fn copy(&self) -> Extent {
        Extent {
            segment: self.segment.clone(),
            region: self.region,
            live: self.live.clone(),
            transient: self.transient.clone(),
            blobs: self.blobs.clone(),
            counts: self.counts.clone(),
            body_bytes: self.body_bytes,
            transient_bytes: self.transient_bytes,
            cursor: (0, 0),
            is_changed: true,
            is_complete: true,
            is_counted: false,
        }
    }

    fn delta(&self, seq: u64) -> Option<u32> {
        let delta = seq.checked_sub(self.region.first).filter(|_| seq <= self.region.last)?;
        u32::try_from(delta).ok()
    }

    pub(super) fn live(&self) -> u64 {
        self.live.len()
    }

    /// Bytes of a body, if all were alike.
    pub(super) fn mean_body_len(&self) -> u32 {
        u32::try_from(self.body_bytes / self.live.len().max(1)).unwrap_or(u32::MAX)
    }

    /// Asked for each message that goes, where counting all would take long.
    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub(crate) fn contains(&self, seq: u64) -> bool {
        self.delta(seq).is_some_and(|delta| self.live.contains(delta))
    }

    /// The first message at or after `seq`.
    pub(super) fn next(&self, seq: u64) -> Option<u64> {
        self.from(seq).next()
    }

    fn from(&self, seq: u64) -> impl Iterator<Item = u64> {
        let first = self.region.first;
        let from = u32::try_from(seq.saturating_sub(first)).unwrap_or(u32::MAX);
        self.live.range(from..).map(move |delta| first + u64::from(delta))
    }

    /// The messages that are there, in order.
    pub(crate) fn seqs(&self) -> impl Iterator<Item = u64> {
        self.from(0)
    }

    /// How often a message came back, if that is not what its record says.
    pub(crate) fn delivery_count(&self, seq: u64) -> Option<u16> {
        self.counts.get(&self.delta(seq)?).copied()
    }

    /// A message of the log moves here.
    pub(crate) fn take(&mut self, slot: &Slot) {
        let delta = self.delta(slot.seq);
        let delta = delta.expect("a message lies within the extent that was written for it");
        self.live.insert(delta);
        self.segment.add_live(1);
        self.body_bytes += u64::from(slot.body_len);
        if slot.flags.has(SlotFlags::TRANSIENT) {
            self.transient.insert(delta);
            self.transient_bytes += u64::from(slot.body_len);
        }
        if let Some(blob) = slot.blob() {
            self.blobs.insert(delta, blob);
        }
        if slot.delivery_count > 0 {
            // It may have come back since it was copied.
            self.counts.insert(delta, slot.delivery_count);
        }
    }

    pub(super) fn remove(&mut self, seq: u64, body_len: u32) -> Option<Removed> {
        let delta = self.delta(seq).filter(|delta| self.live.remove(*delta))?;
        self.body_bytes = self.body_bytes.saturating_sub(u64::from(body_len));
        if self.transient.contains(delta) {
            self.transient_bytes = self.transient_bytes.saturating_sub(u64::from(body_len));
        }
        let removed = Removed { blob: self.forget(delta) };
        self.round_bytes();
        Some(removed)
    }

    /// What was estimated (see [`Extent::remove_range`]) ends where it is known: without messages there are no bytes.
    fn round_bytes(&mut self) {
        if self.live.is_empty() {
            self.body_bytes = 0;
        }
        self.transient_bytes = if self.transient.is_empty() { 0 } else { self.transient_bytes.min(self.body_bytes) };
    }

    fn forget(&mut self, delta: u32) -> Option<u64> {
        self.is_changed = true;
        self.segment.remove_live(1);
        self.counts.remove(&delta);
        self.transient.remove(delta);
        self.blobs.remove(&delta)
    }

    pub(super) fn remove_range(&mut self, first: u64, last: u64, except: &BTreeSet<u64>, blobs: &mut Vec<u64>) {
        let gone: Vec<u64> =
            self.from(first).take_while(|seq| *seq <= last).filter(|seq| !except.contains(seq)).collect();
        // The bodies' lengths are on disk: what is left has its share, which is exact when nothing is.
        let (all, left) = (u128::from(self.live().max(1)), u128::from(self.live() - gone.len() as u64));
        for bytes in [&mut self.body_bytes, &mut self.transient_bytes] {
            *bytes = (u128::from(*bytes) * left).div_ceil(all) as u64;
        }
        for seq in gone {
            if let Some(removed) = self.remove(seq, 0) {
                blobs.extend(removed.blob);
            }
        }
    }

    pub(super) fn requeued(&mut self, seq: u64, count: u16) {
        if let Some(delta) = self.delta(seq).filter(|delta| self.live.contains(*delta)) {
            self.counts.insert(delta, count);
            self.is_changed = true;
        }
    }

    pub(super) fn blobs(&self) -> impl Iterator<Item = u64> {
        self.blobs.values().copied()
    }

    /// Passes over up to `count` messages from `seq` on: how many, and the position behind them.
    pub(super) fn skip(&self, seq: u64, count: u64) -> (u64, u64) {
        let from = self.delta(seq.max(self.region.first));
        let before = from.and_then(|from| from.checked_sub(1)).map_or(0, |last| self.live.rank(last));
        let available = self.live.len() - before;
        let next = u32::try_from(before.saturating_add(count)).ok().filter(|_| count < available);
        match next.and_then(|next| self.live.select(next)) {
            Some(delta) => (count, self.region.first + u64::from(delta)),
            None => (available, self.region.last + 1),
        }
    }

    pub(super) fn read_from(&self, seq: u64, max_bytes: usize) -> Option<ColdRead> {
        let one = (self.region.len / u64::from(self.region.count.max(1))).max(1);
        let most = (max_bytes as u64 / one).clamp(1, 1024) as usize;
        let wanted: Vec<u64> = self.from(seq).take(most).collect();
        self.read(&wanted, max_bytes)
    }

    pub(super) fn read_one(&self, seq: u64) -> Option<ColdRead> {
        self.read(&[seq], usize::MAX)
    }

    fn read(&self, wanted: &[u64], most_bytes: usize) -> Option<ColdRead> {
        let first = *wanted.first()?;
        Some(ColdRead {
            segment: self.segment.clone(),
            region: self.region,
            wanted: wanted.iter().map(|seq| (*seq, self.delivery_count(*seq))).collect(),
            from_entry: if self.cursor.0 <= first { self.cursor.1 } else { 0 },
            most_bytes,
        })
    }

    /// An extent for the messages of copies, which have been written to this region. It does not count for its segment
    /// until it replaces them.
    pub(crate) fn of_copies(segment: Arc<ColdSegment>, region: Region, copies: &[Extent]) -> Extent {
        let mut new = Extent::new(segment, region);
        (new.is_complete, new.is_counted) = (true, false);
        for copied in copies {
            for seq in copied.seqs() {
                new.live.extend(new.delta(seq));
            }
            let base = copied.region.first;
            let moved: Vec<u32> =
                copied.transient.iter().filter_map(|delta| new.delta(base + u64::from(delta))).collect();
            new.transient.extend(moved);
            for (delta, blob) in &copied.blobs {
                if let Some(to) = new.delta(base + u64::from(*delta)) {
                    new.blobs.insert(to, *blob);
                }
            }
        }
        new
    }

    /// Takes the place of one of its copies: what is gone since goes here too. Cheap, for it happens under the queue's
    /// lock.
    pub(super) fn succeed(&mut self, copied: &Extent, current: Option<&Extent>) {
        let base = copied.region.first;
        let gone = current.map_or_else(|| copied.live.clone(), |current| &copied.live - &current.live);
        for delta in gone {
            if let Some(to) = self.delta(base + u64::from(delta)) {
                self.live.remove(to);
                self.transient.remove(to);
                self.blobs.remove(&to);
            }
        }
        let Some(current) = current else { return };
        self.body_bytes += current.body_bytes;
        self.transient_bytes += current.transient_bytes;
        for (delta, count) in &current.counts {
            if let Some(to) = self.delta(base + u64::from(*delta)) {
                self.counts.insert(to, *count);
            }
        }
    }

    /// From now on it counts for its segment.
    pub(super) fn count(&mut self) {
        self.is_counted = true;
        self.segment.add_live(self.live.len());
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> u64 {
        // None takes more than a bit for each of 65,536 numbers, and what names it.
        let bytes = |bitmap: &RoaringBitmap| u64::from(bitmap.statistics().n_containers) * (8192 + 64);
        bytes(&self.live) + bytes(&self.transient)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let Region { offset, len, count, first, last } = self.region;
        for number in
            [self.segment.id(), offset, len, u64::from(count), first, last, self.body_bytes, self.transient_bytes]
        {
            put_varint(&mut out, number);
        }
        for bitmap in [&self.live, &self.transient] {
            let mut bitmap = bitmap.clone();
            bitmap.optimize();
            put_varint(&mut out, bitmap.serialized_size() as u64);
            let _ = bitmap.serialize_into(&mut out); // Into memory: it cannot fail.
        }
        put_varint(&mut out, self.blobs.len() as u64);
        self.blobs.iter().for_each(|(delta, blob)| {
            put_varint(&mut out, u64::from(*delta));
            put_varint(&mut out, *blob);
        });
        put_varint(&mut out, self.counts.len() as u64);
        self.counts.iter().for_each(|(delta, count)| {
            put_varint(&mut out, u64::from(*delta));
            put_varint(&mut out, u64::from(*count));
        });
        out
    }

    /// The extent with these bytes, without what does not survive a restart.
    pub(super) fn from_bytes(bytes: &[u8], segment: &dyn Fn(u64) -> Option<Arc<ColdSegment>>) -> Option<Extent> {
        let (version, mut rest) = bytes.split_first()?;
        let rest = &mut rest;
        let segment = segment(take_varint(rest).filter(|_| *version == VERSION)?)?;
        let (offset, len) = (take_varint(rest)?, take_varint(rest)?);
        let count = u32::try_from(take_varint(rest)?).ok()?;
        let (first, last) = (take_varint(rest)?, take_varint(rest)?);
        let body_bytes = take_varint(rest)?.saturating_sub(take_varint(rest)?);
        if first > last {
            return None;
        }
        let region = Region { offset, len, count, first, last };
        let mut extent = Extent::new(segment, region);
        (extent.body_bytes, extent.is_complete) = (body_bytes, true);
        let (live, transient) = (take_bitmap(rest)?, take_bitmap(rest)?);
        for _ in 0..take_varint(rest)? {
            extent.blobs.insert(u32::try_from(take_varint(rest)?).ok()?, take_varint(rest)?);
        }
        for _ in 0..take_varint(rest)? {
            extent.counts.insert(u32::try_from(take_varint(rest)?).ok()?, u16::try_from(take_varint(rest)?).ok()?);
        }
        // What is added to these numbers later must not overflow.
        let is_within = |bitmap: &RoaringBitmap| bitmap.max().is_none_or(|delta| u64::from(delta) <= last - first);
        let end = offset.checked_add(len).filter(|end| *end <= extent.segment.bytes())?;
        let fits = u64::from(count) * INDEX_ENTRY <= end - offset && last - first <= u64::from(u32::MAX);
        if !rest.is_empty() || !fits || !is_within(&live) || !is_within(&transient) {
            return None;
        }
        extent.is_changed = !transient.is_empty();
        extent.live = live - &transient;
        // As runs they would be searched from end to end for each message that leaves out of turn, and would take more
        // memory the more of them left.
        extent.live.remove_run_compression();
        extent.round_bytes();
        let Extent { live, blobs, counts, .. } = &mut extent;
        blobs.retain(|delta, _| live.contains(*delta));
        counts.retain(|delta, _| live.contains(*delta));
        extent.segment.add_live(extent.live.len());
        Some(extent)
    }
}

fn take_bitmap(bytes: &mut &[u8]) -> Option<RoaringBitmap> {
    let len = usize::try_from(take_varint(bytes)?).ok()?;
    let (bitmap, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    RoaringBitmap::deserialize_from(bitmap).ok()
}

impl Drop for Extent {
    fn drop(&mut self) {
        if self.is_counted {
            self.segment.remove_live(self.live.len());
        }
    }
}
