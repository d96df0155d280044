//! Putting a batch together: the one copy that the log thread makes of every byte, and its checksum.

use super::batch::{BATCH_HEADER, BatchHeader, PAGE};
use super::staging::Staged;
use crate::record::{ALIGNMENT, BLOB, HEADER, Header, Kind, TX};

/// How far into what was taken.
#[derive(Clone, Copy, Default)]
pub(super) struct Cursor {
    pub(super) batch: usize,
    byte: usize,
    pub(super) blob: usize,
}

/// Appends a batch to the buffer, whole pages of it, and returns its checksum.
///
/// A batch is at most about 1 MiB long (`BATCH_BYTES`), and so is the buffer: it stays in the cache between the copy,
/// the checksum and the write.
pub(super) fn gather(
    taken: &mut Staged,
    next: &mut Cursor,
    mut header: BatchHeader,
    crcs: &[u32],
    buffer: &mut Vec<u8>,
) -> u32 {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; BATCH_HEADER]);
    let mut hasher = header.hasher();
    let mut crcs = crcs.iter();
    for _ in 0..header.records {
        let at = buffer.len();
        gather_record(taken, next, &mut crcs, buffer);
        hasher.update(&buffer[at..at + HEADER]);
        buffer.resize(start + (buffer.len() - start).next_multiple_of(ALIGNMENT), 0);
    }
    assert_eq!(buffer.len() - start, header.len as usize, "a batch is as long as its positions say");
    header.checksum = hasher.finalize();
    buffer[start..start + BATCH_HEADER].copy_from_slice(&header.to_bytes());
    // Whole pages, so that the system need not read what it writes to.
    buffer.resize(buffer.len().next_multiple_of(PAGE as usize), 0);
    header.checksum
}

/// Appends one record, with its checksum but without what pads it.
#[inline]
fn gather_record<'a>(
    taken: &mut Staged,
    next: &mut Cursor,
    crcs: &mut impl Iterator<Item = &'a u32>,
    buffer: &mut Vec<u8>,
) {
    let at = buffer.len();
    let (fixed, rest) = taken.bytes[next.byte..].split_first_chunk::<HEADER>().expect("a staged record has a header");
    let header = Header::from_bytes(fixed);
    let slices = header.crc as usize;
    let payload_len = header.payload_len as usize;
    buffer.extend_from_slice(fixed);
    let prefix = if slices == 0 {
        payload_len
    } else if header.flags & TX != 0 {
        8
    } else {
        0
    };
    buffer.extend_from_slice(&rest[..prefix]);
    for slice in taken.slices.drain(..slices) {
        buffer.extend_from_slice(&slice);
    }
    next.byte += HEADER + prefix;
    if header.flags & BLOB != 0 && header.kind == Kind::Message as u8 {
        buffer.extend_from_slice(&rest[prefix..prefix + 8]);
        let crc = crcs.next().expect("the blobs of a batch are written before it");
        buffer.extend_from_slice(&crc.to_le_bytes());
        next.byte += 12;
        next.blob += 1;
    }
    debug_assert_eq!(buffer.len() - at, HEADER + payload_len);
    let crc = crc32fast::hash(&buffer[at + 8..]);
    buffer[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
}
