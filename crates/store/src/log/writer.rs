//! The log thread's half: gathers what is staged into batches, writes and syncs them.

use super::batch::{BatchHeader, PAGE};
use super::blob::StagedBlob;
use super::gather::{Cursor, gather};
use super::policy::{Policy, Rest};
use super::segment::{Segment, file_header};
use super::staging::{Mark, Staged};
use super::{Log, Sync};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::place::Lsn;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

/// Protections that tests switch off, to see that something fails then.
#[cfg(feature = "simulation")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Files are not synced.
    NoSync,
    /// What is written counts as durable at once.
    ConfirmBeforeSync,
    /// Checksums are not looked at when the log is read.
    NoChecksum,
}

/// Writes and syncs what is appended.
pub struct LogWriter {
    pub(super) log: Arc<Log>,
    pub(super) disk: Arc<dyn Disk>,
    epoch: u32,
    sync: Sync,
    /// What was taken from the staging area, up to `next` of which is written.
    pub(super) taken: Staged,
    pub(super) next: Cursor,
    active: Option<Arc<Segment>>,
    buffer: Vec<u8>,
    /// Checksum of the last batch.
    previous: u32,
    /// Records end here in the file.
    written: u64,
    /// A sync has returned for everything below.
    synced: u64,
    /// There was no room for what was taken.
    stalled: bool,
    on_durable: Box<dyn Fn(Lsn) + Send>,
    on_failure: Box<dyn Fn(&StoreError) + Send>,
    #[cfg(feature = "simulation")]
    sabotage: Option<Sabotage>,
}

impl LogWriter {
    pub(super) fn new(
        log: Arc<Log>,
        disk: Arc<dyn Disk>,
        epoch: u32,
        sync: Sync,
        active: Option<Arc<Segment>>,
        previous: u32,
        end: Lsn,
    ) -> LogWriter {
        LogWriter {
            log,
            disk,
            epoch,
            sync,
            taken: Staged::default(),
            next: Cursor::default(),
            active,
            buffer: Vec::new(),
            previous,
            written: end.0,
            synced: end.0,
            stalled: false,
            on_durable: Box::new(|_| {}),
            on_failure: Box::new(|_| {}),
            #[cfg(feature = "simulation")]
            sabotage: None,
        }
    }

    /// Whom to tell that more is durable.
    pub fn on_durable(&mut self, tell: Box<dyn Fn(Lsn) + Send>) {
        self.on_durable = tell;
    }

    /// Whom to tell, once, that nothing becomes durable any more.
    pub fn on_failure(&mut self, tell: Box<dyn Fn(&StoreError) + Send>) {
        self.on_failure = tell;
    }

    /// Switches a protection off.
    #[cfg(feature = "simulation")]
    pub fn sabotage(&mut self, sabotage: Sabotage) {
        self.sabotage = Some(sabotage);
    }

    /// Writes everything staged; false when there was nothing, or when there was no room for the first of it.
    ///
    /// # Errors
    /// When the disk fails; the log is fenced then.
    pub fn write(&mut self) -> Result<bool, StoreError> {
        self.unless_fenced()?;
        let result = self.write_staged();
        self.fence_on_error(result)
    }

