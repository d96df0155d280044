//! What can go wrong with the data directory.

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

/// A commit that failed: nothing proposed since the last durable token will ever become durable.
#[derive(Debug, thiserror::Error)]
#[error("metadata could not be committed: {0}")]
pub struct CommitError(#[from] pub(crate) redb::Error);
