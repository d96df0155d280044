//! Opening a store: manifest, log, and what of the files counts.
//!
//! In this order, so that a crash while it is being opened leaves what the next start can open: the manifest is created
//! before the first file of the log; the new epoch is in the manifest before the log goes on in it; files are removed only
//! when everything that could name them has been read.

use super::Store;
use super::commit::store_error;
use super::maintain::{Maintenance, Phase};
use super::options::{Opened, Options, Report};
use super::recover::Recovery;
use crate::backlog::Backlog;
use crate::calendar::{self, Calendar};
use crate::cold::{self, ColdSegment};
use crate::disk::Disk;
use crate::error::{OpenError, StoreError};
#[cfg(feature = "simulation")]
use crate::log::Sabotage;
use crate::log::{self, Log, LogOptions, LogWriter, ScanFrom, Scanned};
use crate::manifest::{self, Change, Manifest, ManifestError, Snapshot, State};
use crate::place::Lsn;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Log segments are at most this long, and at least [`SMALLEST_SEGMENT_BYTES`].
const LARGEST_SEGMENT_BYTES: u64 = 64 << 20;
const SMALLEST_SEGMENT_BYTES: u64 = 1 << 20;
/// And a log segment takes at most this part of the file system.
const PART_OF_DISK: u64 = 16;

pub(super) fn open(disk: Arc<dyn Disk>, options: Options, metadata_applied: Lsn) -> Result<Opened, OpenError> {
    let started = Instant::now();
    #[cfg(feature = "simulation")]
    let disk = match options.sabotage {
        Some(Sabotage::NoSync) => Arc::new(crate::simulation::UnsyncedDisk(disk)) as Arc<dyn Disk>,
        _ => disk,
    };
    let is_new = !names(&disk)?.iter().any(|name| name == manifest::FILE);
    if is_new {
        refuse_orphaned_files(&disk)?;
    }
    let (mut manifest, snapshot) = Manifest::open(&disk, &first_state(&disk, &options)?).map_err(manifest_error)?;
    let state = snapshot.state.clone();
    let known = snapshot.queues.iter().map(|(quid, _)| *quid).collect();
    let cold = open_cold(&disk, &snapshot)?;
    let calendar = Calendar::open(disk.clone(), state.log_id, calendar::Limits::default())?;
    let mut recovery = Recovery::new(restore(snapshot, &cold)?, state.segment_bytes, metadata_applied);
    let from = scan_from(&state);
    let scanned = scan(&disk, &options, from, &mut recovery)?;
    // Before anything is written: batches of this run must be told from what an earlier one wrote and nobody synced.
    let before = state.epoch;
    let state = State { epoch: state.epoch.max(scanned.epoch) + 1, closed: None, ..state };
    manifest.commit(&Change { state: state.clone(), ..Change::default() }).map_err(store_error)?;
    let mut report = report_of(&scanned, &state, is_new);
    if has_lost_all_files(&scanned, before) {
        tracing::warn!("the log of the message store has no files, although it has been written before");
    }
    let (log, writer) = open_log(&disk, &state, &options, scanned)?;
    report.removed_files = remove_orphans(&disk, &cold)? + hand_over(&log, &mut recovery)?;
    for due in recovery.take_timers() {
        calendar.add(due);
    }
    wake_for(&calendar, &log);
    complete(&mut report, &recovery, started);
    let maintenance = Maintenance {
        manifest,
        state,
        phase: Phase::Idle,
        has_no_space: false,
        calendar_has_no_space: false,
        known,
        swept: 0,
    };
    #[cfg(feature = "simulation")]
    let verify = options.sabotage != Some(Sabotage::NoChecksum);
    #[cfg(not(feature = "simulation"))]
    let verify = true;
    let store =
        Arc::new(Store { disk, log, calendar, verify, maintenance: Mutex::new(maintenance), cold: Mutex::new(cold) });
    Ok(Opened { store, writer, backlogs: recovery.backlogs, metadata: recovery.metadata, report })
}

fn names(disk: &Arc<dyn Disk>) -> Result<Vec<String>, StoreError> {
    disk.names().map_err(|error| StoreError::of_io("the message store's directory", error))
}

/// Without a manifest there must be no log: the manifest is durable before the first file of the log is created. So
/// somebody removed it, and to begin anew would lose every message without a word.
fn refuse_orphaned_files(disk: &Arc<dyn Disk>) -> Result<(), OpenError> {
    let is_ours =
        |name: &String| ["log-", "cold-", "blob-", calendar::PREFIX].iter().any(|kind| name.starts_with(kind));
    match names(disk)?.iter().find(|name| is_ours(name)) {
        None => Ok(()),
        Some(name) => {
            let what = format!("{} is missing although there is {name}", manifest::FILE);
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, what);
            Err(StoreError::Io { file: manifest::FILE.to_owned(), source }.into())
        }
    }
}

fn first_state(disk: &Arc<dyn Disk>, options: &Options) -> Result<State, StoreError> {
    let space = disk.space().map_err(|error| StoreError::of_io("the message store's directory", error))?;
    let wanted = options.segment_bytes.unwrap_or(LARGEST_SEGMENT_BYTES.min(space.total_bytes / PART_OF_DISK));
    let wanted = wanted.max(SMALLEST_SEGMENT_BYTES);
    let segment_bytes = 1 << wanted.ilog2();
    Ok(State { log_id: options.log_id, segment_bytes, log_head: 1, epoch: 0, next_cold: 1, closed: None })
}

