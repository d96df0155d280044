//! The part of the calendar that is in memory.

use super::{Due, Limits};
use std::collections::BTreeSet;

/// When there is something in files that should be in memory by now, look again so much later.
const LOOK_AGAIN_MS: u64 = 5;

/// Entries in memory. An empty one has allocated nothing.
pub(super) struct Memory {
    /// What is due before is near, when it is added; the far part begins here. `u64::MAX`: nothing is far.
    pub(super) horizon_ms: u64,
    /// In order. Everything before the horizon, and perhaps some behind it.
    pub(super) near: BTreeSet<Due>,
    /// What was taken and is being worked on.
    pub(super) taken: BTreeSet<Due>,
    /// Far entries that no file has yet.
    pub(super) far: Vec<Due>,
    /// The earliest of those.
    pub(super) far_first_ms: u64,
    /// Entries that were near when they were added, and that no file has yet. Some are gone.
    pub(super) unwritten: Vec<Due>,
    /// When entries were last taken.
    taken_ms: u64,
    /// Maintenance was asked for, and has not begun.
    pub(super) is_asked: bool,
}

impl Memory {
    /// An empty one, where files have what is due from `horizon_ms` on.
    pub(super) fn new(horizon_ms: u64) -> Memory {
        Memory {
            horizon_ms,
            near: BTreeSet::new(),
            taken: BTreeSet::new(),
            far: Vec::new(),
            far_first_ms: u64::MAX,
            unwritten: Vec::new(),
            taken_ms: 0,
            is_asked: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.near.is_empty() && self.taken.is_empty() && self.far.is_empty()
    }

    /// True when the entry is the first now.
    pub(super) fn add(&mut self, due: Due) -> bool {
        if !self.taken.is_empty() {
            self.taken.remove(&due);
        }
        if due.due_ms >= self.horizon_ms && self.horizon_ms != u64::MAX {
            self.add_far(due);
            return false;
        }
        let is_first = self.near.first().is_none_or(|first| due < *first);
        self.add_near(due);
        is_first
    }

    pub(super) fn add_near(&mut self, due: Due) {
        if self.near.insert(due) {
            self.unwritten.push(due);
        }
    }

    pub(super) fn add_far(&mut self, due: Due) {
        self.far_first_ms = self.far_first_ms.min(due.due_ms);
        self.far.push(due);
    }

    /// The far entries that wait, which the caller is going to write or to put somewhere else.
    pub(super) fn take_far(&mut self) -> Vec<Due> {
        self.far_first_ms = u64::MAX;
        std::mem::take(&mut self.far)
    }

    pub(super) fn take(&mut self, now_ms: u64, most: usize, taken: &mut Vec<Due>) {
        self.taken_ms = now_ms;
        for _ in 0..most {
            let Some(due) = self.near.first().copied().filter(|due| due.due_ms <= now_ms) else { break };
            self.near.pop_first();
            self.taken.insert(due);
            taken.push(due);
        }
    }

    pub(super) fn finish(&mut self, due: &Due) {
        self.taken.remove(due);
    }

    pub(super) fn forget(&mut self, due: &Due) {
        self.near.remove(due);
        self.taken.remove(due);
    }

    /// `u64::MAX` when there is nothing to wait for.
    pub(super) fn next_due_ms(&self) -> u64 {
        let near = self.near.first().map_or(u64::MAX, |due| due.due_ms);
        // Not loaded yet: there is nothing to take before it is.
        let far = if self.horizon_ms == u64::MAX {
            u64::MAX
        } else {
            self.horizon_ms.max(self.taken_ms.saturating_add(LOOK_AGAIN_MS))
        };
        near.min(far)
    }

    /// Whether the entry is still to happen, or happening.
    pub(super) fn wants(&self, due: &Due) -> bool {
        self.near.contains(due) || self.taken.contains(due)
    }

    /// True once, when there is something for whoever maintains that should not wait.
    pub(super) fn needs_maintenance(&mut self, limits: &Limits) -> bool {
        let is_low = self.horizon_ms != u64::MAX && self.near.len() <= limits.near / 2;
        let needs = is_low || self.near.len() > limits.near || self.far.len() >= limits.far || self.is_unwritten_long();
        needs && !std::mem::replace(&mut self.is_asked, true)
    }

    /// Most of what is noted as unwritten has happened meanwhile.
    pub(super) fn is_unwritten_long(&self) -> bool {
        self.unwritten.len() > 4096 + 2 * (self.near.len() + self.taken.len())
    }
}
