//! Messages of the log, read one after the other for those who want many.

use crate::log::{Log, Pinned};
use crate::place::{Lsn, Place};
use crate::record::{HEADER, Header, TX};
use std::io;

/// How much is read at once, when the next record is wanted too and not far.
const WINDOW: u64 = 256 << 10;
/// What is read for nothing rather than read again.
const GAP: u64 = 32 << 10;

/// A record as it was read.
pub(crate) struct SourceRecord<'a> {
    pub(crate) header: Header,
    /// Without the transaction's id.
    pub(crate) payload: &'a [u8],
}

/// Why a record of the log cannot be had.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// It is not written yet.
    NotWritten,
    /// Its segment is not in the log any more.
    Gone,
    /// It is not what was written there.
    Damaged,
    /// The disk fails.
    Io(io::Error, String),
}

/// Reads records of the log through a window.
pub(crate) struct LogSource<'a> {
    log: &'a Log,
    /// False only in tests that must fail then.
    verify: bool,
    pinned: Option<Pinned>,
    bytes: Vec<u8>,
    start: u64,
}

impl<'a> LogSource<'a> {
    pub(crate) fn new(log: &'a Log, verify: bool) -> LogSource<'a> {
        LogSource { log, verify, pinned: None, bytes: Vec::new(), start: 0 }
    }

    /// The record at this place. `next` is where the next one that is wanted is.
    pub(crate) fn read(&mut self, place: Place, next: Option<Lsn>) -> Result<SourceRecord<'_>, SourceError> {
        self.load(place, next)?;
        let at = (place.lsn.0 - self.start) as usize;
        let record = &self.bytes[at..at + place.len as usize];
        let (head, payload) = record.split_first_chunk::<HEADER>().ok_or(SourceError::Damaged)?;
        let header = Header::from_bytes(head);
        if self.verify && !header.holds(payload) {
            return Err(SourceError::Damaged);
        }
        let skipped = if header.flags & TX != 0 { 8 } else { 0 };
        Ok(SourceRecord { header, payload: payload.get(skipped..).ok_or(SourceError::Damaged)? })
    }

    fn load(&mut self, place: Place, next: Option<Lsn>) -> Result<(), SourceError> {
        let (from, to) = (place.lsn.0, place.lsn.0 + u64::from(place.len));
        if from >= self.start && to <= self.start + self.bytes.len() as u64 {
            return Ok(());
        }
        if Lsn(to) > self.log.written() {
            return Err(SourceError::NotWritten);
        }
        let segment = self.log.segment_of(place.lsn);
        if self.pinned.as_ref().is_none_or(|pinned| pinned.segment() != segment) {
            self.pinned = Some(self.log.pin(place.lsn).ok_or(SourceError::Gone)?);
        }
        let Some(pinned) = &self.pinned else { return Err(SourceError::Gone) };
        let end_of_segment = (u64::from(segment) + 1) * self.log.segment_bytes();
        let more = next.is_some_and(|next| next.0 >= to && next.0 - to < GAP);
        let far = if more { (from + WINDOW).min(end_of_segment).min(self.log.written().0).max(to) } else { to };
        for end in [far, to] {
            self.bytes.resize((end - from) as usize, 0);
            self.start = u64::MAX / 2;
            match pinned.read_exact_at(&mut self.bytes, place.lsn) {
                Ok(()) => {
                    self.start = from;
                    return Ok(());
                }
                // The file of a segment that was closed early may end before the segment does.
                Err(error) if end > to && error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(SourceError::Io(error, pinned.file_name())),
            }
        }
        Err(SourceError::Damaged)
    }
}
