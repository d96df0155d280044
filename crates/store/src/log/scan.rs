//! Reading the log from its head to its end: recovery, `check` and `dump`.
//!
//! The log is a chain of batches. Where the chain breaks there are two explanations, and they must not be confused: the
//! **torn tail** of a crash, which was never durable and is cut off, and **damage** to what was durable, behind which the
//! log goes on. What tells them apart is the durable lsn in the headers of later batches: a batch that says "everything
//! below X was synced when I was written" proves that a hole below X is damage.

use super::batch::{BATCH_HEADER, BatchHeader, PAGE, records};
use super::catalog::Catalog;
use super::segment::Slot;
use super::window::Window;
use crate::disk::Disk;
use crate::error::{OpenError, StoreError};
use crate::place::{Lsn, Place, TransactionId};
use crate::record::{self, HEADER, Header, Kind, TX};
use std::ops::Range;

/// Where a scan begins.
#[derive(Clone, Copy, Debug)]
pub struct ScanFrom {
    /// The log's id.
    pub log_id: u64,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Number of the first segment that counts.
    pub head: u32,
    /// Where the log ended when it was closed in order: everything below was durable. Zero when that is not known.
    pub closed: Lsn,
}

/// A record whose checksum holds.
#[derive(Clone, Copy, Debug)]
pub struct ScannedRecord<'a> {
    /// Where it begins.
    pub lsn: Lsn,
    /// Its header, with the flags as they are.
    pub header: Header,
    /// The transaction that it belongs to.
    pub tx: Option<TransactionId>,
    /// The payload behind the transaction's id.
    pub payload: &'a [u8],
}

impl ScannedRecord<'_> {
    /// Where the record is.
    pub fn place(&self) -> Place {
        Place { lsn: self.lsn, len: HEADER as u32 + self.header.payload_len }
    }

    /// Where the record ends: what [`super::Appender::end`] said right after it.
    pub fn end(&self) -> Lsn {
        Lsn(self.lsn.0 + record::padded(self.header.payload_len as usize) as u64)
    }
}

/// A part of the log that cannot be read although it was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: u32,
    /// Where in it.
    pub offset: u64,
    /// How much.
    pub bytes: u64,
}

/// Who is told what a scan finds.
pub trait Visitor {
    /// A record, in the order in which they were appended.
    fn record(&mut self, record: &ScannedRecord<'_>) -> Result<(), OpenError>;

    /// A record of a kind that this version does not know. Recovery must stop then.
    fn unknown(&mut self, record: &ScannedRecord<'_>) -> Result<(), OpenError> {
        let kind = record.header.kind;
        Err(OpenError::UnknownRecord { kind, name: Kind::name(kind), lsn: record.lsn })
    }

    /// Something that is lost.
    fn damage(&mut self, damage: Damage) {
        let _ = damage;
    }
}

/// What a scan found out; [`super::Log::open`] goes on from it.
pub struct Scanned {
    /// Where the log ends.
    pub end: Lsn,
    /// Everything below was durable for certain.
    pub durable: Lsn,
    /// The highest epoch of a whole batch; 0 when the log is empty.
    pub epoch: u32,
    /// True when the log ends in good order.
    pub clean: bool,
    /// Bytes of a last batch that was not written whole, as far as that is known.
    pub torn_bytes: u64,
    /// What is lost.
    pub damage: Vec<Damage>,
    pub(super) from: ScanFrom,
    pub(super) catalog: Catalog,
    /// Checksum of the last batch.
    pub(super) previous: u32,
    /// Where in the last segment, behind the end, there are batches that do not count.
    pub(super) left_over: Vec<u64>,
}

/// Reads the log, and changes nothing.
///
/// # Errors
/// When a file is not of this log, a record is of an unknown kind, the end of the log cannot be read, or the visitor
/// says so.
pub fn scan(disk: &dyn Disk, from: ScanFrom, visitor: &mut dyn Visitor) -> Result<Scanned, OpenError> {
    scan_with(disk, from, visitor, true)
}

/// The same without looking at checksums: for tests that must fail then.
#[cfg(feature = "simulation")]
pub fn scan_unchecked(disk: &dyn Disk, from: ScanFrom, visitor: &mut dyn Visitor) -> Result<Scanned, OpenError> {
    scan_with(disk, from, visitor, false)
}

fn scan_with(disk: &dyn Disk, from: ScanFrom, visitor: &mut dyn Visitor, verify: bool) -> Result<Scanned, OpenError> {
    assert!(
        from.segment_bytes.is_power_of_two() && from.segment_bytes >= 1 << 20,
        "a segment has a power of two bytes"
    );
    let catalog = Catalog::read(disk, from)?;
    let start = Lsn(u64::from(from.head) * from.segment_bytes + PAGE);
    let scanned = Scanned {
        end: start,
        durable: start,
        epoch: 0,
        clean: true,
        torn_bytes: 0,
        damage: Vec::new(),
        from,
        catalog,
        previous: 0,
        left_over: Vec::new(),
    };
    let mut scan = Scan {
        scanned,
        visitor,
        window: Window::default(),
        segment: None,
        chain: None,
        epoch: 0,
        verify,
        failed: None,
    };
    scan.run()?;
    Ok(scan.scanned)
}

struct Scan<'a> {
    scanned: Scanned,
    visitor: &'a mut dyn Visitor,
    window: Window,
    /// What the window is on.
    segment: Option<u32>,
    /// Checksum of the batch before, where there is one that the next must follow.
    chain: Option<u32>,
    /// Of the batch before: it never goes down.
    epoch: u32,
    verify: bool,
    /// The highest position that could not be read.
    failed: Option<(u64, StoreError)>,
}

