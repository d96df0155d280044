//! The distinct binding keys of an exchange, each with the destinations bound by it.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::slab::{NONE, Slab};

/// Binding keys by text and by id.
#[derive(Debug)]
pub(crate) struct Keys<D> {
    keys: Slab<Key<D>>,
    index: HashTable<u32>,
    hasher: RandomState,
}

/// One binding key; it lives as long as it has targets.
#[derive(Debug)]
pub(crate) struct Key<D> {
    pub(crate) text: Box<str>,
    /// Where it ends in the topic trie, or `NONE` when it stands for itself alone.
    pub(crate) node: u32,
    /// Targets whose binding has arguments: only then can a destination be here twice.
    pub(crate) with_arguments: u32,
    pub(crate) targets: SmallVec<[Target<D>; 1]>,
}

/// A destination as routing reads it: contiguous per key, without a look at the binding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<D> {
    pub(crate) destination: D,
    pub(crate) destination_id: u32,
    pub(crate) binding: u32,
}

impl<D: Copy> Keys<D> {
    pub(crate) fn new() -> Keys<D> {
        Keys { keys: Slab::new(), index: HashTable::new(), hasher: RandomState::default() }
    }

    #[inline]
    pub(crate) fn find(&self, text: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.index.find(hash, |id| self.keys[*id].text.as_bytes() == text).copied()
    }

    /// Adds a key that [`Keys::find`] does not know yet.
    pub(crate) fn insert(&mut self, text: &str) -> u32 {
        let id = self.keys.insert(Key { text: text.into(), node: NONE, with_arguments: 0, targets: SmallVec::new() });
        let Keys { keys, index, hasher } = self;
        index.insert_unique(hasher.hash_one(text.as_bytes()), id, |id| hasher.hash_one(keys[*id].text.as_bytes()));
        id
    }

    pub(crate) fn remove(&mut self, id: u32) {
        if let Some(key) = self.keys.remove(id)
            && let Ok(entry) = self.index.find_entry(self.hasher.hash_one(key.text.as_bytes()), |other| *other == id)
        {
            entry.remove();
        }
    }

    #[inline]
    pub(crate) fn key(&self, id: u32) -> &Key<D> {
        &self.keys[id]
    }

    pub(crate) fn key_mut(&mut self, id: u32) -> &mut Key<D> {
        &mut self.keys[id]
    }
}
