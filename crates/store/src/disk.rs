//! The files that the store keeps, as it sees them: one flat directory.
//!
//! The store does all its I/O through [`Disk`], so that tests can put a disk under it that tears, loses, reorders and
//! refuses.

mod system;

pub use system::SystemDisk;

use std::io;
use std::sync::Arc;

/// A directory of files without folders. Names are durable after [`Disk::sync_names`], contents after
/// [`DiskFile::sync`].
pub trait Disk: Send + Sync {
    /// Creates a file; it must not exist.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; whoever has it open can go on reading.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of all files, in no particular order.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Makes creations, renames and removals durable.
    fn sync_names(&self) -> io::Result<()>;
    /// Size and free space of the file system.
    fn space(&self) -> io::Result<Space>;

    /// What was read and written so far, where that is counted.
    fn io(&self) -> DiskIo {
        DiskIo::default()
    }
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Reads some bytes at `offset`; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes contents and length durable (`fdatasync`; `F_FULLFSYNC` on macOS).
    fn sync(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts or extends the file; new bytes are zero.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// True for a file without bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` from `offset`; [`io::ErrorKind::UnexpectedEof`] when the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What was done with files since they were opened first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskIo {
    /// Reads.
    pub reads: u64,
    /// Bytes that they brought.
    pub read_bytes: u64,
    /// Time that they took, in us.
    pub read_us: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Time that writing took, in us.
    pub write_us: u64,
    /// Times that a file was made durable.
    pub syncs: u64,
    /// Time that this took, in us.
    pub sync_us: u64,
}

/// Space of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Size.
    pub total_bytes: u64,
    /// What an unprivileged process may still use.
    pub free_bytes: u64,
}

/// True for errors that go away when somebody makes room.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
