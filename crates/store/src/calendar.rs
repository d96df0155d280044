//! The calendar: what is to happen to which message and when, for as many messages as there are.
//!
//! An entry is a time, a group and a sequence number. What is due next is **near**: in memory, in order. The rest is
//! **far**: in bucket files, each with the entries of a span of time in no order, narrow spans first and wider ones
//! further away. When little is left that is near, the first bucket is loaded; one with too many entries is parted into
//! narrower ones before. So memory is bounded whatever is in the files, and an entry is written a few times at most.
//!
//! Entries are hints. Whoever takes one looks whether the message is still there; one too many does no harm, and so
//! files are removed late rather than early: after a crash entries come back that were done with. One too few would
//! strand a message. What is added is on disk twice over, therefore: by its record in the log until the segment with it
//! is retired, and in a file from then on ([`Calendar::sync`]).
//!
//! Adding and taking do no I/O. That is done by [`Calendar::maintain`], on the store's thread.

mod bucket;
mod file;
mod inspect;
mod maintain;
mod memory;
#[cfg(test)]
mod tests;

pub(crate) use file::PREFIX;
pub(crate) use inspect::{dump, verify};
pub(crate) use maintain::LogPosition;

use crate::disk::{Disk, DiskFile, Space};
use crate::error::OpenError;
use bucket::Files;
use memory::Memory;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// When something is to happen to a message. Ordered by time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Due {
    /// Milliseconds since 1970.
    pub due_ms: u64,
    /// The group that the message is of, as in the log.
    pub group: u64,
    /// Its sequence number.
    pub seq: u64,
}

/// How much is kept in memory, and how far ahead files are loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Near entries that are kept; with half of them files are loaded.
    near: usize,
    /// Far entries that wait to be written together.
    far: usize,
    /// Files are loaded this long before they begin, and large ones earlier.
    lead_ms: u64,
    /// Files with entries that are near are written anew when they have more than this beside them, in bytes.
    waste: u64,
}

impl Default for Limits {
    /// At 24 bytes an entry, and about 40 in the tree, some 30 MiB at most.
    fn default() -> Limits {
        Limits { near: 256 << 10, far: 16 << 10, lead_ms: 10_000, waste: 1 << 20 }
    }
}

/// Times of messages; see the module.
pub struct Calendar {
    limits: Limits,
    /// A leaf: nothing is locked and no file touched while it is held.
    memory: Mutex<Memory>,
    /// Held by whoever reads and writes files. Taken before `memory`.
    files: Mutex<Files>,
    /// What [`Calendar::next_due_ms`] answers; `u64::MAX` for nothing.
    next_due_ms: AtomicU64,
    /// Wakes the thread that maintains.
    bell: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Calendar {
    /// The calendar of the files on `disk`. Reads a header of each.
    ///
    /// # Errors
    /// When a file is not ours or of a later version, or cannot be read.
    pub(crate) fn open(disk: Arc<dyn Disk>, log_id: u64, limits: Limits) -> Result<Calendar, OpenError> {
        let files = Files::open(disk, log_id)?;
        let memory = Memory::new(files.first_ms());
        let next_due_ms = AtomicU64::new(memory.next_due_ms());
        Ok(Calendar {
            limits,
            memory: Mutex::new(memory),
            files: Mutex::new(files),
            next_due_ms,
            bell: OnceLock::new(),
        })
    }

    /// A calendar without files, for a broker without a store: everything is in memory.
    pub fn in_memory() -> Calendar {
        Calendar {
            limits: Limits::default(),
            memory: Mutex::new(Memory::new(u64::MAX)),
            files: Mutex::new(Files::new(Arc::new(NoDisk), 0)),
            next_due_ms: AtomicU64::new(u64::MAX),
            bell: OnceLock::new(),
        }
    }

    /// Sets what wakes the thread that maintains; once.
    pub(crate) fn on_work(&self, wake: impl Fn() + Send + Sync + 'static) {
        // A second call would be a mistake of this crate; the first stays.
        let _ = self.bell.set(Box::new(wake));
    }

    /// Adds an entry; true when it is now the first. In memory only: its record is appended to the log in the same turn.
    pub fn add(&self, due: Due) -> bool {
        let mut memory = self.memory();
        let is_first = memory.add(due);
        self.leave(memory);
        is_first
    }

    /// Moves entries that are due to `taken`, the earliest first, at most `most`. Each of them counts as being worked on
    /// until [`Calendar::finish`] is called with it, or it is added again.
    pub fn take_due(&self, now_ms: u64, most: usize, taken: &mut Vec<Due>) {
        let mut memory = self.memory();
        memory.take(now_ms, most, taken);
        self.leave(memory);
    }

    /// These entries, which were taken, are done with: what followed is appended to the log.
    pub fn finish(&self, entries: &[Due]) {
        let mut memory = self.memory();
        entries.iter().for_each(|due| memory.finish(due));
    }

    /// Forgets an entry, if it is in memory. One in a file stays, for whoever takes it to find that the message is gone.
    pub fn forget(&self, due: &Due) {
        let mut memory = self.memory();
        memory.forget(due);
        self.leave(memory);
    }

    /// When to call [`Calendar::take_due`] next; `None` when there is nothing to wait for. Takes no lock.
    #[inline]
    pub fn next_due_ms(&self) -> Option<u64> {
        Some(self.next_due_ms.load(Ordering::Acquire)).filter(|due_ms| *due_ms != u64::MAX)
    }

    /// True while nothing is in it, neither in memory nor in a file.
    pub fn is_empty(&self) -> bool {
        let files_are_empty = self.files().is_empty();
        files_are_empty && self.memory().is_empty()
    }

    /// Bytes that the files take.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.files().bytes()
    }

    fn tell(&self, memory: &Memory) {
        self.next_due_ms.store(memory.next_due_ms(), Ordering::Release);
    }

    /// Ends a change of what is in memory: tells when the next is due, and wakes who maintains when that should not wait.
    fn leave(&self, mut memory: MutexGuard<'_, Memory>) {
        self.tell(&memory);
        let rings = memory.needs_maintenance(&self.limits);
        drop(memory);
        if let Some(wake) = self.bell.get().filter(|_| rings) {
            wake();
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For a calendar whose thread never writes.
struct NoDisk;

impl NoDisk {
    fn refuse<T>() -> io::Result<T> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Disk for NoDisk {
    fn create(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        NoDisk::refuse()
    }

    fn open(&self, _: &str) -> io::Result<Arc<dyn DiskFile>> {
        NoDisk::refuse()
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        NoDisk::refuse()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        NoDisk::refuse()
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn sync_names(&self) -> io::Result<()> {
        NoDisk::refuse()
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space { total_bytes: 0, free_bytes: 0 })
    }
}
