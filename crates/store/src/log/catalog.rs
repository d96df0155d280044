//! Which file has which segment, after a crash at any moment.

use super::batch::{BATCH_HEADER, BatchHeader, PAGE};
use super::payload::u32_at;
use super::scan::ScanFrom;
use super::segment::{MAGIC, Slot, VERSION, file_header, read_file_header, slot_name, slot_of};
use super::window::Window;
use crate::disk::Disk;
use crate::error::{OpenError, StoreError};
use std::collections::BTreeMap;

/// The files of a log.
pub(super) struct Catalog {
    /// By segment number, those from the head on.
    pub(super) segments: BTreeMap<u32, Slot>,
    /// Without a segment that counts.
    pub(super) free: Vec<Slot>,
    /// With the same segment as another: from before the log was cut.
    pub(super) stale: Vec<Slot>,
    pub(super) next_slot: u32,
}

/// Makes a file for a segment that has none, with nothing in it but its header.
///
/// # Errors
/// When the file cannot be written.
pub fn make_empty(disk: &dyn Disk, from: ScanFrom, segment: u32) -> Result<(), StoreError> {
    let names = disk.names().map_err(|error| StoreError::of_io("the message directory", error))?;
    let last = names.iter().filter_map(|name| slot_of(name)).max();
    let name = slot_name(last.map_or(0, |last| last.saturating_add(1)));
    let made = disk.create(&name).and_then(|file| {
        file.write_at(&file_header(from.log_id, from.segment_bytes, segment), 0)?;
        file.sync()?;
        disk.sync_names()
    });
    made.map_err(|error| StoreError::of_io(name, error))
}

struct Claim {
    slot: Slot,
    number: u32,
    /// Epoch of the first batch, if that is whole.
    epoch: u32,
}

impl Catalog {
    pub(super) fn read(disk: &dyn Disk, from: ScanFrom) -> Result<Catalog, OpenError> {
        let names = disk.names().map_err(|error| StoreError::of_io("the message directory", error))?;
        let mut slots: Vec<u32> = names.iter().filter_map(|name| slot_of(name)).collect();
        slots.sort_unstable();
        let next_slot = slots.last().map_or(0, |last| last.saturating_add(1));
        let mut catalog = Catalog { segments: BTreeMap::new(), free: Vec::new(), stale: Vec::new(), next_slot };
        let mut claims: BTreeMap<u32, Claim> = BTreeMap::new();
        for slot in slots {
            let claim = read_claim(disk, slot, from)?;
            if claim.number < from.head {
                catalog.free.push(claim.slot);
            } else if let Some(other) = claims.remove(&claim.number) {
                let (newer, older) = if claim.epoch > other.epoch { (claim, other) } else { (other, claim) };
                catalog.stale.push(older.slot);
                claims.insert(newer.number, newer);
            } else {
                claims.insert(claim.number, claim);
            }
        }
        catalog.segments = claims.into_iter().map(|(number, claim)| (number, claim.slot)).collect();
        Ok(catalog)
    }
}

/// Which segment a file has.
///
/// Its header is written together with the first batch, and a power cut can keep either without the other: a whole first
/// batch of a segment that counts decides, then the header. (An old first batch is of a segment below the head, because
/// only such segments are recycled.)
fn read_claim(disk: &dyn Disk, slot: u32, from: ScanFrom) -> Result<Claim, OpenError> {
    let name = slot_name(slot);
    let file = disk.open(&name).map_err(|error| StoreError::of_io(&*name, error))?;
    let filled_bytes = file.len().map_err(|error| StoreError::of_io(&*name, error))?.min(from.segment_bytes);
    let mut window = Window::default();
    window.open(file.clone());
    let header = *window.read(0, 36).first_chunk::<36>().unwrap_or(&[0; 36]);
    let first = first_batch(&mut window, from);
    let slot = Slot { number: slot, file, filled_bytes };
    if let Some(first) = first
        && first.segment >= from.head
    {
        return Ok(Claim { slot, number: first.segment, epoch: first.epoch });
    }
    // What cannot be read is no reason to take the file for a free one.
    if let Some((_, error)) = window.failed.take_if(|(at, _)| *at == 0) {
        return Err(StoreError::of_io(name, error).into());
    }
    // An empty header is that of a file whose creation was cut off. Anything else must be ours before it is touched.
    let number = match read_file_header(&header) {
        Some(_) if u32_at(&header, 8) > VERSION => {
            return Err(OpenError::Newer { file: name, version: u32_at(&header, 8) });
        }
        Some(ours) if ours.log_id == from.log_id && ours.segment_bytes == from.segment_bytes => ours.number,
        Some(_) => return Err(OpenError::Foreign { file: name }),
        None if header[0..8] == MAGIC || header == [0; 36] || first.is_some() => {
            any_batch(&mut window, from).unwrap_or(0)
        }
        None => return Err(OpenError::Foreign { file: name }),
    };
    Ok(Claim { slot, number, epoch: 0 })
}

/// The segment that any batch in the file is of: when its header is damaged and the first batch too, the others must not
/// be overwritten.
fn any_batch(window: &mut Window, from: ScanFrom) -> Option<u32> {
    (1..from.segment_bytes / PAGE).find_map(|page| {
        let header = BatchHeader::from_bytes(window.read(page * PAGE, BATCH_HEADER))?;
        let first = u64::from(header.segment) * from.segment_bytes + page * PAGE;
        (header.log_id == from.log_id && header.first == first && header.segment >= from.head).then_some(header.segment)
    })
}

fn first_batch(window: &mut Window, from: ScanFrom) -> Option<BatchHeader> {
    let header = BatchHeader::from_bytes(window.read(PAGE, BATCH_HEADER))?;
    let first = u64::from(header.segment) * from.segment_bytes + PAGE;
    let len = header.len as usize;
    let ours = header.log_id == from.log_id && header.first == first && len as u64 <= from.segment_bytes - PAGE;
    (ours && header.holds(window.read(PAGE, len), true)).then_some(header)
}
