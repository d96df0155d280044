//! What the store's thread does for the calendar: writing what is far, loading what comes next, parting what is too
//! much, and removing files. A piece of work at a time, because the same thread retires the log.

use super::bucket::{Bucket, Files};
use super::file::UNIT;
use super::{Calendar, Due};
use crate::error::StoreError;
use crate::place::Lsn;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::MutexGuard;

/// Entries that are moved while the memory is locked.
const AT_ONCE: usize = 1024;
/// Entries of a file that are parted by one piece of work.
const PARTED_AT_ONCE: usize = 64 << 10;
/// A large file is parted so much earlier: its entries per ms that are surely done in time.
const PARTED_PER_MS: u64 = 400;
/// So many times the usual entries are in memory when a crowded file cannot be parted for want of space.
const MOST_WITHOUT_SPACE: usize = 4;
/// Files with near entries are written anew when there are more.
const MOST_NEAR_FILES: usize = 64;

/// How far the log is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPosition {
    /// Where the next record goes.
    pub(crate) end: Lsn,
    /// What is durable.
    pub(crate) durable: Lsn,
}

impl Calendar {
    /// Does one piece of work; true when there was some. `log` is asked for its end before a file is given up, which
    /// happens when the log is durable up to there: until then the entries in it may be what finds a message again.
    ///
    /// # Errors
    /// When a file cannot be written, nothing is lost: the entries stay in memory.
    pub(crate) fn maintain(&self, now_ms: u64, log: &dyn Fn() -> LogPosition) -> Result<bool, StoreError> {
        let worked = self.maintain_some(now_ms, log);
        self.tell(&self.memory());
        worked
    }

    fn maintain_some(&self, now_ms: u64, log: &dyn Fn() -> LogPosition) -> Result<bool, StoreError> {
        let mut files = self.files();
        let (near, far, is_unwritten_long) = {
            let mut memory = self.memory();
            memory.is_asked = false;
            (memory.near.len(), memory.far.len(), memory.is_unwritten_long())
        };
        if !files.is_empty() && files.remove_passed(log().durable)? {
            return Ok(true);
        }
        if files.parting.is_some() {
            return self.part_some(&mut files);
        }
        if near > self.limits.near && files.has_room() {
            self.evict(self.limits.near / 4 * 3);
            return Ok(true);
        }
        if far >= self.limits.far && files.has_room() {
            return self.spill(&mut files).map(|()| true);
        }
        if self.load_ahead(&mut files, now_ms)? {
            return Ok(true);
        }
        if is_unwritten_long {
            self.forget_what_happened();
        }
        self.rewrite_near(&mut files, log)
    }

