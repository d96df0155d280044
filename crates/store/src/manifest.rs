//! The manifest, `store.redb`: which part of the messages is where. It is the only truth: a cold segment that it does not
//! name is not there, and the log counts from the segment that it gives.
//!
//! One commit per retirement or compaction. A commit that finds no space leaves everything as it was and can be tried
//! again; after any other failure nothing may be written any more.

mod backend;
mod change;
mod codec;
#[cfg(test)]
mod tests;

pub(crate) use change::Change;
pub(crate) use codec::{QueueState, State};

use crate::disk::{Disk, is_no_space};
use backend::{Backend, Failure};
use redb::backends::InMemoryBackend;
use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable};
use redb::{StorageBackend, TableDefinition, TableError};
use std::io;
use std::sync::Arc;

/// Name of the file.
pub(crate) const FILE: &str = "store.redb";
/// Its name until it is complete, so that no half-made file ever has the other.
pub(crate) const NEW_FILE: &str = "store.redb.new";
/// The version of the tables and records in docs/formats/messages.md.
pub(crate) const FORMAT_VERSION: u64 = 1;
/// What every redb file begins with.
const REDB_MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
/// It is read once, at the start; after that the cache has to hold what one commit touches.
const CACHE_BYTES: usize = 4 << 20;

const STORE: TableDefinition<'_, &str, u64> = TableDefinition::new("store");
const QUEUES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queues");
const EXTENTS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("extents");
const COLD: TableDefinition<'_, u64, u64> = TableDefinition::new("cold");

/// Why the manifest cannot be read or written.
#[derive(Debug)]
pub(crate) enum ManifestError {
    /// Not a file of this program.
    Foreign,
    /// A file of a later version.
    Newer(u64),
    /// A file of this program that makes no sense.
    Corrupt(String),
    /// There is no space; everything is as it was, and the commit can be tried again.
    NoSpace,
    /// Reading or writing failed.
    Io(io::Error),
}

/// Everything in the manifest, as it is read at the start.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    /// By id.
    pub(crate) queues: Vec<(u64, QueueState)>,
    /// Queue, first sequence number and the extent itself; ascending.
    pub(crate) extents: Vec<(u64, u64, Vec<u8>)>,
    /// Id and bytes of each cold segment.
    pub(crate) cold: Vec<(u64, u64)>,
}

/// The open manifest.
pub(crate) struct Manifest {
    disk: Arc<dyn Disk>,
    /// None after a commit that found no space: redb takes nothing more then, and is opened again for the next.
    database: Option<Database>,
    failure: Arc<Failure>,
}

impl Manifest {
    /// Opens the manifest, or creates it with `first` when there is none.
    pub(crate) fn open(disk: &Arc<dyn Disk>, first: &State) -> Result<(Manifest, Snapshot), ManifestError> {
        let names = disk.names()?;
        if !names.iter().any(|name| name == FILE) {
            create(disk, first, names.iter().any(|name| name == NEW_FILE))?;
        }
        let failure = Arc::new(Failure::default());
        let database = open(disk, &failure)?;
        let snapshot = snapshot(&database)?;
        Ok((Manifest { disk: disk.clone(), database: Some(database), failure }, snapshot))
    }

    /// What the manifest says, without a change to the file: a copy in memory is repaired if it must be. `None` when
    /// there is none.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Snapshot>, ManifestError> {
        let file = match disk.open(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = vec![0; file.len()? as usize];
        file.read_exact_at(&mut bytes, 0)?;
        if !bytes.starts_with(REDB_MAGIC) {
            return Err(ManifestError::Foreign);
        }
        let copy = InMemoryBackend::new();
        copy.set_len(bytes.len() as u64)?;
        copy.write(0, &bytes)?;
        let database = builder().set_check_integrity_on_open(true).create_with_backend(copy)?;
        check_format(&database.begin_read()?)?;
        snapshot(&database).map(Some)
    }

    /// Commits a change, whole or not at all, and syncs it.
    ///
    /// After [`ManifestError::NoSpace`] it may be tried again: what it writes depends on nothing that it finds.
    pub(crate) fn commit(&mut self, change: &Change) -> Result<(), ManifestError> {
        let result = self.try_commit(change);
        match result {
            Err(_) if self.failure.is_fatal() => Err(self.failure.error()),
            Err(error) => {
                // Dropping the database writes nothing more once a write has failed; the next open repairs the file.
                self.database = None;
                Err(if self.failure.take_no_space() { ManifestError::NoSpace } else { error })
            }
            Ok(()) => Ok(()),
        }
    }

