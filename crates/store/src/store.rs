//! The store: log, cold segments, blobs and manifest together.
//!
//! A message is first a record of the log. When a segment of the log is full, what of it is still wanted moves to a cold
//! segment (`retire`); when little of a cold segment is wanted any more, the rest moves to another (`compact`). The
//! manifest says which files count. What the queues contain is not here but in their backlogs, which belong to the
//! queues and are reached through [`Owners`].

mod accept_loss;
mod backup;
mod check;
mod commit;
mod compact;
mod dump;
mod maintain;
mod open;
mod options;
mod recover;
mod retire;

pub use accept_loss::accept_loss;
pub use backup::BackupTarget;
pub use check::{CheckReport, check};
pub use dump::dump;
pub use options::{DiskUse, Opened, Options, Owners, Report};

use crate::arena::Arena;
use crate::backlog::Read;
use crate::calendar::Calendar;
use crate::cold::{self, ColdSegment, LoadedRun, ReadError};
use crate::disk::{Disk, DiskIo};
use crate::error::OpenError;
use crate::log::Log;
use crate::manifest::{Change, State};
use crate::place::Lsn;
use maintain::Maintenance;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An open store, shared by everybody.
pub struct Store {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) log: Arc<Log>,
    calendar: Calendar,
    /// Held by whoever maintains, for as long as a piece of work takes. No queue's lock is held when it is taken.
    maintenance: Mutex<Maintenance>,
    /// False only in tests that must fail then.
    verify: bool,
    /// The cold segments that the manifest names, by id.
    cold: Mutex<HashMap<u64, Arc<ColdSegment>>>,
}

impl Store {
    /// Opens the store on `disk`, or creates it; recovers what the queues contain.
    ///
    /// Metadata records are handed out when they end above `metadata_applied`.
    ///
    /// # Errors
    /// When a file is not ours or of a later version, cannot be read or written, or has a record of an unknown kind.
    pub fn open(disk: Arc<dyn Disk>, options: Options, metadata_applied: Lsn) -> Result<Opened, OpenError> {
        open::open(disk, options, metadata_applied)
    }

    /// The log that everything is appended to.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// When something is to happen to messages. What is added to it must have its record in the log, appended in the same
    /// turn ([`Appender::timer`](crate::Appender::timer)), if it is to survive.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Reads messages, wherever they are, into an arena.
    ///
    /// # Errors
    /// When the disk fails. What is damaged is not an error but lost: see [`LoadedRun`].
    pub fn read(&self, read: &Read, arena: &mut Arena) -> Result<LoadedRun, ReadError> {
        cold::read(&*self.disk, &self.log, self.verify, read, arena)
    }

    /// What was read and written since it was opened.
    pub fn disk_io(&self) -> DiskIo {
        self.disk.io()
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> DiskUse {
        let mut used = DiskUse {
            log_bytes: self.log.disk_bytes(),
            blob_bytes: self.log.blobs().1,
            calendar_bytes: self.calendar.disk_bytes(),
            ..DiskUse::default()
        };
        for segment in self.cold().values() {
            used.cold_bytes += segment.bytes();
            used.cold_live_bytes += segment.live_bytes();
        }
        used
    }

    /// Lets the log's thread write and sync what is staged, and end; closes the manifest. Nobody maintains any more.
    pub fn close(&self) {
        self.log.close();
        let mut maintenance = self.maintenance();
        if !self.log.is_fenced() {
            let state = State { closed: Some(self.log.durable().0), ..maintenance.state.clone() };
            if let Err(error) = maintenance.manifest.commit(&Change { state, ..Change::default() }) {
                // The next start finds the end of the log without it.
                tracing::warn!("cannot note where the log ends: {}", commit::store_error(error));
            }
        }
        maintenance.manifest.close();
    }

    fn cold(&self) -> MutexGuard<'_, HashMap<u64, Arc<ColdSegment>>> {
        self.cold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
