//! Single active consumer: one has the seat, the others wait for it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Who is active, and who waits for it, by their slots.
#[derive(Default)]
pub(super) struct Seat {
    state: State,
    /// By priority, highest first, and by age.
    waiting: BTreeMap<(Reverse<i32>, u64), u32>,
    next_age: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The next who comes takes it.
    #[default]
    Free,
    Taken(u32),
    /// Whoever had it left; it is for [`Seat::pass_on`] to say who gets it.
    Vacated,
}

impl Seat {
    /// Takes the seat for a consumer that comes; false when that has to wait.
    pub(super) fn take(&mut self, slot: u32) -> bool {
        let is_free = self.state == State::Free;
        if is_free {
            self.state = State::Taken(slot);
        }
        is_free
    }

    /// Puts a consumer behind those that wait with the same priority.
    pub(super) fn wait(&mut self, priority: i32, slot: u32) {
        self.waiting.insert((Reverse(priority), self.next_age), slot);
        self.next_age += 1;
    }

    /// A consumer leaves, the seat or the line.
    pub(super) fn leave(&mut self, priority: i32, slot: u32) {
        if self.state == State::Taken(slot) {
            self.state = State::Vacated;
            return;
        }
        let same_priority = (Reverse(priority), 0)..=(Reverse(priority), u64::MAX);
        let place = self.waiting.range(same_priority).find(|(_, other)| **other == slot).map(|(place, _)| *place);
        if let Some(place) = place {
            self.waiting.remove(&place);
        }
    }

    /// Gives the seat that was left to the first who waits; `None` when nobody does, or it was not left.
    pub(super) fn pass_on(&mut self) -> Option<u32> {
        if self.state != State::Vacated {
            return None;
        }
        let next = self.waiting.pop_first().map(|(_, slot)| slot);
        self.state = next.map_or(State::Free, State::Taken);
        next
    }

    /// Who has the seat.
    pub(super) fn holder(&self) -> Option<u32> {
        if let State::Taken(slot) = self.state { Some(slot) } else { None }
    }
}