    /// Everything that was added before is in files, durably, unless it is done with.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let mut files = self.files();
        self.spill(&mut files)?;
        self.write_unwritten(&mut files)?;
        files.sync()
    }

    /// Moves the latest near entries to the far ones.
    fn evict(&self, keep: usize) {
        loop {
            let mut memory = self.memory();
            for _ in 0..AT_ONCE {
                if memory.near.len() <= keep {
                    return;
                }
                let Some(last) = memory.near.pop_last() else { return };
                memory.horizon_ms = memory.horizon_ms.min(last.due_ms);
                memory.add_far(last);
            }
        }
    }

    /// Writes the far entries that wait.
    fn spill(&self, files: &mut Files) -> Result<(), StoreError> {
        let (mut far, horizon_ms) = {
            let mut memory = self.memory();
            (memory.take_far(), memory.horizon_ms)
        };
        far.sort_unstable();
        let (written, result) = files.spill(&far, horizon_ms);
        let mut memory = self.memory();
        far[written..].iter().for_each(|due| memory.add_far(*due));
        result
    }

    /// Loads what comes next, when little is left or it is soon.
    fn load_ahead(&self, files: &mut Files, now_ms: u64) -> Result<bool, StoreError> {
        let (near, far, far_first_ms) = {
            let memory = self.memory();
            (memory.near.len(), memory.far.len(), memory.far_first_ms)
        };
        let first = files.first();
        let first_ms = first.map_or(u64::MAX, |first| first.span.from_ms);
        if first.is_none() && far == 0 {
            self.raise_horizon(u64::MAX);
            return Ok(false);
        }
        let crowd_ms = first.map_or(0, |first| first.len() / PARTED_PER_MS);
        let is_soon = first_ms.min(far_first_ms) <= now_ms.saturating_add(self.limits.lead_ms + crowd_ms);
        if near > self.limits.near / 2 && !is_soon {
            return Ok(false);
        }
        let Some(first) = first.filter(|first| first.span.from_ms <= far_first_ms) else {
            // What waits to be written comes before all that is written.
            if near + far > self.limits.near / 8 * 7 && files.has_room() {
                self.spill(files)?;
            } else {
                self.raise_horizon(first_ms);
            }
            return Ok(true);
        };
        if first.len() > self.limits.near as u64 / 2 && first.span.width_ms() > 1 {
            files.parting = files.take_first();
            return Ok(true);
        }
        // Not up to the limit, or what is added next would have it written back at once.
        let after = near as u64 + first.len().min(self.limits.near as u64 / 2);
        if near > self.limits.near / 2 && after > self.limits.near as u64 / 8 * 7 && !self.makes_room(first) {
            return Ok(false);
        }
        self.load_first(files).map(|()| true)
    }

    /// True when it could: what is near is normally before everything in files, and then there is no need.
    fn makes_room(&self, first: Bucket) -> bool {
        let is_behind = self.memory().near.last().is_some_and(|last| last.due_ms >= first.span.to_ms);
        if is_behind {
            self.evict(self.limits.near / 2);
        }
        is_behind
    }

    /// Loads the first file, or as much of it as there is room for.
    fn load_first(&self, files: &mut Files) -> Result<(), StoreError> {
        let Some(mut bucket) = files.take_first() else { return Ok(()) };
        let mut entries = Vec::new();
        if let Err(error) = files.read(&mut bucket, self.limits.near / 2, &mut entries) {
            files.put_back(bucket);
            return Err(error);
        }
        entries.chunks(AT_ONCE).for_each(|some| self.memory().near.extend(some));
        if bucket.read_to < bucket.end {
            files.put_back(bucket);
        } else {
            files.near.push(bucket);
        }
        self.raise_horizon(files.first_ms());
        Ok(())
    }

    /// What is due before is near from now on.
    fn raise_horizon(&self, horizon_ms: u64) {
        let mut memory = self.memory();
        memory.horizon_ms = horizon_ms;
        // Bounded by how many may wait.
        for due in memory.take_far() {
            if due.due_ms < horizon_ms || horizon_ms == u64::MAX {
                memory.add_near(due);
            } else {
                memory.add_far(due);
            }
        }
    }

    /// Moves some entries of a crowded file to files with shorter spans.
    fn part_some(&self, files: &mut Files) -> Result<bool, StoreError> {
        let Some(mut parted) = files.parting else { return Ok(false) };
        let mut entries = Vec::new();
        files.read(&mut parted, PARTED_AT_ONCE, &mut entries)?;
        entries.sort_unstable();
        if files.has_room() {
            // All of it or none is taken to have been moved; what is moved twice does no harm.
            files.spill(&entries, parted.span.from_ms).1?;
        } else if self.memory().near.len() <= MOST_WITHOUT_SPACE * self.limits.near {
            entries.chunks(AT_ONCE).for_each(|some| {
                let mut memory = self.memory();
                some.iter().for_each(|due| memory.add_near(*due));
            });
        } else {
            return Ok(false);
        }
        files.parting = Some(parted);
        if parted.read_to >= parted.end {
            // Not before its entries are safe elsewhere.
            files.sync()?;
            files.parting = None;
            // What had to stay in memory is not in another file.
            files.near.push(parted);
        }
        Ok(true)
    }

    /// Writes what is near and in no file yet.
    fn write_unwritten(&self, files: &mut Files) -> Result<(), StoreError> {
        let unwritten = std::mem::take(&mut self.memory().unwritten);
        let mut wanted = Vec::new();
        for some in unwritten.chunks(AT_ONCE) {
            let memory = self.memory();
            wanted.extend(some.iter().filter(|due| memory.wants(due)));
        }
        drop(unwritten);
        files.write_near(&wanted).inspect_err(|_| self.memory().unwritten.append(&mut wanted))
    }

    /// Shortens the list of what is unwritten.
    fn forget_what_happened(&self) {
        let unwritten = std::mem::take(&mut self.memory().unwritten);
        for some in unwritten.chunks(AT_ONCE) {
            let mut memory: MutexGuard<'_, _> = self.memory();
            let wanted: Vec<Due> = some.iter().filter(|due| memory.wants(due)).copied().collect();
            memory.unwritten.extend(wanted);
        }
        self.memory().unwritten.shrink_to(2 * AT_ONCE);
    }

    /// Writes what is near to a new file, when the files of it have much more, so that those can go.
    fn rewrite_near(&self, files: &mut Files, log: &dyn Fn() -> LogPosition) -> Result<bool, StoreError> {
        let wanted = {
            let memory = self.memory();
            memory.near.len() + memory.taken.len()
        };
        let is_waste = files.near_bytes() > self.limits.waste + 2 * UNIT * wanted as u64;
        if files.near.is_empty() || !(is_waste || files.near.len() > MOST_NEAR_FILES || wanted == 0) {
            return Ok(false);
        }
        // In this order: an entry may be taken and be put back meanwhile, and is then unwritten again.
        self.spill(files)?;
        let before = std::mem::take(&mut files.near);
        let result = self.write_all_near(files).and_then(|()| self.write_unwritten(files)).and_then(|()| files.sync());
        if result.is_err() {
            files.near.extend(before);
            return result.map(|()| false);
        }
        // What was done with in between is not in the new file. Its end must be durable first, or a crash would find the
        // message and nothing that knows of it.
        let after = log().end;
        before.into_iter().for_each(|bucket| files.pass(after, bucket));
        Ok(true)
    }

    fn write_all_near(&self, files: &mut Files) -> Result<(), StoreError> {
        let mut some: Vec<Due> = Vec::new();
        let mut from = None;
        loop {
            some.clear();
            {
                let memory = self.memory();
                let from = from.map_or(Unbounded, Excluded);
                some.extend(memory.near.range((from, Unbounded)).take(16 * AT_ONCE));
            }
            let Some(last) = some.last() else { break };
            from = Some(*last);
            files.write_near(&some)?;
        }
        let taken: Vec<Due> = self.memory().taken.iter().copied().collect();
        files.write_near(&taken)
    }
}
