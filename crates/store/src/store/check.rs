//! Looking at every byte of a store, without a change.

use super::open::{has_lost_all_files, manifest_error, restore, scan_from};
use super::recover::Recovery;
use crate::backlog::Backlog;
use crate::calendar;
use crate::cold::{self, ColdSegment};
use crate::disk::Disk;
use crate::error::OpenError;
use crate::log::{self, Damage, ScannedRecord, Visitor};
use crate::manifest::{self, Manifest};
use crate::place::Lsn;
use crate::record::BLOB;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What [`check`] found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Messages in all queues, also of queues that have been deleted since.
    pub messages: u64,
    /// Records in the log.
    pub records: u64,
    /// Cold segments.
    pub cold_segments: usize,
    /// Bodies in files of their own.
    pub blobs: usize,
    /// Files of the calendar.
    pub calendar_files: usize,
    /// Times in them, also of messages that are gone.
    pub calendar_entries: u64,
    /// Bytes of a last batch that was not written whole; after a crash that is no fault.
    pub torn_bytes: u64,
    /// Parts of the log that are lost.
    pub damage: Vec<Damage>,
    /// What else is wrong, one line each.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// True when nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.problems.is_empty()
    }
}

/// Verifies every checksum in log, cold segments and blobs, and that the manifest fits them. Changes nothing.
///
/// # Errors
/// When a file is not ours or of a later version, or cannot be read at all.
pub fn check(disk: &Arc<dyn Disk>) -> Result<CheckReport, OpenError> {
    let mut report = CheckReport::default();
    let Some(snapshot) = Manifest::read(&**disk).map_err(manifest_error)? else {
        report.problems.push(format!("there is no {}", manifest::FILE));
        return Ok(report);
    };
    let state = snapshot.state.clone();
    let calendar = calendar::verify(&**disk, state.log_id, &mut |problem| report.problems.push(problem))?;
    (report.calendar_files, report.calendar_entries) = calendar;
    let cold = check_cold(disk, &snapshot.cold, &mut report);
    let backlogs = match restore(snapshot, &cold) {
        Ok(backlogs) => backlogs,
        Err(error) => {
            report.problems.push(error.to_string());
            HashMap::new()
        }
    };
    let recovery = Recovery::new(backlogs, state.segment_bytes, Lsn(0));
    let mut visitor = Checking { recovery, blobs: BTreeMap::new(), damage: Vec::new() };
    let from = scan_from(&state);
    let scanned = log::scan(&**disk, from, &mut visitor)?;
    if has_lost_all_files(&scanned, state.epoch) {
        report.problems.push("the log has no files, although it has been written before".to_owned());
    }
    report.torn_bytes = scanned.torn_bytes;
    report.records = visitor.recovery.records;
    report.messages = visitor.recovery.backlogs.values().map(Backlog::len).sum();
    report.damage = visitor.damage.clone();
    check_blobs(disk, &visitor, &mut report);
    Ok(report)
}

fn check_cold(
    disk: &Arc<dyn Disk>,
    segments: &[(u64, u64)],
    report: &mut CheckReport,
) -> HashMap<u64, Arc<ColdSegment>> {
    let mut cold = HashMap::new();
    for (id, bytes) in segments {
        report.cold_segments += 1;
        match cold::open_segment(&**disk, *id, *bytes) {
            Ok(segment) => {
                cold::verify(&segment, &mut |problem| report.problems.push(problem));
                cold.insert(*id, segment);
            }
            Err(error) => report.problems.push(error.to_string()),
        }
    }
    cold
}

/// Replays the log as recovery does, and remembers the checksums of blobs.
struct Checking {
    recovery: Recovery,
    blobs: BTreeMap<u64, u32>,
    damage: Vec<Damage>,
}

impl Visitor for Checking {
    fn record(&mut self, record: &ScannedRecord<'_>) -> Result<(), OpenError> {
        if record.header.flags & BLOB != 0
            && let Some(end) = record.payload.last_chunk::<12>()
        {
            let [id @ .., c0, c1, c2, c3] = *end;
            self.blobs.insert(u64::from_le_bytes(id), u32::from_le_bytes([c0, c1, c2, c3]));
        }
        self.recovery.record(record)
    }

    fn damage(&mut self, damage: Damage) {
        self.damage.push(damage);
    }
}

fn check_blobs(disk: &Arc<dyn Disk>, visitor: &Checking, report: &mut CheckReport) {
    let owned: BTreeSet<u64> = visitor.recovery.backlogs.values().flat_map(Backlog::blobs).collect();
    for id in owned {
        report.blobs += 1;
        let name = log::blob_name(id);
        let result = match visitor.blobs.get(&id) {
            Some(crc) => log::read_blob(&**disk, id, *crc, &mut |_| {}).map_err(|error| error.to_string()),
            // Its record is in a cold segment, which has been verified, and with it the checksum that readers compare.
            None => disk.open(&name).map(drop).map_err(|error| format!("{name}: {error}")),
        };
        report.problems.extend(result.err());
    }
}
