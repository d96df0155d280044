//! Compaction: what is still wanted of some cold segments moves to a new one, and they go.
//!
//! The order is that of retirement: the copy is durable before the queues change over, the log is durable up to what
//! their states contain before the manifest is committed, and files are removed only after that.

use super::commit::Then;
use super::maintain::Maintenance;
use super::retire::tell_if_long;
use super::{Owners, Store};
use crate::backlog::Extent;
use crate::cold::{ColdSegment, Locator, Window, Writer, file_name, record_at};
use crate::error::StoreError;
use crate::log;
use crate::manifest::{Change, State};
use crate::place::Place;
use crate::record::{BLOB, Header, Kind};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Sizes between which segments are merged when there are [`MERGED`] of them.
const SIZE_CLASSES: [u64; 3] = [0, 8 << 20, 64 << 20];
const MERGED: usize = 8;
/// What one compaction copies at most.
const MOST_BYTES: u64 = 256 << 20;

/// Extents of a queue beside one another, which become one.
struct Run {
    quid: u64,
    copies: Vec<Extent>,
}

impl Store {
    /// Compacts, if there is enough to gain.
    pub(super) fn compact(&self, maintenance: &mut Maintenance, owners: &dyn Owners) -> Result<bool, StoreError> {
        let segments: Vec<Arc<ColdSegment>> = self.cold().values().cloned().collect();
        let mut victims = choose(segments);
        let mut quids = BTreeSet::new();
        // Without its directory nobody knows whose rows in the manifest name a segment: it stays.
        victims.retain(|victim| match victim.directory() {
            Ok(directory) => {
                quids.extend(directory.iter().map(|entry| entry.quid));
                true
            }
            Err(_) => false,
        });
        if victims.is_empty() {
            return Ok(false);
        }
        let began = Instant::now();
        let ids: BTreeSet<u64> = victims.iter().map(|victim| victim.id()).collect();
        let mut change = Change { state: maintenance.state.clone(), ..Change::default() };
        if let Some((id, bytes)) = self.rewrite(&maintenance.state, &victims, &ids, &quids, owners)? {
            tell_if_long(began, &format!("compacting {} cold segments", ids.len()), bytes);
            change.state.next_cold = id + 1;
            change.cold.insert(id, Some(bytes));
        }
        change.cold.extend(ids.iter().map(|id| (*id, None)));
        let then = Then::Remove(ids.into_iter().collect());
        let commit = self.prepare_commit(maintenance, owners, quids, change, then);
        self.try_commit(maintenance, commit, owners)?;
        Ok(true)
    }

    /// Writes what is wanted of the victims to a new segment, if anything is, and gives that to the queues.
    fn rewrite(
        &self,
        state: &State,
        victims: &[Arc<ColdSegment>],
        ids: &BTreeSet<u64>,
        quids: &BTreeSet<u64>,
        owners: &dyn Owners,
    ) -> Result<Option<(u64, u64)>, StoreError> {
        let mut runs = Vec::new();
        for &quid in quids {
            owners.with(quid, &mut |backlog| {
                runs.extend(backlog.extents_in(ids).into_iter().map(|copies| Run { quid, copies }));
            });
        }
        runs.retain(|run| run.copies.iter().any(|copied| copied.seqs().next().is_some()));
        if runs.is_empty() {
            return Ok(None);
        }
        let id = state.next_cold;
        self.need_space(id, victims.iter().map(|victim| victim.live_bytes()).sum())?;
        let mut rewrite = Rewrite { writer: Writer::create(&self.disk, id, state.log_id)?, shared: HashMap::new() };
        for run in &runs {
            rewrite.write(run)?;
        }
        let (segment, directory) = rewrite.writer.finish()?;
        self.cold().insert(id, segment.clone());
        for (run, entry) in runs.into_iter().zip(directory) {
            let mut new = Some(Extent::of_copies(segment.clone(), entry.region, &run.copies));
            owners.with(run.quid, &mut |backlog| {
                if let Some(new) = new.take() {
                    backlog.replace(&run.copies, new);
                }
            });
        }
        Ok(Some((id, segment.bytes())))
    }
}

