//! Append-only memory for message records.
//!
//! An [`Arena`] has one writer and any number of readers. It appends to a chunk of [`CHUNK_SIZE`] bytes and hands out
//! [`Slice`]s, each of which keeps its chunk alive. When the last slice of a chunk is dropped its memory goes back to
//! the [`ChunkPool`]: a first touch of fresh memory costs about 2 us per 4 KiB page, so the hot path must not give
//! memory back and take it again.
//!
//! The price is that one small message can keep a chunk; [`Slice::is_sparse`] tells an owner that moving a message
//! elsewhere would free more than it costs.
#![allow(unsafe_code)]

use std::fmt;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of one chunk.
pub const CHUNK_SIZE: usize = 1 << 20;
/// The most bytes that one slice may have; longer content is kept as several slices.
pub const LARGEST_SLICE: usize = CHUNK_SIZE / 4;

/// Owned memory of [`CHUNK_SIZE`] bytes, always initialised.
///
/// It comes from the system and goes back to it, past the allocator: an allocator that keeps what is freed would leave
/// the memory alarm on after the messages that raised it are gone.
struct Memory(NonNull<u8>);

// SAFETY: `Memory` owns its mapping as a `Box<[u8]>` would; the pointer is not tied to a thread.
unsafe impl Send for Memory {}

#[cfg(not(miri))]
impl Memory {
    fn new() -> Memory {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: an anonymous private mapping where the system likes touches no other memory.
        let mapped = unsafe { mmap_anonymous(std::ptr::null_mut(), CHUNK_SIZE, protection, MapFlags::PRIVATE) };
        match mapped.ok().and_then(|pointer| NonNull::new(pointer.cast::<u8>())) {
            Some(pointer) => Memory(pointer),
            // What the allocator does too when there is no memory left.
            None => std::alloc::handle_alloc_error(std::alloc::Layout::new::<[u8; CHUNK_SIZE]>()),
        }
    }
}

#[cfg(not(miri))]
impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a mapping of this length, and is unmapped once, here.
        let unmapped = unsafe { rustix::mm::munmap(self.0.as_ptr().cast(), CHUNK_SIZE) };
        debug_assert!(unmapped.is_ok(), "what was mapped can be unmapped");
    }
}

/// Miri maps nothing, so that there the memory is the allocator's.
#[cfg(miri)]
impl Memory {
    fn new() -> Memory {
        let boxed = vec![0u8; CHUNK_SIZE].into_boxed_slice();
        // SAFETY: a box is never null.
        Memory(unsafe { NonNull::new_unchecked(Box::into_raw(boxed).cast::<u8>()) })
    }
}

#[cfg(miri)]
impl Drop for Memory {
    fn drop(&mut self) {
        let slice = std::ptr::slice_from_raw_parts_mut(self.0.as_ptr(), CHUNK_SIZE);
        // SAFETY: the pointer came from `Box::into_raw` of a slice of this length, and is freed once, here.
        drop(unsafe { Box::from_raw(slice) });
    }
}

/// Free chunks, shared by all arenas of a broker.
pub struct ChunkPool {
    free: Mutex<Vec<Memory>>,
    most_free: usize,
    chunks: AtomicUsize,
}

impl ChunkPool {
    /// A pool that keeps at most `most_free` chunks that nobody uses; more are given back to the system.
    pub fn new(most_free: usize) -> Arc<ChunkPool> {
        Arc::new(ChunkPool { free: Mutex::new(Vec::new()), most_free, chunks: AtomicUsize::new(0) })
    }

    /// Bytes of all chunks in use, full or not.
    pub fn bytes_in_use(&self) -> usize {
        self.chunks.load(Ordering::Relaxed) * CHUNK_SIZE
    }

    /// Gives the free chunks back to the system; for an idle broker.
    pub fn trim(&self) {
        let freed = std::mem::take(&mut *self.free.lock().unwrap_or_else(PoisonError::into_inner));
        drop(freed);
    }

    fn take(&self) -> Memory {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(Memory::new)
    }

    fn give(&self, memory: Memory) {
        self.chunks.fetch_sub(1, Ordering::Relaxed);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.most_free {
            free.push(memory);
        }
    }
}

/// One chunk: written at its end by its arena, read wherever a slice has been handed out.
struct Chunk {
    memory: Option<Memory>,
    pool: Arc<ChunkPool>,
    live: AtomicU32,
    sealed: AtomicBool,
}

