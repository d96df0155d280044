//! What can be wrong with options and files.

use std::path::{Path, PathBuf};

/// An option or a file that TLS cannot be done with; one line that names the key and the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file that is not what it should be.
    #[error("{key}: {} {what}", path.display())]
    File {
        /// The key in `rabbitmq.conf`.
        key: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A value, or options that do not go together.
    #[error("{key}: {what}")]
    Option {
        /// The key in `rabbitmq.conf`.
        key: String,
        /// What is wrong.
        what: String,
    },
}

impl TlsError {
    pub(crate) fn file(key: &str, path: &Path, what: impl Into<String>) -> TlsError {
        TlsError::File { key: key.to_owned(), path: path.to_owned(), what: what.into() }
    }

    pub(crate) fn option(key: impl Into<String>, what: impl Into<String>) -> TlsError {
        TlsError::Option { key: key.into(), what: what.into() }
    }
}
