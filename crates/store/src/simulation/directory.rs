//! Names: what everybody sees, what a power cut leaves, and the changes between.

use super::{FileId, Random};
use std::collections::BTreeMap;

type Names = BTreeMap<String, FileId>;

/// One change of the names. It carries the file, so that it can be kept without the changes before it.
#[derive(Clone)]
pub(super) enum NameChange {
    Link { name: String, id: FileId },
    Rename { from: String, to: String, id: FileId },
    Remove { name: String },
}

impl NameChange {
    fn apply(&self, names: &mut Names) {
        match self {
            NameChange::Link { name, id } => drop(names.insert(name.clone(), *id)),
            NameChange::Rename { from, to, id } => {
                names.remove(from);
                names.insert(to.clone(), *id);
            }
            NameChange::Remove { name } => drop(names.remove(name)),
        }
    }

    fn mentions(&self, file: FileId) -> bool {
        match self {
            NameChange::Link { id, .. } | NameChange::Rename { id, .. } => *id == file,
            NameChange::Remove { .. } => false,
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct Directory {
    current: Names,
    durable: Names,
    unsynced: Vec<NameChange>,
}

impl Directory {
    pub(super) fn find(&self, name: &str) -> Option<FileId> {
        self.current.get(name).copied()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.current.keys().cloned().collect()
    }

    pub(super) fn files(&self) -> Vec<FileId> {
        self.current.values().copied().collect()
    }

    /// True when the file has a name.
    pub(super) fn has(&self, id: FileId) -> bool {
        self.current.values().any(|found| *found == id)
    }

    /// True when the file has a name, or might have one after a power cut.
    pub(super) fn may_need(&self, id: FileId) -> bool {
        self.has(id)
            || self.durable.values().any(|found| *found == id)
            || self.unsynced.iter().any(|change| change.mentions(id))
    }

    pub(super) fn apply(&mut self, change: NameChange) {
        change.apply(&mut self.current);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync has failed: what it should have made durable never will be.
    pub(super) fn lose_changes(&mut self) {
        self.unsynced.clear();
    }

    pub(super) fn crash(&self, random: &mut Random) -> Directory {
        let mut names = self.durable.clone();
        for change in &self.unsynced {
            if random.chance(1, 2) {
                change.apply(&mut names);
            }
        }
        Directory { current: names.clone(), durable: names, unsynced: Vec::new() }
    }
}
