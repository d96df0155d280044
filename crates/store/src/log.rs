//! The write-ahead log: everything durable is a record here first.
//!
//! Reactors append to the staging area under one short lock ([`Log::append`]) and know at once where a record will be.
//! The log thread ([`LogWriter`]) takes what is staged, writes it in batches, and syncs. [`Log::written`] and
//! [`Log::durable`] say how far it is. [`scan`] reads the log back. docs/formats/messages.md has the bytes.

mod batch;
mod bell;
mod blob;
mod catalog;
mod dirty;
mod gather;
mod large;
mod open;
mod payload;
mod policy;
mod scan;
mod segment;
mod staging;
#[cfg(test)]
mod tests;
mod window;
mod writer;

pub use blob::{BLOB_HEADER, blob_name, read_blob};
pub(crate) use catalog::make_empty;
pub use payload::{Route, read_route, read_settle, read_settle_range};
#[cfg(feature = "simulation")]
pub use scan::scan_unchecked;
pub use scan::{Damage, ScanFrom, Scanned, ScannedRecord, Visitor, scan};
pub use staging::Appender;
pub use writer::LogWriter;
#[cfg(feature = "simulation")]
pub use writer::Sabotage;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::place::{Lsn, TransactionId};
use bell::Bell;
use segment::{Pool, Segment};
use staging::Staging;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
pub struct Log {
    staging: Mutex<Staging>,
    pool: Pool,
    bell: Bell,
    disk: Arc<dyn Disk>,
    log_id: u64,
    segment_bytes: u64,
    segment_shift: u32,
    /// Longer bodies go to a file of their own.
    blob_bytes: u64,
    written: AtomicU64,
    durable: AtomicU64,
    staged_end: AtomicU64,
    staged_bytes: AtomicUsize,
    /// Of `staged_bytes` those of bodies that go to files of their own.
    staged_blob_bytes: AtomicU64,
    /// What the file system had when it was last asked.
    free_bytes: AtomicU64,
    stalled: AtomicBool,
    fenced: AtomicBool,
    /// True while large bodies stay although nobody owns them: a backup is being made.
    keeps_blobs: AtomicBool,
    transactions: AtomicU64,
    /// True when there is something new for the maintenance thread.
    maintenance: Mutex<bool>,
    maintenance_due: Condvar,
}

