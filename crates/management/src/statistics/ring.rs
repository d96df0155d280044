//! What changed from one sample to the next, a few bytes each.
//!
//! A record is a varint of a bit per field that changed, shifted by one, with the lowest bit set where samples without
//! a change lie before it; then, if so, the distance to the record before it as a varint; then for each such field, in
//! order, the zigzag varint of its difference. A queue with five numbers that move takes about ten bytes per sample.

use std::collections::VecDeque;

/// More fields than any subject has.
pub(super) const MOST_FIELDS: usize = 32;

/// Differences by field.
pub(super) type Changes = [i64; MOST_FIELDS];

/// A number of regular samples: the time in units of the interval.
pub(super) type Slot = u32;

/// Records at one interval, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    /// Of the first record.
    oldest: Slot,
    /// Of the last record.
    newest: Slot,
    /// Bytes of the last record.
    last_length: u16,
}

impl Ring {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Slot of the last record; meaningless in an empty ring.
    pub(super) fn newest(&self) -> Slot {
        self.newest
    }

    /// Appends a record for `slot`, later than any before it; nothing when nothing changed.
    pub(super) fn push(&mut self, slot: Slot, changes: &[i64]) {
        let mask = changes.iter().enumerate().fold(0_u64, |mask, (at, change)| mask | (u64::from(*change != 0) << at));
        if mask == 0 {
            return;
        }
        if self.bytes.is_empty() {
            self.oldest = slot;
            self.newest = slot.wrapping_sub(1);
        }
        let distance = slot.wrapping_sub(self.newest);
        let mut record = Record::default();
        record.varint((mask << 1) | u64::from(distance != 1));
        if distance != 1 {
            record.varint(u64::from(distance));
        }
        changes.iter().filter(|change| **change != 0).for_each(|change| record.varint(zigzag(*change)));
        self.make_room(record.length);
        self.bytes.extend(&record.bytes[..record.length]);
        self.newest = slot;
        // A record is at most 10 bytes per field and two more varints.
        self.last_length = record.length as u16;
    }

    /// Removes the records of `slot` and before.
    pub(super) fn forget_until(&mut self, slot: Slot) {
        while !self.bytes.is_empty() && self.oldest <= slot {
            let length = self.records().next().map_or(self.bytes.len(), |record| record.end);
            self.bytes.drain(..length);
            // What comes next is as far from it as its record says.
            let next = self.records().next().map(|record| record.distance);
            self.oldest = self.oldest.wrapping_add(next.unwrap_or_default());
        }
        if self.bytes.is_empty() {
            *self = Ring::default();
        } else if self.bytes.capacity() > 64 && self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to(self.bytes.len() + self.bytes.len() / 8);
        }
    }

    /// Every record, oldest first.
    pub(super) fn each(&self, mut visit: impl FnMut(Slot, &Changes)) {
        let mut slot = self.oldest;
        for (at, record) in self.records().enumerate() {
            if at > 0 {
                slot = slot.wrapping_add(record.distance);
            }
            visit(slot, &record.changes);
        }
    }

    /// What the last record says of `field`, without going over the others.
    pub(super) fn last_change(&self, field: usize) -> i64 {
        let start = self.bytes.len().saturating_sub(usize::from(self.last_length));
        Records { bytes: &self.bytes, at: start }
            .next()
            .and_then(|record| record.changes.get(field).copied())
            .unwrap_or_default()
    }

    /// Bytes that it holds in memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn records(&self) -> Records<'_> {
        Records { bytes: &self.bytes, at: 0 }
    }

    /// Doubling, as collections do it, would hold twice what thousands of full rings need.
    fn make_room(&mut self, length: usize) {
        if self.bytes.capacity() - self.bytes.len() < length {
            self.bytes.reserve_exact(length.max(16).max(self.bytes.len() / 8));
        }
    }
}

struct Records<'a> {
    bytes: &'a VecDeque<u8>,
    at: usize,
}

/// A record as it is read.
struct Read {
    distance: Slot,
    changes: Changes,
    /// Where the next one begins.
    end: usize,
}

impl Records<'_> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for Records<'_> {
    type Item = Read;

    fn next(&mut self) -> Option<Read> {
        let head = self.varint()?;
        let distance = if head & 1 == 1 { Slot::try_from(self.varint()?).ok()? } else { 1 };
        let mut changes = [0; MOST_FIELDS];
        for (at, change) in changes.iter_mut().enumerate() {
            if (head >> 1) & (1 << at) != 0 {
                *change = unzigzag(self.varint()?);
            }
        }
        Some(Read { distance, changes, end: self.at })
    }
}

/// A record that is written.
struct Record {
    bytes: [u8; 10 * (MOST_FIELDS + 2)],
    length: usize,
}

impl Default for Record {
    fn default() -> Record {
        Record { bytes: [0; 10 * (MOST_FIELDS + 2)], length: 0 }
    }
}

impl Record {
    fn varint(&mut self, mut value: u64) {
        loop {
            let rest = value >> 7;
            self.bytes[self.length] = (value & 0x7f) as u8 | if rest == 0 { 0 } else { 0x80 };
            self.length += 1;
            if rest == 0 {
                return;
            }
            value = rest;
        }
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
