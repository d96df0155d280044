//! Looking at the files without a change.

use super::file::{self, Blocks, Header, file_name, file_number};
use crate::disk::Disk;
use crate::error::{OpenError, StoreError};

/// Verifies every block; how many files and entries there are. Each problem is a line.
pub(crate) fn verify(disk: &dyn Disk, log_id: u64, problem: &mut dyn FnMut(String)) -> Result<(usize, u64), OpenError> {
    let (mut files, mut entries) = (0, 0);
    for number in numbers(disk)? {
        files += 1;
        if let Err(error) = each_block(disk, log_id, number, &mut |block| match block {
            Found::Block(_, count) => entries += count,
            Found::NoHeader => problem(format!("{} has no whole header", file_name(number))),
            Found::Damage(bytes) => problem(format!("{} has {bytes} bytes that are no entries", file_name(number))),
            Found::Span(..) => {}
        }) {
            problem(error.to_string());
        }
    }
    Ok((files, entries))
}

/// Writes a line per file and block.
pub(crate) fn dump(
    disk: &dyn Disk,
    log_id: u64,
    line: &mut dyn FnMut(String) -> std::io::Result<()>,
) -> Result<(), OpenError> {
    let output = |source| StoreError::Io { file: "output".to_owned(), source };
    for number in numbers(disk)? {
        let mut lines = Vec::new();
        each_block(disk, log_id, number, &mut |found| {
            lines.push(match found {
                Found::Span(from, to) => format!("{} from {from} to {to}", file_name(number)),
                Found::NoHeader => format!("{} without a header", file_name(number)),
                Found::Block(offset, count) => format!("{offset} {count} entries"),
                Found::Damage(bytes) => format!("damage {bytes} bytes"),
            });
        })?;
        lines.into_iter().try_for_each(&mut *line).map_err(output)?;
    }
    Ok(())
}

enum Found {
    Span(u64, u64),
    NoHeader,
    Block(u64, u64),
    Damage(u64),
}

fn numbers(disk: &dyn Disk) -> Result<Vec<u64>, StoreError> {
    let names = disk.names().map_err(|error| StoreError::of_io("the message store's directory", error))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| file_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn each_block(disk: &dyn Disk, log_id: u64, number: u64, found: &mut dyn FnMut(Found)) -> Result<(), OpenError> {
    let io = |error| StoreError::of_io(file_name(number), error);
    let file = disk.open(&file_name(number)).map_err(io)?;
    let len = file.len().map_err(io)?;
    found(match file::read_header(&*file, log_id, number)? {
        Header::Whole(span) => Found::Span(span.from_ms, span.to_ms),
        Header::Broken => Found::NoHeader,
    });
    let mut blocks = Blocks::new(&*file, number, file::HEADER, len);
    loop {
        let (mut count, offset) = (0, blocks.offset());
        let more = blocks.next(|_| count += 1)?;
        if !more {
            break;
        }
        found(Found::Block(offset, count));
    }
    if blocks.damaged_bytes > 0 {
        found(Found::Damage(blocks.damaged_bytes));
    }
    Ok(())
}
