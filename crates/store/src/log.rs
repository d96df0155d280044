//! The write-ahead log: everything durable is a record here first.
//!
//! Reactors append to the staging area under one short lock ([`Log::append`]); the log thread ([`LogWriter`]) takes what
//! is staged, writes it in batches, and syncs. [`Log::written`] and [`Log::durable`] say how far it is.

mod payload;
mod scan;
mod staging;
mod writer;

pub use payload::{Route, read_route, read_settle, read_settle_range};
pub use scan::{Damage, ScanFrom, Scanned, ScannedRecord, Visitor, scan};
pub use staging::Appender;
pub use writer::LogWriter;

use crate::disk::{Disk, DiskFile};
use crate::error::{OpenError, StoreError};
use crate::place::{Lsn, Place, TransactionId};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Publishers wait while more than this is staged.
pub const STAGING_LIMIT_BYTES: usize = 16 << 20;

/// When what is written is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before it counts as durable.
    Always,
    /// What is written counts as durable; synced this often.
    Interval(Duration),
    /// What is written counts as durable; synced when a segment is full and at the end.
    Never,
}

/// What a log is opened with.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Drawn at random when the store was created.
    pub log_id: u64,
    /// Bytes of a segment: a power of two, at least 1 MiB.
    pub segment_bytes: u64,
    /// Higher than that of every run before.
    pub epoch: u32,
    /// When to sync.
    pub sync: Sync,
}

/// How a message is appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Append {
    /// It may have been delivered before.
    pub delivered: bool,
    /// It does not survive a restart.
    pub transient: bool,
    /// It counts only when this transaction is committed.
    pub tx: Option<TransactionId>,
}

/// The log as everybody but its thread sees it.
pub struct Log {}

impl Log {
    /// Opens the log behind what was scanned, and makes what was found durable before it returns.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        scanned: Scanned,
    ) -> Result<(Arc<Log>, LogWriter), StoreError> {
        let _ = (disk, options, scanned);
        todo!()
    }

    /// Takes the staging lock, a leaf: nothing may be locked or waited for while the appender lives.
    pub fn append(&self) -> Appender<'_> {
        todo!()
    }
    /// Asks for a prompt write and sync of everything appended so far.
    pub fn commit(&self) {
        todo!()
    }
    /// Everything below is written.
    pub fn written(&self) -> Lsn {
        todo!()
    }
    /// Everything below is durable.
    pub fn durable(&self) -> Lsn {
        todo!()
    }
    /// Bytes that wait for the log thread.
    pub fn staged_bytes(&self) -> usize {
        todo!()
    }
    /// True while nothing new should be published.
    pub fn is_full(&self) -> bool {
        todo!()
    }
    /// A transaction id that was never used.
    pub fn begin_transaction(&self) -> TransactionId {
        todo!()
    }
    /// The segment with this position, for reading; `None` when it is not written yet or not in the log any more.
    pub fn pin(&self, _lsn: Lsn) -> Option<Pinned> {
        todo!()
    }
    /// Bytes of a segment.
    pub fn segment_bytes(&self) -> u64 {
        todo!()
    }
    /// The segment that a position is in.
    pub fn segment_of(&self, _lsn: Lsn) -> u32 {
        todo!()
    }
    /// The oldest segment that has not been recycled.
    pub fn first_segment(&self) -> u32 {
        todo!()
    }
    /// The segment that is being written.
    pub fn active_segment(&self) -> u32 {
        todo!()
    }
    /// Bytes that the files of the log take.
    pub fn disk_bytes(&self) -> u64 {
        todo!()
    }
    /// The queues that have anything in a segment, ascending.
    pub fn dirty(&self, _segment: u32) -> Vec<u64> {
        todo!()
    }
    /// The same, forgetting them.
    pub fn take_dirty(&self, _segment: u32) -> Vec<u64> {
        todo!()
    }
    /// A queue has something in a segment: for recovery.
    pub fn mark_dirty(&self, _segment: u32, _quid: u64) {
        todo!()
    }
    /// A blob has one owner more: for recovery.
    pub fn register_blob(&self, _id: u64) {
        todo!()
    }
    /// Removes the blobs that nobody owns: at the end of recovery, before anything is appended.
    pub fn remove_orphans(&self) -> Result<usize, StoreError> {
        todo!()
    }
    /// Number of blobs, and their bytes.
    pub fn blobs(&self) -> (usize, u64) {
        todo!()
    }
    /// A segment is not needed any more: its file is used again as soon as nobody pins it. All before it must have been
    /// recycled too.
    pub fn recycle(&self, _segment: u32) {
        todo!()
    }
    /// Makes sure that a spare segment is ready, or deletes what is too much; true when there was something to do. For
    /// the maintenance thread.
    pub fn prepare_spare(&self) -> Result<bool, StoreError> {
        todo!()
    }
    /// Somebody made room: the log thread may try again.
    pub fn space_came_back(&self) {
        todo!()
    }
    /// Something else of the store failed: nothing becomes durable any more.
    pub fn fence(&self) {
        todo!()
    }
    /// True after a failure.
    pub fn is_fenced(&self) -> bool {
        todo!()
    }
    /// Lets the thread write and sync what is staged, and end.
    pub fn close(&self) {
        todo!()
    }
}

/// A segment that is not recycled while this lives.
#[derive(Clone)]
pub struct Pinned {
    file: Arc<dyn DiskFile>,
    first: Lsn,
}

impl Pinned {
    /// Fills `buffer` from `lsn` on, which must be in this segment.
    pub fn read_exact_at(&self, buffer: &mut [u8], lsn: Lsn) -> io::Result<()> {
        self.file.read_exact_at(buffer, lsn.0 - self.first.0)
    }
}

/// What the file with a large body is called.
pub fn blob_name(id: u64) -> String {
    format!("blob-{id:016x}")
}

/// Bytes in front of the body in such a file.
pub const BLOB_HEADER: usize = 64;

/// Reads and checks a large body, piece by piece.
pub fn read_blob(_disk: &dyn Disk, _id: u64, _crc: u32, _piece: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
    todo!()
}

#[expect(unused, reason = "skeleton")]
type Skeleton = (OpenError, Place);
