//! Writing a cold segment, once and from front to back.

use super::{ColdSegment, DirectoryEntry, HEADER_BYTES, Head, INDEX_ENTRY, file_name};
use crate::backlog::Region;
use crate::disk::{Disk, DiskFile};
use crate::error::StoreError;
use crate::log::Route;
use crate::place::{Lsn, Place};
use crate::record::{self, Header, Kind};
use crc32fast::Hasher;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How much is written at once.
const BUFFER: usize = 1 << 20;
/// How much of an index is kept until it is written: that of a large region would take megabytes.
const INDEX_PIECE: usize = 64 << 10;
/// A region's offsets are 32 bits: beyond this another region begins.
const LARGEST_REGION: u64 = 1 << 31;

/// A cold segment in the making. Dropped before it is finished, it leaves no file.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    file: Option<Arc<dyn DiskFile>>,
    id: u64,
    log_id: u64,
    buffer: Vec<u8>,
    /// Bytes that are written.
    written: u64,
    region: Option<OpenRegion>,
    directory: Vec<DirectoryEntry>,
}

struct OpenRegion {
    quid: u64,
    offset: u64,
    first: u64,
    /// What of the index is not written yet, and how much is.
    index: Vec<u8>,
    index_written: u64,
    index_crc: Hasher,
    room: usize,
}

impl OpenRegion {
    fn entries(&self) -> usize {
        (self.index_written as usize + self.index.len()) / INDEX_ENTRY as usize
    }
}

impl Writer {
    pub(crate) fn create(disk: &Arc<dyn Disk>, id: u64, log_id: u64) -> Result<Writer, StoreError> {
        let file = disk.create(&file_name(id)).map_err(|error| StoreError::of_io(file_name(id), error))?;
        let buffer = vec![0; HEADER_BYTES as usize];
        let (disk, file) = (disk.clone(), Some(file));
        Ok(Writer { disk, file, id, log_id, buffer, written: 0, region: None, directory: Vec::new() })
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::of_io(file_name(self.id), error)
    }

    fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        match &self.file {
            Some(file) => file.write_at(bytes, offset).map_err(|error| self.failed(error)),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.write_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn put(&mut self, mut header: Header, payload: &[u8]) -> Result<u64, StoreError> {
        header.payload_len = payload.len() as u32;
        header.crc = header.checksum([payload]);
        let offset = self.position();
        self.buffer.extend_from_slice(&header.to_bytes());
        self.buffer.extend_from_slice(payload);
        self.buffer.resize((offset - self.written) as usize + record::padded(payload.len()), 0);
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(offset)
    }

    /// Writes a body that several messages will refer to; where it is.
    pub(crate) fn shared(&mut self, flags: u8, payload: &[u8]) -> Result<Place, StoreError> {
        let header = Header { flags: flags & record::BLOB, ..Header::new(Kind::Message, 0, 0) };
        let offset = self.put(header, payload)?;
        Ok(Place { lsn: Lsn(offset), len: (record::HEADER + payload.len()) as u32 })
    }

    /// Begins the region of a queue with at most this many messages, none of them before `first`.
    pub(crate) fn begin_region(&mut self, quid: u64, first: u64, messages: usize) -> Result<(), StoreError> {
        assert!(self.region.is_none(), "one region at a time");
        let offset = self.position();
        let index = messages * INDEX_ENTRY as usize;
        if index <= INDEX_PIECE {
            self.buffer.resize(self.buffer.len() + index, 0);
        } else {
            // Left out, and written piece by piece. Where entries are missing at the end the file has zeros.
            self.flush()?;
            self.written += index as u64;
        }
        let piece = Vec::with_capacity(index.min(INDEX_PIECE));
        let (index_written, index_crc) = (0, Hasher::new());
        self.region = Some(OpenRegion { quid, offset, first, index: piece, index_written, index_crc, room: messages });
        Ok(())
    }

    /// True when the region can have this message; else it must be ended and another begun.
    pub(crate) fn fits(&self, seq: u64) -> bool {
        let fits = |region: &OpenRegion| {
            seq - region.first <= u64::from(u32::MAX) && self.position() - region.offset < LARGEST_REGION
        };
        self.region.as_ref().is_some_and(fits)
    }

    /// A message with its body.
    pub(crate) fn message(&mut self, header: Header, payload: &[u8]) -> Result<(), StoreError> {
        let offset = self.put(header, payload)?;
        self.index(header.index, offset)
    }

    /// A message whose body has been written before.
    pub(crate) fn route(&mut self, header: Header, body: Place, body_len: u32) -> Result<(), StoreError> {
        let header = Header { kind: Kind::Route as u8, ..header };
        let offset = self.put(header, &Route { body, body_len }.to_bytes())?;
        self.index(header.index, offset)
    }

    fn index(&mut self, seq: u64, offset: u64) -> Result<(), StoreError> {
        let Some(region) = &mut self.region else { return Ok(()) };
        assert!(seq >= region.first, "a message lies in its region");
        assert!(region.entries() < region.room, "the index has room");
        region.index.extend_from_slice(&((seq - region.first) as u32).to_le_bytes());
        region.index.extend_from_slice(&((offset - region.offset) as u32).to_le_bytes());
        if region.index.len() < INDEX_PIECE {
            return Ok(());
        }
        let Some(mut region) = self.region.take() else { return Ok(()) };
        let written = self.write_index(&mut region);
        self.region = Some(region);
        written
    }

    /// Ends the region. `last` is the last message that was meant to be in it: what could not be read has no entry.
    pub(crate) fn end_region(&mut self, last: u64) -> Result<(), StoreError> {
        let Some(mut region) = self.region.take() else { return Ok(()) };
        let len = self.position() - region.offset;
        let count = region.entries() as u32;
        self.write_index(&mut region)?;
        let OpenRegion { quid, offset, first, index_crc, .. } = region;
        let index_crc = index_crc.finalize();
        let region = Region { offset, len, count, first, last };
        self.directory.push(DirectoryEntry { quid, region, index_crc });
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn memory_bytes(&self) -> usize {
        self.buffer.capacity() + self.region.as_ref().map_or(0, |region| region.index.capacity())
    }

    /// The next piece of the index goes where room was left for it, which may be in the buffer or in the file already.
    fn write_index(&mut self, region: &mut OpenRegion) -> Result<(), StoreError> {
        let (piece, offset) = (&region.index, region.offset + region.index_written);
        if offset < self.written {
            self.write_at(piece, offset)?;
        } else {
            let at = (offset - self.written) as usize;
            self.buffer[at..at + piece.len()].copy_from_slice(piece);
        }
        region.index_crc.update(piece);
        region.index_written += piece.len() as u64;
        region.index.clear();
        Ok(())
    }

    /// Writes what is left and makes the file durable, its name included: the manifest may name it afterwards, and a
    /// crash must not leave a manifest that names what is not there.
    pub(crate) fn finish(mut self) -> Result<(Arc<ColdSegment>, Vec<DirectoryEntry>), StoreError> {
        let directory: Vec<u8> = self.directory.iter().flat_map(|entry| entry.to_bytes()).collect();
        let head = Head {
            log_id: self.log_id,
            id: self.id,
            messages: self.directory.iter().map(|entry| u64::from(entry.region.count)).sum(),
            directory: self.position(),
            regions: self.directory.len() as u64,
            directory_crc: crc32fast::hash(&directory),
        };
        self.buffer.extend_from_slice(&directory);
        self.flush()?;
        self.write_at(&head.to_bytes(), 0)?;
        let Some(file) = self.file.clone() else { return Err(StoreError::Fenced) };
        file.sync().map_err(|error| self.failed_sync(error))?;
        self.disk.sync_names().map_err(|error| self.failed_sync(error))?;
        self.file = None;
        let segment = ColdSegment { id: self.id, file, bytes: self.written, head: Some(head), live: AtomicU64::new(0) };
        Ok((Arc::new(segment), std::mem::take(&mut self.directory)))
    }

    /// A sync that fails for whatever reason is a failure of the disk: what is there is not known.
    fn failed_sync(&self, source: io::Error) -> StoreError {
        StoreError::Io { file: file_name(self.id), source }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Half a file takes the space that others need. If it stays, the next start removes it.
            let _ = self.disk.remove(&file_name(self.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::SimulatedDisk;

    #[test]
    fn a_large_region_is_not_kept_in_memory() {
        let disk: Arc<dyn Disk> = SimulatedDisk::new();
        let mut writer = Writer::create(&disk, 1, 1).unwrap();
        for (quid, messages) in [(1, 200_000), (2, 10), (3, 200_000)] {
            writer.begin_region(quid, 0, messages).unwrap();
            for seq in 0..messages as u64 - 3 {
                writer.message(Header::new(Kind::Message, quid, seq), &[1; 24]).unwrap();
                assert!(writer.buffer.capacity() <= 2 * BUFFER, "{} bytes", writer.buffer.capacity());
            }
            writer.end_region(messages as u64).unwrap();
        }
        let (segment, directory) = writer.finish().unwrap();
        assert_eq!(segment.directory().unwrap().len(), 3);
        for entry in directory {
            let mut window = segment.window(true);
            let index = window.read(entry.region.offset, entry.region.count as usize * 8).unwrap();
            assert_eq!(crc32fast::hash(index), entry.index_crc);
        }
    }
}
