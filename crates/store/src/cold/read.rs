//! Reading messages from log and cold segments into an arena.

use super::source::{LogSource, SourceError};
use super::{ColdSegment, INDEX_ENTRY, Window, file_name, u32_at};
use crate::arena::{Arena, LARGEST_SLICE, Slice};
use crate::backlog::{ColdRead, Read, ReadHint, Region, Slot, SlotFlags, Source};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::{self, Log};
use crate::message::{Message, stored_head_len};
use crate::record::{BLOB, DELIVERED, HEADER, Header, Kind};
use std::io;

/// A message that was read.
#[derive(Debug)]
pub struct Loaded {
    /// Its number.
    pub seq: u64,
    /// The message.
    pub message: Message,
    /// How often it came back after a delivery.
    pub delivery_count: u32,
    /// It may have been delivered before.
    pub redelivered: bool,
}

/// A message that is damaged on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its number.
    pub seq: u64,
    /// Bytes of its body, as far as they are known.
    pub body_len: u32,
}

/// What a read gave.
#[derive(Debug, Default)]
pub struct LoadedRun {
    /// Messages, in order.
    pub loaded: Vec<Loaded>,
    /// What cannot be read.
    pub lost: Vec<Lost>,
    /// For [`crate::Backlog::passed`].
    pub hint: ReadHint,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The messages are only staged: read them again when the log is written.
    #[error("the messages are not written yet")]
    NotWritten,
    /// The messages have moved meanwhile: ask the backlog again.
    #[error("the messages have moved")]
    Moved,
    /// The disk fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads messages. They are always verified but in tests that must fail then.
pub(crate) fn read(
    disk: &dyn Disk,
    log: &Log,
    verify: bool,
    read: &Read,
    arena: &mut Arena,
) -> Result<LoadedRun, ReadError> {
    match &read.0 {
        Source::Log(slots) => read_log(disk, LogSource::new(log, verify), log, slots, arena),
        Source::Cold(read) => read_cold(disk, verify, read, arena),
    }
}

fn read_log(
    disk: &dyn Disk,
    mut source: LogSource<'_>,
    log: &Log,
    slots: &[Slot],
    arena: &mut Arena,
) -> Result<LoadedRun, ReadError> {
    let mut run = LoadedRun::default();
    for (at, slot) in slots.iter().enumerate() {
        let next = slots.get(at + 1).map(|next| next.lsn);
        let record = match source.read(slot.place(), next) {
            Ok(record) => Some(record),
            Err(SourceError::Damaged) => None,
            // What came before is worth having.
            Err(_) if !run.loaded.is_empty() || !run.lost.is_empty() => break,
            Err(SourceError::NotWritten) => return Err(ReadError::NotWritten),
            Err(SourceError::Gone) => return Err(ReadError::Moved),
            Err(SourceError::Io(error, file)) => return Err(StoreError::of_io(file, error).into()),
        };
        match record.and_then(|record| load(disk, record.header.flags, record.payload, arena)) {
            Some(message) => run.loaded.push(Loaded {
                seq: slot.seq,
                message,
                delivery_count: u32::from(slot.delivery_count),
                redelivered: slot.delivery_count > 0 || slot.flags.has(SlotFlags::DELIVERED),
            }),
            None => {
                let (segment, offset) = (log.segment_of(slot.lsn), slot.lsn.0 % log.segment_bytes());
                tracing::error!("message {} is damaged: log segment {segment}, byte {offset}", slot.seq);
                run.lost.push(Lost { seq: slot.seq, body_len: slot.body_len });
            }
        }
    }
    Ok(run)
}

fn read_cold(disk: &dyn Disk, verify: bool, read: &ColdRead, arena: &mut Arena) -> Result<LoadedRun, ReadError> {
    let ColdRead { segment, region, wanted, from_entry } = read;
    let failed = |error| ReadError::Store(StoreError::of_io(file_name(segment.id()), error));
    let mut index = segment.window(verify);
    let mut records = segment.window(verify);
    let mut shared = segment.window(verify);
    let mut run = LoadedRun::default();
    let first = wanted.first().map_or(0, |(seq, _)| *seq);
    let mut entry = find_entry(&mut index, *region, first, *from_entry).map_err(failed)?;
    for &(seq, count) in wanted {
        let mut found = None;
        while entry < region.count {
            let (at, offset) = index_entry(&mut index, *region, entry).map_err(failed)?;
            if at >= seq {
                found = (at == seq).then_some(offset);
                break;
            }
            entry += 1;
        }
        let loaded = match found {
            Some(offset) => {
                load_cold(disk, segment, offset, seq, (&mut records, &mut shared), arena).map_err(failed)?
            }
            None => None,
        };
        match loaded {
            Some((header, message)) => run.loaded.push(Loaded {
                seq,
                message,
                delivery_count: u32::from(count.unwrap_or(header.delivery_count)),
                redelivered: count.unwrap_or(header.delivery_count) > 0 || header.flags & DELIVERED != 0,
            }),
            None => {
                let (file, offset) = (file_name(segment.id()), found.unwrap_or(region.offset));
                tracing::error!("message {seq} is damaged: {file}, byte {offset}");
                run.lost.push(Lost { seq, body_len: 0 });
            }
        }
        run.hint = ReadHint { first: region.first, seq: seq + 1, entry };
    }
    Ok(run)
}

/// Number and offset in the file of an entry of a region's index.
pub(crate) fn index_entry(index: &mut Window, region: Region, entry: u32) -> io::Result<(u64, u64)> {
    let bytes = index.read(region.offset + u64::from(entry) * INDEX_ENTRY, INDEX_ENTRY as usize)?;
    Ok((region.first + u64::from(u32_at(bytes, 0)), region.offset + u64::from(u32_at(bytes, 4))))
}

/// The first entry at or after `seq`: near where the last read ended, or wherever it is.
fn find_entry(index: &mut Window, region: Region, seq: u64, hint: u32) -> io::Result<u32> {
    if hint < region.count && index_entry(index, region, hint)?.0 <= seq {
        return Ok(hint);
    }
    let (mut low, mut high) = (0, region.count);
    while low < high {
        let middle = low + (high - low) / 2;
        if index_entry(index, region, middle)?.0 < seq {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The record at an offset, if it holds.
pub(crate) fn record_at(window: &mut Window, offset: u64) -> io::Result<Option<(Header, &[u8])>> {
    let verify = window.verify;
    let head = match window.read(offset, HEADER) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        head => head?,
    };
    let Some(head) = head.first_chunk::<HEADER>() else { return Ok(None) };
    let header = Header::from_bytes(head);
    let record = match window.read(offset, HEADER + header.payload_len as usize) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        record => record?,
    };
    let payload = &record[HEADER..];
    Ok((!verify || header.holds(payload)).then_some((header, payload)))
}

fn load_cold(
    disk: &dyn Disk,
    segment: &ColdSegment,
    offset: u64,
    seq: u64,
    windows: (&mut Window, &mut Window),
    arena: &mut Arena,
) -> io::Result<Option<(Header, Message)>> {
    let (records, shared) = windows;
    let Some((header, payload)) = record_at(records, offset)? else { return Ok(None) };
    // Else a damaged index would make one message another.
    if header.index != seq {
        return Ok(None);
    }
    if header.kind == Kind::Message as u8 {
        return Ok(load(disk, header.flags, payload, arena).map(|message| (header, message)));
    }
    let Some(route) = log::read_route(payload).filter(|route| route.body.lsn.0 < segment.bytes()) else {
        return Ok(None);
    };
    let Some((body, payload)) = record_at(shared, route.body.lsn.0)? else { return Ok(None) };
    Ok(load(disk, body.flags, payload, arena).map(|message| (header, message)))
}

/// The message in a record; `None` when it or its body's own file is damaged.
fn load(disk: &dyn Disk, flags: u8, payload: &[u8], arena: &mut Arena) -> Option<Message> {
    if flags & BLOB != 0 {
        let (head, end) = payload.split_last_chunk::<12>()?;
        let [id @ .., c0, c1, c2, c3] = *end;
        let mut pieces: Vec<Slice> = Vec::new();
        let read = log::read_blob(disk, u64::from_le_bytes(id), u32::from_le_bytes([c0, c1, c2, c3]), &mut |piece| {
            pieces.push(arena.append([piece]));
        });
        if let Err(error) = read {
            tracing::error!("{error}");
            return None;
        }
        return Message::from_stored_pieces(arena.append([head]), pieces);
    }
    if payload.len() <= LARGEST_SLICE {
        return Message::from_stored(arena.append([payload]));
    }
    let (head, body) = payload.split_at_checked(stored_head_len(payload)?)?;
    let pieces = body.chunks(LARGEST_SLICE).map(|piece| arena.append([piece])).collect();
    Message::from_stored_pieces(arena.append([head]), pieces)
}
