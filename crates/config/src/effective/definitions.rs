//! `load_definitions` and `definitions.*`.

use super::Checked;
use crate::kind::Value;
use crate::options::{DefinitionsOptions, HttpsClientOptions, RemoteDefinitions};
use std::path::PathBuf;

impl Checked {
    /// In RabbitMQ's order, each once.
    pub(super) fn definitions(&self) -> DefinitionsOptions {
        let is_remote =
            matches!(self.value("definitions.import_backend"), Some(Value::Word(word)) if word.contains("http"));
        // The path belongs to the other backend, as in RabbitMQ.
        let local = if is_remote { None } else { Some("definitions.local.path") };
        let keys = [Some("load_definitions"), local, Some("management.load_definitions")];
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in keys.into_iter().flatten().filter_map(|key| self.optional_text(key)).filter(|path| path != "none") {
            let path = PathBuf::from(path);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        let url = self.optional_text("definitions.https.url").filter(|url| is_remote && !url.is_empty());
        DefinitionsOptions {
            paths,
            remote: url.map(|url| RemoteDefinitions { url, tls: self.definitions_tls() }),
            skip_if_unchanged: self.boolean("definitions.skip_if_unchanged"),
        }
    }

    fn definitions_tls(&self) -> HttpsClientOptions {
        let path = |key| self.optional_text(key).map(PathBuf::from);
        HttpsClientOptions {
            verify_none: self.value("definitions.tls.verify") == Some(Value::Word("verify_none")),
            cacertfile: path("definitions.tls.cacertfile"),
            certfile: path("definitions.tls.certfile"),
            keyfile: path("definitions.tls.keyfile"),
        }
    }
}
