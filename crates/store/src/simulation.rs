//! A disk in memory that behaves as badly as a real one may, for tests.
//!
//! Per file and for the directory there are two images: what everybody sees, and what would be there after a power cut.
//! Between them stand the operations that nobody has synced. [`SimulatedDisk::crash`] keeps any part of those: some
//! sectors of some writes, some of the creations, renames and removals, in no order. What was synced is kept whole.
//!
//! Everything follows from the calls and from the seed of a [`Random`], so that what failed once fails again.

mod directory;
mod file;
mod random;
#[cfg(test)]
mod tests;
mod unsynced;

pub use crate::log::Sabotage;
pub use random::Random;
pub(crate) use unsynced::UnsyncedDisk;

use crate::disk::{Disk, DiskFile, Space};
use directory::{Directory, NameChange};
use file::Contents;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What [`SimulatedDisk::space`] answers when no capacity has been set.
const UNLIMITED_BYTES: u64 = 1 << 40;

/// A directory in memory; see the module.
pub struct SimulatedDisk(Arc<Mutex<State>>);

/// Names of files in [`State::files`].
type FileId = u64;

#[derive(Default)]
struct State {
    directory: Directory,
    files: HashMap<FileId, Contents>,
    next_file: FileId,
    faults: Faults,
    /// Changes (writes, lengths, syncs, names) so far.
    operations: u64,
    stopped: bool,
}

/// What goes wrong, and when: each number counts down to the call that fails.
#[derive(Clone, Copy, Default)]
struct Faults {
    stop_at: Option<u64>,
    sync: Option<u64>,
    write: Option<u64>,
    read: Option<u64>,
    capacity_bytes: Option<u64>,
}

impl SimulatedDisk {
    /// An empty disk on which nothing fails.
    pub fn new() -> Arc<SimulatedDisk> {
        Arc::new(SimulatedDisk(Arc::default()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes have been asked for so far: creations, writes, lengths, syncs, renames, removals.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Stops at the change with this number (the first is 1): it fails, perhaps half done, and so does every later call.
    pub fn stop_at(&self, operation: u64) {
        self.state().faults.stop_at = Some(operation);
    }

    /// Fails every call from now on.
    pub fn stop(&self) {
        self.state().stopped = true;
    }

    /// True when the disk has stopped.
    pub fn has_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Fails the `nth` sync from now on (the next is 1), of a file or of the names. As with a real one, what it should
    /// have written seems to be there and never will be.
    pub fn fail_sync(&self, nth: u64) {
        self.state().faults.sync = Some(nth);
    }

    /// Fails the `nth` write from now on (the next is 1) with an I/O error.
    pub fn fail_write(&self, nth: u64) {
        self.state().faults.write = Some(nth);
    }

    /// Fails the `nth` read from now on (the next is 1) with an I/O error.
    pub fn fail_read(&self, nth: u64) {
        self.state().faults.read = Some(nth);
    }

    /// Gives the disk a size; writes beyond it fail for want of space. `None` takes the limit away.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().faults.capacity_bytes = bytes;
    }

    /// Bytes that the files take, in blocks of 4 KiB; holes take nothing.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Inverts one bit of a file, as if it had rotted. False when there is no such bit.
    pub fn flip_bit(&self, name: &str, offset: u64, bit: u8) -> bool {
        let mut state = self.state();
        let id = state.directory.find(name);
        id.and_then(|id| state.files.get_mut(&id)).is_some_and(|file| file.flip_bit(offset, bit))
    }

    /// What everybody sees in a file.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let id = state.directory.find(name)?;
        state.files.get(&id).map(|file| file.current().to_vec())
    }

    /// The disk after a power cut: all that was synced, and of the rest what `random` leaves. This disk stops.
    pub fn crash(&self, random: &mut Random) -> Arc<SimulatedDisk> {
        let mut state = self.state();
        state.stopped = true;
        let directory = state.directory.crash(random);
        let mut files = HashMap::new();
        for id in directory.files() {
            if let Some(file) = state.files.get(&id) {
                files.insert(id, file.crash(random));
            }
        }
        let after = State { directory, files, next_file: state.next_file, ..State::default() };
        Arc::new(SimulatedDisk(Arc::new(Mutex::new(after))))
    }

    /// The disk after the process was killed: everything that was written is there, though not yet safe from a power
    /// cut. This disk stops.
    pub fn kill(&self) -> Arc<SimulatedDisk> {
        let mut state = self.state();
        state.stopped = true;
        let mut files = state.files.clone();
        files.values_mut().for_each(Contents::forget_handles);
        let (directory, next_file) = (state.directory.clone(), state.next_file);
        let after = State { directory, files, next_file, ..State::default() };
        Arc::new(SimulatedDisk(Arc::new(Mutex::new(after))))
    }

    fn open_file(&self, state: &mut State, id: FileId) -> Arc<dyn DiskFile> {
        if let Some(file) = state.files.get_mut(&id) {
            file.handles += 1;
        }
        Arc::new(SimulatedFile { disk: self.0.clone(), id })
    }
}

/// An error that says what it is in a test's output.
fn failure(what: &str) -> io::Error {
    io::Error::other(format!("simulated: {what}"))
}

/// Counts a fault down; true when this is the call that fails.
fn is_due(countdown: &mut Option<u64>) -> bool {
    let Some(left) = countdown else { return false };
    *left = left.saturating_sub(1);
    let due = *left == 0;
    if due {
        *countdown = None;
    }
    due
}

impl State {
    fn check(&self) -> io::Result<()> {
        if self.stopped { Err(failure("the disk has stopped")) } else { Ok(()) }
    }