// SAFETY: the only writes go to bytes that no slice covers yet (see `Arena::append`), so shared reads never race.
unsafe impl Sync for Chunk {}

impl Chunk {
    #[inline]
    fn base(&self) -> *mut u8 {
        // The memory is taken out only in `drop`, when nobody can call this any more.
        self.memory.as_ref().map_or(std::ptr::null_mut(), |memory| memory.0.as_ptr())
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            self.pool.give(memory);
        }
    }
}

/// Bytes in a chunk: cheap to clone, immutable, and alive as long as somebody holds them.
pub struct Slice {
    chunk: Arc<Chunk>,
    offset: u32,
    len: u32,
}

impl Slice {
    /// The part `range` of these bytes, sharing them.
    ///
    /// # Panics
    /// When the range is not within the slice: ranges come from lengths that this broker wrote itself.
    #[inline]
    pub fn part(&self, range: Range<usize>) -> Slice {
        assert!(range.start <= range.end && range.end <= self.len as usize, "a part lies within its slice");
        let len = (range.end - range.start) as u32;
        self.chunk.live.fetch_add(len, Ordering::Relaxed);
        Slice { chunk: self.chunk.clone(), offset: self.offset + range.start as u32, len }
    }

    /// True when the chunk is full and less than a quarter of it is still held by anybody.
    pub fn is_sparse(&self) -> bool {
        self.chunk.sealed.load(Ordering::Relaxed) && (self.chunk.live.load(Ordering::Relaxed) as usize) < CHUNK_SIZE / 4
    }
}

impl Clone for Slice {
    #[inline]
    fn clone(&self) -> Slice {
        self.part(0..self.len as usize)
    }
}

impl Drop for Slice {
    #[inline]
    fn drop(&mut self) {
        self.chunk.live.fetch_sub(self.len, Ordering::Relaxed);
    }
}

impl Deref for Slice {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the range was within the chunk and completely written before this slice was made (`Arena::append`),
        // and the arena never writes there again while the chunk lives, which `self.chunk` makes sure of.
        unsafe { std::slice::from_raw_parts(self.chunk.base().add(self.offset as usize), self.len as usize) }
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slice({} bytes)", self.len)
    }
}

/// The writing end: one per reactor.
pub struct Arena {
    pool: Arc<ChunkPool>,
    current: Option<Arc<Chunk>>,
    used: usize,
}

impl Arena {
    /// An arena without memory; the first append takes a chunk.
    pub fn new(pool: Arc<ChunkPool>) -> Arena {
        Arena { pool, current: None, used: 0 }
    }

    /// Appends the concatenation of `parts`.
    ///
    /// # Panics
    /// When they are longer than [`LARGEST_SLICE`] together: callers cut longer content before.
    #[inline]
    pub fn append<const N: usize>(&mut self, parts: [&[u8]; N]) -> Slice {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        assert!(len <= LARGEST_SLICE, "a slice of {len} bytes is longer than an arena takes");
        self.make_room(len);
        let Some(chunk) = &self.current else { unreachable!("there is a chunk when there is room") };
        let offset = self.used;
        let mut at = offset;
        for part in parts {
            // SAFETY: `at + part.len() <= offset + len <= CHUNK_SIZE` by `make_room`; the bytes from `self.used` on are
            // covered by no slice, and `&mut self` makes this the only writer; `part` is a shared borrow that cannot
            // point to them.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), chunk.base().add(at), part.len()) };
            at += part.len();
        }
        self.used = at;
        chunk.live.fetch_add(len as u32, Ordering::Relaxed);
        Slice { chunk: chunk.clone(), offset: offset as u32, len: len as u32 }
    }

    /// Makes sure that the current chunk has room for `len` bytes.
    #[inline]
    fn make_room(&mut self, len: usize) {
        if self.current.is_none() || self.used + len > CHUNK_SIZE {
            self.next_chunk();
        }
    }

    #[cold]
    fn next_chunk(&mut self) {
        self.seal();
        self.current = Some(Arc::new(Chunk {
            memory: Some(self.pool.take()),
            pool: self.pool.clone(),
            live: AtomicU32::new(0),
            sealed: AtomicBool::new(false),
        }));
    }

    /// Lets go of the current chunk, so that it can be freed with its last message; for an idle reactor.
    pub fn seal(&mut self) {
        if let Some(chunk) = self.current.take() {
            chunk.sealed.store(true, Ordering::Relaxed);
        }
        self.used = 0;
    }
}
