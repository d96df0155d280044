//! What is about to be written to a connection.
//!
//! Any reactor may append to any connection's [`Output`] under its lock; whoever appended flushes. Small content is
//! copied into one buffer, large bodies are referred to, and both go out with vectored writes. Appending and writing
//! alternate between two batches, so that nobody waits for a system call to append.

use std::io::IoSlice;
use std::sync::{Arc, Mutex, PoisonError};
use store::Slice;

/// Sizes of pooled buffers; an output grows from one to the next.
const CLASSES: [usize; 3] = [4 << 10, 64 << 10, 768 << 10];
/// Free buffers kept per size.
const MOST_FREE: [usize; 3] = [1024, 128, 32];
/// Parts handed to one vectored write.
const MOST_PARTS: usize = 64;

/// Buffers for outputs, so that an idle connection has none and a busy one does not allocate.
#[derive(Default)]
pub struct BufferPool {
    free: [Mutex<Vec<Vec<u8>>>; 3],
}

impl BufferPool {
    /// An empty pool.
    pub fn new() -> Arc<BufferPool> {
        Arc::new(BufferPool::default())
    }

    /// An initialised buffer of at least `len` bytes.
    fn take(&self, len: usize) -> Vec<u8> {
        let Some(class) = CLASSES.iter().position(|size| len <= *size) else {
            return vec![0; len.next_power_of_two()];
        };
        let free = self.free[class].lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| vec![0; CLASSES[class]])
    }

    fn give(&self, buffer: Vec<u8>) {
        if let Some(class) = CLASSES.iter().position(|size| buffer.len() == *size) {
            let mut free = self.free[class].lock().unwrap_or_else(PoisonError::into_inner);
            if free.len() < MOST_FREE[class] {
                free.push(buffer);
            }
        }
    }

    /// Gives free buffers back to the system; for an idle broker.
    pub fn trim(&self) {
        for free in &self.free {
            drop(std::mem::take(&mut *free.lock().unwrap_or_else(PoisonError::into_inner)));
        }
    }
}

struct Reference {
    /// Where in the buffer the slice belongs.
    at: usize,
    slice: Slice,
}

/// Bytes to send: a buffer, and slices that belong between its bytes.
pub(crate) struct Batch {
    pool: Arc<BufferPool>,
    /// Always fully initialised; `end` bytes are in use.
    buffer: Vec<u8>,
    end: usize,
    references: Vec<Reference>,
    referenced: usize,
}

