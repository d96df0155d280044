//! Retirement: what is still wanted of the oldest log segment moves to a cold segment, and the log segment is used again.
//!
//! The order of the steps, and the crash that each prevents:
//!
//! 1. `quiesce`, then ask which queues have anything in the segment. Without it a run that is half appended could give a
//!    queue a message whose body is in the segment after that queue was passed over.
//! 2. Transient messages that are in memory only and lie before what is to move are logged, because a queue moves a
//!    prefix by sequence number. The log must be written that far before they can be copied.
//! 3. The copy is written and synced, file and name. A manifest must never name what a crash can take away.
//! 4. The queues change over, some messages at a time. Nothing durable has changed yet: a crash finds the old manifest
//!    and the log as it was.
//! 5. The states of the queues are taken, `quiesce`, and the end of the log is noted (`commit`). Only when the log is
//!    durable up to there, and the definitions and the times in it are too, is the manifest committed.
//! 6. Then the segment's file is given back. Not before: a crash would find a manifest that counts on it.

use super::commit::Then;
use super::maintain::{Maintenance, Phase};
use super::{Owners, Store};
use crate::backlog::{Extent, Slot, SlotFlags};
use crate::cold::{LogSource, SourceError, Writer, file_name};
use crate::error::StoreError;
use crate::manifest::{Change, State};
use crate::place::{Lsn, Place};
use crate::record::{BLOB, DELIVERED, Header, Kind, TRANSIENT};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Messages that are looked at while a queue is locked.
const AT_ONCE: usize = 512;
/// Messages of a queue that are in memory while it is copied.
const CHUNK: usize = 4 * 1024;
/// Shorter records are written again for each owner: a reference takes nearly as much.
const SHORTEST_SHARED: u32 = 192;
/// Copies that take longer are told.
const LONG: Duration = Duration::from_secs(2);
/// What a copy may take beyond what is copied.
const SPARE_BYTES: u64 = 64 << 10;

/// A retirement that has begun.
pub(super) struct Retiring {
    segment: u32,
    /// Everything that had anything in the segment.
    dirty: Vec<u64>,
    /// Queues with the number below which they move everything.
    queues: Vec<(u64, u64)>,
    /// The log must be written up to here first.
    written: Lsn,
}

/// What a queue is going to move.
struct Plan {
    quid: u64,
    below: u64,
    messages: usize,
}

impl Store {
    /// Begins to retire the oldest segment of the log, if the log has moved on from it.
    pub(super) fn begin_retiring(
        &self,
        maintenance: &mut Maintenance,
        owners: &dyn Owners,
    ) -> Result<bool, StoreError> {
        let segment = self.log.first_segment();
        if segment >= self.log.active_segment() {
            return Ok(false);
        }
        owners.quiesce();
        let end = Lsn((u64::from(segment) + 1) * self.log.segment_bytes());
        let dirty = self.log.dirty(segment);
        let mut queues = Vec::new();
        for &quid in &dirty {
            let mut below = None;
            owners.with(quid, &mut |backlog| below = backlog.retire_below(end));
            if let Some(below) = below {
                owners.page_out(quid, below);
                queues.push((quid, below));
            }
        }
        let written = self.log.append().end();
        self.go_on_retiring(maintenance, Retiring { segment, dirty, queues, written }, owners)
    }

    /// Copies and changes over, when the log is written far enough.
    pub(super) fn go_on_retiring(
        &self,
        maintenance: &mut Maintenance,
        retiring: Retiring,
        owners: &dyn Owners,
    ) -> Result<bool, StoreError> {
        if self.log.written() < retiring.written {
            self.log.commit();
            maintenance.phase = Phase::Retiring(retiring);
            return Ok(false);
        }
        let began = Instant::now();
        let state = &maintenance.state;
        let mut change =
            Change { state: State { log_head: retiring.segment + 1, ..state.clone() }, ..Change::default() };
        match self.copy(state, &retiring.queues, owners) {
            Ok(Some((id, bytes))) => {
                tell_if_long(began, &format!("retiring log segment {}", retiring.segment), bytes);
                change.state.next_cold = id + 1;
                change.cold.insert(id, Some(bytes));
            }
            Ok(None) => {}
            Err(error) => {
                // As if nothing had been tried; the numbers below are free again.
                for (quid, _) in &retiring.queues {
                    owners.with(*quid, &mut |backlog| backlog.freeze(0));
                }
                return Err(error);
            }
        }
        let commit = self.prepare_commit(maintenance, owners, retiring.dirty, change, Then::Recycle(retiring.segment));
        self.try_commit(maintenance, commit, owners)?;
        Ok(true)
    }

