//! The distinct destinations of an exchange: the reverse index from a destination to its bindings.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::slab::{NONE, Slab};

/// Destinations by value and by id.
#[derive(Debug)]
pub(crate) struct Destinations<D> {
    destinations: Slab<Destination<D>>,
    index: HashTable<u32>,
    hasher: RandomState,
    /// All of them side by side for a fanout exchange; the other types have no use for it.
    every: Option<Every<D>>,
}

#[derive(Debug)]
struct Every<D> {
    destinations: Vec<D>,
    ids: Vec<u32>,
}

/// One destination; it lives as long as it has bindings.
#[derive(Debug)]
pub(crate) struct Destination<D> {
    pub(crate) destination: D,
    /// The newest of its bindings, which are a linked list.
    pub(crate) first: u32,
    /// Where it stands in `every`, if that is kept.
    position: u32,
}

impl<D: Copy + Eq + Hash> Destinations<D> {
    /// None yet; with `keep_every`, [`Destinations::every`] will list them.
    pub(crate) fn new(keep_every: bool) -> Destinations<D> {
        Destinations {
            destinations: Slab::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            every: keep_every.then(|| Every { destinations: Vec::new(), ids: Vec::new() }),
        }
    }

    pub(crate) fn find(&self, destination: D) -> Option<u32> {
        let hash = self.hasher.hash_one(destination);
        self.index.find(hash, |id| self.destinations[*id].destination == destination).copied()
    }

    /// Adds a destination that [`Destinations::find`] does not know yet.
    pub(crate) fn insert(&mut self, destination: D) -> u32 {
        let id = self.destinations.insert(Destination { destination, first: NONE, position: NONE });
        if let Some(every) = &mut self.every {
            self.destinations[id].position = every.ids.len() as u32;
            every.destinations.push(destination);
            every.ids.push(id);
        }
        let Destinations { destinations, index, hasher, .. } = self;
        index.insert_unique(hasher.hash_one(destination), id, |id| hasher.hash_one(destinations[*id].destination));
        id
    }

    pub(crate) fn remove(&mut self, id: u32) {
        let Some(Destination { destination, position, .. }) = self.destinations.remove(id) else { return };
        if let Ok(entry) = self.index.find_entry(self.hasher.hash_one(destination), |other| *other == id) {
            entry.remove();
        }
        if let Some(every) = &mut self.every {
            every.destinations.swap_remove(position as usize);
            every.ids.swap_remove(position as usize);
            if let Some(moved) = every.ids.get(position as usize) {
                self.destinations[*moved].position = position;
            }
        }
    }

    /// Every destination once, if they are kept.
    pub(crate) fn every(&self) -> &[D] {
        self.every.as_ref().map_or(&[], |every| &every.destinations)
    }

    /// One above the highest id.
    pub(crate) fn ids(&self) -> usize {
        self.destinations.slots()
    }

    pub(crate) fn destination(&self, id: u32) -> &Destination<D> {
        &self.destinations[id]
    }

    pub(crate) fn destination_mut(&mut self, id: u32) -> &mut Destination<D> {
        &mut self.destinations[id]
    }
}
