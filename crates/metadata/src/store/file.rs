//! The file under redb: its own backend, but for what a failed sync means.

use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// A file whose failed syncs are never taken for a disk that is merely full.
///
/// A write that finds no space leaves everything as it was, and can be tried again. After a failed sync the system may
/// have marked pages clean that never reached the disk: reading them back proves nothing, so what is to be tried again
/// must not be built on them, whatever the reason of the failure.
#[derive(Debug)]
pub(super) struct SyncedFile(FileBackend);

impl SyncedFile {
    /// Opens a file that exists.
    pub(super) fn open(path: &Path) -> Result<SyncedFile, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(SyncedFile(FileBackend::new(file)?))
    }
}

/// True for a full disk and a used-up quota.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The error of a sync, such that [`is_no_space`] does not hold.
pub(super) fn failed_sync(error: io::Error) -> io::Error {
    if is_no_space(&error) { io::Error::other(format!("sync failed: {error}")) } else { error }
}

type Limit = Bound<u64>;

impl StorageBackend for SyncedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data().map_err(failed_sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Limit, end: Limit) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Limit, end: Limit) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Limit, end: Limit) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Limit, end: Limit) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Limit, end: Limit) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Limit, end: Limit) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}
