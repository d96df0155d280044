//! Topic matching: binding keys with wildcards in a trie over interned words.

#[cfg(test)]
mod tests;
mod trie;
mod words;

pub(crate) use trie::Trie;

/// The words of a key: what stands between dots, possibly nothing; the empty key has no words.
pub(crate) fn split(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = if key.is_empty() { None } else { Some(key.split(|byte| *byte == b'.')) };
    words.into_iter().flatten()
}

/// True when `key` has a word `*` or `#`, so that it can match other routing keys than itself.
pub(crate) fn is_wildcard(key: &[u8]) -> bool {
    split(key).any(|word| matches!(word, b"*" | b"#"))
}