impl Log {
    /// Opens the log behind what was scanned. What was found there is durable when this returns.
    ///
    /// # Errors
    /// When the disk fails.
    ///
    /// # Panics
    /// When the options are not those of the log that was scanned, or the epoch is not higher than all before.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        scanned: Scanned,
    ) -> Result<(Arc<Log>, LogWriter), StoreError> {
        open::open(disk, options, scanned)
    }

    /// Takes the staging lock, a leaf: nothing may be locked or waited for while the appender lives.
    #[inline]
    pub fn append(&self) -> Appender<'_> {
        Appender::new(self, self.staging())
    }

    fn staging(&self) -> MutexGuard<'_, Staging> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_staged(&self, bytes: usize, blob_bytes: usize, end: u64) {
        self.staged_bytes.fetch_add(bytes + blob_bytes, Ordering::Relaxed);
        if blob_bytes > 0 {
            self.staged_blob_bytes.fetch_add(blob_bytes as u64, Ordering::Relaxed);
        }
        self.staged_end.store(end, Ordering::Relaxed);
    }

    /// Asks for a prompt write and sync of everything appended so far.
    #[inline]
    pub fn commit(&self) {
        self.bell.ask();
    }

    /// Everything below is written: it survives the process.
    #[inline]
    pub fn written(&self) -> Lsn {
        Lsn(self.written.load(Ordering::Acquire))
    }

    /// Everything below is durable, by what [`Sync`] calls so.
    #[inline]
    pub fn durable(&self) -> Lsn {
        // Who waits sets a flag and then looks here; the log thread stores here and then looks for the flag. The two
        // fences see to it that one of them sees the other, whatever ordering the flag is used with: without them both
        // could read what was before, and nobody would ever be told.
        fence(Ordering::SeqCst);
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// Bytes that wait for the log thread.
    #[inline]
    pub fn staged_bytes(&self) -> usize {
        self.staged_bytes.load(Ordering::Relaxed)
    }

    /// True while nothing should be published: too much waits for the log thread, or there is only the room that is kept
    /// for what lets queues shrink. What is appended nevertheless waits in memory.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.staged_bytes() > STAGING_LIMIT_BYTES
            || self.staged_end.load(Ordering::Relaxed) > self.pool.room_end()
            || self.stalled.load(Ordering::Relaxed)
            || self.is_fenced()
    }

    /// True when a message with a body of this length should be appended: as [`Log::is_full`], and when the body goes to a
    /// file of its own, the disk has room for that. A body that was appended without room is in the way of everything
    /// behind it, acknowledgements too, so ask before.
    ///
    /// Cheap: the free space is as [`Log::prepare_spare`] and the log thread last saw it, less what has been appended
    /// since. A segment's worth is kept for the rest of the store.
    #[inline]
    pub fn has_room_for(&self, body_len: u64) -> bool {
        !self.is_full() && (!self.is_blob(body_len) || self.has_room_for_blob(body_len))
    }

    fn has_room_for_blob(&self, body_len: u64) -> bool {
        let taken = self.staged_blob_bytes.load(Ordering::Relaxed) + BLOB_HEADER as u64 + body_len;
        self.free_bytes.load(Ordering::Relaxed) >= taken.saturating_add(self.segment_bytes)
    }

    /// Asks how much space there is.
    fn measure_space(&self) {
        // A file system that does not say is left to refuse.
        let free_bytes = self.disk.space().map_or(u64::MAX, |space| space.free_bytes);
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
    }

    /// A transaction id that was never used.
    pub fn begin_transaction(&self) -> TransactionId {
        TransactionId(self.transactions.fetch_add(1, Ordering::Relaxed))
    }

    /// The segment with this position, for reading; `None` when it is not written yet (see [`Log::written`]) or not in
    /// the log any more.
    pub fn pin(&self, lsn: Lsn) -> Option<Pinned> {
        if lsn >= self.written() {
            return None;
        }
        let segment = self.pool.find(self.segment_of(lsn))?;
        Some(Pinned { first: Lsn(u64::from(segment.number) * self.segment_bytes), segment })
    }

    /// Bytes of a segment.
    pub fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// True when a body of this length goes to a file of its own.
    #[inline]
    pub fn is_blob(&self, body_len: u64) -> bool {
        body_len > self.blob_bytes
    }

    /// The segment that a position is in.
    #[inline]
    pub fn segment_of(&self, lsn: Lsn) -> u32 {
        (lsn.0 >> self.segment_shift) as u32
    }

    /// The oldest segment that has not been recycled.
    pub fn first_segment(&self) -> u32 {
        self.pool.first().unwrap_or_else(|| self.active_segment())
    }

    /// The segment that is being written; where what is written next goes when there is none yet.
    pub fn active_segment(&self) -> u32 {
        self.pool.active().map_or_else(|| self.segment_of(self.written()), |segment| segment.number)
    }

    /// Bytes that the files of the log take, without blobs.
    pub fn disk_bytes(&self) -> u64 {
        self.pool.bytes()
    }

    /// The queues that appended anything in a segment or own a body in it, ascending.
    pub fn dirty(&self, segment: u32) -> Vec<u64> {
        self.staging().dirty.of(segment)
    }

    /// The same, forgetting them.
    pub fn take_dirty(&self, segment: u32) -> Vec<u64> {
        self.staging().dirty.take(segment)
    }

    /// A queue has something in a segment: for recovery.
    pub fn mark_dirty(&self, segment: u32, quid: u64) {
        self.staging().dirty.note(segment, quid);
    }

    /// A blob has one owner more: for recovery.
    pub fn register_blob(&self, id: u64) {
        self.staging().blobs.registered(id);
    }

    /// Removes the blobs that nobody owns, and returns how many that were: at the end of recovery, before anything is
    /// appended.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove_orphans(&self) -> Result<usize, StoreError> {
        let io = |name: &str, error| StoreError::of_io(name, error);
        let owned = self.staging().blobs.ids();
        let mut removed = 0;
        for name in self.disk.names().map_err(|error| io("the message directory", error))? {
            let Some(id) = blob::blob_id(&name) else { continue };
            if owned.contains(&id) {
                let file = self.disk.open(&name).map_err(|error| io(&name, error))?;
                let len = file.len().map_err(|error| io(&name, error))?;
                self.staging().blobs.set_bytes(id, len.saturating_sub(BLOB_HEADER as u64));
            } else {
                self.disk.remove(&name).map_err(|error| io(&name, error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Has large bodies stay, or go again. Removals that are under way are of those whose end is durable already.
    pub(crate) fn keep_blobs(&self, keep: bool) {
        // Under the lock: who takes some to remove them looks there, too.
        let _staging = self.staging();
        self.keeps_blobs.store(keep, Ordering::Relaxed);
    }

    /// The id of the large body in a file of this name.
    pub(crate) fn blob_in(name: &str) -> Option<u64> {
        blob::blob_id(name)
    }

    /// The files with everything below `end`, which has been written, and how many bytes of each are below it.
    pub(crate) fn files_up_to(&self, end: Lsn) -> Vec<(String, u64)> {
        self.pool.files_up_to(end.0)
    }

    /// How many blobs there are, and the bytes of their bodies.
    pub fn blobs(&self) -> (usize, u64) {
        self.staging().blobs.totals()
    }

    /// The segments up to this one are not needed any more: the manifest says durably that the log begins behind it. A
    /// file is used again as soon as nobody pins its segment.
    ///
    /// # Panics
    /// When the segment is the one that is being written.
    pub fn recycle(&self, segment: u32) {
        self.pool.recycle(segment);
        let mut staging = self.staging();
        staging.dirty.forget_up_to(segment);
        drop(staging);
        self.space_came_back();
    }

    /// Makes a spare segment when none is ready, or deletes a file that is too much; true when there was something to do.
    /// For the maintenance thread, soon after every change of [`Log::active_segment`].
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] leaves everything as it was; it can be tried again.
    pub fn prepare_spare(&self) -> Result<bool, StoreError> {
        // While a full segment is being retired its file is about to come back, so that a log which is retired as fast as
        // it is written has two files, and not a third that would be removed again.
        let is_retiring = self.first_segment() < self.active_segment();
        let in_active = self.written().0 & (self.segment_bytes - 1);
        let prepared = self.pool.prepare(!is_retiring || in_active >= self.segment_bytes / 2);
        self.measure_space();
        if matches!(prepared, Ok(true)) {
            self.space_came_back();
        }
        prepared
    }

    /// Somebody made room: the log thread tries again, if it waits for that.
    pub fn space_came_back(&self) {
        self.measure_space();
        if self.stalled.load(Ordering::Relaxed) {
            self.bell.ask();
        }
    }

    /// For the maintenance thread: waits until a segment has become full and durable and a spare is missing, or there is
    /// no room, or the log was fenced or closed; or for this long. What happened since the last call counts.
    pub fn wait_for_maintenance(&self, timeout: Duration) {
        let due = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.maintenance_due.wait_timeout_while(due, timeout, |due| !*due);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    pub(crate) fn ask_for_maintenance(&self) {
        *self.maintenance.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.maintenance_due.notify_one();
    }

    /// Something else of the store failed: nothing becomes durable any more.
    pub fn fence(&self) {
        self.fenced.store(true, Ordering::SeqCst);
        self.ask_for_maintenance();
    }

    /// True after a failure.
    #[inline]
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Relaxed)
    }

    /// Lets the thread write and sync what is staged, and end.
    pub fn close(&self) {
        self.bell.close();
        self.ask_for_maintenance();
    }
}

/// A segment that is not recycled while this lives.
#[derive(Clone)]
pub struct Pinned {
    segment: Arc<Segment>,
    first: Lsn,
}

impl Pinned {
    /// Fills `buffer` from `lsn` on, which must be in this segment.
    ///
    /// # Errors
    /// When the disk fails or the file ends before.
    pub fn read_exact_at(&self, buffer: &mut [u8], lsn: Lsn) -> io::Result<()> {
        let offset = lsn.0.checked_sub(self.first.0).ok_or(io::ErrorKind::InvalidInput)?;
        self.segment.file.read_exact_at(buffer, offset)
    }

    /// The segment's number.
    pub fn segment(&self) -> u32 {
        self.segment.number
    }

    /// The name of the file, for reports.
    pub fn file_name(&self) -> String {
        self.segment.name()
    }
}
