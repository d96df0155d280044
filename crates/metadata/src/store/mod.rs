//! Definitions in `metadata.redb`, the checkpoint of the log: opening it, reading it, and what is written to it.

mod checkpoint;
mod codec;
mod file;
mod group;
mod load;
mod lock;
mod record;
mod tables;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, TableError};

pub(crate) use codec::encoded_table;
pub use group::{decode_changes, encode_changes};

#[cfg(test)]
pub(crate) use checkpoint::tests::{FullDisk, found};

use crate::{Change, CommitError, OpenError, Snapshot};
use checkpoint::Checkpoint;
use file::SyncedFile;
pub use lock::DirectoryLock;
use tables::{FORMAT, LEVERET, Tables};

/// The file in the data directory that the definitions are in.
pub const DEFINITIONS_FILE: &str = "metadata.redb";
const FILE: &str = DEFINITIONS_FILE;
const NEW_FILE: &str = "metadata.redb.new";
/// The version of the tables and records in docs/formats/metadata.md.
const FORMAT_VERSION: u64 = 2;
/// The first version: without a position in the log, otherwise the same.
const FIRST_VERSION: u64 = 1;
/// What every redb file begins with.
const REDB_MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
/// Definitions are read once and held in memory by others, so redb's own cache only has to serve checkpoints.
const CACHE_BYTES: usize = 8 << 20;

/// The definitions of a data directory, open: the checkpoint of the changes that are in the log.
pub struct Store {
    checkpoint: Mutex<Checkpoint>,
    /// Dropped after the file is closed: the directory is free only then.
    _lock: DirectoryLock,
}

impl Store {
    /// Locks `directory`, creating it if need be, and reads its definitions.
    ///
    /// The number is the position in the log up to which they contain its changes: 0 for none, as in a file of a
    /// version without a log. A file that is not ours, damaged or of a later version is refused and left as it is.
    pub fn open(directory: &Path) -> Result<(Store, Snapshot, u64), OpenError> {
        let failed = |source| OpenError::Io { path: directory.to_owned(), source };
        // Password hashes live here: nothing for other users to read.
        DirBuilder::new().recursive(true).mode(0o750).create(directory).map_err(failed)?;
        let lock = DirectoryLock::acquire(directory)?;
        let path = directory.join(FILE);
        if !path.try_exists().map_err(failed)? {
            create(directory).map_err(|error| error.at(&path))?;
        }
        let (checkpoint, snapshot) = open(&path).map_err(|error| error.at(&path))?;
        let applied = checkpoint.applied();
        Ok((Store { checkpoint: Mutex::new(checkpoint), _lock: lock }, snapshot, applied))
    }

    /// Makes `changes` durable as one transaction, and with them that the file contains the log up to `applied`.
    ///
    /// They are all the changes of the log between the position that the file contained and `applied`; earlier ones may
    /// come again in front of them. When the file contains `applied` already, nothing is written.
    ///
    /// # Panics
    ///
    /// When `applied` is 0, which is before the first change.
    pub fn commit(&self, changes: &[Change], applied: u64) -> Result<(), CommitError> {
        self.commit_all(changes.iter(), applied)
    }

    /// [`commit`](Store::commit) of changes that do not lie side by side.
    pub(crate) fn commit_all<'a>(
        &self,
        changes: impl Iterator<Item = &'a Change>,
        applied: u64,
    ) -> Result<(), CommitError> {
        assert!(applied > 0, "changes of the log were committed at a position before its first");
        self.checkpoint().commit(changes, applied)
    }

    /// Lowers the position that the file contains to `end`, where the log ends, if it is behind; answers the position.
    ///
    /// That is so when the log lost its tail or all of itself. What it takes next has positions that the file would
    /// otherwise count as contained.
    pub(crate) fn rewind(&self, end: u64) -> Result<u64, CommitError> {
        let mut checkpoint = self.checkpoint();
        checkpoint.rewind(end)?;
        Ok(checkpoint.applied())
    }

    fn checkpoint(&self) -> MutexGuard<'_, Checkpoint> {
        self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes an empty file of this version beside the final name and renames it, so that no half-made file ever has that name.
fn create(directory: &Path) -> Result<(), LoadError> {
    let new = directory.join(NEW_FILE);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o640).open(&new)?;
    let database = builder().create_with_backend(FileBackend::new(file)?)?;
    initialize(&database)?;
    database.close()?;
    fs::rename(&new, directory.join(FILE))?;
    Ok(File::open(directory)?.sync_all()?)
}

fn initialize(database: &Database) -> Result<(), LoadError> {
    let transaction = database.begin_write()?;
    Tables::open(&transaction)?.mark(0)?;
    Ok(transaction.commit()?)
}

fn open(path: &Path) -> Result<(Checkpoint, Snapshot), LoadError> {
    inspect(path)?;
    let path = path.to_owned();
    let file = path.clone();
    let open = move || builder().set_check_integrity_on_open(true).create_with_backend(SyncedFile::open(&file)?);
    Checkpoint::open(path, Box::new(open))
}

/// Refuses a foreign or later file before anything is opened for writing.
///
/// After a crash redb must write to recover; then its own file may be recovered first and refused afterwards.
fn inspect(path: &Path) -> Result<(), LoadError> {
    let mut begin = Vec::new();
    let length = REDB_MAGIC.len() as u64;
    File::open(path)?.take(length).read_to_end(&mut begin)?;
    if begin != REDB_MAGIC {
        return Err(LoadError::Foreign);
    }
    match builder().open_read_only(path) {
        Ok(database) => check_format(&database.begin_read()?),
        Err(DatabaseError::RepairAborted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn check_format(transaction: &ReadTransaction) -> Result<(), LoadError> {
    let table = match transaction.open_table(LEVERET) {
        Ok(table) => table,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(LoadError::Foreign),
    };
    match table.get(FORMAT)?.map(|version| version.value()) {
        Some(FIRST_VERSION..=FORMAT_VERSION) => Ok(()),
        Some(found) if found > FORMAT_VERSION => Err(LoadError::Newer { found }),
        Some(_) | None => Err(LoadError::Foreign),
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Why a file could not be opened, before its path is added.
#[derive(Debug)]
enum LoadError {
    Foreign,
    Newer { found: u64 },
    Record { table: String, at: usize },
    Redb(redb::Error),
}

impl LoadError {
    fn at(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            LoadError::Foreign => OpenError::Foreign { path },
            LoadError::Newer { found } => OpenError::Newer { path, found, supported: FORMAT_VERSION },
            LoadError::Record { table, at } => {
                OpenError::Corrupt { path, what: format!("record {at} of table {table} cannot be read") }
            }
            LoadError::Redb(redb::Error::Io(source)) => OpenError::Io { path, source },
            LoadError::Redb(redb::Error::Corrupted(what)) => OpenError::Corrupt { path, what },
            LoadError::Redb(other) => OpenError::Corrupt { path, what: other.to_string() },
        }
    }
}

impl<E: Into<redb::Error>> From<E> for LoadError {
    fn from(error: E) -> LoadError {
        LoadError::Redb(error.into())
    }
}

#[cfg(test)]
mod tests;
