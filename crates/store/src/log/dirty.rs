//! Which queues have anything in which segment.

use std::collections::{BTreeMap, HashSet};

const REMEMBERED: usize = 256;

/// Queues by segment, each once.
pub(super) struct Dirty {
    segment: u32,
    /// Queues of `segment` that are in its set already: a look here costs a nanosecond, one into the set twenty.
    remembered: Box<[u64; REMEMBERED]>,
    segments: BTreeMap<u32, HashSet<u64>>,
}

impl Dirty {
    pub(super) fn new() -> Dirty {
        Dirty { segment: 0, remembered: Box::new([0; REMEMBERED]), segments: BTreeMap::new() }
    }

    /// A queue appended something in a segment.
    #[inline]
    pub(super) fn note(&mut self, segment: u32, quid: u64) {
        let at = (quid.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize;
        if segment != self.segment || self.remembered[at] != quid {
            self.note_new(segment, quid, at);
        }
    }

    #[cold]
    fn note_new(&mut self, segment: u32, quid: u64, at: usize) {
        if quid == 0 {
            return; // The definitions have a checkpoint of their own.
        }
        if segment > self.segment {
            self.segment = segment;
            self.remembered.fill(0);
        }
        if segment == self.segment {
            self.remembered[at] = quid;
        }
        self.segments.entry(segment).or_default().insert(quid);
    }

    pub(super) fn of(&self, segment: u32) -> Vec<u64> {
        sorted(self.segments.get(&segment).into_iter().flatten().copied().collect())
    }

    pub(super) fn take(&mut self, segment: u32) -> Vec<u64> {
        if segment == self.segment {
            self.remembered.fill(0);
        }
        sorted(self.segments.remove(&segment).into_iter().flatten().collect())
    }

    pub(super) fn forget_up_to(&mut self, segment: u32) {
        if segment >= self.segment {
            self.remembered.fill(0);
        }
        self.segments = self.segments.split_off(&(segment + 1));
    }
}

fn sorted(mut quids: Vec<u64>) -> Vec<u64> {
    quids.sort_unstable();
    quids
}
