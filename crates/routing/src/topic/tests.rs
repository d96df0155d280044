use proptest::prelude::*;

use super::{Trie, is_wildcard, split};
use crate::scratch::Scratch;

/// What matches `key`, sorted, and how many trie states were visited to find it.
fn find(trie: &Trie, key: &str) -> (Vec<u32>, usize) {
    Scratch::with(|scratch| {
        trie.find(key.as_bytes(), scratch);
        let mut matched = scratch.matched.clone();
        matched.sort_unstable();
        (matched, scratch.visits)
    })
}

/// The textbook matcher, with a table of (words of the pattern, words of the key) instead of backtracking.
fn matches(pattern: &str, key: &str) -> bool {
    let pattern: Vec<_> = split(pattern.as_bytes()).collect();
    let key: Vec<_> = split(key.as_bytes()).collect();
    let mut reached = vec![vec![false; key.len() + 1]; pattern.len() + 1];
    reached[0][0] = true;
    for (row, word) in pattern.iter().enumerate() {
        for column in 0..=key.len() {
            reached[row + 1][column] |= match *word {
                b"#" => reached[row][column] || (column > 0 && reached[row + 1][column - 1]),
                b"*" => column > 0 && reached[row][column - 1],
                word => column > 0 && reached[row][column - 1] && word == key[column - 1],
            };
        }
    }
    reached[pattern.len()][key.len()]
}

#[test]
fn words_stand_between_dots() {
    let words = |key: &'static str| split(key.as_bytes()).collect::<Vec<_>>();
    assert_eq!(words(""), Vec::<&[u8]>::new());
    assert_eq!(words("."), [b"", b""]);
    assert_eq!(words("a..b"), [&b"a"[..], b"", b"b"]);
    assert!(is_wildcard(b"a.#"));
    assert!(is_wildcard(b"*"));
    assert!(!is_wildcard(b"a*.#b."));
}

#[test]
fn removal_takes_the_nodes_and_words_that_only_that_key_needed() {
    let mut trie = Trie::new();
    let shared = trie.insert(b"a.b.*", 1);
    let longer = trie.insert(b"a.b.*.c.#", 2);
    let other = trie.insert(b"a.d.#", 3);
    assert_eq!(trie.size(), (7, 4));
    trie.remove(b"a.b.*", shared);
    assert_eq!(trie.size(), (7, 4), "the longer key goes through it");
    assert_eq!(find(&trie, "a.b.x.c").0, [2]);
    trie.remove(b"a.b.*.c.#", longer);
    assert_eq!(trie.size(), (3, 2));
    trie.remove(b"a.d.#", other);
    assert_eq!(trie.size(), (0, 0));
    assert_eq!(find(&trie, "a.d").0, Vec::<u32>::new());
}

#[test]
fn a_word_is_kept_while_any_edge_carries_it() {
    let mut trie = Trie::new();
    let first = trie.insert(b"w.#", 1);
    let second = trie.insert(b"*.w", 2);
    trie.remove(b"w.#", first);
    assert_eq!(find(&trie, "w.w").0, [2]);
    trie.remove(b"*.w", second);
    assert_eq!(trie.size(), (0, 0));
}

/// Visits for a key of `words` equal words, none of which completes the binding.
#[track_caller]
fn visits_within(bindings: &[String], key: &str, bound: usize) {
    let mut trie = Trie::new();
    for (id, binding) in bindings.iter().enumerate() {
        trie.insert(binding.as_bytes(), id as u32);
    }
    let (matched, visits) = find(&trie, key);
    let expected: Vec<u32> =
        (0..).zip(bindings).filter(|(_, binding)| matches(binding, key)).map(|(id, _)| id).collect();
    assert_eq!(matched, expected);
    let states = (trie.size().0 + 1) * (split(key.as_bytes()).count() + 1);
    assert!(visits <= bound.min(states), "{visits} visits, {states} states");
}

#[test]
fn many_hashes_stay_bounded() {
    let repeated = |word: &str, times: usize| vec![word; times].join(".");
    let key = repeated("a", 128);
    // Ways to split 127 words among 42 `#`: over 10^34.
    visits_within(&[repeated("#.a", 42) + ".b"], &key, 42 * 2 * 129);
    visits_within(&[repeated("#", 128)], &key, 1);
    visits_within(&[repeated("#", 127) + ".b"], &key, 129 + 1);
    visits_within(&[repeated("#.*", 63) + ".#.b"], &key, 63 * 2 * 129 + 1);
    visits_within(&[repeated("*.#", 63)], &key, 63 * 2 * 129 + 1);
    let family: Vec<_> = (1..42).map(|hashes| repeated("#.a", hashes) + ".#.*.b").collect();
    visits_within(&family, &key, 4 * 42 * 129);
}

#[test]
fn the_longest_keys_of_the_protocol_match() {
    let key = vec!["a"; 128].join(".");
    assert_eq!(key.len(), 255);
    visits_within(&[vec!["*"; 128].join("."), vec!["*"; 127].join(".")], &key, 129);
    let dots = ".".repeat(255);
    visits_within(&["#".to_owned() + &dots, "*".to_owned() + &dots, "#..#".to_owned()], &dots, 257 * 257);
}

#[test]
fn keys_longer_than_the_protocol_allows_do_not_recurse() {
    let key = vec!["a"; 100_000].join(".");
    let mut trie = Trie::new();
    let stars = vec!["*"; 100_000].join(".");
    let node = trie.insert(stars.as_bytes(), 1);
    trie.insert(b"#.a", 2);
    assert_eq!(find(&trie, &key).0, [1, 2]);
    trie.remove(stars.as_bytes(), node);
    assert_eq!(find(&trie, &key).0, [2]);
}

fn key(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(words), 0..12).prop_map(|words| words.join("."))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_trie_finds_what_the_matcher_finds(
        bindings in prop::collection::btree_set(key(&["#", "#", "*", "a", "b", ""]), 1..40),
        removed in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        keys in prop::collection::vec(key(&["a", "b", "c", ""]), 1..20),
    ) {
        let bindings: Vec<_> = bindings.into_iter().collect();
        let mut trie = Trie::new();
        let mut nodes: Vec<_> =
            (0..).zip(&bindings).map(|(id, key)| Some(trie.insert(key.as_bytes(), id))).collect();
        for index in removed {
            let index = index.index(bindings.len());
            if let Some(node) = nodes[index].take() {
                trie.remove(bindings[index].as_bytes(), node);
            }
        }
        for key in &keys {
            let left = (0..).zip(&bindings).filter(|(id, _)| nodes[*id as usize].is_some());
            let expected: Vec<u32> = left.filter(|(_, binding)| matches(binding, key)).map(|(id, _)| id).collect();
            let (matched, visits) = find(&trie, key);
            prop_assert_eq!(matched, expected, "routing key {:?}", key);
            prop_assert!(visits <= (trie.size().0 + 1) * (split(key.as_bytes()).count() + 1));
        }
        for (key, node) in bindings.iter().zip(nodes) {
            if let Some(node) = node {
                trie.remove(key.as_bytes(), node);
            }
        }
        prop_assert_eq!(trie.size(), (0, 0));
    }
}
