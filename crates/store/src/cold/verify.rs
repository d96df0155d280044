//! Looking at every byte of a cold segment, for `check` and `dump`.

use super::read::record_at;
use super::{ColdSegment, INDEX_ENTRY, file_name, index_entry, open_segment};
use crate::backlog::Region;
use crate::disk::Disk;
use crate::error::OpenError;
use crate::log;
use crate::record::{Header, Kind};
use std::io;

/// Calls `problem` with a line for each thing that is wrong.
pub(crate) fn verify(segment: &ColdSegment, problem: &mut dyn FnMut(String)) {
    let name = file_name(segment.id());
    let directory = match segment.directory() {
        Ok(directory) => directory,
        Err(error) => return problem(error.to_string()),
    };
    for entry in directory {
        let mut index = segment.window(true);
        let len = (u64::from(entry.region.count) * INDEX_ENTRY) as usize;
        match index.read(entry.region.offset, len) {
            Ok(bytes) if crc32fast::hash(bytes) == entry.index_crc => {}
            Ok(_) => problem(format!("{name}: the index of queue {} is damaged", entry.quid)),
            Err(error) => problem(format!("{name}: {error}")),
        }
        let mut on_record = |seq, found: Option<(Header, usize)>| {
            if found.is_none_or(|(header, _)| header.index != seq || header.group != entry.quid) {
                problem(format!("{name}: message {seq} of queue {} is damaged", entry.quid));
            }
            Ok(())
        };
        if let Err(error) = each_record(segment, entry.region, &mut on_record) {
            problem(format!("{name}: {error}"));
        }
    }
}

/// Calls `f` with the number of each message of a region and its record, if that and the body it refers to hold.
fn each_record(
    segment: &ColdSegment,
    region: Region,
    f: &mut dyn FnMut(u64, Option<(Header, usize)>) -> io::Result<()>,
) -> io::Result<()> {
    let window = || segment.window(true);
    let (mut index, mut records, mut shared) = (window(), window(), window());
    for entry in 0..region.count {
        let (seq, offset) = index_entry(&mut index, region, entry)?;
        let found = match record_at(&mut records, offset)? {
            Some((header, payload)) if header.kind == Kind::Route as u8 => match log::read_route(payload) {
                Some(route) => record_at(&mut shared, route.body.lsn.0)?.map(|(_, payload)| (header, payload.len())),
                None => None,
            },
            found => found.map(|(header, payload)| (header, payload.len())),
        };
        f(seq, found)?;
    }
    Ok(())
}

/// Calls `say` with a line per message.
pub(crate) fn dump(
    disk: &dyn Disk,
    id: u64,
    bytes: u64,
    say: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<(), OpenError> {
    let segment = open_segment(disk, id, bytes)?;
    let directory = segment.directory()?;
    for entry in directory {
        let mut on_record = |seq, found: Option<(Header, usize)>| match found {
            Some((header, len)) => say(&format!("{} queue {} {seq} {len} bytes", Kind::name(header.kind), entry.quid)),
            None => say(&format!("damaged queue {} {seq}", entry.quid)),
        };
        each_record(&segment, entry.region, &mut on_record)
            .map_err(|error| crate::error::StoreError::of_io(file_name(id), error))?;
    }
    Ok(())
}
