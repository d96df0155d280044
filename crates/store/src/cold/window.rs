//! Reading a file forwards, in pieces that are larger than what is asked for: small ones where reads jump, larger ones as
//! they go on.

use crate::disk::DiskFile;
use std::io;
use std::sync::Arc;

/// How much is read at once, at most: when more is likely to be asked for.
const WINDOW: usize = 256 << 10;
/// The same where nothing was read right before. Messages that are wanted one here, one there would else have most of the
/// file read for each of them.
const FIRST: usize = 1 << 10;
/// By so much pieces grow while reads go on.
const GROWTH: usize = 4;

/// A part of a file in memory.
pub(crate) struct Window {
    file: Arc<dyn DiskFile>,
    end: u64,
    bytes: Vec<u8>,
    start: u64,
    /// How much to read at once where the window ends.
    piece: usize,
    /// False only in tests that must fail then.
    pub(super) verify: bool,
}

impl Window {
    /// A window on a file of which the bytes below `end` may be read.
    pub(crate) fn new(file: Arc<dyn DiskFile>, end: u64, verify: bool) -> Window {
        Window { file, end, bytes: Vec::new(), start: 0, piece: FIRST, verify }
    }

    /// These bytes of the file; [`io::ErrorKind::UnexpectedEof`] when it ends before.
    pub(crate) fn read(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.end).ok_or(io::ErrorKind::UnexpectedEof)?;
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            let goes_on = (self.start..=self.start + (self.bytes.len() + FIRST) as u64).contains(&offset);
            self.piece = if goes_on { (self.piece * GROWTH).min(WINDOW) } else { FIRST };
            let piece = self.piece.max(len).min((self.end - offset) as usize);
            self.bytes.resize(piece, 0);
            // Not what was there before, if the read fails.
            self.start = u64::MAX / 2;
            if let Err(error) = self.file.read_exact_at(&mut self.bytes, offset) {
                // A file that lost its end has not lost what is before it.
                if error.kind() != io::ErrorKind::UnexpectedEof || piece == len {
                    return Err(error);
                }
                self.bytes.truncate(len);
                self.file.read_exact_at(&mut self.bytes, offset)?;
            }
            self.start = offset;
        }
        let at = (offset - self.start) as usize;
        Ok(&self.bytes[at..at + len])
    }
}
