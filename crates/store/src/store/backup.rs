//! A copy of a store that is in use, as it would be found after a crash at one moment.
//!
//! Whoever makes one holds the maintenance, so that no file is given up and the manifest stays as it is, and the removal
//! of large bodies. Then everything below the log's durable end at that moment is in files that nobody changes any more:
//! reactors and the log's thread go on behind it. The copy of the log ends there, as after a crash.

use super::Store;
use crate::calendar;
use crate::cold;
use crate::error::StoreError;
use crate::log::Log;
use crate::manifest;
use crate::place::Lsn;
use std::io;

/// Where the files of a copy go.
pub trait BackupTarget {
    /// Takes a file that is never written again, but may be removed as soon as the copy is made.
    ///
    /// # Errors
    /// When it cannot; then the copy fails.
    fn keep(&mut self, name: &str) -> io::Result<()>;
    /// Copies the first `bytes` of a file now; what the file has beyond that is zero in the copy, which is of the same
    /// length.
    ///
    /// # Errors
    /// When it cannot; then the copy fails.
    fn copy(&mut self, name: &str, bytes: u64) -> io::Result<()>;
}

/// Large bodies stay until this is dropped.
struct KeepBlobs<'a>(&'a Log);

impl Drop for KeepBlobs<'_> {
    fn drop(&mut self) {
        self.0.keep_blobs(false);
    }
}

impl Store {
    /// Gives `target` everything that was durable when this was called, while the store is used. `first` is done when
    /// nothing is given up any more and before anything is copied: for what must not be ahead of the copy of the log.
    /// Retirement waits meanwhile, so that it must not take long. Answers up to where the log was copied.
    ///
    /// # Errors
    /// When a file cannot be read, or the target fails.
    pub fn back_up(
        &self,
        first: &mut dyn FnMut() -> io::Result<()>,
        target: &mut dyn BackupTarget,
    ) -> Result<Lsn, StoreError> {
        let failed = |name: &str, error| StoreError::of_io(name.to_owned(), error);
        let maintenance = self.maintenance();
        self.log.keep_blobs(true);
        let kept = KeepBlobs(&self.log);
        first().map_err(|error| failed("the definitions", error))?;
        let end = self.log.durable();
        let cold: Vec<u64> = self.cold().keys().copied().collect();
        for name in cold.into_iter().map(cold::file_name) {
            target.keep(&name).map_err(|error| failed(&name, error))?;
        }
        let names = self.disk.names().map_err(|error| failed("the message directory", error))?;
        for name in names {
            let is_whole_blob = Log::blob_in(&name).is_some_and(|id| id < end.0);
            let kept = if is_whole_blob {
                target.keep(&name)
            } else if name.starts_with(calendar::PREFIX) || name == manifest::FILE {
                target.copy(&name, u64::MAX)
            } else {
                Ok(())
            };
            kept.map_err(|error| failed(&name, error))?;
        }
        for (name, bytes) in self.log.files_up_to(end) {
            target.copy(&name, bytes).map_err(|error| failed(&name, error))?;
        }
        drop(kept);
        drop(maintenance);
        Ok(end)
    }
}
