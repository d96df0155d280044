//! One file of the calendar: a header, then blocks of entries. docs/formats/calendar.md has the bytes.

use super::Due;
use crate::disk::{Disk, DiskFile};
use crate::error::{OpenError, StoreError};
use crc32fast::Hasher;
use std::sync::Arc;

/// What the names of all files begin with.
pub(crate) const PREFIX: &str = "calendar-";
const MAGIC: [u8; 8] = *b"LvCal\r\n\x1a";
const VERSION: u32 = 1;
/// Bytes of an entry and of a block's header; everything begins at multiples of it.
pub(super) const UNIT: u64 = 24;
/// Bytes of the file's header.
pub(super) const HEADER: u64 = 96;
const BLOCK_MAGIC: [u8; 4] = *b"LvCb";
/// Entries of a block at most.
pub(super) const BLOCK_ENTRIES: usize = 2048;

/// The name of file `number`.
pub(super) fn file_name(number: u64) -> String {
    format!("{PREFIX}{number:08}")
}

/// The number in such a name.
pub(super) fn file_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    let number = digits.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// The span of time that a file has entries of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Milliseconds since 1970.
    pub(super) from_ms: u64,
    /// The first millisecond behind it.
    pub(super) to_ms: u64,
}

impl Span {
    /// All there is.
    pub(super) const ALL: Span = Span { from_ms: 0, to_ms: u64::MAX };

    pub(super) fn has(&self, due_ms: u64) -> bool {
        self.from_ms <= due_ms && (due_ms < self.to_ms || self.to_ms == u64::MAX)
    }

    pub(super) fn width_ms(&self) -> u64 {
        self.to_ms - self.from_ms
    }
}

/// Creates a file. It is durable once the file and the names are synced.
pub(super) fn create(disk: &dyn Disk, log_id: u64, number: u64, span: Span) -> Result<Arc<dyn DiskFile>, StoreError> {
    let name = file_name(number);
    let io = |error| StoreError::of_io(&*name, error);
    let mut header = [0; HEADER as usize];
    header[0..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&log_id.to_le_bytes());
    header[24..32].copy_from_slice(&number.to_le_bytes());
    header[32..40].copy_from_slice(&span.from_ms.to_le_bytes());
    header[40..48].copy_from_slice(&span.to_ms.to_le_bytes());
    let crc = crc32fast::hash(&header[..92]);
    header[92..96].copy_from_slice(&crc.to_le_bytes());
    let file = disk.create(&name).map_err(io)?;
    file.write_at(&header, 0).map_err(|error| {
        // Nothing refers to it; what cannot be removed is found empty by the next start.
        let _ = disk.remove(&name);
        io(error)
    })?;
    Ok(file)
}

/// What a file's header says.
pub(super) enum Header {
    /// The span of the entries.
    Whole(Span),
    /// It cannot be read: the file's creation was cut off, or it has rotted. Its blocks say enough.
    Broken,
}

/// Reads a file's header.
pub(super) fn read_header(file: &dyn DiskFile, log_id: u64, number: u64) -> Result<Header, OpenError> {
    let name = file_name(number);
    let mut header = [0; HEADER as usize];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(Header::Broken),
        result => result.map_err(|error| StoreError::of_io(&*name, error))?,
    }
    if header.iter().all(|byte| *byte == 0) {
        return Ok(Header::Broken);
    }
    if crc32fast::hash(&header[..92]) != u32_at(&header, 92) {
        // Many bits are wrong only in a file of somebody else.
        return if header[..8] == MAGIC || u64_at(&header, 16) == log_id {
            Ok(Header::Broken)
        } else {
            Err(OpenError::Foreign { file: name })
        };
    }
    let version = u32_at(&header, 8);
    let span = Span { from_ms: u64_at(&header, 32), to_ms: u64_at(&header, 40) };
    if header[..8] != MAGIC || (version <= VERSION && u64_at(&header, 16) != log_id) {
        return Err(OpenError::Foreign { file: name });
    }
    if version > VERSION {
        return Err(OpenError::Newer { file: name, version });
    }
    Ok(if span.from_ms < span.to_ms { Header::Whole(span) } else { Header::Broken })
}

