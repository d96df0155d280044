//! `load_definitions` and `definitions.*`.

use super::HttpsClientOptions;
use std::path::PathBuf;

/// Definitions to import before clients can connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DefinitionsOptions {
    /// Files and directories of `load_definitions`, `definitions.local.path` and `management.load_definitions`.
    pub paths: Vec<PathBuf>,
    /// What is fetched, with `definitions.import_backend = https`.
    pub remote: Option<RemoteDefinitions>,
    /// Those that were imported at the last start are not imported again.
    pub skip_if_unchanged: bool,
}

impl DefinitionsOptions {
    /// Whether there is anything to import.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.paths.is_empty() || self.remote.is_some()
    }
}

/// Definitions that another server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDefinitions {
    /// `definitions.https.url`.
    pub url: String,
    /// `definitions.tls.*`.
    pub tls: HttpsClientOptions,
}