    /// Copies what the queues move to a new cold segment and gives it to them; its id and bytes.
    fn copy(
        &self,
        state: &State,
        queues: &[(u64, u64)],
        owners: &dyn Owners,
    ) -> Result<Option<(u64, u64)>, StoreError> {
        let (plans, shared, bytes) = self.plan(queues, owners);
        let id = state.next_cold;
        let mut written = None;
        if plans.iter().any(|plan| plan.messages > 0) {
            self.need_space(id, bytes)?;
            let mut copy = Copy {
                log: LogSource::new(&self.log, true),
                writer: Writer::create(&self.disk, id, state.log_id)?,
                shared: HashMap::new(),
                segment_bytes: self.log.segment_bytes(),
            };
            copy.write_shared(&shared)?;
            for plan in plans.iter().filter(|plan| plan.messages > 0) {
                copy.write_queue(plan, owners)?;
            }
            let (segment, directory) = copy.writer.finish()?;
            self.cold().insert(id, segment.clone());
            for entry in directory {
                let extent = || Extent::new(segment.clone(), entry.region);
                change_over(owners, entry.quid, entry.region.last, extent);
            }
            written = Some((id, segment.bytes()));
        }
        for plan in plans {
            owners.with(plan.quid, &mut |backlog| backlog.retired_below(plan.below));
        }
        Ok(written)
    }

    /// Counts what is to be moved and finds the bodies with several owners; nothing can be added among it from now on.
    fn plan(&self, queues: &[(u64, u64)], owners: &dyn Owners) -> (Vec<Plan>, Vec<Place>, u64) {
        let (mut plans, mut long, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut slots = Vec::with_capacity(AT_ONCE);
        for &(quid, below) in queues {
            let (mut messages, mut from) = (0, Some(0));
            while let Some(at) = from {
                slots.clear();
                let exists = owners.with(quid, &mut |backlog| {
                    backlog.freeze(below);
                    from = backlog.capture(at, below, AT_ONCE, &mut slots);
                });
                if !exists {
                    break;
                }
                messages += slots.len();
                bytes += slots.iter().map(|slot| u64::from(slot.len) + 48).sum::<u64>();
                // A queue alone shares nothing.
                let asked = if queues.len() > 1 { &slots[..] } else { &[] };
                long.extend(asked.iter().filter(|slot| slot.len >= SHORTEST_SHARED).map(|slot| (slot.lsn, slot.len)));
            }
            plans.push(Plan { quid, below, messages });
        }
        (plans, several(long), bytes)
    }

    /// Asked before the copy is begun, because half a copy on a nearly full disk takes what acknowledgements need.
    pub(super) fn need_space(&self, id: u64, bytes: u64) -> Result<(), StoreError> {
        let space = self.disk.space().map_err(|error| StoreError::of_io(file_name(id), error))?;
        if space.free_bytes < bytes + SPARE_BYTES { Err(StoreError::NoSpace { file: file_name(id) }) } else { Ok(()) }
    }
}

/// Says that a copy took long: who wonders why the disk is busy should find it.
pub(super) fn tell_if_long(began: Instant, what: &str, bytes: u64) {
    let took = began.elapsed();
    if took >= LONG {
        tracing::info!("{what} took {:.1} s for {} MiB", took.as_secs_f64(), bytes >> 20);
    }
}

/// What occurs more than once, ascending.
fn several(mut places: Vec<(Lsn, u32)>) -> Vec<Place> {
    places.sort_unstable();
    let mut shared: Vec<Place> = Vec::new();
    for pair in places.windows(2).filter(|pair| pair[0] == pair[1]) {
        let (lsn, len) = pair[0];
        if shared.last().is_none_or(|last| last.lsn != lsn) {
            shared.push(Place { lsn, len });
        }
    }
    shared
}

/// Moves a queue's messages up to `last` to a new extent. A queue that is deleted meanwhile is passed over.
fn change_over(owners: &dyn Owners, quid: u64, last: u64, extent: impl Fn() -> Extent) {
    let mut done = false;
    let mut exists = owners.with(quid, &mut |backlog| backlog.begin_moving(extent()));
    while exists && !done {
        exists = owners.with(quid, &mut |backlog| done = backlog.move_some(last, AT_ONCE));
    }
}

struct Copy<'a> {
    log: LogSource<'a>,
    writer: Writer,
    /// Where bodies with several owners are, by their position in the log.
    shared: HashMap<Lsn, Place>,
    segment_bytes: u64,
}