    /// Counts a change. True when the disk stops with it: it is then done as far as an unsynced change is.
    fn change(&mut self) -> io::Result<bool> {
        self.check()?;
        self.operations += 1;
        self.stopped = self.faults.stop_at.is_some_and(|at| self.operations >= at);
        Ok(self.stopped)
    }

    fn used_bytes(&self) -> u64 {
        let seen = |id: &FileId, file: &Contents| file.handles > 0 || self.directory.has(*id);
        self.files.iter().filter(|(id, file)| seen(id, file)).map(|(_, file)| file.used_bytes()).sum()
    }

    /// Bytes that may still be taken; `u64::MAX` without a capacity.
    fn free_bytes(&self) -> u64 {
        self.faults.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes()))
    }

    fn file(&mut self, id: FileId) -> io::Result<&mut Contents> {
        self.files.get_mut(&id).ok_or_else(|| failure("the file is gone"))
    }

    /// Drops files that nothing can bring back.
    fn collect(&mut self) {
        let directory = &self.directory;
        self.files.retain(|id, file| file.handles > 0 || directory.may_need(*id));
    }

    fn rename_or_remove(&mut self, change: NameChange) -> io::Result<()> {
        let stops = self.change()?;
        self.directory.apply(change);
        if stops { Err(failure("the disk stops")) } else { Ok(()) }
    }
}

impl Disk for SimulatedDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.check()?;
        if state.directory.find(name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = state.next_file;
        state.next_file += 1;
        state.files.insert(id, Contents::default());
        state.rename_or_remove(NameChange::Link { name: name.to_owned(), id })?;
        Ok(self.open_file(&mut state, id))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.check()?;
        let id = state.directory.find(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.open_file(&mut state, id))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        let id = state.directory.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.rename_or_remove(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), id })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        state.directory.find(name).ok_or(io::ErrorKind::NotFound)?;
        state.rename_or_remove(NameChange::Remove { name: name.to_owned() })
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check()?;
        Ok(state.directory.names())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.change()? {
            return Err(failure("the disk stops"));
        }
        if is_due(&mut state.faults.sync) {
            state.directory.lose_changes();
            return Err(failure("the names cannot be synced"));
        }
        state.directory.sync();
        state.collect();
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        let state = self.state();
        state.check()?;
        let total_bytes = state.faults.capacity_bytes.unwrap_or(UNLIMITED_BYTES);
        Ok(Space { total_bytes, free_bytes: total_bytes.saturating_sub(state.used_bytes()) })
    }
}

struct SimulatedFile {
    disk: Arc<Mutex<State>>,
    id: FileId,
}

impl SimulatedFile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.check()?;
        if is_due(&mut state.faults.read) {
            return Err(failure("the file cannot be read"));
        }
        Ok(state.file(self.id)?.read(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state();
        let stops = state.change()?;
        if is_due(&mut state.faults.write) {
            return Err(failure("the file cannot be written"));
        }
        let free = state.free_bytes();
        let file = state.file(self.id)?;
        // A write that does not fit is done as far as there is room, as the system does it.
        let fits = file.fitting(bytes.len(), offset, free);
        file.write(&bytes[..fits], offset);
        match (stops, fits < bytes.len()) {
            (true, _) => Err(failure("the disk stops")),
            (_, true) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.change()? {
            return Err(failure("the disk stops"));
        }
        let fails = is_due(&mut state.faults.sync);
        let file = state.file(self.id)?;
        if fails {
            file.lose_changes();
            return Err(failure("the file cannot be synced"));
        }
        file.sync();
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.check()?;
        Ok(state.file(self.id)?.current().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let stops = state.change()?;
        state.file(self.id)?.set_len(len as usize);
        if stops { Err(failure("the disk stops")) } else { Ok(()) }
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        let mut state = self.state();
        if let Some(file) = state.files.get_mut(&self.id) {
            file.handles = file.handles.saturating_sub(1);
        }
        state.collect();
    }
}