    fn try_commit(&mut self, change: &Change) -> Result<(), ManifestError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.disk, &self.failure)?,
        };
        let database = self.database.insert(database);
        let transaction = database.begin_write()?;
        change.write(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    /// Closes the file in good order, so that the next start has nothing to repair.
    pub(crate) fn close(&mut self) {
        self.database = None;
    }
}

/// Writes a new file beside the final name and renames it.
///
/// The rename must come after the sync of the contents and be synced itself before the log begins: else a crash would
/// leave a log without a manifest, which is refused because it cannot be told from a manifest that somebody removed.
fn create(disk: &Arc<dyn Disk>, first: &State, is_left_over: bool) -> Result<(), ManifestError> {
    if is_left_over {
        disk.remove(NEW_FILE)?;
    }
    let failure = Arc::new(Failure::default());
    let file = disk.create(NEW_FILE)?;
    let database = builder().create_with_backend(Backend::new(file.clone(), failure.clone()))?;
    let transaction = database.begin_write()?;
    Change { state: first.clone(), ..Change::default() }.write(&transaction)?;
    transaction.commit()?;
    database.close()?;
    // Closing marks the file as clean; only a failure above would tell whether that was synced.
    file.sync()?;
    disk.rename(NEW_FILE, FILE)?;
    Ok(disk.sync_names()?)
}

/// Opens the file, refusing what is not ours before anything is written.
fn open(disk: &Arc<dyn Disk>, failure: &Arc<Failure>) -> Result<Database, ManifestError> {
    let file = disk.open(FILE)?;
    let mut begin = [0; REDB_MAGIC.len()];
    match file.read_exact_at(&mut begin, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ManifestError::Foreign),
        other => other?,
    }
    if begin != REDB_MAGIC {
        return Err(ManifestError::Foreign);
    }
    match builder().open_read_only_with_backend(Backend::new(file.clone(), Arc::default())) {
        Ok(database) => check_format(&database.begin_read()?)?,
        // After a crash redb has to write before it can be read.
        Err(DatabaseError::RepairAborted) => {}
        Err(error) => return Err(error.into()),
    }
    let database =
        builder().set_check_integrity_on_open(true).create_with_backend(Backend::new(file, failure.clone()))?;
    check_format(&database.begin_read()?)?;
    Ok(database)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn check_format(transaction: &ReadTransaction) -> Result<(), ManifestError> {
    let table = match transaction.open_table(STORE) {
        Ok(table) => table,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(ManifestError::Foreign),
    };
    match table.get("format")?.map(|found| found.value()) {
        Some(FORMAT_VERSION) => Ok(()),
        Some(found) if found > FORMAT_VERSION => Err(ManifestError::Newer(found)),
        Some(_) | None => Err(ManifestError::Foreign),
    }
}

fn snapshot(database: &Database) -> Result<Snapshot, ManifestError> {
    let transaction = database.begin_read()?;
    let mut snapshot = Snapshot { state: State::read(&transaction.open_table(STORE)?)?, ..Snapshot::default() };
    for row in transaction.open_table(QUEUES)?.iter()? {
        let (quid, state) = row?;
        let quid = quid.value();
        let state = QueueState::from_bytes(state.value())
            .ok_or_else(|| ManifestError::Corrupt(format!("the state of queue {quid} cannot be read")))?;
        snapshot.queues.push((quid, state));
    }
    for row in transaction.open_table(EXTENTS)?.iter()? {
        let (key, extent) = row?;
        let (quid, first) = key.value();
        snapshot.extents.push((quid, first, extent.value().to_vec()));
    }
    for row in transaction.open_table(COLD)?.iter()? {
        let (id, bytes) = row?;
        snapshot.cold.push((id.value(), bytes.value()));
    }
    Ok(snapshot)
}

impl From<io::Error> for ManifestError {
    fn from(error: io::Error) -> ManifestError {
        if is_no_space(&error) { ManifestError::NoSpace } else { ManifestError::Io(error) }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for ManifestError {
            fn from(error: redb::$error) -> ManifestError {
                match redb::Error::from(error) {
                    redb::Error::Io(error) => error.into(),
                    redb::Error::Corrupted(what) => ManifestError::Corrupt(what),
                    other => ManifestError::Corrupt(other.to_string()),
                }
            }
        }
    )*};
}
from_redb!(DatabaseError, StorageError, TableError, TransactionError, CommitError);
