//! What a store is opened with, what comes of it, and who owns the queues.

use super::Store;
use crate::backlog::Backlog;
use crate::error::StoreError;
#[cfg(feature = "simulation")]
use crate::log::Sabotage;
use crate::log::{Damage, LogWriter, Sync};
use crate::place::Lsn;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// When what is written is synced.
    pub sync: Sync,
    /// Bytes of a log segment, a power of two and at least 1 MiB; only when the store is created. By default a sixteenth
    /// of the file system, at most 64 MiB.
    pub segment_bytes: Option<u64>,
    /// A number drawn at random: the id of the log, when the store is created.
    pub log_id: u64,
    /// A protection to switch off.
    #[cfg(feature = "simulation")]
    pub sabotage: Option<Sabotage>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            sync: Sync::Always,
            segment_bytes: None,
            log_id: random_id(),
            #[cfg(feature = "simulation")]
            sabotage: None,
        }
    }
}

/// A number that is most likely nobody else's: the standard library seeds its hash maps from the system's randomness.
fn random_id() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) | 1
}

/// An open store with what was in it.
pub struct Opened {
    /// The store.
    pub store: Arc<Store>,
    /// What the log's thread runs.
    pub writer: LogWriter,
    /// What is there of each queue, also of queues that have been deleted.
    pub backlogs: HashMap<u64, Backlog>,
    /// The metadata records that a checkpoint does not contain yet, in order, each with the position of its end.
    pub metadata: Vec<(Lsn, Vec<u8>)>,
    /// What was found.
    pub report: Report,
}

/// What recovery found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// True when the store was created.
    pub is_new: bool,
    /// True when the store had been closed in good order.
    pub clean: bool,
    /// Messages in all queues.
    pub messages: u64,
    /// Queues with anything on disk.
    pub queues: usize,
    /// Records read.
    pub records: u64,
    /// Bytes of log read.
    pub log_bytes: u64,
    /// Bytes of a last batch that was not written whole, and that nobody was promised.
    pub torn_bytes: u64,
    /// What is lost.
    pub damage: Vec<Damage>,
    /// Files that belonged to nothing and were removed.
    pub removed_files: usize,
    /// How long it took.
    pub duration: Duration,
}

/// Bytes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Files of the log.
    pub log_bytes: u64,
    /// Cold segments.
    pub cold_bytes: u64,
    /// What of them is still wanted.
    pub cold_live_bytes: u64,
    /// Bodies in files of their own.
    pub blob_bytes: u64,
    /// Times of messages.
    pub calendar_bytes: u64,
}

impl DiskUse {
    /// All of it.
    pub fn total_bytes(&self) -> u64 {
        self.log_bytes + self.cold_bytes + self.blob_bytes + self.calendar_bytes
    }
}

/// Whoever has the queues: the broker.
pub trait Owners: std::marker::Sync {
    /// Calls `f` with the queue's backlog, under the queue's lock; false when there is no such queue. Every call of `f`
    /// handles at most 512 messages.
    fn with(&self, quid: u64, f: &mut dyn FnMut(&mut Backlog)) -> bool;

    /// Logs the messages of a queue that are in memory only and have a lower sequence number, so that they can be
    /// retired with their neighbours.
    fn page_out(&self, quid: u64, below: u64);

    /// Returns when every reactor has passed the end of a turn: no run or transaction that was begun before is half
    /// appended.
    fn quiesce(&self);

    /// Makes the changes of the metadata that are in the log below this position durable elsewhere.
    fn checkpoint_metadata(&self, below: Lsn) -> Result<(), StoreError>;

    /// The time by which entries of the calendar are due, in ms since 1970.
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    }
}
