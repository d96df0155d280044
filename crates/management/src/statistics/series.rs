//! The samples of one subject: what its fields were last, and rings of how they came to it.

use super::retention::Levels;
use super::ring::{Changes, MOST_FIELDS, Ring, Slot};

/// The samples of one subject.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// The fields at the last sample.
    last: Box<[u64]>,
    /// A ring per level, while there is anything in one of them.
    rings: Option<Box<[Ring]>>,
    /// When it was last sampled.
    seen: Slot,
}

/// How a subject came to what it is: changes and when they were seen, in ticks, oldest first.
#[derive(Debug, Default)]
pub(super) struct History(pub(super) Vec<(Slot, Changes)>);

impl Series {
    /// A subject that has `values` from the beginning.
    pub(super) fn new(values: &[u64], slot: Slot) -> Series {
        Series { last: values.into(), rings: None, seen: slot }
    }

    pub(super) fn seen(&self) -> Slot {
        self.seen
    }

    pub(super) fn last(&self) -> &[u64] {
        &self.last
    }

    /// Takes a sample at `slot`, and lets go of what is too old. `changed` is told the differences, if there are any.
    pub(super) fn sample(&mut self, levels: &Levels, slot: Slot, values: &[u64], changed: impl FnOnce(&Changes)) {
        let before = self.seen;
        self.seen = slot;
        if *self.last == *values {
            if self.rings.is_some() {
                self.roll_up(levels, before, slot);
            }
            return;
        }
        let mut changes = [0; MOST_FIELDS];
        for ((change, last), value) in changes.iter_mut().zip(&self.last).zip(values) {
            *change = value.wrapping_sub(*last) as i64;
        }
        self.last.copy_from_slice(values);
        let rings = self.rings.get_or_insert_with(|| levels.all().iter().map(|_| Ring::default()).collect());
        if let Some(finest) = rings.first_mut() {
            finest.push(slot, &changes[..values.len()]);
        }
        self.roll_up(levels, before, slot);
        changed(&changes);
    }

    /// Sums up what coarser rings have an interval of by now, and forgets what is too old.
    fn roll_up(&mut self, levels: &Levels, before: Slot, slot: Slot) {
        let Some(rings) = &mut self.rings else { return };
        for (at, level) in levels.all().iter().enumerate().skip(1) {
            let (reached, now) = (before / level.ticks, slot / level.ticks);
            if now > reached {
                let (finer, coarser) = rings.split_at_mut(at);
                if let (Some(finer), Some(ring)) = (finer.last(), coarser.first_mut()) {
                    sum_up(finer, levels.all()[at - 1].ticks, ring, level.ticks, (reached, now));
                }
            }
        }
        for (ring, level) in rings.iter_mut().zip(levels.all()) {
            if !ring.is_empty() {
                ring.forget_until(slot.saturating_sub(level.span) / level.ticks);
            }
        }
        if rings.iter().all(Ring::is_empty) {
            self.rings = None;
        }
    }

    /// What `field` changed by in the last tick, `slot`.
    pub(super) fn last_change(&self, field: usize, slot: Slot) -> i64 {
        match self.rings.as_deref().and_then(<[Ring]>::first) {
            Some(ring) if !ring.is_empty() && ring.newest() >= slot => ring.last_change(field),
            _ => 0,
        }
    }

    /// What is known of the last `ticks`: from the ring that reaches so far back, and what finer ones have after it.
    pub(super) fn history(&self, levels: &Levels, ticks: Slot) -> History {
        let mut history = History::default();
        let Some(rings) = &self.rings else { return history };
        // Everything until here is in a coarser ring already.
        let mut covered = 0;
        for at in (0..=levels.covering(ticks)).rev() {
            let (Some(ring), Some(level)) = (rings.get(at), levels.all().get(at)) else { continue };
            ring.each(|slot, changes| {
                let tick = slot.saturating_mul(level.ticks);
                if tick > covered {
                    history.0.push((tick, *changes));
                }
            });
            covered = (self.seen / level.ticks) * level.ticks;
        }
        history
    }

    /// Bytes that its rings hold in memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.rings.iter().flatten().map(Ring::capacity).sum()
    }
}

/// Appends to `ring` what `finer` says of the intervals after the one that was `reached` up to `now`.
fn sum_up(finer: &Ring, finer_ticks: Slot, ring: &mut Ring, ticks: Slot, (reached, now): (Slot, Slot)) {
    let mut current = reached;
    let mut sum = [0_i64; MOST_FIELDS];
    finer.each(|slot, changes| {
        let tick = slot.saturating_mul(finer_ticks);
        // An interval ends with the tick that it is named after.
        let interval = tick.div_ceil(ticks);
        if interval <= reached || interval > now {
            return;
        }
        if interval != current {
            ring.push(current, &sum);
            sum = [0; MOST_FIELDS];
            current = interval;
        }
        sum.iter_mut().zip(changes).for_each(|(sum, change)| *sum = sum.wrapping_add(*change));
    });
    ring.push(current, &sum);
}
