//! redb over a [`DiskFile`], so that what tests put under the store is under its manifest too.

use super::ManifestError;
use crate::disk::{DiskFile, is_no_space};
use redb::{BackendError, StorageBackend};
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What went wrong below redb, which itself tells only that something did.
#[derive(Default)]
pub(super) struct Failure(Mutex<Found>);

#[derive(Default)]
struct Found {
    no_space: bool,
    fatal: Option<(io::ErrorKind, String)>,
}

impl Failure {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write failed. Want of space may pass.
    fn note_write<T>(&self, result: io::Result<T>) -> io::Result<T> {
        match result {
            Err(error) if is_no_space(&error) => {
                self.found().no_space = true;
                Err(error)
            }
            other => self.note_sync(other),
        }
    }

    /// A sync failed, for whatever reason: what is on disk is not known any more, and must not be built upon.
    fn note_sync<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.found().fatal.get_or_insert((error.kind(), error.to_string()));
        }
        result
    }

    pub(super) fn is_fatal(&self) -> bool {
        self.found().fatal.is_some()
    }

    pub(super) fn error(&self) -> ManifestError {
        let (kind, what) = self.found().fatal.clone().unwrap_or((io::ErrorKind::Other, "unknown".to_owned()));
        ManifestError::Io(io::Error::new(kind, what))
    }

    /// True when the last failure was want of space; forgets it.
    pub(super) fn take_no_space(&self) -> bool {
        std::mem::take(&mut self.found().no_space)
    }
}

pub(super) struct Backend {
    file: Arc<dyn DiskFile>,
    failure: Arc<Failure>,
}

impl Backend {
    pub(super) fn new(file: Arc<dyn DiskFile>, failure: Arc<Failure>) -> Backend {
        Backend { file, failure }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backend")
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.failure.note_sync(self.file.read_exact_at(out, offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.failure.note_write(self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.failure.note_sync(self.file.sync())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.failure.note_write(self.file.write_at(data, offset))
    }

    // The data directory is locked as a whole, by the definitions' lock: whoever gets here is alone.

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}
