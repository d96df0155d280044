//! The files of the calendar: which there are, what span of time each has, and in which an entry goes.

use super::Due;
use super::file::{self, Blocks, Header, Span, UNIT};
use crate::disk::{Disk, DiskFile};
use crate::error::{OpenError, StoreError};
use crate::place::Lsn;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Spans are powers of this in ms.
const FAN_OUT: u64 = 16;
/// Spans are at least this long, but for those that a crowded one is parted into.
pub(super) const SHORTEST_MS: u64 = FAN_OUT.pow(3);

/// What is to be free before entries are moved to files, which is for memory's sake only.
const ROOM_BYTES: u64 = 8 << 20;

/// A file, as it is known in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    pub(super) number: u64,
    pub(super) span: Span,
    /// Everything before has been read; the rest, up to `end`, has not.
    pub(super) read_to: u64,
    /// Where the next block goes.
    pub(super) end: u64,
}

impl Bucket {
    /// About how many entries are still to be read.
    pub(super) fn len(&self) -> u64 {
        (self.end - self.read_to) / UNIT
    }
}

/// The files.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    log_id: u64,
    next_number: u64,
    /// Entries that are not in memory, by where their span begins. Spans overlap only after a crash.
    far: BTreeMap<(u64, u64), Bucket>,
    /// A file that is being parted into others.
    pub(super) parting: Option<Bucket>,
    /// Files all of whose entries are in memory, or were, or are in other files as well.
    pub(super) near: Vec<Bucket>,
    /// Files of which nothing is wanted once the log is durable up to a position.
    passed: Vec<(Lsn, Bucket)>,
    /// Files that have been written to since they were last synced.
    unsynced: BTreeSet<u64>,
    /// Files were created or removed since the names were last synced.
    names_are_unsynced: bool,
}

impl Files {
    /// No files.
    pub(super) fn new(disk: Arc<dyn Disk>, log_id: u64) -> Files {
        Files {
            disk,
            log_id,
            next_number: 1,
            far: BTreeMap::new(),
            parting: None,
            near: Vec::new(),
            passed: Vec::new(),
            unsynced: BTreeSet::new(),
            names_are_unsynced: false,
        }
    }

    pub(super) fn open(disk: Arc<dyn Disk>, log_id: u64) -> Result<Files, OpenError> {
        let names = disk.names().map_err(|error| StoreError::of_io("the message store's directory", error))?;
        let mut files = Files::new(disk, log_id);
        for number in names.iter().filter_map(|name| file::file_number(name)) {
            files.next_number = files.next_number.max(number + 1);
            let (file, len) = files.open_file(number)?;
            let span = match file::read_header(&*file, log_id, number)? {
                Header::Whole(span) => span,
                Header::Broken => {
                    tracing::debug!("{} has no whole header", file::file_name(number));
                    Span::ALL
                }
            };
            // It may have a torn end, and what follows must begin where blocks are looked for.
            let end = len.next_multiple_of(UNIT).max(file::HEADER);
            files.far.insert((span.from_ms, number), Bucket { number, span, read_to: file::HEADER, end });
            // What an earlier run wrote last may never have been synced.
            files.unsynced.insert(number);
        }
        files.names_are_unsynced = !files.far.is_empty();
        Ok(files)
    }

    fn open_file(&self, number: u64) -> Result<(Arc<dyn DiskFile>, u64), StoreError> {
        let io = |error| StoreError::of_io(file::file_name(number), error);
        let file = self.disk.open(&file::file_name(number)).map_err(io)?;
        let len = file.len().map_err(io)?;
        Ok((file, len))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.far.is_empty() && self.parting.is_none() && self.near.is_empty() && self.passed.is_empty()
    }

    pub(super) fn bytes(&self) -> u64 {
        let passed = self.passed.iter().map(|(_, bucket)| bucket);
        self.far.values().chain(&self.parting).chain(&self.near).chain(passed).map(|bucket| bucket.end).sum()
    }

    /// The bytes of files whose entries are in memory.
    pub(super) fn near_bytes(&self) -> u64 {
        self.near.iter().map(|bucket| bucket.end).sum()
    }

    /// The first file with far entries.
    pub(super) fn first(&self) -> Option<Bucket> {
        self.far.values().next().copied()
    }

    /// Where the far entries in files begin; `u64::MAX` when there are none.
    pub(super) fn first_ms(&self) -> u64 {
        let parting = self.parting.map_or(u64::MAX, |bucket| bucket.span.from_ms);
        self.first().map_or(u64::MAX, |bucket| bucket.span.from_ms).min(parting)
    }

    /// Takes the first file out of the far ones.
    pub(super) fn take_first(&mut self) -> Option<Bucket> {
        self.far.pop_first().map(|(_, bucket)| bucket)
    }

    /// Puts a file among the far ones.
    pub(super) fn put_back(&mut self, bucket: Bucket) {
        self.far.insert((bucket.span.from_ms, bucket.number), bucket);
    }

    /// Writes far entries, which are sorted, to the files that have their times; none begins before `horizon_ms`. How
    /// many are written, which are the first, and what went wrong with the others.
    pub(super) fn spill(&mut self, entries: &[Due], horizon_ms: u64) -> (usize, Result<(), StoreError>) {
        let mut written = 0;
        while let Some(first) = entries.get(written) {
            let mut bucket = match self.bucket_for(first.due_ms, horizon_ms) {
                Ok(bucket) => bucket,
                Err(error) => return (written, Err(error)),
            };
            let rest = &entries[written..];
            let here = &rest[..rest.partition_point(|due| bucket.span.has(due.due_ms)).max(1)];
            let result = self.append(&mut bucket, here);
            self.put_back(bucket);
            if let Err(error) = result {
                return (written, Err(error));
            }
            written += here.len();
        }
        (written, Ok(()))
    }

