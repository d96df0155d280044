//! What can go wrong, by what the caller can do about it.

use crate::disk::is_no_space;
use crate::place::Lsn;
use std::io;

/// Why something about the files did not work while the store was running.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk failed. What was not durable may be lost; nothing that follows can be trusted to be.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is no room. Nothing is lost; it may be tried again when there is.
    #[error("no space for {file}")]
    NoSpace {
        /// The file that was to be written.
        file: String,
    },
    /// What a file holds is not what was written there.
    #[error("{file} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What does not hold.
        what: &'static str,
    },
    /// The disk failed before: nothing becomes durable any more.
    #[error("the message store has failed before")]
    Fenced,
}

impl StoreError {
    /// The error of an operation on `file`.
    pub fn of_io(file: impl Into<String>, source: io::Error) -> StoreError {
        if is_no_space(&source) {
            StoreError::NoSpace { file: file.into() }
        } else {
            StoreError::Io { file: file.into(), source }
        }
    }

    /// True for what goes away when somebody makes room.
    pub fn is_no_space(&self) -> bool {
        matches!(self, StoreError::NoSpace { .. })
    }
}

/// Why a store cannot be opened. The files are as they were.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is of another program or another store.
    #[error("{file} does not belong to this message store")]
    Foreign {
        /// The file.
        file: String,
    },
    /// A later version of Leveret wrote the file.
    #[error("{file} has format version {version}, which is newer than this version of Leveret")]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        version: u32,
    },
    /// The log has a record that this version does not know, so that it cannot say what the queues contain.
    #[error("the log has a record of kind {kind} ({name}) at {}, which this version of Leveret does not know", lsn.0)]
    UnknownRecord {
        /// Number of the kind.
        kind: u8,
        /// What the kind is called.
        name: &'static str,
        /// Where it is.
        lsn: Lsn,
    },
    /// A file of the log is not there, although what it has was durable.
    #[error(
        "no file of the message store has segment {segment} of the log: put it back, or restore a backup; \
         `leveret store accept-loss DIR` has the broker go on without what was in it"
    )]
    Missing {
        /// The segment.
        segment: u32,
    },
    /// The disk, or what is on it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
