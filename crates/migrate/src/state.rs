//! What has been moved so far, in a file, so that the same command goes on after a crash and the counts still add up.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The counts of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Ready messages at the old broker before the first was moved.
    pub(crate) before: u64,
    /// Messages that the new broker had already.
    pub(crate) new_before: u64,
    /// Confirmed by the new broker and acknowledged to the old one.
    pub(crate) moved: u64,
    /// Runs that ended while it was being moved: each may have left as many messages at both brokers as were on their way.
    pub(crate) interrupted: u64,
    /// A run is at it.
    pub(crate) is_open: bool,
}

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Messages that were on their way at most.
    pub(crate) window: u64,
    /// The user that was made at the new broker for the time being.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// By virtual host and name.
    pub(crate) queues: BTreeMap<String, BTreeMap<String, Counts>>,
    #[serde(skip)]
    path: PathBuf,
}

impl State {
    /// Reads the file of an earlier run, or begins a new one.
    pub(crate) fn open(path: &Path, from: &str, to: &str, window: u64) -> Result<State> {
        let mut state = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice::<State>(&bytes)
                .with_context(|| format!("{} is no state of an import", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => State::default(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if !state.from.is_empty() && (state.from != from || state.to != to) {
            bail!(
                "{} is of an import from {} to {}; remove it, or name another file with --state",
                path.display(),
                state.from,
                state.to
            );
        }
        (state.from, state.to, state.path) = (from.to_owned(), to.to_owned(), path.to_owned());
        state.window = state.window.max(window);
        for counts in state.queues.values_mut().flat_map(BTreeMap::values_mut) {
            if std::mem::take(&mut counts.is_open) {
                counts.interrupted += 1;
            }
        }
        Ok(state)
    }

    /// True when an earlier run ended before its end.
    pub(crate) fn is_resumed(&self) -> bool {
        self.queues.values().any(|queues| !queues.is_empty())
    }

    /// The counts of a queue; `first` are those that it begins with.
    pub(crate) fn queue(&mut self, vhost: &str, name: &str, first: Counts) -> &mut Counts {
        self.queues.entry(vhost.to_owned()).or_default().entry(name.to_owned()).or_insert(first)
    }

    /// Puts it on disk: the file is the old one or the new one, never half of one.
    pub(crate) fn save(&self) -> Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        let temporary = self.path.with_extension("tmp");
        let mut file = File::create(&temporary).with_context(failed)?;
        file.write_all(&serde_json::to_vec_pretty(self)?).with_context(failed)?;
        file.sync_all().with_context(failed)?;
        std::fs::rename(&temporary, &self.path).with_context(failed)
    }

    /// Takes the file away, when all is done.
    pub(crate) fn remove(&self) {
        // One that is left behind says that everything was moved, which is true.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_run_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let mut state = State::open(&path, "a", "b", 10).unwrap();
        assert!(!state.is_resumed());
        let counts = state.queue("/", "q", Counts { before: 5, ..Counts::default() });
        (counts.moved, counts.is_open) = (3, true);
        state.save().unwrap();
        let mut state = State::open(&path, "a", "b", 4).unwrap();
        assert!(state.is_resumed());
        assert_eq!(state.window, 10);
        let expected = Counts { before: 5, new_before: 0, moved: 3, interrupted: 1, is_open: false };
        assert_eq!(*state.queue("/", "q", Counts::default()), expected);
        assert!(State::open(&path, "a", "other", 4).is_err());
        state.remove();
        assert!(!State::open(&path, "a", "other", 4).unwrap().is_resumed());
        std::fs::write(&path, "{").unwrap();
        assert!(State::open(&path, "a", "b", 4).is_err());
    }
}