    /// Writes entries that are in memory to a file of those; they need not be sorted.
    pub(super) fn write_near(&mut self, entries: &[Due]) -> Result<(), StoreError> {
        let (Some(from_ms), Some(last)) = (entries.iter().map(|due| due.due_ms).min(), entries.iter().max()) else {
            return Ok(());
        };
        let to_ms = last.due_ms.saturating_add(1);
        let from_ms = from_ms.min(to_ms - 1);
        let mut bucket = match self.near.pop() {
            // Its span is wrong then, and after a restart it is read a little early or late; so only if it fits.
            Some(last) if last.span.from_ms <= from_ms && to_ms <= last.span.to_ms => last,
            other => {
                self.near.extend(other);
                self.create(Span { from_ms, to_ms })?
            }
        };
        let result = self.append(&mut bucket, entries);
        self.near.push(bucket);
        result
    }

    fn append(&mut self, bucket: &mut Bucket, entries: &[Due]) -> Result<(), StoreError> {
        let (file, _) = self.open_file(bucket.number)?;
        self.unsynced.insert(bucket.number);
        bucket.end = file::write(&*file, bucket.number, bucket.end, entries)?;
        Ok(())
    }

    fn create(&mut self, span: Span) -> Result<Bucket, StoreError> {
        let number = self.next_number;
        file::create(&*self.disk, self.log_id, number, span)?;
        self.next_number += 1;
        self.unsynced.insert(number);
        self.names_are_unsynced = true;
        Ok(Bucket { number, span, read_to: file::HEADER, end: file::HEADER })
    }

    /// The file for an entry, taken out of the far ones; a new one where there is none.
    fn bucket_for(&mut self, due_ms: u64, horizon_ms: u64) -> Result<Bucket, StoreError> {
        let before = self.far.range(..=(due_ms, u64::MAX)).next_back().map(|(key, bucket)| (*key, *bucket));
        if let Some((key, bucket)) = before.filter(|(_, bucket)| bucket.span.has(due_ms)) {
            self.far.remove(&key);
            return Ok(bucket);
        }
        let after_ms = before.map_or(0, |(_, bucket)| bucket.span.to_ms);
        let next_ms = self.far.range((due_ms, u64::MAX)..).next().map_or(u64::MAX, |(key, _)| key.0);
        let shortest_ms = self.parting.map_or(SHORTEST_MS, |parted| shortest_within(parted.span));
        let width_ms = width_ms(due_ms.saturating_sub(horizon_ms)).max(shortest_ms);
        let from_ms = due_ms / width_ms * width_ms;
        self.create(Span {
            from_ms: from_ms.max(horizon_ms.min(due_ms)).max(after_ms),
            to_ms: from_ms.saturating_add(width_ms).min(next_ms).max(due_ms.saturating_add(1)),
        })
    }

    /// Reads entries of a file that have not been read; stops after the block with which there are `most`.
    pub(super) fn read(&self, bucket: &mut Bucket, most: usize, entries: &mut Vec<Due>) -> Result<(), StoreError> {
        let (file, len) = self.open_file(bucket.number)?;
        let mut blocks = Blocks::new(&*file, bucket.number, bucket.read_to, bucket.end.min(len));
        let mut more = true;
        while more && entries.len() < most {
            more = blocks.next(|due| entries.push(due))?;
        }
        bucket.read_to = if more { blocks.offset() } else { bucket.end };
        if blocks.damaged_bytes > 0 {
            tracing::warn!("{} has {} bytes that are no entries", file::file_name(bucket.number), blocks.damaged_bytes);
        }
        Ok(())
    }

    /// False when the disk is nearly full; what is in memory stays there then.
    pub(super) fn has_room(&self) -> bool {
        self.disk.space().is_ok_and(|space| space.free_bytes >= ROOM_BYTES)
    }

    /// Makes everything that was written durable.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        while let Some(number) = self.unsynced.first().copied() {
            let (file, _) = self.open_file(number)?;
            file.sync().map_err(|error| StoreError::of_io(file::file_name(number), error))?;
            self.unsynced.remove(&number);
        }
        if self.names_are_unsynced {
            let synced = self.disk.sync_names();
            synced.map_err(|error| StoreError::of_io("the message store's directory", error))?;
            self.names_are_unsynced = false;
        }
        Ok(())
    }

    /// A file is not wanted once the log is durable up to here.
    pub(super) fn pass(&mut self, after: Lsn, bucket: Bucket) {
        self.unsynced.remove(&bucket.number);
        self.passed.push((after, bucket));
    }

    /// Removes the files that are not wanted any more; true when there were some. That a removal is not synced does no
    /// harm: the file comes back with entries that are done with, or that another file has as well.
    pub(super) fn remove_passed(&mut self, durable: Lsn) -> Result<bool, StoreError> {
        let before = self.passed.len();
        while let Some(at) = self.passed.iter().position(|(after, _)| *after <= durable) {
            let name = file::file_name(self.passed[at].1.number);
            match self.disk.remove(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::of_io(name, error));
                }
                _ => self.passed.swap_remove(at),
            };
        }
        Ok(self.passed.len() < before)
    }
}

/// The widest span for what is so far away: a power of the fan-out.
fn width_ms(distance_ms: u64) -> u64 {
    let mut width_ms = 1;
    while distance_ms / width_ms >= FAN_OUT {
        width_ms *= FAN_OUT;
    }
    width_ms
}

/// The shortest span of a part of a file.
fn shortest_within(span: Span) -> u64 {
    match span.width_ms() {
        width_ms if width_ms > SHORTEST_MS => SHORTEST_MS,
        width_ms => (width_ms / FAN_OUT).max(1),
    }
}
