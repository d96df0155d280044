//! Decisions made before: a small direct-mapped cache in front of the binding tables.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;

#[cfg(test)]
mod tests;

/// Routing decisions by exchange and routing key, valid as long as the caller's stamp is the same.
///
/// The caller raises an exchange's stamp whenever its bindings change. Each key has one entry that it may stand in;
/// a newer key takes it over, so memory is bounded by entries times the longest key (255 bytes in AMQP). Nothing is
/// allocated before the first insertion.
#[derive(Debug)]
pub struct RouteCache<V> {
    entries: Vec<Entry<V>>,
    capacity: usize,
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry<V> {
    exchange: u64,
    stamp: u64,
    used: bool,
    key: Vec<u8>,
    value: V,
}

impl<V: Default> RouteCache<V> {
    /// An empty cache of `entries` entries, rounded up to a power of two.
    pub fn new(entries: usize) -> RouteCache<V> {
        RouteCache { entries: Vec::new(), capacity: entries.next_power_of_two(), hasher: RandomState::default() }
    }

    /// What was decided for `key` in `exchange` when its stamp was `stamp`.
    #[inline]
    pub fn find(&self, exchange: u64, stamp: u64, key: &[u8]) -> Option<&V> {
        let entry = self.entries.get(self.position(exchange, key))?;
        let hit = entry.used && entry.exchange == exchange && entry.stamp == stamp && entry.key == key;
        hit.then_some(&entry.value)
    }

    /// Remembers `value`, in place of whatever stood in the same entry.
    pub fn insert(&mut self, exchange: u64, stamp: u64, key: &[u8], value: V) {
        *self.overwrite(exchange, stamp, key) = value;
    }

    /// Files the key and hands out the entry's value to be overwritten: it still holds an older decision, whose
    /// buffers can so be used again.
    pub fn overwrite(&mut self, exchange: u64, stamp: u64, key: &[u8]) -> &mut V {
        if self.entries.is_empty() {
            self.entries.resize_with(self.capacity, || Entry {
                exchange: 0,
                stamp: 0,
                used: false,
                key: Vec::new(),
                value: V::default(),
            });
        }
        let position = self.position(exchange, key);
        let entry = &mut self.entries[position];
        entry.exchange = exchange;
        entry.stamp = stamp;
        entry.used = true;
        entry.key.clear();
        entry.key.extend_from_slice(key);
        &mut entry.value
    }

    /// Forgets everything and gives the memory back.
    pub fn clear(&mut self) {
        self.entries = Vec::new();
    }

    #[inline]
    fn position(&self, exchange: u64, key: &[u8]) -> usize {
        let mut state = self.hasher.build_hasher();
        state.write_u64(exchange);
        key.hash(&mut state);
        state.finish() as usize & (self.capacity - 1)
    }
}
