//! Definitions in `metadata.redb`: opening it, reading it, and the journal that writes it.

mod codec;
mod group;
mod journal;
mod load;
mod lock;
mod record;
mod tables;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, TableError};

pub(crate) use codec::encoded_table;
pub use group::{decode_changes, encode_changes};
pub use journal::RedbJournal;

use crate::{CommitError, OpenError, Snapshot, Token};
use lock::DirectoryLock;
use tables::{FORMAT, LEVERET, Tables};

const FILE: &str = "metadata.redb";
const NEW_FILE: &str = "metadata.redb.new";
/// The version of the tables and records in docs/formats/metadata.md.
const FORMAT_VERSION: u64 = 1;
/// What every redb file begins with.
const REDB_MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
/// Definitions are read once and held in memory by others, so redb's own cache only has to serve writes.
const CACHE_BYTES: usize = 8 << 20;

/// The definitions of a data directory, open and not yet being written.
pub struct Store {
    database: Database,
    /// Dropped after the database: the directory is free once its file is closed.
    _lock: DirectoryLock,
}

impl Store {
    /// Locks `directory`, creating it if need be, and reads its definitions.
    ///
    /// A file that is not ours, damaged or of a later version is refused and left as it is.
    pub fn open(directory: &Path) -> Result<(Store, Snapshot), OpenError> {
        let failed = |source| OpenError::Io { path: directory.to_owned(), source };
        // Password hashes live here: nothing for other users to read.
        DirBuilder::new().recursive(true).mode(0o750).create(directory).map_err(failed)?;
        let lock = DirectoryLock::acquire(directory)?;
        let path = directory.join(FILE);
        if !path.try_exists().map_err(failed)? {
            create(directory).map_err(|error| error.at(&path))?;
        }
        let (database, snapshot) = open(&path).map_err(|error| error.at(&path))?;
        Ok((Store { database, _lock: lock }, snapshot))
    }

    /// Starts the journal's thread.
    ///
    /// `on_durable` is called once per commit, from that thread and with no lock held, with the highest durable token;
    /// `on_failure` at most once, when a commit has failed and nothing more will become durable.
    pub fn start(
        self,
        on_durable: impl Fn(Token) + Send + 'static,
        on_failure: impl FnOnce(CommitError) + Send + 'static,
    ) -> io::Result<RedbJournal> {
        RedbJournal::start(self, on_durable, on_failure)
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
    Tables::open(&transaction)?.leveret.insert(FORMAT, FORMAT_VERSION)?;
    Ok(transaction.commit()?)
}

fn open(path: &Path) -> Result<(Database, Snapshot), LoadError> {
    inspect(path)?;
    let database = builder().set_check_integrity_on_open(true).open(path)?;
    let transaction = database.begin_read()?;
    check_format(&transaction)?;
    let snapshot = load::snapshot(&transaction)?;
    drop(transaction);
    Ok((database, snapshot))
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
        Some(FORMAT_VERSION) => Ok(()),
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
