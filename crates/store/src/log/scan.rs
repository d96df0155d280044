//! Reading the log from its head to its end.

use crate::disk::Disk;
use crate::error::OpenError;
use crate::place::{Lsn, Place, TransactionId};
use crate::record::{HEADER, Header};

/// Where a scan begins.
#[derive(Clone, Copy, Debug)]
pub struct ScanFrom {
    /// The log's id.
    pub log_id: u64,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Number of the first segment that counts.
    pub head: u32,
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
        Err(OpenError::UnknownRecord { kind, name: crate::record::Kind::name(kind), lsn: record.lsn })
    }

    /// Something that is lost.
    fn damage(&mut self, damage: Damage) {
        let _ = damage;
    }
}

/// What a scan found out.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Where the log ends.
    pub end: Lsn,
    /// Everything below was durable for certain.
    pub durable: Lsn,
    /// The highest epoch; 0 when the log is empty.
    pub epoch: u32,
    /// True when the log ends in good order.
    pub clean: bool,
    /// Bytes of a last batch that was not written whole.
    pub torn_bytes: u64,
    /// What is lost.
    pub damage: Vec<Damage>,
}

/// Reads the log, and changes nothing.
pub fn scan(disk: &dyn Disk, from: ScanFrom, visitor: &mut dyn Visitor) -> Result<Scanned, OpenError> {
    let _ = (disk, from, visitor);
    todo!()
}
