//! Working memory of one routing decision, kept per thread so that routing takes a table by shared reference from
//! every reactor and still allocates nothing once warm.

use std::cell::RefCell;

#[cfg(test)]
mod tests;

thread_local! {
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch::new()) };
}

/// What routing needs besides the table and the output.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Word ids of the routing key.
    pub(crate) words: Vec<u32>,
    /// Trie states still to visit: node, and words of the key consumed.
    pub(crate) pending: Vec<(u32, u32)>,
    /// Binding keys that match.
    pub(crate) matched: Vec<u32>,
    /// `#` nodes entered.
    pub(crate) entered: Marks,
    /// Destinations given out.
    pub(crate) given: Marks,
    /// Trie states visited by the last walk: what the bound on adversarial keys is tested with.
    pub(crate) visits: usize,
}

impl Scratch {
    const fn new() -> Scratch {
        Scratch {
            words: Vec::new(),
            pending: Vec::new(),
            matched: Vec::new(),
            entered: Marks::new(),
            given: Marks::new(),
            visits: 0,
        }
    }

    /// Runs `decide` with this thread's scratch; `decide` must not route itself.
    pub(crate) fn with<R>(decide: impl FnOnce(&mut Scratch) -> R) -> R {
        SCRATCH.with_borrow_mut(decide)
    }
}

/// A set of small ids that is emptied by raising a stamp instead of clearing memory.
#[derive(Debug)]
pub(crate) struct Marks {
    stamp: u32,
    stamps: Vec<u32>,
}

impl Marks {
    const fn new() -> Marks {
        Marks { stamp: 0, stamps: Vec::new() }
    }

    /// Empties the set and makes room for ids below `ids`.
    pub(crate) fn clear(&mut self, ids: usize) {
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.stamps.fill(0);
            self.stamp = 1;
        }
        if self.stamps.len() < ids {
            self.stamps.resize(ids, 0);
        }
    }

    /// True when `id` was not in the set yet.
    #[inline]
    pub(crate) fn insert(&mut self, id: u32) -> bool {
        match self.stamps.get_mut(id as usize) {
            Some(stamp) => std::mem::replace(stamp, self.stamp) != self.stamp,
            None => true,
        }
    }
}
