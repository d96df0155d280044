//! The file against maps in memory: random changes, reopened after each commit.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod support;

use metadata::{Change, Definitions, Snapshot, Store};
use proptest::collection::vec;
use proptest::prelude::*;

/// The changes of one commit, and whether those of the commit before come again in front of them.
fn commit() -> impl Strategy<Value = (Vec<Change>, bool)> {
    (vec(support::change(), 0..80), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_file_holds_what_the_changes_say(commits in vec(commit(), 1..5)) {
        let directory = tempfile::tempdir().unwrap();
        let mut model = Definitions::default();
        let mut before = Vec::new();
        for (position, (changes, again)) in (1..).zip(commits) {
            let (store, found, applied) = Store::open(directory.path()).unwrap();
            prop_assert_eq!((found, applied), (Snapshot::from(model.clone()), position - 1));
            let repeated = if again { before } else { Vec::new() };
            store.commit(&[repeated, changes.clone()].concat(), position).unwrap();
            changes.iter().cloned().for_each(|change| model.apply(change));
            before = changes;
        }
        let (_store, found, _) = Store::open(directory.path()).unwrap();
        prop_assert_eq!(&found, &Snapshot::from(model));

        let again = Snapshot::from(Definitions::from(found.clone()));
        prop_assert_eq!(again, found, "a snapshot survives being applied");
    }
}
