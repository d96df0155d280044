//! Finding messages in a region: by its index, and by looking at every record when the index does not lead to one.
//!
//! The index is not covered by the checksums of the records, and one wrong bit in it would hide all messages that follow
//! an entry. Whoever is told that a message is lost removes it for good, so it is not lost before the region was searched.

use super::read::record_at;
use super::{ColdSegment, INDEX_ENTRY, Window, u32_at};
use crate::backlog::Region;
use crate::record::{self, Header, Kind};
use std::io;

/// Looks messages up, in ascending order.
pub(crate) struct Locator<'a> {
    region: Region,
    index: Window,
    entry: u32,
    wanted: &'a dyn Fn(u64) -> bool,
    /// Number and offset of the records that a search found.
    searched: Option<Vec<(u64, u64)>>,
}

impl<'a> Locator<'a> {
    /// Looks for messages from `first` on, at `hint` in the index before elsewhere. A search finds those that are
    /// `wanted`.
    pub(crate) fn new(
        segment: &ColdSegment,
        region: Region,
        (first, hint): (u64, u32),
        wanted: &'a dyn Fn(u64) -> bool,
    ) -> io::Result<Locator<'a>> {
        let index = segment.window(true);
        let mut locator = Locator { region, index, entry: 0, wanted, searched: None };
        locator.entry = locator.first_entry(first, hint)?;
        Ok(locator)
    }

    /// Where in the index it is.
    pub(crate) fn entry(&self) -> u32 {
        self.entry
    }

    /// Where the record of a message is that holds; `None` when it is nowhere in the region. The record is in the window
    /// then.
    pub(crate) fn locate(&mut self, seq: u64, records: &mut Window) -> io::Result<Option<u64>> {
        if let Some(offset) = self.find(seq)?
            && record_at(records, offset)?.is_some_and(|(header, _)| header.index == seq && is_message(header))
        {
            return Ok(Some(offset));
        }
        let Some(offset) = self.search(seq, records)? else { return Ok(None) };
        Ok(record_at(records, offset)?.map(|_| offset))
    }

    /// Where the record should be; what is there may be another.
    pub(super) fn find(&mut self, seq: u64) -> io::Result<Option<u64>> {
        if let Some((at, _)) = self.read(self.entry)?
            && at < seq
        {
            let low = self.entry.saturating_add(1);
            self.entry = self.first_within(seq, low, behind(self.entry, seq - at).min(self.region.count))?;
        }
        let found = self.read(self.entry)?;
        // An index that names what is outside could name another queue's message.
        Ok(found.filter(|(at, offset)| *at == seq && self.region.has(*offset)).map(|(_, offset)| offset))
    }

    /// Where the record is, if it is anywhere in the region.
    fn search(&mut self, seq: u64, records: &mut Window) -> io::Result<Option<u64>> {
        if self.searched.is_none() {
            self.searched = Some(search(self.region, records, self.wanted)?);
        }
        let searched = self.searched.as_deref().unwrap_or_default();
        Ok(searched.binary_search_by_key(&seq, |(found, _)| *found).ok().map(|at| searched[at].1))
    }

    /// The first entry at or after `seq`: near where the last read ended, or wherever it is.
    fn first_entry(&mut self, seq: u64, hint: u32) -> io::Result<u32> {
        if self.read(hint)?.is_some_and(|(at, _)| at <= seq) {
            return Ok(hint);
        }
        let most = behind(0, seq.saturating_sub(self.region.first));
        self.first_within(seq, 0, most.min(self.region.count))
    }

    /// The first entry at or after `seq`, of those from `low` to `high`. The number of an entry is at least by one greater
    /// than that of the entry before, so that each that is looked at leaves few; where none is missing, one is enough.
    fn first_within(&mut self, seq: u64, mut low: u32, mut high: u32) -> io::Result<u32> {
        let mut looks_at_end = true;
        while low < high {
            let at_end = high - 1;
            let middle = if looks_at_end { at_end } else { low + (high - low) / 2 };
            match self.read(middle)? {
                Some((at, _)) if at < seq => low = middle + 1,
                Some((at, _)) => {
                    high = middle;
                    let before = u32::try_from(at - seq).unwrap_or(u32::MAX);
                    low = low.max(middle.saturating_sub(before));
                }
                None => high = middle,
            }
            looks_at_end = false;
        }
        Ok(low)
    }

    /// Number and offset in the file that an entry names; `None` when there is no such entry.
    fn read(&mut self, entry: u32) -> io::Result<Option<(u64, u64)>> {
        if entry >= self.region.count {
            return Ok(None);
        }
        match index_entry(&mut self.index, self.region, entry) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read.map(Some),
        }
    }
}

/// The entry behind the one that is `numbers` behind `entry` at most.
fn behind(entry: u32, numbers: u64) -> u32 {
    entry.saturating_add(u32::try_from(numbers).unwrap_or(u32::MAX)).saturating_add(1)
}

/// Number and offset in the file that an entry of a region's index names.
pub(crate) fn index_entry(index: &mut Window, region: Region, entry: u32) -> io::Result<(u64, u64)> {
    let bytes = index.read(region.offset + u64::from(entry) * INDEX_ENTRY, INDEX_ENTRY as usize)?;
    Ok((region.first + u64::from(u32_at(bytes, 0)), region.offset + u64::from(u32_at(bytes, 4))))
}

/// True for a queue's message; bodies that several refer to are nobody's.
pub(super) fn is_message(header: Header) -> bool {
    let kinds = [Kind::Message as u8, Kind::Route as u8];
    kinds.contains(&header.kind) && header.group != 0
}

/// Every record of a region's messages that holds and is wanted, ascending.
fn search(region: Region, records: &mut Window, wanted: &dyn Fn(u64) -> bool) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    let mut at = region.offset + u64::from(region.count) * INDEX_ENTRY;
    while at < region.offset + region.len {
        match record_at(records, at)? {
            // Inside a body that others refer to, or of a message, there may be what looks like a record.
            Some((header, payload)) => {
                if is_message(header) && wanted(header.index) {
                    found.push((header.index, at));
                }
                at += record::padded(payload.len()) as u64;
            }
            None => at += record::ALIGNMENT as u64,
        }
    }
    found.sort_unstable();
    Ok(found)
}
