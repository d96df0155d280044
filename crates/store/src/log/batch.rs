//! Batches: what the log thread writes at once, and the smallest thing that recovery takes or leaves.
//!
//! ```text
//! offset  bytes  what (little-endian); a batch begins at a multiple of 4096
//!      0      4  magic
//!      4      2  version (1)
//!      6      2  zero
//!      8      8  id of the log
//!     16      4  epoch: raised whenever the log is opened
//!     20      4  number of the segment
//!     24      8  lsn of this byte 0
//!     32      4  length of header and records, without what pads to 4096
//!     36      4  number of records
//!     40      4  checksum of the batch before, 0 in the first of the log
//!     44      4  CRC-32 of this header, with zeros here, and all record headers
//!     48      8  durable lsn known when the batch was written
//!     56      8  zero
//!     64         records
//! ```

use crate::record::{self, HEADER, Header};
use crc32fast::Hasher;

/// Bytes in front of the records.
pub(super) const BATCH_HEADER: usize = 64;
/// Batches begin at multiples of this: a page of the page cache, so that no write has to read first.
pub(super) const PAGE: u64 = 4096;
/// A batch that a record would make longer than this ends before it. One such batch is one write.
pub(super) const BATCH_BYTES: u64 = 1 << 20;

const MAGIC: [u8; 4] = *b"LvBa";
const VERSION: u16 = 1;

/// The fixed part of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub(super) log_id: u64,
    pub(super) epoch: u32,
    pub(super) segment: u32,
    pub(super) first: u64,
    pub(super) len: u32,
    pub(super) records: u32,
    pub(super) previous: u32,
    pub(super) checksum: u32,
    pub(super) durable: u64,
}

impl BatchHeader {
    pub(super) fn to_bytes(self) -> [u8; BATCH_HEADER] {
        let mut bytes = [0; BATCH_HEADER];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.log_id.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.segment.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.len.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.records.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.previous.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.durable.to_le_bytes());
        bytes
    }

    /// The header in these bytes; `None` when they are none of this version.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<BatchHeader> {
        let bytes = bytes.first_chunk::<BATCH_HEADER>()?;
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | (u64::from(u32_at(at + 4)) << 32);
        let header = BatchHeader {
            log_id: u64_at(8),
            epoch: u32_at(16),
            segment: u32_at(20),
            first: u64_at(24),
            len: u32_at(32),
            records: u32_at(36),
            previous: u32_at(40),
            checksum: u32_at(44),
            durable: u64_at(48),
        };
        (header.to_bytes() == *bytes).then_some(header)
    }

    /// A checksum that has seen this header; the record headers follow.
    pub(super) fn hasher(self) -> Hasher {
        let mut hasher = Hasher::new();
        hasher.update(&BatchHeader { checksum: 0, ..self }.to_bytes());
        hasher
    }

    /// True when `batch`, the whole of it, consists of the records that the header says, by their headers.
    pub(super) fn holds(self, batch: &[u8], verify: bool) -> bool {
        if batch.len() != self.len as usize {
            return false;
        }
        let mut hasher = self.hasher();
        let mut count = 0u32;
        for (at, _) in records(batch) {
            let Some(header) = batch.get(at..at + HEADER) else { return false };
            hasher.update(header);
            count += 1;
        }
        let whole =
            records(batch).last().map_or(BATCH_HEADER, |(at, header)| at + record::padded(header.payload_len as usize));
        count == self.records && whole == batch.len() && (!verify || hasher.finalize() == self.checksum)
    }
}

/// The whole records of a batch: where each is, and its header. Payloads are not looked at.
pub(super) fn records(batch: &[u8]) -> impl Iterator<Item = (usize, Header)> {
    let mut at = BATCH_HEADER;
    std::iter::from_fn(move || {
        let (header, payload, _) = record::split_first(batch.get(at..)?)?;
        let here = at;
        at += record::padded(payload.len());
        Some((here, header))
    })
}
