//! The open file and its commits: what becomes of it when the disk is full, and when it fails.

use std::mem;
use std::path::PathBuf;

use redb::{Database, DatabaseError, Durability, ReadTransaction, ReadableDatabase};

use super::file::is_no_space;
use super::tables::{APPLIED, LEVERET, Tables};
use super::{LoadError, check_format, load};
use crate::{Change, CommitError, Snapshot};

type Open = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// The definitions on disk, and the position of the log up to which they contain its changes.
pub(super) struct Checkpoint {
    path: PathBuf,
    /// Opens the file, again after a full disk: redb refuses everything once an operation has failed.
    open: Open,
    state: State,
    applied: u64,
}

enum State {
    Open(Database),
    /// A commit found the disk full. It may have been the very last write that failed, so the file says what it holds.
    Full,
    /// A commit failed otherwise, and what is on disk is not known: nothing is written any more.
    Failed,
}

impl Checkpoint {
    /// Opens the file and reads all of it.
    pub(super) fn open(path: PathBuf, open: Open) -> Result<(Checkpoint, Snapshot), LoadError> {
        let database = open()?;
        let transaction = database.begin_read()?;
        check_format(&transaction)?;
        let snapshot = load::snapshot(&transaction)?;
        let applied = applied(&transaction)?;
        drop(transaction);
        Ok((Checkpoint { path, open, state: State::Open(database), applied }, snapshot))
    }

    /// The position of the log up to which the file contains its changes.
    pub(super) fn applied(&self) -> u64 {
        self.applied
    }

    /// Commits `changes`, which bring the file to `applied`; nothing to do when it is there already.
    ///
    /// Changes that are in the file may come once more: each of them overwrites without looking, so the whole of a
    /// sequence applied twice is what it is applied once.
    pub(super) fn commit<'a>(
        &mut self,
        changes: impl Iterator<Item = &'a Change>,
        applied: u64,
    ) -> Result<(), CommitError> {
        self.reopen()?;
        if applied <= self.applied {
            return Ok(());
        }
        self.write(changes, applied)
    }

    /// Notes that the log ends at `end`, before what the file contains of it: from here on it grows anew.
    pub(super) fn rewind(&mut self, end: u64) -> Result<(), CommitError> {
        self.reopen()?;
        if end >= self.applied {
            return Ok(());
        }
        self.write(std::iter::empty(), end)
    }

    fn reopen(&mut self) -> Result<(), CommitError> {
        if matches!(self.state, State::Full) {
            let opened = (self.open)().map_err(LoadError::from).and_then(|database| {
                let transaction = database.begin_read()?;
                check_format(&transaction)?;
                Ok((applied(&transaction)?, database))
            });
            match opened {
                Ok((applied, database)) => (self.applied, self.state) = (applied, State::Open(database)),
                Err(LoadError::Redb(error)) => return Err(self.failed(error)),
                Err(other) => {
                    self.state = State::Failed;
                    return Err(CommitError::Failed(other.at(&self.path).into()));
                }
            }
        }
        Ok(())
    }

    fn write<'a>(&mut self, changes: impl Iterator<Item = &'a Change>, applied: u64) -> Result<(), CommitError> {
        let State::Open(database) = &self.state else {
            return Err(CommitError::Failed("an earlier commit has failed".into()));
        };
        if let Err(error) = transact(database, changes, applied) {
            return Err(self.failed(error));
        }
        self.applied = applied;
        Ok(())
    }

    /// Closes the file, to be opened again only when nothing but space was missing.
    fn failed(&mut self, error: redb::Error) -> CommitError {
        let (state, error) = match error {
            redb::Error::Io(error) if is_no_space(&error) => (State::Full, CommitError::NoSpace(error)),
            other => (State::Failed, CommitError::Failed(other.into())),
        };
        drop(mem::replace(&mut self.state, state));
        error
    }
}

fn applied(transaction: &ReadTransaction) -> Result<u64, LoadError> {
    // Version 1 had no log.
    Ok(transaction.open_table(LEVERET)?.get(APPLIED)?.map_or(0, |value| value.value()))
}

/// One transaction for all of `changes`, so that a group proposed together is there wholly or not at all.
fn transact<'a>(
    database: &Database,
    changes: impl Iterator<Item = &'a Change>,
    applied: u64,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    let mut tables = Tables::open(&transaction)?;
    for change in changes {
        tables.apply(change)?;
    }
    tables.mark(applied)?;
    drop(tables);
    Ok(transaction.commit()?)
}

#[cfg(test)]
pub(crate) mod tests;
