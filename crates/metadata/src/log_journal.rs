//! The journal whose changes are records of the message store's log; `metadata.redb` is their checkpoint.
//!
//! A proposal is durable when the log is. It stays pending here until a checkpoint has put it into the file, and the
//! log keeps it until then: a start reads the file and what the log has after it. Nothing here waits for the log, and
//! no thread is started: whoever owns the log says when to [checkpoint](Journal::checkpoint), which is before the log
//! gives up the records.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::journal::assert_storable;
use crate::{
    Change, CommitError, Definitions, Journal, OpenError, Snapshot, Store, Token, decode_changes, encode_changes,
};

/// Bytes of one record above which a group of changes is split: well below what a log with the smallest segments takes.
const MOST_BYTES: usize = 128 << 10;

/// The changes of one proposal, and their position in the log.
pub type ChangeGroup = (Token, Vec<Change>);

/// The log that groups of changes are written to.
pub trait ChangeLog: Send + Sync {
    /// Appends one record without waiting for the disk, and answers the position whose durability makes it durable.
    ///
    /// Positions are above 0 and strictly ascending. A later start is given the record under the same position.
    fn append(&self, bytes: &[u8]) -> Token;

    /// The position up to which everything is durable; raised before anyone is told.
    fn durable(&self) -> Token;
}

/// A [`Journal`] over a [`ChangeLog`], with a [`Store`] as its checkpoint.
pub struct LogJournal {
    log: Arc<dyn ChangeLog>,
    pending: Mutex<Pending>,
    /// Held during a checkpoint, so that there is one at a time; empty after the shutdown.
    store: Mutex<Option<Store>>,
}

/// What is in the log and not yet in the store.
#[derive(Default)]
struct Pending {
    groups: VecDeque<ChangeGroup>,
    /// Changes of the groups, those of a checkpoint under way included.
    changes: usize,
    /// The last position given by the log.
    last: Token,
}

impl LogJournal {
    /// Brings `snapshot`, which contains the log up to `applied`, up to date with the log's metadata records.
    ///
    /// `records` are in the order of their positions; those up to `applied` are passed over. The groups that are
    /// answered are in the snapshot but not in the store: they are [pending](LogJournal::start) again.
    pub fn replay(
        snapshot: Snapshot,
        records: impl IntoIterator<Item = (Token, Vec<u8>)>,
        applied: u64,
    ) -> Result<(Snapshot, Vec<ChangeGroup>), OpenError> {
        let mut groups = Vec::new();
        for (token, bytes) in records.into_iter().filter(|(token, _)| token.0 > applied) {
            let changes = decode_changes(&bytes).ok_or(OpenError::Record { position: token.0 })?;
            groups.push((token, changes));
        }
        if groups.is_empty() {
            return Ok((snapshot, groups)); // without taking a large topology apart
        }
        let mut definitions = Definitions::from(snapshot);
        for change in groups.iter().flat_map(|(_, changes)| changes) {
            definitions.apply(change.clone());
        }
        Ok((Snapshot::from(definitions), groups))
    }

    /// The journal of `store` and `log`, with what [`replay`](LogJournal::replay) found pending.
    ///
    /// The log is open and has taken no metadata since. Where it ends before what the store contains of it (its tail
    /// or all of it was lost), the store goes on from there: what it contains stays, and positions are given anew.
    ///
    /// # Panics
    ///
    /// When the pending groups are not in the order of their positions.
    pub fn start(store: Store, log: Arc<dyn ChangeLog>, pending: Vec<ChangeGroup>) -> Result<LogJournal, CommitError> {
        let applied = store.rewind(log.durable().0)?;
        let mut state = Pending { last: Token(applied), ..Pending::default() };
        for (token, changes) in pending {
            state.push(token, changes);
        }
        Ok(LogJournal { log, pending: Mutex::new(state), store: Mutex::new(Some(store)) })
    }

