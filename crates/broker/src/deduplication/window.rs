//! What an exchange remembers of the messages that it has seen.

use crate::topology::Exchange;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// For a key that is remembered without end.
const NEVER: u64 = u64::MAX;

/// Keys seen lately: at most `size`, the oldest going first, each for a time.
///
/// Its lock is a leaf: it may be taken with any other held, and nothing is taken under it.
#[derive(Debug)]
pub(crate) struct Window {
    size: usize,
    ttl_ms: Option<u64>,
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    known: HashMap<u128, Known, RandomState>,
    /// Keys in the order in which they came, with their tickets. A key that came again since has another one.
    order: VecDeque<(u128, u64)>,
    next_ticket: u64,
    /// Positions of records that are not wanted any more.
    stale: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    ticket: u64,
    due_ms: u64,
    /// Position of its record on disk, once there is one.
    seq: Option<u64>,
}

/// A key that was new. It is forgotten again unless its message has reached its queues: a publish that is rejected or
/// rolled back may come again.
pub(crate) struct Claim {
    pub(crate) exchange: Arc<Exchange>,
    key: u128,
    ticket: u64,
    due_ms: u64,
    is_kept: AtomicBool,
}

/// A key as it is on disk: the body of a message in the hidden queue of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyRecord {
    pub(crate) key: u128,
    /// When it is forgotten, in ms since 1970.
    pub(crate) due_ms: u64,
}

impl KeyRecord {
    /// A key that stays as long as its message.
    pub(crate) fn of_message(key: u128) -> KeyRecord {
        KeyRecord { key, due_ms: NEVER }
    }

    /// Its bytes on disk.
    pub(crate) const LEN: u32 = 24;

    /// The key, then the time, both little-endian.
    pub(crate) fn to_bytes(self) -> [u8; KeyRecord::LEN as usize] {
        let mut bytes = [0; KeyRecord::LEN as usize];
        bytes[..16].copy_from_slice(&self.key.to_le_bytes());
        bytes[16..].copy_from_slice(&self.due_ms.to_le_bytes());
        bytes
    }

    /// `None` where the bytes are not those of a record.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<KeyRecord> {
        let (key, due_ms) = bytes.split_first_chunk()?;
        let due_ms = u64::from_le_bytes(due_ms.try_into().ok()?);
        Some(KeyRecord { key: u128::from_le_bytes(*key), due_ms })
    }
}

impl Window {
    /// A window of `size` keys, each remembered for `ttl_ms` unless its message says otherwise.
    pub(crate) fn new(size: usize, ttl_ms: Option<u64>) -> Window {
        Window { size, ttl_ms, keys: Mutex::default() }
    }

    /// Notes a message that passes `exchange`, whose window this is; `None` when it is a duplicate.
    pub(crate) fn claim(&self, exchange: &Arc<Exchange>, key: u128, ttl_ms: Option<u64>, now_ms: u64) -> Option<Claim> {
        let due_ms = ttl_ms.or(self.ttl_ms).map_or(NEVER, |ttl_ms| now_ms.saturating_add(ttl_ms));
        let ticket = self.keys().add(key, due_ms, now_ms, self.size)?;
        Some(Claim { exchange: exchange.clone(), key, ticket, due_ms, is_kept: AtomicBool::new(false) })
    }

    /// A key from the body of a message that a restart finds; one that is no record changes nothing.
    pub(crate) fn restore_from(&self, body: &[u8], seq: u64) {
        if let Some(record) = KeyRecord::from_bytes(body) {
            self.restore(record, seq);
        }
    }

    /// A key as a restart finds it, in the order of the positions.
    pub(crate) fn restore(&self, record: KeyRecord, seq: u64) {
        let mut keys = self.keys();
        // A record that was to be removed right before a crash may be here beside the one that took its place.
        if let Some(known) = keys.known.remove(&record.key) {
            keys.stale.extend(known.seq);
        }
        if let Some(ticket) = keys.add(record.key, record.due_ms, 0, self.size) {
            keys.note(record.key, ticket, seq);
        }
    }

    /// Notes where a claim is on disk.
    pub(crate) fn recorded(&self, claim: &Claim, seq: u64) {
        self.keys().note(claim.key, claim.ticket, seq);
    }

    /// Positions of records to be removed.
    pub(crate) fn take_stale(&self) -> Vec<u64> {
        std::mem::take(&mut self.keys().stale)
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    /// Adds a key and returns its ticket; `None` when it is known.
    fn add(&mut self, key: u128, due_ms: u64, now_ms: u64, size: usize) -> Option<u64> {
        if let Some(known) = self.known.get(&key) {
            if known.due_ms > now_ms {
                return None;
            }
            self.stale.extend(known.seq);
            self.known.remove(&key);
        }
        self.make_room(now_ms, size);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.known.insert(key, Known { ticket, due_ms, seq: None });
        self.order.push_back((key, ticket));
        Some(ticket)
    }

    /// Removes the oldest keys until there is room for one, and all at the front that have expired.
    fn make_room(&mut self, now_ms: u64, size: usize) {
        while let Some((key, ticket)) = self.order.front() {
            let known = self.known.get(key).filter(|known| known.ticket == *ticket);
            if known.is_some_and(|known| known.due_ms > now_ms) && self.known.len() < size {
                break;
            }
            if let Some(known) = known {
                self.stale.extend(known.seq);
                self.known.remove(key);
            }
            self.order.pop_front();
        }
        // Keys that came again leave places behind one that stays; there are never more of those than keys.
        if self.order.len() > 2 * self.known.len() + 64 {
            let known = &self.known;
            self.order.retain(|(key, ticket)| known.get(key).is_some_and(|known| known.ticket == *ticket));
        }
    }

    fn note(&mut self, key: u128, ticket: u64, seq: u64) {
        match self.known.get_mut(&key).filter(|known| known.ticket == ticket) {
            Some(known) => known.seq = Some(seq),
            // It had to make room meanwhile.
            None => self.stale.push(seq),
        }
    }
}

impl Claim {
    /// Its message has reached its queues: the key stays.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    /// As it is on disk.
    pub(crate) fn record(&self) -> KeyRecord {
        KeyRecord { key: self.key, due_ms: self.due_ms }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_kept.load(Ordering::Relaxed) {
            return;
        }
        if let Some(window) = self.exchange.window() {
            let mut keys = window.keys();
            if keys.known.get(&self.key).is_some_and(|known| known.ticket == self.ticket) {
                keys.known.remove(&self.key);
            }
        }
    }
}
