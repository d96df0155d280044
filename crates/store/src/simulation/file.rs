//! The bytes of a file: what everybody sees, what a power cut leaves, and the writes between.

use super::Random;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// What a file system allocates.
const BLOCK: usize = 4096;

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Len(usize),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes } => put(image, *offset, bytes),
            Change::Len(len) => image.resize(*len, 0),
        }
    }
}

fn put(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

#[derive(Clone, Default)]
pub(super) struct Contents {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// By block: whether it takes space.
    allocated: Vec<bool>,
    /// How many have it open.
    pub(super) handles: usize,
}

impl Contents {
    pub(super) fn current(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn forget_handles(&mut self) {
        self.handles = 0;
    }

    pub(super) fn used_bytes(&self) -> u64 {
        (self.allocated.iter().filter(|block| **block).count() * BLOCK) as u64
    }

    /// How many of `len` bytes can be written at `offset` when `free_bytes` may still be taken.
    pub(super) fn fitting(&self, len: usize, offset: u64, free_bytes: u64) -> usize {
        if free_bytes == u64::MAX {
            return len;
        }
        let (offset, mut free) = (offset as usize, free_bytes as usize / BLOCK);
        let mut at = offset;
        while at < offset + len {
            let block = at / BLOCK;
            if !self.allocated.get(block).copied().unwrap_or(false) {
                if free == 0 {
                    return at - offset;
                }
                free -= 1;
            }
            at = (block + 1) * BLOCK;
        }
        len
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let rest = self.current.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        len
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        let offset = offset as usize;
        let blocks = (offset + bytes.len()).div_ceil(BLOCK);
        if self.allocated.len() < blocks {
            self.allocated.resize(blocks, false);
        }
        self.allocated[offset / BLOCK..blocks].fill(true);
        put(&mut self.current, offset, bytes);
        self.unsynced.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.current.resize(len, 0);
        self.allocated.resize(len.div_ceil(BLOCK), false);
        self.unsynced.push(Change::Len(len));
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync has failed: the system takes the bytes for written, and nothing will ever write them.
    pub(super) fn lose_changes(&mut self) {
        self.unsynced.clear();
    }

    pub(super) fn flip_bit(&mut self, offset: u64, bit: u8) -> bool {
        let Some(byte) = self.current.get_mut(offset as usize) else { return false };
        *byte ^= 1 << (bit % 8);
        let (byte, offset) = (*byte, offset as usize);
        put(&mut self.durable, offset, &[byte]);
        true
    }

    /// What a power cut leaves: any sectors of any unsynced writes, and lengths with or without the bytes.
    pub(super) fn crash(&self, random: &mut Random) -> Contents {
        let mut image = self.durable.clone();
        for change in &self.unsynced {
            // One in three kept whole and one in three lost, so that both are common for long writes too.
            match (change, random.below(3)) {
                (change, 0) => change.apply(&mut image),
                (Change::Write { offset, bytes }, 1) => keep_some(&mut image, *offset, bytes, random),
                _ => {}
            }
        }
        let allocated = vec![true; image.len().div_ceil(BLOCK)];
        Contents { current: image.clone(), durable: image, unsynced: Vec::new(), allocated, handles: 0 }
    }
}

fn keep_some(image: &mut Vec<u8>, offset: usize, bytes: &[u8], random: &mut Random) {
    let end = offset + bytes.len();
    if random.chance(1, 2) && image.len() < end {
        image.resize(end, 0);
    }
    let mut at = offset;
    while at < end {
        let next = ((at / SECTOR + 1) * SECTOR).min(end);
        if random.chance(1, 2) {
            put(image, at, &bytes[at - offset..next - offset]);
        }
        at = next;
    }
}
