//! Words of binding keys as small numbers, so that a trie edge is a pair of integers.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The words in use, each once, counted by the edges that carry it.
#[derive(Debug)]
pub(crate) struct Words {
    words: HashTable<Word>,
    /// Ids of words that are gone.
    free: Vec<u32>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Word {
    text: Text,
    id: u32,
    edges: u32,
}

/// Nearly every word fits beside its id, which saves a look-up two cache misses.
#[derive(Debug)]
enum Text {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

/// What fits in the three machine words that a long text needs anyway with its tag.
const SHORT: usize = 22;

impl Text {
    fn new(text: &[u8]) -> Text {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..text.len()) {
            Some(start) => {
                start.copy_from_slice(text);
                Text::Short { len: text.len() as u8, bytes }
            }
            None => Text::Long(text.into()),
        }
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        match self {
            Text::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Text::Long(bytes) => bytes,
        }
    }
}

impl Words {
    pub(crate) fn new() -> Words {
        Words { words: HashTable::new(), free: Vec::new(), hasher: RandomState::default() }
    }

    /// The id of `text`, if an edge carries it.
    #[inline]
    pub(crate) fn find(&self, text: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.words.find(hash, |word| word.text.as_bytes() == text).map(|word| word.id)
    }

    /// The id of `text` for one more edge.
    pub(crate) fn acquire(&mut self, text: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(text);
        if let Some(word) = self.words.find_mut(hash, |word| word.text.as_bytes() == text) {
            word.edges += 1;
            return word.id;
        }
        // Every id below the number of words is in use when none is free.
        let id = self.free.pop().unwrap_or(self.words.len() as u32);
        let word = Word { text: Text::new(text), id, edges: 1 };
        self.words.insert_unique(hash, word, |word| self.hasher.hash_one(word.text.as_bytes()));
        id
    }

    /// Gives one edge's use of the word back; the last one forgets the word.
    pub(crate) fn release(&mut self, text: &[u8]) {
        let hash = self.hasher.hash_one(text);
        let Ok(mut entry) = self.words.find_entry(hash, |word| word.text.as_bytes() == text) else { return };
        let word = entry.get_mut();
        word.edges -= 1;
        if word.edges == 0 {
            self.free.push(word.id);
            entry.remove();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }
}
