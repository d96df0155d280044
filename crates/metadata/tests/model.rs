//! The file against maps in memory: random changes, reopened at random moments.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod support;

use std::path::Path;

use metadata::{Change, Definitions, Journal, Snapshot, Store};
use proptest::collection::vec;
use proptest::prelude::*;

/// Proposes `groups` one by one and shuts down; the file then holds them all.
fn write(directory: &Path, groups: &[Vec<Change>]) -> Snapshot {
    let (store, before, _) = Store::open(directory).unwrap();
    let journal = store.start(|_| {}, |error| panic!("{error}")).unwrap();
    for group in groups {
        journal.propose(group.clone());
    }
    journal.shutdown();
    before
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_file_holds_what_the_changes_say(runs in vec(vec(vec(support::change(), 0..12), 0..12), 1..5)) {
        let directory = tempfile::tempdir().unwrap();
        let mut model = Definitions::default();
        for groups in &runs {
            let found = write(directory.path(), groups);
            prop_assert_eq!(found, Snapshot::from(model.clone()));
            groups.iter().flatten().cloned().for_each(|change| model.apply(change));
        }
        let (_store, found, _) = Store::open(directory.path()).unwrap();
        prop_assert_eq!(&found, &Snapshot::from(model));

        let again = Snapshot::from(Definitions::from(found.clone()));
        prop_assert_eq!(again, found, "a snapshot survives being applied");
    }
}
