//! The one way in which durable definitions change.

use crate::{Change, CommitError};

/// The position of a proposal in the journal; later proposals have higher tokens, and 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Takes changes in order and makes them durable in that order.
///
/// A proposal is durable once [`durable`](Journal::durable) has reached its token. Proposals become durable in the order
/// of their tokens, so waiting for the last of several is waiting for all.
pub trait Journal: Send + Sync {
    /// Appends `changes` side by side and returns their token; never waits for the disk.
    ///
    /// After a crash they are there wholly or not at all. Only a group too large for that, such as an import of
    /// definitions, may be there as far as some change of it, as if it had been proposed in pieces.
    ///
    /// Once the journal cannot make anything durable any more it still returns tokens, which are never reached.
    ///
    /// # Panics
    ///
    /// When a change is not [storable](Change::is_storable): written, it would keep the node from starting again.
    fn propose(&self, changes: Vec<Change>) -> Token;

    /// The highest durable token.
    ///
    /// It is raised before anyone is told, so a waiter that registers first and then looks here misses nothing.
    fn durable(&self) -> Token;

    /// Puts every change up to `up_to`, which is durable, where a start finds it without the log.
    ///
    /// The owner of the log calls it before the log gives up records below `up_to`, and keeps them after an error. It
    /// waits for the disk, so it is called where waiting holds nobody up. A journal without a log has nothing to do.
    fn checkpoint(&self, up_to: Token) -> Result<(), CommitError> {
        let _ = up_to;
        Ok(())
    }

    /// How many changes a checkpoint would take: what a start replays, and memory until then.
    fn pending(&self) -> usize {
        0
    }
}

/// Holds every journal to the one precondition of [`propose`](Journal::propose).
pub(crate) fn assert_storable(changes: &[Change]) {
    assert!(changes.iter().all(Change::is_storable), "a change was proposed whose field table cannot be read back");
}
