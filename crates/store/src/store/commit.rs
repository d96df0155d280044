//! Changes of the manifest: what they contain, and when they may be made.

use super::maintain::{Maintenance, Phase};
use super::{Owners, Store};
use crate::cold;
use crate::error::StoreError;
use crate::manifest::{self, Change, ManifestError};
use crate::place::Lsn;
use std::collections::BTreeSet;

/// Queues that are asked per commit whether they still exist.
const SWEPT_AT_ONCE: usize = 1024;

/// A change that is ready, and what follows it.
pub(super) struct Commit {
    pub(super) change: Change,
    /// The log must be durable up to here first. The states in the change may contain what is logged up to here; were
    /// they durable and the log not, a crash would leave half of a transaction, or a removal that never happened.
    pub(super) after: Lsn,
    pub(super) then: Then,
}

/// What may be done once the manifest says so, and not before: a crash between would find the old manifest with files
/// that are gone.
pub(super) enum Then {
    /// The log's segment has nothing any more that is wanted.
    Recycle(u32),
    /// Nor have these cold segments.
    Remove(Vec<u64>),
}

impl Store {
    /// Takes the states of these queues and makes a commit of them.
    pub(super) fn prepare_commit(
        &self,
        maintenance: &mut Maintenance,
        owners: &dyn Owners,
        quids: impl IntoIterator<Item = u64>,
        mut change: Change,
        then: Then,
    ) -> Box<Commit> {
        let swept = maintenance.sweep();
        let deleted = swept.into_iter().filter(|quid| !owners.with(*quid, &mut |_| {}));
        let quids: BTreeSet<u64> = quids.into_iter().chain(deleted).collect();
        for quid in quids {
            let exists = owners.with(quid, &mut |backlog| {
                change.queues.insert(quid, Some(backlog.state()));
                backlog.take_changed(&mut |first, extent| drop(change.extents.insert((quid, first), extent)));
            });
            if exists {
                maintenance.known.insert(quid);
            } else {
                maintenance.known.remove(&quid);
                change.extents.retain(|(of, _), _| *of != quid);
                change.queues.insert(quid, None);
            }
        }
        // After the states were taken: a transaction that is in them is then appended whole, and a queue that was not
        // found has its deletion in the log. Both are below the end that is read next.
        owners.quiesce();
        let after = self.log.append().end();
        self.log.commit();
        Box::new(Commit { change, after, then })
    }

    /// Commits when the log is far enough. What cannot be committed for want of space is kept.
    pub(super) fn try_commit(
        &self,
        maintenance: &mut Maintenance,
        commit: Box<Commit>,
        owners: &dyn Owners,
    ) -> Result<bool, StoreError> {
        if self.log.durable() < commit.after {
            self.log.commit();
            maintenance.phase = Phase::Committing(commit);
            return Ok(false);
        }
        // The definitions first: once the head has moved on, their records in the retired segment are not read again.
        // The times of messages too, for the same reason: once the segment is gone, they are in the calendar's files only.
        let synced = match commit.then {
            Then::Recycle(_) => self.calendar.sync(),
            Then::Remove(_) => Ok(()),
        };
        let result = synced
            .and_then(|()| owners.checkpoint_metadata(commit.after))
            .and_then(|()| maintenance.manifest.commit(&commit.change).map_err(store_error));
        if let Err(error) = result {
            maintenance.phase = Phase::Committing(commit);
            return Err(error);
        }
        maintenance.state = commit.change.state.clone();
        match commit.then {
            Then::Recycle(segment) => {
                self.log.take_dirty(segment);
                self.log.recycle(segment);
            }
            Then::Remove(segments) => self.remove_cold(&segments)?,
        }
        Ok(true)
    }

    /// Removes files of cold segments that the manifest does not name any more. Whoever still reads one can go on.
    fn remove_cold(&self, segments: &[u64]) -> Result<(), StoreError> {
        for id in segments {
            self.cold().remove(id);
            let name = cold::file_name(*id);
            match self.disk.remove(&name) {
                // The removal is not synced: a file that comes back after a crash is removed at the next start.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::of_io(name, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Maintenance {
    /// Some queues that the manifest has rows of, in turn, to see whether they still exist: a queue that is deleted
    /// while nothing of it is in the log is noticed in no other way.
    fn sweep(&mut self) -> Vec<u64> {
        let mut some: Vec<u64> = self.known.range(self.swept..).take(SWEPT_AT_ONCE).copied().collect();
        if some.len() < SWEPT_AT_ONCE {
            let more = SWEPT_AT_ONCE - some.len();
            some.extend(self.known.range(..self.swept).take(more));
        }
        self.swept = some.last().map_or(0, |last| last + 1);
        some
    }
}

/// A failure of the manifest as one of the store.
pub(super) fn store_error(error: ManifestError) -> StoreError {
    let file = manifest::FILE.to_owned();
    match error {
        ManifestError::NoSpace => StoreError::NoSpace { file },
        ManifestError::Io(source) => StoreError::Io { file, source },
        ManifestError::Foreign => StoreError::Damaged { file, offset: 0, what: "it is of another program" },
        ManifestError::Newer(_) => StoreError::Damaged { file, offset: 0, what: "it is of a later version" },
        ManifestError::Corrupt(what) => {
            StoreError::Io { file, source: std::io::Error::new(std::io::ErrorKind::InvalidData, what) }
        }
    }
}
