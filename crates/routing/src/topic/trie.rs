//! The trie: one node per distinct prefix of wildcard binding keys.
//!
//! A routing key is matched by visiting states (node, words consumed). Below one `#` a state is reached in at most
//! one way, because between two `#` every edge consumes exactly one word. A `#` below another `#` could be entered
//! once per way of splitting the words between them, which is exponential in the number of `#`; but whoever enters
//! it with fewer words consumed sees all that a later entry would see. The walk enters it with ascending positions,
//! so the first entry is enough: every state is visited at most once, and a key costs at most nodes times words.
//!
//! `benches/topic.rs` measures 0.1 to 0.9 us per routing key at 10 k wildcard bindings; most of it is cache misses.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::split;
use super::words::Words;
use crate::scratch::Scratch;
use crate::slab::{NONE, Slab};

/// In the place of a word id: the edge of a `#`.
const HASH: u32 = NONE - 1;
/// In the place of a word id: the edge of a `*`.
const STAR: u32 = NONE - 2;

const ROOT: u32 = 0;

/// Wildcard binding keys, each with the caller's id for it.
#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Slab<Node>,
    /// Literal edges: children by (parent, word), both kept in the child.
    edges: HashTable<u32>,
    words: Words,
    hasher: RandomState,
}

#[derive(Debug)]
struct Node {
    parent: u32,
    /// The word of the edge from the parent, or `HASH`, or `STAR`.
    word: u32,
    star: u32,
    hash: u32,
    /// The caller's id of the key that ends here, or `NONE`.
    key: u32,
    literals: u32,
    /// A `#` somewhere above a `#`: the only nodes that can be entered twice.
    nested: bool,
}

impl Node {
    fn new(parent: u32, word: u32, nested: bool) -> Node {
        Node { parent, word, star: NONE, hash: NONE, key: NONE, literals: 0, nested }
    }

    fn is_leaf(&self) -> bool {
        self.literals == 0 && self.star == NONE && self.hash == NONE
    }
}

impl Trie {
    pub(crate) fn new() -> Trie {
        let mut nodes = Slab::new();
        nodes.insert(Node::new(NONE, NONE, false));
        Trie { nodes, edges: HashTable::new(), words: Words::new(), hasher: RandomState::default() }
    }

    /// Adds `key` under the caller's id and returns its node for [`Trie::remove`].
    pub(crate) fn insert(&mut self, key: &[u8], id: u32) -> u32 {
        let mut node = ROOT;
        let mut below_hash = false;
        for word in split(key) {
            node = match word {
                b"#" => self.hash_child(node, below_hash),
                b"*" => self.star_child(node),
                word => self.literal_child(node, word),
            };
            below_hash |= word == b"#";
        }
        self.nodes[node].key = id;
        node
    }

    /// Forgets `key`, which ends at `node`, with the nodes and words that only it needed.
    pub(crate) fn remove(&mut self, key: &[u8], mut node: u32) {
        self.nodes[node].key = NONE;
        for text in key.rsplit(|byte| *byte == b'.') {
            if node == ROOT || self.nodes[node].key != NONE || !self.nodes[node].is_leaf() {
                return;
            }
            let Some(Node { parent, word, .. }) = self.nodes.remove(node) else { return };
            match word {
                HASH => self.nodes[parent].hash = NONE,
                STAR => self.nodes[parent].star = NONE,
                word => self.remove_literal(parent, word, text, node),
            }
            node = parent;
        }
    }

    /// Puts into `scratch.matched` the id of every key that matches `routing_key`, each once.
    pub(crate) fn find(&self, routing_key: &[u8], scratch: &mut Scratch) {
        scratch.words.clear();
        scratch.words.extend(split(routing_key).map(|word| self.words.find(word).unwrap_or(NONE)));
        scratch.entered.clear(self.nodes.slots());
        scratch.matched.clear();
        scratch.pending.clear();
        scratch.pending.push((ROOT, 0));
        scratch.visits = 0;
        while let Some((node, consumed)) = scratch.pending.pop() {
            scratch.visits += 1;
            self.visit(node, consumed, scratch);
        }
    }