/// What comes behind a place where the chain breaks.
struct Ahead {
    /// The next batch.
    next: Option<u64>,
    /// A later batch says that it was durable.
    proven: bool,
    left_over: Vec<u64>,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), OpenError> {
        loop {
            let at = self.next_page(self.scanned.end.0);
            if let Some(batch) = self.follow(at)
                && (self.bad_payloads(batch).is_empty() || self.look_ahead(batch.first).proven)
            {
                self.visit(batch)?;
                continue;
            }
            let ahead = self.look_ahead(at);
            let closed = self.scanned.from.closed.0;
            match ahead.next {
                Some(next) if ahead.proven => self.skip(at, next)?,
                // The end itself is lost.
                None if at < closed => self.skip(at, closed)?,
                _ => return self.cut(at, ahead.left_over),
            }
        }
    }

    /// Where a batch can begin at or behind this position.
    fn next_page(&self, lsn: u64) -> u64 {
        let page = lsn.next_multiple_of(PAGE);
        if page & (self.scanned.from.segment_bytes - 1) == 0 { page + PAGE } else { page }
    }

    /// The batch that goes on from here: at this position, or at the front of the next segment when a record did not
    /// fit here any more.
    fn follow(&mut self, at: u64) -> Option<BatchHeader> {
        let segment_bytes = self.scanned.from.segment_bytes;
        let next = (at & !(segment_bytes - 1)) + segment_bytes + PAGE;
        let here = self.batch_at(at).filter(|batch| self.chain.is_none_or(|chain| chain == batch.previous));
        // Without a chain (behind damage, or at the head) the front of another segment proves nothing.
        here.or_else(|| self.batch_at(next).filter(|batch| self.chain == Some(batch.previous)))
    }

    /// The batch at this position, if its headers hold and its epoch is not below that of the one before.
    fn batch_at(&mut self, at: u64) -> Option<BatchHeader> {
        let header = self.header_at(at)?;
        let in_segment = at & (self.scanned.from.segment_bytes - 1);
        let fits = in_segment + u64::from(header.len) <= self.scanned.from.segment_bytes;
        let follows = header.epoch >= self.epoch && header.durable <= at && header.len as usize > BATCH_HEADER;
        let verify = self.verify;
        (fits && follows && header.holds(self.read(at, header.len as usize), verify)).then_some(header)
    }

    /// A batch header at this position that belongs there, whether the batch is whole or not.
    fn header_at(&mut self, at: u64) -> Option<BatchHeader> {
        let from = self.scanned.from;
        let header = BatchHeader::from_bytes(self.read(at, BATCH_HEADER))?;
        let belongs =
            header.log_id == from.log_id && header.first == at && u64::from(header.segment) == at / from.segment_bytes;
        belongs.then_some(header)
    }

    fn read(&mut self, at: u64, len: usize) -> &[u8] {
        let segment_bytes = self.scanned.from.segment_bytes;
        let number = u32::try_from(at / segment_bytes).unwrap_or(u32::MAX);
        let Some(slot) = self.scanned.catalog.segments.get(&number) else { return &[] };
        if self.segment != Some(number) {
            self.segment = Some(number);
            self.window.open(slot.file.clone());
        }
        // Loads first, so that a failure is noted before the bytes are borrowed.
        self.window.read(at % segment_bytes, len);
        if let Some((offset, error)) = self.window.failed.take() {
            let failed = at - at % segment_bytes + offset;
            if self.failed.as_ref().is_none_or(|(last, _)| *last < failed) {
                self.failed = Some((failed, StoreError::of_io(slot.name(), error)));
            }
        }
        self.window.read(at % segment_bytes, len)
    }

    /// Records of the batch whose payloads do not hold, as ranges in it.
    fn bad_payloads(&mut self, batch: BatchHeader) -> Vec<Range<usize>> {
        if !self.verify {
            return Vec::new();
        }
        let bytes = self.read(batch.first, batch.len as usize);
        let bad = records(bytes).filter(|(at, header)| !record_holds(bytes, *at, *header));
        bad.map(|(at, header)| at..at + record::padded(header.payload_len as usize)).collect()
    }

    fn visit(&mut self, batch: BatchHeader) -> Result<(), OpenError> {
        let bad = self.bad_payloads(batch);
        let segment_bytes = self.scanned.from.segment_bytes;
        for range in &bad {
            let at = batch.first + range.start as u64;
            self.damaged(at, at + range.len() as u64);
        }
        let offset = batch.first % segment_bytes;
        self.read(batch.first, batch.len as usize);
        // Borrowed apart from the visitor; the bytes are in the window by now.
        let bytes = self.window.read(offset, batch.len as usize);
        let mut clean = false;
        for (at, header) in records(bytes) {
            if bad.iter().any(|range| range.start == at) {
                continue;
            }
            let payload = bytes.get(at + HEADER..at + HEADER + header.payload_len as usize).unwrap_or_default();
            let (tx, payload) = split_tx(header, payload);
            let record = ScannedRecord { lsn: Lsn(batch.first + at as u64), header, tx, payload };
            if Kind::from_number(header.kind).is_some() {
                self.visitor.record(&record)?;
            } else {
                self.visitor.unknown(&record)?;
            }
            clean = header.kind == Kind::CleanEnd as u8;
        }
        self.scanned.clean = clean;
        self.scanned.end = Lsn(batch.first + u64::from(batch.len));
        self.scanned.durable = self.scanned.durable.max(Lsn(batch.durable));
        self.scanned.previous = batch.checksum;
        self.scanned.epoch = self.scanned.epoch.max(batch.epoch);
        (self.chain, self.epoch) = (Some(batch.checksum), batch.epoch);
        Ok(())
    }

    /// Looks for batches behind a break, page by page to the end of the log's files.
    fn look_ahead(&mut self, broken: u64) -> Ahead {
        let segment_bytes = self.scanned.from.segment_bytes;
        let numbers: Vec<u32> = self.scanned.catalog.segments.keys().copied().collect();
        let own = broken / segment_bytes;
        let proven = broken < self.scanned.from.closed.0;
        let mut ahead = Ahead { next: None, proven, left_over: Vec::new() };
        for number in numbers.into_iter().map(u64::from).filter(|number| *number >= own) {
            let mut at = if number == own { broken } else { number * segment_bytes + PAGE };
            while at < (number + 1) * segment_bytes && !self.read(at, BATCH_HEADER).is_empty() {
                let mut step = PAGE;
                if number == own && self.header_at(at).is_some() {
                    ahead.left_over.push(at);
                }
                if let Some(batch) = self.batch_at(at) {
                    // Only of whole batches: an epoch of rotten bits could be one that no other is above.
                    self.scanned.epoch = self.scanned.epoch.max(batch.epoch);
                    // The broken one itself is whole when only payloads do not hold. It is never the next.
                    if at > broken {
                        ahead.next = ahead.next.or(Some(at));
                        ahead.proven |= batch.durable > broken;
                        if ahead.proven {
                            return ahead;
                        }
                        step = u64::from(batch.len).next_multiple_of(PAGE);
                    }
                }
                at += step;
            }
        }
        ahead
    }

    /// Goes on behind damage. A file that is not there may be put back, which has to be before the log goes on.
    fn skip(&mut self, from: u64, to: u64) -> Result<(), OpenError> {
        let segment_bytes = self.scanned.from.segment_bytes;
        for number in from / segment_bytes..=(to - 1) / segment_bytes {
            let segment = u32::try_from(number).unwrap_or(u32::MAX);
            if !self.scanned.catalog.segments.contains_key(&segment) {
                return Err(OpenError::Missing { segment });
            }
        }
        self.damaged(from, to);
        self.scanned.end = Lsn(to);
        self.chain = None;
        Ok(())
    }

    /// Notes that this part is lost, segment by segment.
    fn damaged(&mut self, from: u64, to: u64) {
        let segment_bytes = self.scanned.from.segment_bytes;
        let mut at = from;
        while at < to {
            let end = ((at / segment_bytes) + 1) * segment_bytes;
            if at.is_multiple_of(segment_bytes) {
                at += PAGE; // The file header.
            }
            if at < end.min(to) {
                let bytes = end.min(to) - at;
                let damage = Damage { segment: (at / segment_bytes) as u32, offset: at % segment_bytes, bytes };
                self.scanned.damage.push(damage);
                self.visitor.damage(damage);
            }
            at = end;
        }
    }

    /// The log ends here.
    fn cut(&mut self, at: u64, left_over: Vec<u64>) -> Result<(), OpenError> {
        // Zeros stand for what could not be read. If that is here, durable batches may be behind it that no later one
        // vouches for: better not to start than to cut them off.
        if let Some((_, error)) = self.failed.take_if(|(failed, _)| *failed >= at) {
            return Err(error.into());
        }
        let torn = self.header_at(at).map_or(0, |header| u64::from(header.len));
        self.scanned.torn_bytes = torn;
        self.scanned.clean &= torn == 0;
        self.scanned.left_over = left_over;
        Ok(())
    }
}

