//! A vector whose slots are reused: small, stable ids for bindings, keys, destinations, nodes and words.

use std::ops::{Index, IndexMut};

#[cfg(test)]
mod tests;

/// The id that names nothing.
pub(crate) const NONE: u32 = u32::MAX;

/// Values by `u32` id; a removed value's slot goes to the next insertion.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    first_free: u32,
    len: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Used(T),
    Free { next: u32 },
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Slab<T> {
        Slab { slots: Vec::new(), first_free: NONE, len: 0 }
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if let Some(slot) = self.slots.get_mut(self.first_free as usize)
            && let Slot::Free { next } = *slot
        {
            let id = self.first_free;
            self.first_free = next;
            *slot = Slot::Used(value);
            return id;
        }
        if self.slots.len() == self.slots.capacity() {
            // By an eighth: doubling would leave a quarter of the memory of large tables idle, and moving a large
            // block costs the allocator a change of page tables, not a copy.
            self.slots.reserve_exact((self.slots.len() / 8).max(4));
        }
        let id = u32::try_from(self.slots.len()).ok().filter(|id| *id != NONE);
        self.slots.push(Slot::Used(value));
        id.expect("2^32 bindings do not fit in memory")
    }

    /// Takes the value out; `None` when the slot is free already.
    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        let slot = self.slots.get_mut(id as usize)?;
        if matches!(slot, Slot::Free { .. }) {
            return None;
        }
        let taken = std::mem::replace(slot, Slot::Free { next: self.first_free });
        self.first_free = id;
        self.len -= 1;
        match taken {
            Slot::Used(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slots.iter().enumerate().filter_map(|(id, slot)| match slot {
            Slot::Used(value) => Some((id as u32, value)),
            Slot::Free { .. } => None,
        })
    }

    /// Values held.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Slots, used and free: one above the highest id ever given out.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }
}

const DANGLING: &str = "ids inside a binding table name live slots";

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        match self.slots.get(id as usize) {
            Some(Slot::Used(value)) => value,
            _ => panic!("{DANGLING}"),
        }
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        match self.slots.get_mut(id as usize) {
            Some(Slot::Used(value)) => value,
            _ => panic!("{DANGLING}"),
        }
    }
}
