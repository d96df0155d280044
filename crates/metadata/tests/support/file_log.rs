//! A log in one file: what a journal over a log needs of it, and no more.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metadata::{ChangeLog, Token};

/// A record, and its position.
pub type Record = (Token, Vec<u8>);

/// Records one after another, each with its length as u32 in front; the position of a record is where it ends.
pub struct FileLog {
    file: File,
    buffer: Mutex<Buffer>,
    durable: AtomicU64,
}

/// What has been appended and not yet written.
struct Buffer {
    bytes: Vec<u8>,
    /// Where the file ends once they are written.
    end: u64,
}

impl FileLog {
    /// Opens or creates the file and reads its records; one that was cut short is cut off.
    pub fn open(path: &Path) -> io::Result<(FileLog, Vec<Record>)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (mut records, mut rest, mut end) = (Vec::new(), &bytes[..], 0);
        while let Some((record, after)) = first(rest) {
            end += (rest.len() - after.len()) as u64;
            records.push((Token(end), record.to_vec()));
            rest = after;
        }
        file.set_len(end)?;
        file.sync_all()?;
        let buffer = Mutex::new(Buffer { bytes: Vec::new(), end });
        Ok((FileLog { file, buffer, durable: AtomicU64::new(end) }, records))
    }

    /// Makes everything durable that has been appended; one thread at a time calls it.
    pub fn sync(&self) -> io::Result<()> {
        let (bytes, end) = {
            let mut buffer = self.buffer();
            (mem::take(&mut buffer.bytes), buffer.end)
        };
        (&self.file).write_all(&bytes)?;
        self.file.sync_data()?;
        self.durable.store(end, Ordering::Release);
        Ok(())
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChangeLog for FileLog {
    fn append(&self, bytes: &[u8]) -> Token {
        let length = u32::try_from(bytes.len()).expect("a record is far below 4 GiB");
        let mut buffer = self.buffer();
        buffer.bytes.extend_from_slice(&length.to_be_bytes());
        buffer.bytes.extend_from_slice(bytes);
        buffer.end += 4 + u64::from(length);
        Token(buffer.end)
    }

    fn durable(&self) -> Token {
        Token(self.durable.load(Ordering::Acquire))
    }
}

/// The first record, and what follows it.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}