/// Where the log begins, and how far it certainly goes.
pub(super) fn scan_from(state: &State) -> ScanFrom {
    let closed = Lsn(state.closed.unwrap_or_default());
    ScanFrom { log_id: state.log_id, segment_bytes: state.segment_bytes, head: state.log_head, closed }
}

/// Whether there is not one file of a log that has been open at least twice: a first start that was cut off has none
/// either.
pub(super) fn has_lost_all_files(scanned: &Scanned, epoch: u32) -> bool {
    epoch > 1 && scanned.has_no_files()
}

fn scan(
    disk: &Arc<dyn Disk>,
    options: &Options,
    from: ScanFrom,
    recovery: &mut Recovery,
) -> Result<Scanned, OpenError> {
    #[cfg(feature = "simulation")]
    if options.sabotage == Some(Sabotage::NoChecksum) {
        return log::scan_unchecked(&**disk, from, recovery);
    }
    let _ = options;
    log::scan(&**disk, from, recovery)
}

fn open_log(
    disk: &Arc<dyn Disk>,
    state: &State,
    options: &Options,
    scanned: Scanned,
) -> Result<(Arc<Log>, LogWriter), StoreError> {
    let State { log_id, segment_bytes, epoch, .. } = *state;
    let log_options = LogOptions { log_id, segment_bytes, epoch, sync: options.sync };
    let (log, writer) = Log::open(disk.clone(), log_options, scanned)?;
    #[cfg(feature = "simulation")]
    let writer = {
        let mut writer = writer;
        options.sabotage.into_iter().for_each(|sabotage| writer.sabotage(sabotage));
        writer
    };
    Ok((log, writer))
}

fn open_cold(disk: &Arc<dyn Disk>, snapshot: &Snapshot) -> Result<HashMap<u64, Arc<ColdSegment>>, OpenError> {
    let open = |(id, bytes): &(u64, u64)| Ok((*id, cold::open_segment(&**disk, *id, *bytes)?));
    snapshot.cold.iter().map(open).collect()
}

pub(super) fn restore(
    snapshot: Snapshot,
    cold: &HashMap<u64, Arc<ColdSegment>>,
) -> Result<HashMap<u64, Backlog>, OpenError> {
    let mut backlogs = HashMap::with_capacity(snapshot.queues.len());
    let mut extents = snapshot.extents.into_iter().peekable();
    for (quid, state) in snapshot.queues {
        let mut backlog = Backlog::restore(&state);
        while let Some((_, first, bytes)) = extents.next_if(|(of, _, _)| *of == quid) {
            if !backlog.restore_extent(&bytes, &|id| cold.get(&id).cloned()) {
                let source = std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    format!("the extent of queue {quid} from message {first} on cannot be read"),
                );
                return Err(StoreError::Io { file: manifest::FILE.to_owned(), source }.into());
            }
        }
        backlogs.insert(quid, backlog);
    }
    Ok(backlogs)
}

/// The calendar's work is done by the thread that waits for the log's.
fn wake_for(calendar: &Calendar, log: &Arc<Log>) {
    let log = Arc::downgrade(log);
    calendar.on_work(move || log.upgrade().iter().for_each(|log| log.ask_for_maintenance()));
}

/// Removes cold segments that the manifest does not name: their making or their end was cut off by a crash.
fn remove_orphans(disk: &Arc<dyn Disk>, cold: &HashMap<u64, Arc<ColdSegment>>) -> Result<usize, StoreError> {
    let mut removed = 0;
    let wanted: BTreeSet<String> = cold.keys().map(|id| cold::file_name(*id)).collect();
    for name in names(disk)? {
        let is_orphan = name.starts_with("cold-") && !wanted.contains(&name) || name == manifest::NEW_FILE;
        if is_orphan {
            disk.remove(&name).map_err(|error| StoreError::of_io(&*name, error))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Tells the log what it cannot know: which queues have something in its segments, and who owns its blobs.
fn hand_over(log: &Log, recovery: &mut Recovery) -> Result<usize, StoreError> {
    for (segment, quid) in std::mem::take(&mut recovery.dirty) {
        log.mark_dirty(segment, quid);
    }
    for blob in recovery.backlogs.values().flat_map(Backlog::blobs) {
        log.register_blob(blob);
    }
    log.remove_orphans()
}

fn report_of(scanned: &Scanned, state: &State, is_new: bool) -> Report {
    Report {
        is_new,
        clean: scanned.clean,
        log_bytes: scanned.end.0.saturating_sub(u64::from(state.log_head) * state.segment_bytes),
        torn_bytes: scanned.torn_bytes,
        damage: scanned.damage.clone(),
        ..Report::default()
    }
}

fn complete(report: &mut Report, recovery: &Recovery, started: Instant) {
    report.messages = recovery.backlogs.values().map(Backlog::len).sum();
    report.queues = recovery.backlogs.values().filter(|backlog| !backlog.is_empty()).count();
    report.records = recovery.records;
    report.duration = started.elapsed();
    if !report.is_new {
        tracing::info!(
            "message store: {} messages in {} queues; {} KiB of log read in {} ms{}",
            report.messages,
            report.queues,
            report.log_bytes >> 10,
            report.duration.as_millis(),
            if report.clean { "" } else { ", it had not been closed" }
        );
    }
}

pub(super) fn manifest_error(error: ManifestError) -> OpenError {
    let file = manifest::FILE.to_owned();
    match error {
        ManifestError::Foreign => OpenError::Foreign { file },
        ManifestError::Newer(found) => OpenError::Newer { file, version: u32::try_from(found).unwrap_or(u32::MAX) },
        other => store_error(other).into(),
    }
}