    fn checkpoint_to(&self, store: &Store, up_to: Token) -> Result<(), CommitError> {
        let groups = self.lock().take(up_to);
        let Some(&(Token(applied), _)) = groups.back() else { return Ok(()) };
        let result = store.commit_all(groups.iter().flat_map(|(_, changes)| changes), applied);
        match &result {
            Ok(()) => self.lock().changes -= count(&groups),
            Err(_) => self.lock().put_back(groups),
        }
        result
    }

    /// Checkpoints what is durable and frees the data directory, also where the checkpoint fails.
    ///
    /// What is proposed later is in the log alone, for the next start to find as far as the log makes it durable.
    pub fn shutdown(&self) -> Result<(), CommitError> {
        let mut store = self.store()?;
        store.take().map_or(Ok(()), |store| self.checkpoint_to(&store, self.log.durable()))
    }

    /// Does `work` while the data directory's file of definitions is whole and stays as it is.
    ///
    /// # Errors
    ///
    /// When an earlier checkpoint has panicked.
    pub fn while_still<R>(&self, work: impl FnOnce() -> R) -> Result<R, CommitError> {
        let _store = self.store()?;
        Ok(work())
    }

    fn store(&self) -> Result<MutexGuard<'_, Option<Store>>, CommitError> {
        // Whoever panicked had taken changes out: a later position must not be said to contain them.
        self.store.lock().map_err(|_| CommitError::Failed("an earlier checkpoint has panicked".into()))
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for LogJournal {
    fn propose(&self, changes: Vec<Change>) -> Token {
        assert_storable(&changes);
        let pieces = in_pieces(changes);
        // Appended and remembered under one lock, so that a checkpoint has them in the order of the log.
        let mut pending = self.lock();
        for (bytes, changes) in pieces {
            let token = self.log.append(&bytes);
            pending.push(token, changes);
        }
        pending.last
    }

    fn durable(&self) -> Token {
        self.log.durable()
    }

    fn pending(&self) -> usize {
        self.lock().changes
    }

    /// Once it has returned the log may forget the changes. It waits for the disk; proposals meanwhile do not wait for
    /// it. After an error the changes are pending still. After the shutdown there is nothing to do.
    fn checkpoint(&self, up_to: Token) -> Result<(), CommitError> {
        let store = self.store()?;
        store.as_ref().map_or(Ok(()), |store| self.checkpoint_to(store, up_to))
    }
}

/// The encoded changes, in as many pieces as the log's limit for a record asks for.
///
/// Nearly always that is one, and then they are on disk wholly or not at all. What is larger is an import of definitions
/// or the like, which may end half-way; each of its changes makes sense without those that follow.
fn in_pieces(mut changes: Vec<Change>) -> Vec<(Vec<u8>, Vec<Change>)> {
    let bytes = encode_changes(&changes);
    if bytes.len() <= MOST_BYTES || changes.len() < 2 {
        return vec![(bytes, changes)];
    }
    let second = changes.split_off(changes.len() / 2);
    let mut pieces = in_pieces(changes);
    pieces.extend(in_pieces(second));
    pieces
}

impl Pending {
    fn push(&mut self, token: Token, changes: Vec<Change>) {
        // A position given twice would be taken for contained in the store when only the first of its records is.
        assert!(token > self.last, "the log gave position {} after {}", token.0, self.last.0);
        self.last = token;
        self.changes += changes.len();
        self.groups.push_back((token, changes));
    }

    /// Takes the groups up to `up_to` out; their changes are counted until they are in the store.
    fn take(&mut self, up_to: Token) -> VecDeque<ChangeGroup> {
        let at = self.groups.partition_point(|(token, _)| *token <= up_to);
        let later = self.groups.split_off(at);
        mem::replace(&mut self.groups, later)
    }

    /// Puts groups that were taken out back in front of those that have come since.
    fn put_back(&mut self, mut groups: VecDeque<ChangeGroup>) {
        groups.append(&mut self.groups);
        self.groups = groups;
    }
}

fn count(groups: &VecDeque<ChangeGroup>) -> usize {
    groups.iter().map(|(_, changes)| changes.len()).sum()
}

#[cfg(test)]
mod tests;
