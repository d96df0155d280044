//! The known key that looks most like an unknown one.

use crate::key::{Key, KeySpec};

/// Longer keys are no misspelling of a known one, and the distance takes the product of both lengths.
const MAX_KEY_BYTES: usize = 128;

/// What one insertion can add to a name.
const MAX_CHARACTER_BYTES: usize = 4;

/// The nearest name in the table, or `None` where nothing is near.
pub(crate) fn nearest(key: &Key, rows: impl Iterator<Item = &'static KeySpec>) -> Option<String> {
    let written = key.to_string();
    if written.len() > MAX_KEY_BYTES {
        return None;
    }
    let near_enough = written.chars().count().div_ceil(3).min(5);
    let names: Vec<String> = rows
        .flat_map(|row| row.aliases.iter().copied().chain([row.pattern.as_str()]))
        .map(|pattern| instance(pattern, key))
        .collect();
    let near = names
        .iter()
        .filter(|name| name.len().abs_diff(written.len()) <= near_enough * MAX_CHARACTER_BYTES)
        .map(|name| (distance(&written, name), name))
        .filter(|(distance, _)| *distance <= near_enough)
        .min()
        .map(|(_, name)| name);
    // What advanced.config has as one term is a key with a further word in rabbitmq.conf.
    let below = || names.iter().find(|name| name.strip_prefix(&written).is_some_and(|rest| rest.starts_with('.')));
    near.or_else(below).cloned()
}

/// The same for names that are not keys.
pub(crate) fn nearest_of(written: &str, names: impl Iterator<Item = String>) -> Option<String> {
    if written.len() > MAX_KEY_BYTES {
        return None;
    }
    let near_enough = written.chars().count().div_ceil(3).min(5);
    let near = names.map(|name| (distance(written, &name), name)).filter(|(distance, _)| *distance <= near_enough);
    near.min().map(|(_, name)| name)
}

/// The pattern with its wildcards replaced by what the key has in their places.
fn instance(pattern: &str, key: &Key) -> String {
    let mut given = key.segments().iter();
    let segments: Vec<_> = pattern
        .split('.')
        .map(|wanted| match given.next() {
            Some(segment) if wanted.starts_with('$') => segment.as_str(),
            _ => wanted,
        })
        .collect();
    segments.join(".")
}

/// Insertions, deletions and replacements that turn one text into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, character) in from.chars().enumerate() {
        let mut left = index + 1;
        let mut diagonal = index;
        for (cell, wanted) in row.iter_mut().skip(1).zip(&to) {
            let replaced = diagonal + usize::from(character != *wanted);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
