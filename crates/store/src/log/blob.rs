//! Large bodies: a file each, so that they are not copied when their log segment goes.
//!
//! ```text
//! offset  bytes  what (little-endian)
//!      0      8  magic
//!      8      4  version (1)
//!     12      4  zero
//!     16      8  id of the log
//!     24      8  id of the blob: the lsn of the message's record
//!     32      8  length of the body
//!     40      4  CRC-32 of the body
//!     44     16  zero
//!     60      4  CRC-32 of the bytes before
//!     64         the body
//! ```

use crate::arena::{LARGEST_SLICE, Slice};
use crate::disk::{Disk, DiskFile};
use crate::error::StoreError;
use crc32fast::Hasher;
use std::collections::HashMap;
use std::io;

/// Bytes in front of the body.
pub const BLOB_HEADER: usize = 64;
const MAGIC: [u8; 8] = *b"LvBlob\r\n";
const VERSION: u32 = 1;

/// What the file with a large body is called.
pub fn blob_name(id: u64) -> String {
    format!("blob-{id:016x}")
}

/// The id of the blob in a file of this name.
pub(super) fn blob_id(name: &str) -> Option<u64> {
    let id = u64::from_str_radix(name.strip_prefix("blob-")?, 16).ok()?;
    (blob_name(id) == name).then_some(id)
}

/// A body that the log thread has to write before the batch that names it.
pub(super) struct StagedBlob {
    pub(super) id: u64,
    pub(super) body: Vec<Slice>,
}

impl StagedBlob {
    pub(super) fn len(&self) -> usize {
        self.body.iter().map(|piece| piece.len()).sum()
    }
}

struct Blob {
    owners: u32,
    bytes: u64,
}

/// Who owns which blob.
#[derive(Default)]
pub(super) struct Blobs {
    blobs: HashMap<u64, Blob>,
    /// Without owners, and up to where the log must be durable before the file may go: until then a crash brings the
    /// owner back.
    unowned: Vec<(u64, u64)>,
}

impl Blobs {
    pub(super) fn created(&mut self, id: u64, bytes: u64) {
        self.blobs.insert(id, Blob { owners: 1, bytes });
    }

    /// One owner more, if there is such a blob.
    #[inline]
    pub(super) fn shared(&mut self, id: u64) {
        if !self.blobs.is_empty()
            && let Some(blob) = self.blobs.get_mut(&id)
        {
            blob.owners += 1;
        }
    }

    /// One owner more; for recovery.
    pub(super) fn registered(&mut self, id: u64) {
        self.blobs.entry(id).or_insert(Blob { owners: 0, bytes: 0 }).owners += 1;
    }

    /// One owner fewer; true when none is left.
    pub(super) fn released(&mut self, id: u64, end: u64) -> bool {
        let Some(blob) = self.blobs.get_mut(&id) else { return false };
        blob.owners -= 1;
        let is_unowned = blob.owners == 0;
        if is_unowned {
            self.blobs.remove(&id);
            self.unowned.push((end, id));
        }
        is_unowned
    }

    /// Takes those whose files may go now that the log is durable up to here.
    pub(super) fn take_unowned(&mut self, durable: u64) -> Vec<u64> {
        if self.unowned.is_empty() {
            return Vec::new();
        }
        let gone = self.unowned.iter().filter(|(end, _)| *end <= durable).map(|(_, id)| *id).collect();
        self.unowned.retain(|(end, _)| *end > durable);
        gone
    }

    /// True when files may go now that the log is durable up to here.
    pub(super) fn has_unowned(&self, durable: u64) -> bool {
        self.unowned.iter().any(|(end, _)| *end <= durable)
    }

    pub(super) fn ids(&self) -> std::collections::HashSet<u64> {
        self.blobs.keys().chain(self.unowned.iter().map(|(_, id)| id)).copied().collect()
    }

    pub(super) fn set_bytes(&mut self, id: u64, bytes: u64) {
        if let Some(blob) = self.blobs.get_mut(&id) {
            blob.bytes = bytes;
        }
    }

    /// How many there are, and their bytes.
    pub(super) fn totals(&self) -> (usize, u64) {
        (self.blobs.len(), self.blobs.values().map(|blob| blob.bytes).sum())
    }
}

/// Writes and syncs the file, but not its name; returns the body's checksum.
pub(super) fn write_blob(disk: &dyn Disk, log_id: u64, blob: &StagedBlob) -> Result<u32, StoreError> {
    let name = blob_name(blob.id);
    let written = create_anew(disk, &name).and_then(|file| write_body(&*file, log_id, blob));
    written.map_err(|error| {
        // What is half there would be in the way, and takes space.
        let _ = disk.remove(&name);
        StoreError::of_io(name, error)
    })
}

/// A file of this name may be left from before a crash: the log was cut before the record that named it.
fn create_anew(disk: &dyn Disk, name: &str) -> io::Result<std::sync::Arc<dyn DiskFile>> {
    match disk.create(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(name)?;
            disk.create(name)
        }
        created => created,
    }
}

fn write_body(file: &dyn DiskFile, log_id: u64, blob: &StagedBlob) -> io::Result<u32> {
    let mut hasher = Hasher::new();
    let mut at = BLOB_HEADER as u64;
    for piece in &blob.body {
        file.write_at(piece, at)?;
        hasher.update(piece);
        at += piece.len() as u64;
    }
    let crc = hasher.finalize();
    file.write_at(&header(log_id, blob.id, at - BLOB_HEADER as u64, crc), 0)?;
    file.sync()?;
    Ok(crc)
}

fn header(log_id: u64, id: u64, body_len: u64, crc: u32) -> [u8; BLOB_HEADER] {
    let mut bytes = [0; BLOB_HEADER];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&log_id.to_le_bytes());
    bytes[24..32].copy_from_slice(&id.to_le_bytes());
    bytes[32..40].copy_from_slice(&body_len.to_le_bytes());
    bytes[40..44].copy_from_slice(&crc.to_le_bytes());
    let check = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&check.to_le_bytes());
    bytes
}

/// Reads a large body in pieces of at most [`LARGEST_SLICE`], and checks it against the checksum in its record: what was
/// handed out counts only when this returns `Ok`.
pub fn read_blob(disk: &dyn Disk, id: u64, crc: u32, piece: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
    let name = blob_name(id);
    let damaged = |offset, what| StoreError::Damaged { file: blob_name(id), offset, what };
    let file = disk.open(&name).map_err(|error| StoreError::of_io(name.clone(), error))?;
    let mut found = [0; BLOB_HEADER];
    match file.read_exact_at(&mut found, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(damaged(0, "it ends too early")),
        read => read.map_err(|error| StoreError::of_io(name.clone(), error))?,
    }
    if found[0..8] != MAGIC || found[60..64] != crc32fast::hash(&found[..60]).to_le_bytes() {
        return Err(damaged(0, "its header does not hold"));
    }
    let mut hasher = Hasher::new();
    let mut at = BLOB_HEADER as u64;
    let mut buffer = vec![0; LARGEST_SLICE];
    loop {
        let count = fill(&*file, &mut buffer, at).map_err(|error| StoreError::of_io(name.clone(), error))?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        piece(&buffer[..count]);
        at += count as u64;
    }
    if hasher.finalize() == crc { Ok(()) } else { Err(damaged(BLOB_HEADER as u64, "its checksum does not hold")) }
}

/// Reads until the buffer is full or the file ends.
pub(super) fn fill(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
