//! Reading messages from log and cold segments into an arena.

use super::source::{LogSource, SourceError};
use super::{ColdSegment, Locator, Window, file_name};
use crate::arena::{Arena, LARGEST_SLICE, Slice};
use crate::backlog::{ColdRead, Passed, Read, ReadHint, Slot, SlotFlags, Source};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::{self, Log};
use crate::message::{Message, stored_head_len};
use crate::record::{BLOB, DELIVERED, HEADER, Header, Kind};
use std::io;

/// Larger bodies are in files of their own.
const LARGEST_PAYLOAD: u32 = 2 << 20;

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
        let message = match record.map_or(Ok(None), |record| load(disk, record.header.flags, record.payload, arena)) {
            Err(_) if !run.loaded.is_empty() || !run.lost.is_empty() => break,
            message => message?,
        };
        match message {
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

pub(super) fn read_cold(
    disk: &dyn Disk,
    verify: bool,
    read: &ColdRead,
    arena: &mut Arena,
) -> Result<LoadedRun, ReadError> {
    let ColdRead { segment, region, wanted, from_entry, most_bytes } = read;
    let failed = |error| ReadError::Store(StoreError::of_io(file_name(segment.id()), error));
    let (mut records, mut shared) = (segment.window(verify), segment.window(verify));
    let (mut run, mut bytes) = (LoadedRun::default(), 0);
    let first = wanted.first().map_or(0, |(seq, _)| *seq);
    let is_wanted = |seq: u64| wanted.binary_search_by_key(&seq, |(seq, _)| *seq).is_ok();
    let mut locator = Locator::new(segment, *region, (first, *from_entry), &is_wanted).map_err(failed)?;
    for &(seq, count) in wanted {
        let found = locator.locate(seq, &mut records).map_err(failed)?;
        let loaded = match found {
            Some(offset) => load_cold(disk, segment, offset, (&mut records, &mut shared), arena)?,
            None => None,
        };
        match loaded {
            Some((header, message)) => {
                bytes += message.memory();
                let delivery_count = u32::from(count.unwrap_or(header.delivery_count));
                let redelivered = delivery_count > 0 || header.flags & DELIVERED != 0;
                run.loaded.push(Loaded { seq, message, delivery_count, redelivered });
            }
            None => {
                let offset = found.map_or_else(|| locator.find(seq), |offset| Ok(Some(offset))).map_err(failed)?;
                let (file, at) = (file_name(segment.id()), offset.unwrap_or(region.offset));
                tracing::error!("message {seq} is damaged: {file}, byte {at}");
                let body_len = offset.map_or(Ok(None), |offset| lost_body_len(&mut records, offset, seq));
                run.lost.push(Lost { seq, body_len: body_len.map_err(failed)?.unwrap_or(0) });
            }
        }
        run.hint = ReadHint(Some(Passed { first: region.first, seq: seq + 1, entry: locator.entry() }));
        if bytes >= *most_bytes {
            break;
        }
    }
    Ok(run)
}

/// The record at an offset, if it holds.
pub(crate) fn record_at(window: &mut Window, offset: u64) -> io::Result<Option<(Header, &[u8])>> {
    let verify = window.verify;
    Ok(unverified_at(window, offset)?.filter(|(header, payload)| !verify || header.holds(payload)))
}

/// How long the body of a message is whose record, or whose body's record, does not hold: mostly it is the body that is
/// damaged, and the lengths still agree with one another.
fn lost_body_len(records: &mut Window, offset: u64, seq: u64) -> io::Result<Option<u32>> {
    let Some((header, payload)) = unverified_at(records, offset)? else { return Ok(None) };
    if header.index != seq {
        return Ok(None);
    }
    if header.kind == Kind::Route as u8 {
        return Ok(log::read_route(payload).map(|route| route.body_len));
    }
    let body_len = payload.get(16..20).and_then(|len| len.try_into().ok()).map(u32::from_le_bytes);
    let behind_head = stored_head_len(payload).and_then(|head| payload.len().checked_sub(head));
    let is_blob = header.flags & BLOB != 0;
    Ok(body_len.filter(|len| behind_head == Some(if is_blob { 12 } else { *len as usize })))
}

/// What would be the record at an offset.
fn unverified_at(window: &mut Window, offset: u64) -> io::Result<Option<(Header, &[u8])>> {
    let head = match window.read(offset, HEADER) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        head => head?,
    };
    let Some(head) = head.first_chunk::<HEADER>() else { return Ok(None) };
    let header = Header::from_bytes(head);
    // Not as much memory as a damaged length asks for.
    if header.payload_len > LARGEST_PAYLOAD {
        return Ok(None);
    }
    let record = match window.read(offset, HEADER + header.payload_len as usize) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        record => record?,
    };
    Ok(Some((header, &record[HEADER..])))
}

