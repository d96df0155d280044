//! Every key that takes effect has a test that sees it take effect in a running broker: `keys.txt` names them.
//!
//! A row is `KEY TEST...`, a test `FILE::NAME` below `crates/leveret/tests`, or `src/FILE::NAME` for one beside the code.

use crate::root;
use config::Effect;
use std::collections::{BTreeMap, BTreeSet};

const ROWS: &str = include_str!("keys.txt");

/// The tests of each key.
fn rows() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut rows = BTreeMap::new();
    for line in ROWS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let key = words.next().unwrap_or_default();
        assert!(rows.insert(key, words.collect()).is_none(), "{key} has two rows");
    }
    rows
}

/// The words of a key without its wildcards, each of which a test has to say.
fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split('.').filter(|word| !word.starts_with('$'))
}

/// Whether a file has the word, and not only as a part of others.
fn says(text: &str, word: &str) -> bool {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (text.get(..at).unwrap_or_default(), text.get(at + word.len()..).unwrap_or_default());
        !before.ends_with(is_of_word) && !behind.starts_with(is_of_word)
    })
}

#[test]
fn every_key_with_an_effect_has_a_test() {
    let rows = rows();
    let named: BTreeSet<&str> = rows.keys().copied().collect();
    let takes = |row: &&config::KeySpec| row.effect == Effect::Takes;
    let keys: BTreeSet<&str> = config::table().filter(takes).map(|row| row.pattern.as_str()).collect();
    let without: Vec<_> = keys.difference(&named).collect();
    assert!(without.is_empty(), "no row in keys.txt says which test sees the effect of {without:#?}");
    let unknown: Vec<_> = named.difference(&keys).collect();
    assert!(unknown.is_empty(), "keys.txt has rows for what takes no effect: {unknown:#?}");
    let empty: Vec<_> = rows.iter().filter(|(_, tests)| tests.is_empty()).map(|(key, _)| key).collect();
    assert!(empty.is_empty(), "no test is named for {empty:#?}");
}

#[test]
fn the_tests_of_keys_exist_and_are_about_them() {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for (key, tests) in rows() {
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{test} of {key} is no FILE::NAME"));
            let text = files.entry(file).or_insert_with(|| {
                let below = if file.starts_with("src/") { "crates/leveret" } else { "crates/leveret/tests" };
                let path = root().join(below).join(file);
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{key}: {}: {error}", path.display()))
            });
            let is_test = text.split("#[test]").skip(1).any(|rest| {
                let head = rest.split_once('{').map_or(rest, |(head, _)| head);
                head.trim_end().ends_with(&format!("fn {name}()"))
            });
            assert!(is_test, "{key}: {file} has no test {name}");
            let missing: Vec<_> = words(key).filter(|word| !says(text, word)).collect();
            assert!(missing.is_empty(), "{key}: {file} does not say {missing:?}");
        }
    }
}
