//! Reading a file from front to back in large pieces.

use super::batch::PAGE;
use super::blob::fill;
use crate::disk::DiskFile;
use std::io;
use std::sync::Arc;

const WINDOW: usize = 1 << 20;

/// A piece of a file.
#[derive(Default)]
pub(super) struct Window {
    file: Option<Arc<dyn DiskFile>>,
    start: u64,
    buffer: Vec<u8>,
    /// The last read that failed: where, and why. What could not be read is zeros.
    pub(super) failed: Option<(u64, io::Error)>,
}

impl Window {
    /// Goes to another file.
    pub(super) fn open(&mut self, file: Arc<dyn DiskFile>) {
        self.file = Some(file);
        self.buffer.clear();
        self.start = 0;
        self.failed = None;
    }

    /// The bytes at this offset: as many, or fewer where the file ends.
    pub(super) fn read(&mut self, offset: u64, len: usize) -> &[u8] {
        let end = self.start + self.buffer.len() as u64;
        if offset < self.start || offset + len as u64 > end {
            self.load(offset, len.max(WINDOW));
        }
        let at = ((offset - self.start) as usize).min(self.buffer.len());
        &self.buffer[at..(at + len).min(self.buffer.len())]
    }

    fn load(&mut self, offset: u64, len: usize) {
        self.start = offset;
        self.buffer.clear();
        let Some(file) = &self.file else { return };
        // A header can claim any length: what is allocated is what the file has.
        let has = file.len().unwrap_or(offset + len as u64).saturating_sub(offset);
        self.buffer.resize(len.min(usize::try_from(has).unwrap_or(len)), 0);
        match fill(&**file, &mut self.buffer, offset) {
            Ok(count) => self.buffer.truncate(count),
            Err(_) => self.load_by_page(offset),
        }
    }

    /// Loses no more than the pages that cannot be read.
    fn load_by_page(&mut self, offset: u64) {
        let Some(file) = &self.file else { return };
        for (index, page) in self.buffer.chunks_mut(PAGE as usize).enumerate() {
            let at = offset + index as u64 * PAGE;
            if let Err(error) = fill(&**file, page, at) {
                page.fill(0);
                self.failed = Some((at, error));
            }
        }
    }
}