    /// Makes what is written durable, and says so.
    ///
    /// # Errors
    /// When the disk fails; the log is fenced then.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.unless_fenced()?;
        let result = self.sync_written();
        self.fence_on_error(result)
    }

    /// Writes what is staged and the clean end, and syncs both. What there is no room for is left; nobody was told that
    /// it is safe.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        self.write()?;
        self.sync()?;
        if !self.stalled {
            // After the sync, so that the last batch says that all before it was durable.
            self.log.append().clean_end();
            self.write()?;
            self.sync()?;
        }
        Ok(())
    }

    /// The thread, until [`Log::close`]: prompt for [`Log::commit`], in no haste for anything else. Ends early when the
    /// disk fails.
    pub fn run(mut self) {
        let log = self.log.clone();
        log.bell.adopt();
        let mut policy = Policy::new(self.sync);
        loop {
            // Before anything is taken: who finds the question asked relies on being taken after it.
            let asked = log.bell.take_asked();
            let closing = log.bell.is_closed();
            let done = if closing { self.finish() } else { self.step(&mut policy, asked) };
            if done.is_err() || closing {
                return;
            }
            match policy.rest(Instant::now(), self.has_staged(), self.written > self.synced, self.stalled) {
                Rest::Nap(time) => log.bell.nap(time),
                Rest::Idle(time) => log.bell.idle(time, || self.has_work()),
                Rest::TrimAndIdle => {
                    self.trim();
                    log.bell.idle(None, || self.has_work());
                }
            }
        }
    }

    fn step(&mut self, policy: &mut Policy, asked: bool) -> Result<(), StoreError> {
        if policy.write_is_due(Instant::now(), asked, self.has_staged()) {
            self.write()?;
        }
        if policy.sync_is_due(Instant::now(), asked, self.written - self.synced) {
            self.sync()?;
        }
        let removed = self.remove_blobs();
        self.fence_on_error(removed)
    }

    fn has_staged(&self) -> bool {
        self.next.batch < self.taken.batches.len() || !self.log.staging().is_empty()
    }

    fn has_work(&self) -> bool {
        self.has_staged() || self.log.staging().blobs.has_unowned(self.log.durable().0)
    }

    /// Gives back the memory that a busy time needed.
    fn trim(&mut self) {
        self.buffer = Vec::new();
        if self.next.batch == self.taken.batches.len() {
            self.taken = Staged::default();
            self.next = Cursor::default();
        }
        self.log.staging().trim();
    }

    fn unless_fenced(&self) -> Result<(), StoreError> {
        if self.log.is_fenced() { Err(StoreError::Fenced) } else { Ok(()) }
    }

    /// After a failure nobody knows what is on the disk: a second sync may succeed although the pages of the first are
    /// gone. So nothing is tried again, and `durable` stays where it is for ever.
    fn fence_on_error<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.log.fence();
            (self.on_failure)(error);
        }
        result
    }

    fn write_staged(&mut self) -> Result<bool, StoreError> {
        let mut any = false;
        loop {
            if self.next.batch == self.taken.batches.len() {
                self.taken.clear();
                self.next = Cursor::default();
                let log = self.log.clone();
                log.staging().take(&mut self.taken);
                if self.taken.batches.is_empty() {
                    self.stall(false);
                    break;
                }
            }
            match self.write_batch() {
                Ok(()) => {
                    any = true;
                    self.stall(false);
                }
                // Only where space is asked for ahead of what needs it: nothing was begun that could be half done.
                Err(Trouble::NoRoom) => {
                    self.stall(true);
                    break;
                }
                Err(Trouble::Disk(error)) => return Err(error),
            }
        }
        if any && self.counts_when_written() {
            self.publish(self.written);
        }
        self.remove_blobs()?;
        self.make_room()?;
        Ok(any)
    }

    /// Makes a spare when the reserve has been reached without one. Maintenance has had seven eighths of a segment for
    /// that; but publishers wait now, so nothing would ever bring the log to its next segment.
    fn make_room(&self) -> Result<(), StoreError> {
        if self.written <= self.log.pool.room_end() {
            return Ok(());
        }
        match self.log.pool.prepare() {
            Err(error) if !error.is_no_space() => Err(error),
            _ => Ok(()),
        }
    }

    fn stall(&mut self, stalled: bool) {
        if self.stalled != stalled {
            self.stalled = stalled;
            self.log.stalled.store(stalled, Ordering::Relaxed);
            self.log.ask_for_maintenance();
        }
    }

    /// Writes the next batch of those taken.
    fn write_batch(&mut self) -> Result<(), Trouble> {
        let mark = self.taken.batches[self.next.batch];
        let segment_bytes = self.log.segment_bytes();
        let number = self.log.segment_of(Lsn(mark.first));
        if self.active.as_ref().is_none_or(|active| active.number != number) {
            self.begin_segment(number)?;
        }
        let Some(active) = self.active.clone() else { return Err(Trouble::Disk(StoreError::Fenced)) };
        let base = u64::from(number) * segment_bytes;
        active.grow(mark.end.next_multiple_of(PAGE) - base, segment_bytes).map_err(Trouble::ahead)?;
        let crcs = self.write_blobs(mark)?;
        let blobs = self.next.blob..self.next.blob + crcs.len();
        let offset = self.gather_batch(mark, number, &crcs);
        let written = active.file.write_at(&self.buffer, offset);
        written.map_err(|error| Trouble::Disk(StoreError::of_io(active.name(), error)))?;
        self.next.batch += 1;
        // From here on a crash of the process alone loses nothing of the batch; a power cut may lose all of it until
        // the next sync.
        let bodies: usize = self.taken.blobs[blobs].iter().map(StagedBlob::len).sum();
        let bytes = (mark.end - self.written) as usize + bodies;
        self.written = mark.end;
        self.log.written.store(mark.end, Ordering::Release);
        self.log.staged_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if bodies > 0 {
            // The files are there: what they take is in the next look at the disk, and no longer to come.
            self.log.staged_blob_bytes.fetch_sub(bodies as u64, Ordering::Relaxed);
            self.log.measure_space();
        }
        Ok(())
    }

    /// Puts a batch into the buffer; the offset in the segment's file that it goes to.
    fn gather_batch(&mut self, mark: Mark, segment: u32, crcs: &[u32]) -> u64 {
        let segment_bytes = self.log.segment_bytes();
        let offset = mark.first - u64::from(segment) * segment_bytes;
        // The file header goes in one write with the first batch, but the disk may keep either without the other:
        // recovery believes the batch.
        let with_header = offset == PAGE;
        let header = BatchHeader {
            log_id: self.log.log_id,
            epoch: self.epoch,
            segment,
            first: mark.first,
            len: (mark.end - mark.first) as u32,
            records: mark.records,
            previous: self.previous,
            checksum: 0,
            // Not what is published: with `Sync::Interval` that is more than what a sync has confirmed, and recovery
            // takes a bad batch below this for damage instead of a torn tail.
            durable: self.synced,
        };
        self.buffer.clear();
        if with_header {
            self.buffer.extend_from_slice(&file_header(self.log.log_id, segment_bytes, segment));
            self.buffer.resize(PAGE as usize, 0);
        }
        self.previous = gather(&mut self.taken, &mut self.next, header, crcs, &mut self.buffer);
        if with_header { 0 } else { offset }
    }

    /// Goes on to another segment. What the one before holds is synced first, so that only one file is ever not: a sync
    /// of the new one then speaks for everything below.
    fn begin_segment(&mut self, number: u32) -> Result<(), Trouble> {
        if self.written > self.synced {
            self.sync_written().map_err(Trouble::Disk)?;
        }
        let segment = self.log.pool.activate(number).map_err(Trouble::ahead)?;
        self.active = Some(segment);
        // The one before is full and durable, and the spare is used.
        self.log.ask_for_maintenance();
        Ok(())
    }

    fn sync_written(&mut self) -> Result<(), StoreError> {
        if self.written > self.synced
            && let Some(active) = &self.active
        {
            // Read before the sync: it confirms what was written when it began. (There is one thread; this is for
            // whoever changes that.)
            let written = self.written;
            if self.syncs() {
                active.file.sync().map_err(|error| StoreError::of_io(active.name(), error))?;
            }
            self.synced = written;
        }
        self.publish(self.synced);
        self.remove_blobs()
    }

    /// Says that everything below is durable.
    fn publish(&self, durable: u64) {
        if durable > self.log.durable.load(Ordering::Relaxed) {
            assert!(durable <= self.synced || self.counts_when_written(), "only what was synced is durable");
            self.log.durable.store(durable, Ordering::Release);
            fence(Ordering::SeqCst); // The other half is in `Log::durable`.
            (self.on_durable)(Lsn(durable));
        }
    }

    #[cfg(not(feature = "simulation"))]
    fn counts_when_written(&self) -> bool {
        self.sync != Sync::Always
    }

    #[cfg(feature = "simulation")]
    fn counts_when_written(&self) -> bool {
        self.sync != Sync::Always || self.sabotage == Some(Sabotage::ConfirmBeforeSync)
    }

    #[cfg(not(feature = "simulation"))]
    fn syncs(&self) -> bool {
        true
    }

    #[cfg(feature = "simulation")]
    fn syncs(&self) -> bool {
        self.sabotage != Some(Sabotage::NoSync)
    }
}

/// Why a batch was not written.
pub(super) enum Trouble {
    /// There was no room for a file that it needs; it waits.
    NoRoom,
    Disk(StoreError),
}

impl Trouble {
    /// The error of something that is made ahead of the batch.
    pub(super) fn ahead(error: StoreError) -> Trouble {
        if error.is_no_space() { Trouble::NoRoom } else { Trouble::Disk(error) }
    }
}
