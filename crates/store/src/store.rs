//! The store: log, cold segments, blobs and manifest together.
//!
//! A message is first a record of the log. When a segment of the log is full, what of it is still wanted moves to a cold
//! segment ([`retire`]); when little of a cold segment is wanted any more, the rest moves to another ([`compact`]). The
//! manifest says which files count. What the queues contain is not here but in their [`Backlog`]s, which belong to the
//! queues and are reached through [`Owners`].

mod commit;
mod compact;
mod maintain;
mod open;
mod options;
mod recover;
mod retire;
#[cfg(test)]
mod tests;

pub use options::{DiskUse, Opened, Options, Owners, Report};

use crate::arena::Arena;
use crate::backlog::{Backlog, Read};
use crate::cold::{LoadedRun, ReadError};
use crate::disk::Disk;
use crate::error::{OpenError, StoreError};
use crate::log::Log;
use crate::place::Lsn;
use maintain::Maintenance;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// An open store, shared by everybody.
pub struct Store {
    disk: Arc<dyn Disk>,
    log: Arc<Log>,
    /// Held by whoever maintains; never together with a queue's lock taken before.
    maintenance: Mutex<Maintenance>,
    cold: cold_files::ColdFiles,
}

impl Store {
    /// Opens the store on `disk`, or creates it; recovers what the queues contain.
    ///
    /// Metadata records are handed out when they end above `metadata_applied`.
    pub fn open(disk: Arc<dyn Disk>, options: Options, metadata_applied: Lsn) -> Result<Opened, OpenError> {
        open::open(disk, options, metadata_applied)
    }

    /// The log that everything is appended to.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }
}
