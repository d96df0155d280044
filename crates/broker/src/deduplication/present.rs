//! The keys of the messages that are in a queue.

use super::KeyRecord;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use store::Backlog;

/// Keys of the messages in a queue, ready or unacknowledged, and their records on disk.
#[derive(Debug, Default)]
pub(crate) struct Present {
    keys: HashMap<u128, u64, RandomState>,
    /// Keys by the positions of their messages.
    positions: BTreeMap<u64, u128>,
    /// The records of those whose messages are stored: the same positions, in a group of their own.
    pub(crate) backlog: Backlog,
}

impl Present {
    /// True when a message with this key is there.
    pub(crate) fn has(&self, key: u128) -> bool {
        self.keys.contains_key(&key)
    }

    /// The message at `seq`, which enters, has this key.
    pub(crate) fn add(&mut self, key: u128, seq: u64) {
        self.keys.insert(key, seq);
        self.positions.insert(seq, key);
    }

    /// The message at `seq` has left. True when it had a key.
    pub(crate) fn remove(&mut self, seq: u64) -> bool {
        let Some(key) = self.positions.remove(&seq) else { return false };
        // After a crash two messages may have had it, of which the later one counts.
        if self.keys.get(&key) == Some(&seq) {
            self.keys.remove(&key);
        }
        true
    }

    /// Messages have left. Adds the positions of their records that are on disk, and the lengths of those, to `records`.
    pub(crate) fn remove_all(&mut self, seqs: impl Iterator<Item = u64>, records: &mut Vec<(u64, u32)>) {
        for seq in seqs {
            if self.remove(seq) && self.backlog.contains(seq) {
                self.backlog.remove(seq, KeyRecord::LEN);
                records.push((seq, KeyRecord::LEN));
            }
        }
    }

    /// The positions from `first` to `last` of messages that have a key.
    pub(crate) fn positions(&self, first: u64, last: u64) -> impl Iterator<Item = u64> {
        self.positions.range(first..=last).map(|(seq, _)| *seq)
    }
}
