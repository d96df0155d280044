//! A journal without a disk, for tests and simulators.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::journal::assert_storable;
use crate::{Change, Definitions, Journal, Snapshot, Token};

/// Applies every proposal at once and calls it durable.
#[derive(Default)]
pub struct MemoryJournal {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    definitions: Definitions,
    last: u64,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> MemoryJournal {
        MemoryJournal::default()
    }

    /// A journal that starts from `snapshot`.
    pub fn from_snapshot(snapshot: Snapshot) -> MemoryJournal {
        MemoryJournal { state: Mutex::new(State { definitions: Definitions::from(snapshot), last: 0 }) }
    }

    /// What a restart would find.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::from(self.state().definitions.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn propose(&self, changes: Vec<Change>) -> Token {
        assert_storable(&changes);
        let mut state = self.state();
        for change in changes {
            state.definitions.apply(change);
        }
        state.last += 1;
        Token(state.last)
    }

    fn durable(&self) -> Token {
        Token(self.state().last)
    }
}