/// Which segments to compact together, oldest first: those of which nothing is wanted, those of which less than half is,
/// or many of a size.
fn choose(mut segments: Vec<Arc<ColdSegment>>) -> Vec<Arc<ColdSegment>> {
    segments.sort_by_key(|segment| segment.id());
    let limited = |chosen: Vec<&Arc<ColdSegment>>| {
        let mut bytes = 0;
        let fits = |segment: &&Arc<ColdSegment>| {
            let fits = bytes < MOST_BYTES;
            bytes += segment.live_bytes();
            fits
        };
        chosen.into_iter().take_while(fits).cloned().collect::<Vec<_>>()
    };
    let sparse: Vec<_> = segments.iter().filter(|segment| segment.live_bytes() * 2 < segment.bytes()).collect();
    if !sparse.is_empty() {
        return limited(sparse);
    }
    for sizes in SIZE_CLASSES.windows(2) {
        let alike: Vec<_> = segments.iter().filter(|segment| (sizes[0]..sizes[1]).contains(&segment.bytes())).collect();
        if alike.len() >= MERGED {
            return limited(alike);
        }
    }
    Vec::new()
}

struct Rewrite {
    writer: Writer,
    /// Where bodies with several owners are now, by segment and offset.
    shared: HashMap<(u64, u64), Place>,
}

impl Rewrite {
    fn write(&mut self, run: &Run) -> Result<(), StoreError> {
        let seqs = || run.copies.iter().flat_map(Extent::seqs);
        let (Some(first), Some(last)) = (seqs().next(), seqs().last()) else { return Ok(()) };
        self.writer.begin_region(run.quid, first, seqs().count())?;
        for copied in &run.copies {
            self.write_extent(copied)?;
        }
        self.writer.end_region(last)
    }

    fn write_extent(&mut self, extent: &Extent) -> Result<(), StoreError> {
        let segment = &extent.segment;
        let failed = |error| StoreError::of_io(file_name(segment.id()), error);
        let window = || segment.window(true);
        let (mut records, mut shared) = (window(), window());
        let is_wanted = |seq| extent.contains(seq);
        let mut locator = Locator::new(segment, extent.region, (extent.region.first, 0), &is_wanted).map_err(failed)?;
        for seq in extent.seqs() {
            let found = locator.locate(seq, &mut records).map_err(failed)?;
            let Some((mut header, payload)) =
                found.map_or(Ok(None), |at| record_at(&mut records, at)).map_err(failed)?
            else {
                tracing::error!("message {seq} is damaged: {}", file_name(segment.id()));
                continue;
            };
            header.delivery_count = extent.delivery_count(seq).unwrap_or(header.delivery_count);
            if header.kind == Kind::Route as u8 {
                self.write_route(segment, &mut shared, header, payload).map_err(failed)??;
            } else {
                self.writer.message(header, payload)?;
            }
        }
        Ok(())
    }

    /// A message whose body is elsewhere in the segment: copied when it is met first.
    fn write_route(
        &mut self,
        segment: &ColdSegment,
        shared: &mut Window,
        header: Header,
        payload: &[u8],
    ) -> io::Result<Result<(), StoreError>> {
        let Some(route) = log::read_route(payload) else { return Ok(Ok(())) };
        let key = (segment.id(), route.body.lsn.0);
        if !self.shared.contains_key(&key) {
            let Some((body, payload)) = record_at(shared, route.body.lsn.0)? else { return Ok(Ok(())) };
            match self.writer.shared(body.flags & BLOB, payload) {
                Ok(place) => drop(self.shared.insert(key, place)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(self.shared.get(&key).map_or(Ok(()), |body| self.writer.route(header, *body, route.body_len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backlog::{Slot, SlotFlags};
    use crate::cold::tests::{MESSAGES, check, written};
    use crate::disk::Disk;
    use crate::place::Lsn;

    /// A compaction that goes by a damaged index would drop what is behind it, and the file would be removed after that.
    #[test]
    fn a_damaged_index_loses_nothing_in_a_compaction() {
        let (disk, segment, directory) = written();
        let shared: Arc<dyn Disk> = disk.clone();
        for entry in &directory {
            // The upper byte of the difference of message 5: all behind it seem to come before.
            disk.flip_bit(&file_name(segment.id()), entry.region.offset + 5 * 8 + 3, 2);
        }
        let writer = Writer::create(&shared, 2, 1).unwrap();
        let mut rewrite = Rewrite { writer, shared: HashMap::new() };
        for entry in &directory {
            let mut copied = Extent::new(segment.clone(), entry.region);
            let place = Place { lsn: Lsn(1), len: 1 };
            (0..MESSAGES).for_each(|seq| copied.take(&Slot::new(seq, place, 1, SlotFlags::default())));
            rewrite.write(&Run { quid: entry.quid, copies: vec![copied] }).unwrap();
        }
        let (new, directory) = rewrite.writer.finish().unwrap();
        assert_eq!(directory.iter().map(|entry| u64::from(entry.region.count)).sum::<u64>(), MESSAGES * 2);
        assert_eq!(check(&disk, &new, &directory, "rewritten"), 0);
    }
}
