//! From what a scan found to a log that can be appended to.
//!
//! What is done here may be cut off by a crash at any moment and is then done again: the same bytes are written in the
//! same places, and what is removed did not count before.

use super::batch::PAGE;
use super::bell::Bell;
use super::scan::Scanned;
use super::segment::{Pool, Segment, file_header};
use super::staging::Staging;
use super::{Log, LogOptions, LogWriter};
use crate::disk::{Disk, DiskFile};
use crate::error::StoreError;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex};

/// What the first file of a log begins with: starting must not wait for 64 MiB of zeros.
const FIRST_BYTES: u64 = 1 << 20;
const PIECE: usize = 1 << 20;

pub(super) fn open(
    disk: Arc<dyn Disk>,
    options: LogOptions,
    mut scanned: Scanned,
) -> Result<(Arc<Log>, LogWriter), StoreError> {
    let from = scanned.from;
    assert_eq!((options.log_id, options.segment_bytes), (from.log_id, from.segment_bytes), "the log that was scanned");
    assert!(options.epoch > scanned.epoch, "every run has a higher epoch than all before");
    remove_beyond(&*disk, &mut scanned)?;
    settle_tail(&scanned, options)?;
    let (pool, active) = open_pool(&disk, options, &mut scanned)?;
    let log = Arc::new(Log {
        staging: Mutex::new(Staging::new(options.segment_bytes, scanned.end)),
        pool,
        bell: Bell::default(),
        disk: disk.clone(),
        log_id: options.log_id,
        segment_bytes: options.segment_bytes,
        segment_shift: options.segment_bytes.trailing_zeros(),
        blob_bytes: (options.segment_bytes / 8).min(1 << 20),
        written: AtomicU64::new(scanned.end.0),
        durable: AtomicU64::new(scanned.end.0),
        staged_end: AtomicU64::new(scanned.end.0),
        staged_bytes: AtomicUsize::new(0),
        staged_blob_bytes: AtomicU64::new(0),
        free_bytes: AtomicU64::new(0),
        stalled: AtomicBool::new(false),
        fenced: AtomicBool::new(false),
        keeps_blobs: AtomicBool::new(false),
        // No transaction of an earlier epoch has this id: one that was never committed must stay so.
        transactions: AtomicU64::new(u64::from(options.epoch) << 40),
        maintenance: Mutex::new(false),
        maintenance_due: Condvar::new(),
    });
    log.measure_space();
    let writer = LogWriter::new(log.clone(), disk, options.epoch, options.sync, active, scanned.previous, scanned.end);
    Ok((log, writer))
}

/// Removes the segments behind the end of the log. They are not used again: whatever batches are in there must never be
/// found behind a later break.
fn remove_beyond(disk: &dyn Disk, scanned: &mut Scanned) -> Result<(), StoreError> {
    let beyond = scanned.take_beyond();
    for slot in &beyond {
        disk.remove(&slot.name()).map_err(|error| StoreError::of_io(slot.name(), error))?;
    }
    if !beyond.is_empty() {
        disk.sync_names().map_err(|error| StoreError::of_io("the message directory", error))?;
    }
    Ok(())
}

/// The segments and files that there are, and the segment that the log goes on in, if it ends within one.
fn open_pool(
    disk: &Arc<dyn Disk>,
    options: LogOptions,
    scanned: &mut Scanned,
) -> Result<(Pool, Option<Arc<Segment>>), StoreError> {
    let live: VecDeque<Arc<Segment>> =
        scanned.catalog.segments.iter().map(|(number, slot)| Arc::new(Segment::new(*number, slot.clone()))).collect();
    let in_segment = scanned.end.0 % options.segment_bytes > PAGE;
    let end_segment = (scanned.end.0 / options.segment_bytes) as u32;
    let next_segment = end_segment + u32::from(in_segment);
    let active = live.back().filter(|_| in_segment).cloned();
    assert!(active.as_ref().is_none_or(|active| active.number == end_segment), "the log ends in its last segment");
    let (free, next_slot) = (std::mem::take(&mut scanned.catalog.free), scanned.catalog.next_slot);
    let ready = free.len();
    let pool = Pool::new(disk.clone(), options.log_id, options.segment_bytes, live, free, next_slot, next_segment);
    if active.is_none() && ready == 0 {
        match pool.make_one(FIRST_BYTES) {
            Err(error) if !error.is_no_space() => return Err(error),
            _ => {} // Without space the log is full from the start, and tries again.
        }
    }
    Ok((pool, active))
}

/// Makes durable what was read but may only be in the page cache, and wipes what lies behind the end.
///
/// Rewritten, not only synced: after a sync that failed in the run before, the pages count as clean, and another sync
/// would confirm what never reached the disk.
fn settle_tail(scanned: &Scanned, options: LogOptions) -> Result<(), StoreError> {
    for (number, slot) in &scanned.catalog.segments {
        let base = u64::from(*number) * options.segment_bytes;
        let from = scanned.durable.0.max(base) & !(PAGE - 1);
        let end = scanned.end.0.min(base + options.segment_bytes).next_multiple_of(PAGE);
        let is_last = scanned.end.0 / options.segment_bytes == u64::from(*number);
        let has_tail = from < end && scanned.durable < scanned.end;
        let has_left_over = is_last && !scanned.left_over.is_empty();
        if !has_tail && !has_left_over {
            continue;
        }
        let settle = || -> io::Result<()> {
            if has_tail {
                rewrite(&*slot.file, from - base, end - base)?;
                // The header may be that of the slot's segment before: it was written with the first batch.
                slot.file.write_at(&file_header(options.log_id, options.segment_bytes, *number), 0)?;
            }
            if is_last {
                // They are no part of the log now, but could look so behind a break that comes later.
                for at in &scanned.left_over {
                    slot.file.write_at(&[0; PAGE as usize], at - base)?;
                }
            }
            slot.file.sync()
        };
        settle().map_err(|error| StoreError::of_io(slot.name(), error))?;
    }
    Ok(())
}

fn rewrite(file: &dyn DiskFile, from: u64, end: u64) -> io::Result<()> {
    let end = end.min(file.len()?);
    let mut buffer = vec![0; PIECE.min((end.saturating_sub(from)) as usize)];
    let mut at = from;
    while at < end {
        let piece = buffer.len().min((end - at) as usize);
        file.read_exact_at(&mut buffer[..piece], at)?;
        file.write_at(&buffer[..piece], at)?;
        at += piece as u64;
    }
    Ok(())
}