/// Appends entries in blocks at `offset` of file `number`; the offset behind.
pub(super) fn write(file: &dyn DiskFile, number: u64, offset: u64, entries: &[Due]) -> Result<u64, StoreError> {
    let mut bytes = Vec::with_capacity(UNIT as usize * (entries.len() + entries.len().div_ceil(BLOCK_ENTRIES)));
    for block in entries.chunks(BLOCK_ENTRIES) {
        let begins = bytes.len();
        bytes.extend_from_slice(&BLOCK_MAGIC);
        bytes.extend_from_slice(&(block.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&(offset + begins as u64).to_le_bytes());
        for due in block {
            bytes.extend_from_slice(&due.due_ms.to_le_bytes());
            bytes.extend_from_slice(&due.group.to_le_bytes());
            bytes.extend_from_slice(&due.seq.to_le_bytes());
        }
        let crc = checksum(number, &bytes[begins..]);
        bytes[begins + 8..begins + 12].copy_from_slice(&crc.to_le_bytes());
    }
    file.write_at(&bytes, offset).map_err(|error| StoreError::of_io(file_name(number), error))?;
    Ok(offset + bytes.len() as u64)
}

/// Covers the whole block but for the checksum itself, and the number of the file.
fn checksum(number: u64, block: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&block[..8]);
    hasher.update(&block[12..]);
    hasher.finalize()
}

/// Reads a file block by block.
pub(super) struct Blocks<'a> {
    file: &'a dyn DiskFile,
    number: u64,
    offset: u64,
    end: u64,
    /// Bytes that belonged to no block that holds.
    pub(super) damaged_bytes: u64,
    buffer: Vec<u8>,
    /// What of the file the buffer has.
    buffered: (u64, u64),
}

/// The longest block in bytes.
const LONGEST: usize = UNIT as usize * (BLOCK_ENTRIES + 1);

impl<'a> Blocks<'a> {
    /// From `offset` on, up to `end`.
    pub(super) fn new(file: &'a dyn DiskFile, number: u64, offset: u64, end: u64) -> Blocks<'a> {
        Blocks { file, number, offset, end, damaged_bytes: 0, buffer: Vec::new(), buffered: (0, 0) }
    }

    /// Where the next block is looked for.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Hands the entries of the next block that holds to `each`; false at the end of the file. What is damaged is passed
    /// over to the next place where a block begins.
    pub(super) fn next(&mut self, mut each: impl FnMut(Due)) -> Result<bool, StoreError> {
        while self.offset + UNIT < self.end {
            self.fill(UNIT as usize)?;
            let len = self.block_len();
            if let Some(len) = len.filter(|len| self.offset + *len as u64 <= self.end) {
                self.fill(len)?;
                let block = self.bytes(len);
                if checksum(self.number, block) == u32_at(block, 8) {
                    for entry in block[UNIT as usize..].chunks_exact(UNIT as usize) {
                        each(Due { due_ms: u64_at(entry, 0), group: u64_at(entry, 8), seq: u64_at(entry, 16) });
                    }
                    self.offset += len as u64;
                    return Ok(true);
                }
            }
            self.offset += UNIT;
            self.damaged_bytes += UNIT;
        }
        Ok(false)
    }

    /// The length of the block that the header at the offset claims, if it is one.
    fn block_len(&self) -> Option<usize> {
        let header = self.bytes(UNIT as usize);
        let count = u32_at(header, 4) as usize;
        let is_header = header[..4] == BLOCK_MAGIC && u64_at(header, 16) == self.offset;
        (is_header && (1..=BLOCK_ENTRIES).contains(&count)).then_some(UNIT as usize * (count + 1))
    }

    fn bytes(&self, len: usize) -> &[u8] {
        let at = (self.offset - self.buffered.0) as usize;
        &self.buffer[at..at + len]
    }

    /// Sees to it that the buffer has the `len` bytes at the offset, which the file has.
    fn fill(&mut self, len: usize) -> Result<(), StoreError> {
        let (from, to) = self.buffered;
        if self.offset >= from && self.offset + len as u64 <= to {
            return Ok(());
        }
        let wanted = (self.end - self.offset).min(4 * LONGEST as u64);
        self.buffer.resize(wanted as usize, 0);
        let read = self.file.read_exact_at(&mut self.buffer, self.offset);
        read.map_err(|error| StoreError::of_io(file_name(self.number), error))?;
        self.buffered = (self.offset, self.offset + wanted);
        Ok(())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}
