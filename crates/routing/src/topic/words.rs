//! Words of binding keys as small numbers, so that a trie edge is a pair of integers.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::slab::Slab;

/// The words in use, each once, counted by the edges that carry it.
#[derive(Debug)]
pub(crate) struct Words {
    words: Slab<Word>,
    index: HashTable<u32>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Word {
    text: Box<[u8]>,
    edges: u32,
}

impl Words {
    pub(crate) fn new() -> Words {
        Words { words: Slab::new(), index: HashTable::new(), hasher: RandomState::default() }
    }

    /// The id of `text`, if an edge carries it.
    #[inline]
    pub(crate) fn find(&self, text: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.index.find(hash, |id| *self.words[*id].text == *text).copied()
    }

    /// The id of `text` for one more edge.
    pub(crate) fn acquire(&mut self, text: &[u8]) -> u32 {
        if let Some(id) = self.find(text) {
            self.words[id].edges += 1;
            return id;
        }
        let id = self.words.insert(Word { text: text.into(), edges: 1 });
        let Words { words, index, hasher } = self;
        index.insert_unique(hasher.hash_one(text), id, |id| hasher.hash_one(&*words[*id].text));
        id
    }

    /// Gives one edge's use of the word back; the last one forgets the word.
    pub(crate) fn release(&mut self, id: u32) {
        let word = &mut self.words[id];
        word.edges -= 1;
        if word.edges > 0 {
            return;
        }
        if let Some(word) = self.words.remove(id)
            && let Ok(entry) = self.index.find_entry(self.hasher.hash_one(&*word.text), |other| *other == id)
        {
            entry.remove();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }
}