    fn visit(&self, id: u32, consumed: u32, scratch: &mut Scratch) {
        let node = &self.nodes[id];
        let word = scratch.words.get(consumed as usize).copied();
        if node.word == HASH {
            // The `#` itself was handled on entry; here it has consumed one word more. The later position goes
            // below the children of this one, which keeps entries into nested `#` ascending.
            if let Some(word) = word {
                scratch.pending.push((id, consumed + 1));
                self.step(id, node, word, consumed, scratch);
            }
            return;
        }
        match word {
            Some(word) => self.step(id, node, word, consumed, scratch),
            None if node.key != NONE => scratch.matched.push(node.key),
            None => {}
        }
        self.enter_hashes(node.hash, consumed, scratch);
    }

    /// Follows the edges of `node` that consume `word`.
    #[inline]
    fn step(&self, id: u32, node: &Node, word: u32, consumed: u32, scratch: &mut Scratch) {
        if node.star != NONE {
            scratch.pending.push((node.star, consumed + 1));
        }
        if word != NONE
            && node.literals > 0
            && let Some(child) = self.literal(id, word)
        {
            scratch.pending.push((child, consumed + 1));
        }
    }

    /// Enters the `#` node `id` and those directly below it, which need no word in between.
    fn enter_hashes(&self, mut id: u32, consumed: u32, scratch: &mut Scratch) {
        while id != NONE {
            let node = &self.nodes[id];
            if node.nested && !scratch.entered.insert(id) {
                return;
            }
            if node.key != NONE {
                scratch.matched.push(node.key);
            }
            if node.literals > 0 || node.star != NONE {
                scratch.pending.push((id, consumed));
            }
            id = node.hash;
        }
    }

    #[inline]
    fn literal(&self, parent: u32, word: u32) -> Option<u32> {
        let hash = self.hasher.hash_one(edge(parent, word));
        let child = self.edges.find(hash, |child| {
            let node = &self.nodes[*child];
            node.parent == parent && node.word == word
        });
        child.copied()
    }

    fn remove_literal(&mut self, parent: u32, word: u32, text: &[u8], child: u32) {
        let hash = self.hasher.hash_one(edge(parent, word));
        if let Ok(entry) = self.edges.find_entry(hash, |other| *other == child) {
            entry.remove();
        }
        self.nodes[parent].literals -= 1;
        self.words.release(text);
    }

    fn hash_child(&mut self, parent: u32, nested: bool) -> u32 {
        if self.nodes[parent].hash == NONE {
            self.nodes[parent].hash = self.nodes.insert(Node::new(parent, HASH, nested));
        }
        self.nodes[parent].hash
    }

    fn star_child(&mut self, parent: u32) -> u32 {
        if self.nodes[parent].star == NONE {
            self.nodes[parent].star = self.nodes.insert(Node::new(parent, STAR, false));
        }
        self.nodes[parent].star
    }

    fn literal_child(&mut self, parent: u32, text: &[u8]) -> u32 {
        if let Some(child) = self.words.find(text).and_then(|word| self.literal(parent, word)) {
            return child;
        }
        let word = self.words.acquire(text);
        let child = self.nodes.insert(Node::new(parent, word, false));
        self.nodes[parent].literals += 1;
        let Trie { nodes, edges, hasher, .. } = self;
        edges.insert_unique(hasher.hash_one(edge(parent, word)), child, |child| {
            let node = &nodes[*child];
            hasher.hash_one(edge(node.parent, node.word))
        });
        child
    }

    /// Nodes besides the root, and words.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.nodes.len() - 1, self.words.len())
    }
}

/// A literal edge as one number to hash.
#[inline]
fn edge(parent: u32, word: u32) -> u64 {
    u64::from(parent) << 32 | u64::from(word)
}
