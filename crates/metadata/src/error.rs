//! What can go wrong with the data directory.

use std::error::Error;
use std::io;
use std::path::PathBuf;

/// Why the definitions cannot be opened; each message is one line that names the file or directory.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the data directory.
    #[error("data directory {} is in use by {}", directory.display(), holder(*pid))]
    Locked {
        /// The data directory.
        directory: PathBuf,
        /// The process that holds it, when its lock file says so.
        pid: Option<u32>,
    },
    /// The file is of another program.
    #[error("{} is not a metadata file of Leveret; it was left as it is", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error("{} has format version {found}, but this version reads up to {supported}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u64,
        /// The latest format version known here.
        supported: u64,
    },
    /// The file is damaged.
    #[error("{} is damaged: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        what: String,
    },
    /// A record of the log cannot be read as changes of definitions.
    #[error("the metadata record at position {position} of the message log is damaged or of a later version")]
    Record {
        /// Its position in the log.
        position: u64,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Why a checkpoint could not be written to `metadata.redb`; what it was to contain is in the log still.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The disk or a quota is full. Nothing is lost: the same changes can be committed once there is space.
    #[error("metadata could not be committed: {0}")]
    NoSpace(io::Error),
    /// Anything else. What is on disk is not known, and nothing more will be committed before the next start.
    #[error("metadata could not be committed: {0}")]
    Failed(Box<dyn Error + Send + Sync>),
}
