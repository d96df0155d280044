//! Cold segments: files that are written once, with the messages of many queues, each queue's together and in order.
//!
//! ```text
//! offset  bytes  what (little-endian)
//!      0      8  magic
//!      8      4  version (1)
//!     12      4  zero
//!     16      8  id of the log
//!     24      8  id of the segment
//!     32      8  messages
//!     40      8  offset of the directory
//!     48      8  entries of the directory
//!     56      4  CRC-32 of the directory
//!     60      4  CRC-32 of the bytes before
//!     64         zeros up to 4096
//!   4096         regions, and between them bodies that several queues share: Message records of group 0
//! at the end     directory: per region 48 bytes: queue, offset, length, first and last sequence number (8 each),
//!                messages and CRC-32 of the index (4 each)
//! ```
//!
//! A region begins with its index: per message 8 bytes, the difference of its sequence number to the region's first and
//! the offset of its record in the region, 4 each. A record is a Message, or a Route whose position is that of a shared
//! body in the same file.

mod locate;
mod read;
mod source;
#[cfg(test)]
pub(crate) mod tests;
mod verify;
mod window;
mod writer;

pub(crate) use locate::{Locator, index_entry};
pub use read::{Loaded, LoadedRun, Lost, ReadError};
pub(crate) use read::{read, record_at};
pub(crate) use source::{LogSource, SourceError};
pub(crate) use verify::{dump, verify};
pub(crate) use window::Window;
pub(crate) use writer::Writer;

use crate::backlog::Region;
use crate::disk::{Disk, DiskFile};
use crate::error::{OpenError, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: [u8; 8] = *b"LvCold\r\n";
const VERSION: u32 = 1;
/// Bytes of the header, and what regions begin behind.
pub(crate) const HEADER_BYTES: u64 = 4096;
const DIRECTORY_ENTRY: usize = 48;
/// Bytes of an entry of an index.
pub(crate) const INDEX_ENTRY: u64 = 8;

/// The name of the file.
pub(crate) fn file_name(id: u64) -> String {
    format!("cold-{id:08}")
}

/// A cold segment, open.
pub(crate) struct ColdSegment {
    id: u64,
    file: Arc<dyn DiskFile>,
    bytes: u64,
    head: Option<Head>,
    /// Messages that extents count as theirs.
    live: AtomicU64,
}

impl std::fmt::Debug for ColdSegment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ColdSegment({})", self.id)
    }
}

/// What the header says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    log_id: u64,
    id: u64,
    messages: u64,
    directory: u64,
    regions: u64,
    directory_crc: u32,
}

impl Head {
    fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        for (at, number) in [self.log_id, self.id, self.messages, self.directory, self.regions].into_iter().enumerate()
        {
            bytes[16 + at * 8..24 + at * 8].copy_from_slice(&number.to_le_bytes());
        }
        bytes[56..60].copy_from_slice(&self.directory_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; 64]) -> Option<Head> {
        let holds = u32_at(bytes, 60) == crc32fast::hash(&bytes[..60]);
        holds.then(|| Head {
            log_id: u64_at(bytes, 16),
            id: u64_at(bytes, 24),
            messages: u64_at(bytes, 32),
            directory: u64_at(bytes, 40),
            regions: u64_at(bytes, 48),
            directory_crc: u32_at(bytes, 56),
        })
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Opens a segment that the manifest names.
///
/// A damaged header is no reason to refuse: it loses no message.
pub(crate) fn open_segment(disk: &dyn Disk, id: u64, bytes: u64) -> Result<Arc<ColdSegment>, OpenError> {
    let name = file_name(id);
    let failed = |error| StoreError::of_io(file_name(id), error);
    let file = disk.open(&name).map_err(failed)?;
    let mut head = [0; 64];
    file.read_exact_at(&mut head, 0).map_err(failed)?;
    if head[0..8] != MAGIC {
        return Err(OpenError::Foreign { file: name });
    }
    let version = u32_at(&head, 8);
    let head = Head::from_bytes(&head);
    match head {
        Some(_) if version > VERSION => return Err(OpenError::Newer { file: name, version }),
        Some(head) if head.id != id => return Err(OpenError::Foreign { file: name }),
        Some(_) => {}
        None => tracing::error!("the header of {name} is damaged"),
    }
    Ok(Arc::new(ColdSegment { id, file, bytes, head, live: AtomicU64::new(0) }))
}

impl ColdSegment {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Messages that are still wanted.
    pub(crate) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// For reading it forwards.
    pub(crate) fn window(&self, verify: bool) -> Window {
        Window::new(self.file.clone(), self.bytes, verify)
    }

    /// About how many bytes are still wanted: messages are counted, and taken for equally long.
    pub(crate) fn live_bytes(&self) -> u64 {
        match self.head {
            Some(head) if head.messages > 0 => {
                (u128::from(self.bytes) * u128::from(self.live()) / u128::from(head.messages)) as u64
            }
            _ => self.bytes,
        }
    }

    pub(crate) fn add_live(&self, messages: u64) {
        self.live.fetch_add(messages, Ordering::Relaxed);
    }

    pub(crate) fn remove_live(&self, messages: u64) {
        let before = self.live.fetch_sub(messages, Ordering::Relaxed);
        debug_assert!(before >= messages, "no more messages go than there are");
    }

    /// The regions, by queue and sequence number.
    pub(crate) fn directory(&self) -> Result<Vec<DirectoryEntry>, StoreError> {
        let damaged = |what| StoreError::Damaged { file: file_name(self.id), offset: 0, what };
        let head = self.head.ok_or_else(|| damaged("the header's checksum does not hold"))?;
        let len = head.regions * DIRECTORY_ENTRY as u64;
        if head.directory + len > self.bytes {
            return Err(damaged("the directory is not within the file"));
        }
        let mut bytes = vec![0; len as usize];
        let read = self.file.read_exact_at(&mut bytes, head.directory);
        read.map_err(|error| StoreError::of_io(file_name(self.id), error))?;
        if crc32fast::hash(&bytes) != head.directory_crc {
            return Err(damaged("the directory's checksum does not hold"));
        }
        Ok(bytes.chunks_exact(DIRECTORY_ENTRY).map(DirectoryEntry::from_bytes).collect())
    }
}

/// A region and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectoryEntry {
    pub(crate) quid: u64,
    pub(crate) region: Region,
    pub(crate) index_crc: u32,
}

impl DirectoryEntry {
    fn to_bytes(self) -> [u8; DIRECTORY_ENTRY] {
        let Region { offset, len, count, first, last } = self.region;
        let mut bytes = [0; DIRECTORY_ENTRY];
        for (at, number) in [self.quid, offset, len, first, last].into_iter().enumerate() {
            bytes[at * 8..at * 8 + 8].copy_from_slice(&number.to_le_bytes());
        }
        bytes[40..44].copy_from_slice(&count.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.index_crc.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> DirectoryEntry {
        let number = |at: usize| u64_at(bytes, at * 8);
        let (offset, len, first, last) = (number(1), number(2), number(3), number(4));
        let region = Region { offset, len, count: u32_at(bytes, 40), first, last };
        DirectoryEntry { quid: number(0), region, index_crc: u32_at(bytes, 44) }
    }
}
