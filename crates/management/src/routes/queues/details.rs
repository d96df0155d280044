//! What only reactors can tell of queues, for the rows of a list.

use crate::shared::Shared;
use broker::{QueueCell, QueueDetails};
use std::sync::{Arc, Mutex, PoisonError};

/// Queues that are asked about at once, at most.
const MOST: usize = 256;

/// The queues of a list, and what was asked last.
///
/// A list goes through its rows in order to sort them or to send them all, and then it asks for more and more at once;
/// the rows of a page that is sorted by something else are asked about one by one.
pub(super) struct Details {
    shared: Shared,
    cells: Vec<Arc<QueueCell>>,
    last: Mutex<Answer>,
}

#[derive(Default)]
struct Answer {
    /// Place of the first.
    start: usize,
    details: Vec<QueueDetails>,
    /// How many were asked for.
    asked: usize,
}

impl Details {
    pub(super) fn new(shared: &Shared, cells: &[Arc<QueueCell>]) -> Details {
        Details { shared: shared.clone(), cells: cells.to_vec(), last: Mutex::default() }
    }

    /// Those of the queue at a place; nothing is known once the broker stops.
    pub(super) fn of(&self, place: usize) -> QueueDetails {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = (last.start..last.start + last.details.len()).contains(&place);
        if !is_known {
            let goes_on = last.asked > 0 && place == last.start + last.asked;
            let count = if goes_on { (last.asked * 2).min(MOST) } else { 1 };
            let end = (place + count).min(self.cells.len());
            let asked = self.cells.get(place..end).unwrap_or_default();
            let details = self.shared.broker().ok().and_then(|broker| broker.details_of(asked).ok());
            *last = Answer { start: place, details: details.unwrap_or_default(), asked: count };
        }
        last.details.get(place - last.start).cloned().unwrap_or_default()
    }
}