fn load_cold(
    disk: &dyn Disk,
    segment: &ColdSegment,
    offset: u64,
    (records, shared): (&mut Window, &mut Window),
    arena: &mut Arena,
) -> Result<Option<(Header, Message)>, StoreError> {
    let failed = |error| StoreError::of_io(file_name(segment.id()), error);
    // It holds: whoever found it has seen that, and its bytes are still in the window.
    let Some((header, payload)) = unverified_at(records, offset).map_err(failed)? else { return Ok(None) };
    if header.kind == Kind::Message as u8 {
        return Ok(load(disk, header.flags, payload, arena)?.map(|message| (header, message)));
    }
    let Some(route) = log::read_route(payload).filter(|_| header.kind == Kind::Route as u8) else { return Ok(None) };
    let Some((body, payload)) = record_at(shared, route.body.lsn.0).map_err(failed)? else { return Ok(None) };
    if body.kind != Kind::Message as u8 || body.group != 0 {
        return Ok(None);
    }
    Ok(load(disk, body.flags, payload, arena)?.map(|message| (header, message)))
}

/// The message in a record; `None` when it or its body's own file is damaged.
///
/// # Errors
/// When the body's own file cannot be read now. That must not be taken for damage: with too many files open it would
/// lose what is there.
fn load(disk: &dyn Disk, flags: u8, payload: &[u8], arena: &mut Arena) -> Result<Option<Message>, StoreError> {
    if flags & BLOB != 0 {
        return load_blob(disk, payload, arena);
    }
    if payload.len() <= LARGEST_SLICE {
        return Ok(Message::from_stored(arena.append([payload])));
    }
    let Some((head, body)) = stored_head_len(payload).and_then(|head| payload.split_at_checked(head)) else {
        return Ok(None);
    };
    let pieces = body.chunks(LARGEST_SLICE).map(|piece| arena.append([piece])).collect();
    Ok(Message::from_stored_pieces(arena.append([head]), pieces))
}

fn load_blob(disk: &dyn Disk, payload: &[u8], arena: &mut Arena) -> Result<Option<Message>, StoreError> {
    let Some((head, end)) = payload.split_last_chunk::<12>().filter(|(head, _)| head.len() <= LARGEST_SLICE) else {
        return Ok(None);
    };
    let [id @ .., c0, c1, c2, c3] = *end;
    let mut pieces: Vec<Slice> = Vec::new();
    let read = log::read_blob(disk, u64::from_le_bytes(id), u32::from_le_bytes([c0, c1, c2, c3]), &mut |piece| {
        pieces.push(arena.append([piece]));
    });
    match read {
        Ok(()) => Ok(Message::from_stored_pieces(arena.append([head]), pieces)),
        Err(StoreError::Io { source, .. }) if source.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::of_io(log::blob_name(u64::from_le_bytes(id)), source))
        }
        Err(error) => {
            tracing::error!("{error}");
            Ok(None)
        }
    }
}