impl Copy<'_> {
    /// In the order of the log, so that it is read from front to back.
    fn write_shared(&mut self, places: &[Place]) -> Result<(), StoreError> {
        for (at, place) in places.iter().enumerate() {
            match self.log.read(*place, places.get(at + 1).map(|next| next.lsn)) {
                Ok(record) => {
                    let copied = self.writer.shared(record.header.flags, record.payload)?;
                    self.shared.insert(place.lsn, copied);
                }
                Err(error) => self.unless_damaged(place.lsn, error)?,
            }
        }
        Ok(())
    }

    fn write_queue(&mut self, plan: &Plan, owners: &dyn Owners) -> Result<(), StoreError> {
        let (mut slots, mut from) = (Vec::with_capacity(CHUNK.min(plan.messages) + AT_ONCE), Some(0));
        let (mut last, mut left) = (None, plan.messages);
        while let Some(at) = from {
            slots.clear();
            from = capture(owners, plan, at, &mut slots);
            for (at, slot) in slots.iter().enumerate() {
                if last.is_some_and(|last| !self.writer.fits(slot.seq) && last < slot.seq) {
                    self.writer.end_region(last.unwrap_or(slot.seq))?;
                    last = None;
                }
                if last.is_none() {
                    self.writer.begin_region(plan.quid, slot.seq, left)?;
                }
                self.write(plan.quid, slot, slots.get(at + 1).map(|next| next.lsn))?;
                (last, left) = (Some(slot.seq), left.saturating_sub(1));
            }
        }
        last.map_or(Ok(()), |last| self.writer.end_region(last))
    }

    fn write(&mut self, quid: u64, slot: &Slot, next: Option<Lsn>) -> Result<(), StoreError> {
        let mut header = Header::new(Kind::Message, quid, slot.seq);
        header.delivery_count = slot.delivery_count;
        for (flag, bit) in [(SlotFlags::DELIVERED, DELIVERED), (SlotFlags::TRANSIENT, TRANSIENT)] {
            header.flags |= if slot.flags.has(flag) { bit } else { 0 };
        }
        if let Some(body) = self.shared.get(&slot.lsn) {
            return self.writer.route(header, *body, slot.body_len);
        }
        match self.log.read(slot.place(), next) {
            Ok(record) => {
                header.flags |= record.header.flags & BLOB;
                self.writer.message(header, record.payload)
            }
            Err(error) => self.unless_damaged(slot.lsn, error),
        }
    }

    /// A record that is damaged has no copy: whoever reads the message is told that it is lost.
    fn unless_damaged(&self, lsn: Lsn, error: SourceError) -> Result<(), StoreError> {
        let (segment, offset) = (lsn.0 / self.segment_bytes, lsn.0 % self.segment_bytes);
        let file = format!("log segment {segment}");
        match error {
            SourceError::Damaged => {
                tracing::error!("{file} is damaged at byte {offset}: a message is lost");
                Ok(())
            }
            SourceError::Io(source, file) => Err(StoreError::Io { file, source }),
            // It was looked at before: nothing is moved that is not written, and nothing recycled that is not moved.
            SourceError::NotWritten | SourceError::Gone => {
                Err(StoreError::Damaged { file, offset, what: "a message is not where it should be" })
            }
        }
    }
}

/// Some messages of a queue, a few per hold of its lock, and where to go on.
fn capture(owners: &dyn Owners, plan: &Plan, from: u64, slots: &mut Vec<Slot>) -> Option<u64> {
    let mut next = Some(from);
    while let Some(at) = next.filter(|_| slots.len() < CHUNK) {
        if !owners.with(plan.quid, &mut |backlog| next = backlog.capture(at, plan.below, AT_ONCE, slots)) {
            return None;
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_occurs_more_than_once_is_found_once() {
        let places = [5, 3, 9, 3, 3, 5].map(|at| (Lsn(at), 200)).to_vec();
        assert_eq!(several(places).iter().map(|place| place.lsn.0).collect::<Vec<_>>(), [3, 5]);
    }
}