impl Batch {
    pub(crate) fn new(pool: Arc<BufferPool>) -> Batch {
        Batch { pool, buffer: Vec::new(), end: 0, references: Vec::new(), referenced: 0 }
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> usize {
        self.end + self.referenced
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Room for the next `len` bytes, which the caller must fill.
    #[inline]
    pub(crate) fn space(&mut self, len: usize) -> &mut [u8] {
        let start = self.end;
        self.end += len;
        if self.end > self.buffer.len() {
            self.grow(start);
        }
        &mut self.buffer[start..start + len]
    }

    #[cold]
    fn grow(&mut self, used: usize) {
        let mut larger = self.pool.take(self.end);
        larger[..used].copy_from_slice(&self.buffer[..used]);
        self.pool.give(std::mem::replace(&mut self.buffer, larger));
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.space(bytes.len()).copy_from_slice(bytes);
    }

    /// Appends a shared slice, which must not be empty.
    pub(crate) fn refer(&mut self, slice: Slice) {
        debug_assert!(!slice.is_empty(), "an empty part would never be written");
        self.referenced += slice.len();
        self.references.push(Reference { at: self.end, slice });
    }

    fn clear(&mut self) {
        self.end = 0;
        self.referenced = 0;
        self.references.clear();
        if self.references.capacity() > 256 {
            self.references = Vec::new();
        }
        self.pool.give(std::mem::take(&mut self.buffer));
    }
}

/// A batch that is being written.
pub(crate) struct Writer {
    batch: Batch,
    /// Bytes of the buffer that are written.
    written: usize,
    /// The reference that is next, and how much of it is written.
    reference: usize,
    reference_written: usize,
}

impl Writer {
    pub(crate) fn new(pool: Arc<BufferPool>) -> Writer {
        Writer { batch: Batch::new(pool), written: 0, reference: 0, reference_written: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.written == self.batch.end && self.reference == self.batch.references.len()
    }

    /// Starts with another batch; the one that is done takes its place.
    pub(crate) fn start(&mut self, batch: &mut Batch) {
        debug_assert!(self.is_done(), "a batch is written whole before the next");
        self.batch.clear();
        std::mem::swap(&mut self.batch, batch);
        (self.written, self.reference, self.reference_written) = (0, 0, 0);
    }

    /// Gives the buffer of a finished batch back.
    pub(crate) fn finish(&mut self) {
        if self.is_done() {
            self.batch.clear();
            (self.written, self.reference, self.reference_written) = (0, 0, 0);
        }
    }

    /// Calls `write` with the next parts, as many as fit one vectored write; returns what it returned.
    pub(crate) fn write<E>(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>) -> Result<usize, E> {
        let empty: &[u8] = &[];
        let mut parts = [IoSlice::new(empty); MOST_PARTS];
        let (mut count, mut next) = (0, self.reference);
        let (mut at, mut skip) = (self.written, self.reference_written);
        for reference in &self.batch.references[self.reference..] {
            if count + 2 >= MOST_PARTS {
                break;
            }
            if reference.at > at {
                parts[count] = IoSlice::new(&self.batch.buffer[at..reference.at]);
                count += 1;
                at = reference.at;
            }
            parts[count] = IoSlice::new(&reference.slice[skip..]);
            count += 1;
            next += 1;
            skip = 0;
        }
        if next == self.batch.references.len() && at < self.batch.end {
            parts[count] = IoSlice::new(&self.batch.buffer[at..self.batch.end]);
            count += 1;
        }
        let written = write(&parts[..count])?;
        self.advance(written);
        Ok(written)
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let next = self.batch.references.get(self.reference);
            let inline = next.map_or(self.batch.end, |reference| reference.at) - self.written;
            let taken = inline.min(count);
            self.written += taken;
            count -= taken;
            let Some(reference) = next.filter(|_| taken == inline) else { break };
            let left = reference.slice.len() - self.reference_written;
            let taken = left.min(count);
            count -= taken;
            self.reference_written += taken;
            if taken == left {
                self.reference += 1;
                self.reference_written = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Arena, ChunkPool};

    fn write_all(writer: &mut Writer, most: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !writer.is_done() {
            let written = writer.write(|parts| {
                let joined: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
                assert!(!joined.is_empty(), "a write has something to write");
                let taken = joined.len().min(most);
                all.extend_from_slice(&joined[..taken]);
                Ok::<usize, ()>(taken)
            });
            assert!(written.is_ok());
        }
        all
    }

    #[test]
    fn buffers_and_references_come_out_in_order_whatever_a_write_takes() {
        let mut arena = Arena::new(ChunkPool::new(1));
        for most in [1, 3, 7, 1000, usize::MAX] {
            let pool = BufferPool::new();
            let (mut batch, mut writer) = (Batch::new(pool.clone()), Writer::new(pool));
            let mut expected = Vec::new();
            for round in 0..200u32 {
                let bytes = round.to_be_bytes();
                batch.put(&bytes);
                expected.extend_from_slice(&bytes);
                if round % 3 != 0 {
                    let referenced = vec![round as u8; round as usize];
                    batch.refer(arena.append([&referenced[..]]));
                    expected.extend_from_slice(&referenced);
                }
            }
            assert_eq!(batch.len(), expected.len());
            writer.start(&mut batch);
            assert!(batch.is_empty());
            assert!(write_all(&mut writer, most) == expected, "writes of {most} bytes");
        }
    }

    #[test]
    fn a_batch_grows_and_gives_its_buffer_back() {
        let pool = BufferPool::new();
        let (mut batch, mut writer) = (Batch::new(pool.clone()), Writer::new(pool.clone()));
        let expected: Vec<u8> = (0..2_000_000u32).map(|n| n as u8).collect();
        expected.chunks(777).for_each(|chunk| batch.put(chunk));
        writer.start(&mut batch);
        assert!(write_all(&mut writer, usize::MAX) == expected);
        writer.finish();
        assert_eq!(writer.batch.buffer.capacity(), 0);
        assert!(pool.free.iter().all(|free| free.lock().unwrap().len() == 1), "one buffer of each size was used");
    }
}
