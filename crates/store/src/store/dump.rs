//! Everything that the files say, a line per record, for people.

use super::open::{manifest_error, scan_from};
use crate::calendar;
use crate::cold;
use crate::disk::Disk;
use crate::error::{OpenError, StoreError};
use crate::log::{self, Damage, ScannedRecord, Visitor};
use crate::manifest::{self, Manifest, Snapshot};
use crate::record::{BLOB, DELIVERED, Kind, TRANSIENT};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

/// Writes what the files of a store say: the manifest, then the log and the cold segments record by record. Bodies are
/// given by their length. Changes nothing.
///
/// # Errors
/// When a file is not ours or cannot be read, or `out` cannot be written.
pub fn dump(disk: &Arc<dyn Disk>, out: &mut dyn Write) -> Result<(), OpenError> {
    let Some(snapshot) = Manifest::read(&**disk).map_err(manifest_error)? else {
        return say(out, "there is no message store");
    };
    dump_manifest(&snapshot, out)?;
    let state = &snapshot.state;
    let from = scan_from(state);
    let scanned = log::scan(&**disk, from, &mut Lines { out, failed: None })?;
    let ending = if scanned.clean { "in good order" } else { "without having been closed" };
    say(out, &format!("log ends at {} {ending}, {} bytes torn", scanned.end.0, scanned.torn_bytes))?;
    for (id, bytes) in &snapshot.cold {
        say(out, &format!("{} {bytes} bytes", cold::file_name(*id)))?;
        cold::dump(&**disk, *id, *bytes, &mut |line| writeln!(out, "{line}"))?;
    }
    calendar::dump(&**disk, state.log_id, &mut |line| writeln!(out, "{line}"))
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), OpenError> {
    writeln!(out, "{line}").map_err(|source| StoreError::Io { file: "output".to_owned(), source }.into())
}

fn dump_manifest(snapshot: &Snapshot, out: &mut dyn Write) -> Result<(), OpenError> {
    let state = &snapshot.state;
    say(
        out,
        &format!(
            "{} log {:016x} segments of {} bytes from {} on, epoch {}, next cold segment {}",
            manifest::FILE,
            state.log_id,
            state.segment_bytes,
            state.log_head,
            state.epoch,
            state.next_cold
        ),
    )?;
    for (quid, queue) in &snapshot.queues {
        say(
            out,
            &format!(
                "queue {quid} retired below {}, next {}, delivered below {}, {} blobs",
                queue.retired,
                queue.next_seq,
                queue.delivered_below,
                queue.blobs.len()
            ),
        )?;
    }
    for (quid, first, extent) in &snapshot.extents {
        say(out, &format!("extent queue {quid} from {first} on, {} bytes", extent.len()))?;
    }
    Ok(())
}

/// Writes a line per record of the log.
struct Lines<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Visitor for Lines<'_> {
    fn record(&mut self, record: &ScannedRecord<'_>) -> Result<(), OpenError> {
        say(self.out, &line(record))
    }

    /// Shown as any other: who dumps wants to see it.
    fn unknown(&mut self, record: &ScannedRecord<'_>) -> Result<(), OpenError> {
        say(self.out, &line(record))
    }

    fn damage(&mut self, damage: Damage) {
        let Damage { segment, offset, bytes } = damage;
        if let Err(error) = writeln!(self.out, "damage segment {segment} offset {offset}: {bytes} bytes") {
            self.failed = Some(error);
        }
    }
}

fn line(record: &ScannedRecord<'_>) -> String {
    let header = record.header;
    let mut line = format!("{} {}", record.lsn.0, Kind::name(header.kind));
    if header.group != 0 {
        let _ = write!(line, " queue {} {}", header.group, header.index);
    }
    let _ = match Kind::from_number(header.kind) {
        Some(Kind::Route) => log::read_route(record.payload).map(|route| write!(line, " body at {}", route.body.lsn.0)),
        Some(Kind::Settle) => {
            let mut count = 0;
            let read = log::read_settle(header.index, record.payload, |_, _| count += 1);
            read.map(|()| write!(line, " {count} messages"))
        }
        Some(Kind::SettleRange) => log::read_settle_range(header.index, record.payload)
            .map(|(last, except)| write!(line, " to {last} but {}", except.len())),
        Some(Kind::Requeue) => Some(write!(line, " delivered {} times", header.delivery_count)),
        Some(Kind::Timer) => {
            record.payload.first_chunk::<8>().map(|due_ms| write!(line, " due {}", u64::from_le_bytes(*due_ms)))
        }
        Some(Kind::Delivered | Kind::CleanEnd) => None,
        _ => Some(write!(line, " {} bytes", record.payload.len())),
    };
    if let Some(tx) = record.tx {
        let _ = write!(line, " tx {}", tx.0);
    }
    for (flag, name) in [(DELIVERED, "delivered"), (TRANSIENT, "transient"), (BLOB, "blob")] {
        if header.flags & flag != 0 {
            let _ = write!(line, " {name}");
        }
    }
    line
}