fn record_holds(batch: &[u8], at: usize, header: Header) -> bool {
    let payload = batch.get(at + HEADER..at + HEADER + header.payload_len as usize);
    payload.is_some_and(|payload| header.holds(payload) && (header.flags & TX == 0 || payload.len() >= 8))
}

fn split_tx(header: Header, payload: &[u8]) -> (Option<TransactionId>, &[u8]) {
    match payload.split_first_chunk::<8>() {
        Some((id, rest)) if header.flags & TX != 0 => (Some(TransactionId(u64::from_le_bytes(*id))), rest),
        _ => (None, payload),
    }
}

impl Scanned {
    /// True when the log has nothing on disk.
    pub(crate) fn has_no_files(&self) -> bool {
        self.catalog.segments.is_empty() && self.catalog.free.is_empty()
    }

    /// The files whose segments come after the end: unproven and not followed to.
    pub(super) fn take_beyond(&mut self) -> Vec<Slot> {
        let segment_bytes = self.from.segment_bytes;
        // A segment that would only begin at the end has nothing either.
        let last = self.end.0 / segment_bytes - u64::from(self.end.0 % segment_bytes <= PAGE);
        let beyond = self.catalog.segments.split_off(&u32::try_from(last + 1).unwrap_or(u32::MAX));
        beyond.into_values().chain(self.catalog.stale.drain(..)).collect()
    }
}
