//! Which rows are shown, in which order: only the fields to sort and to filter by are made of each row.

use super::key::Key;
use super::query::{Filter, ListQuery, Page};
use crate::error::ApiError;
use crate::fields::Fields;
use auth::Pattern;

/// The rows of a list, and how the JSON object of one is made.
pub(super) struct List<R, S> {
    pub(super) rows: Vec<R>,
    pub(super) show: S,
    /// Fields that rows are sorted by after the one that is asked for.
    pub(super) defaults: &'static [&'static str],
}

/// What a page consists of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// Places of its rows in the list.
    pub(super) rows: Vec<usize>,
    /// How many rows pass the filter.
    pub(super) filtered: usize,
}

impl<R, S: Fn(&R, &mut Fields<'_>)> List<R, S> {
    /// The places of all rows in the order that is asked for; `None` when that is the order they have.
    pub(super) fn order(&self, query: &ListQuery) -> Option<Vec<usize>> {
        let is_in_order = self.is_in_order();
        if is_in_order && query.sort.is_none() && !query.reverse {
            return None;
        }
        let mut places: Vec<usize> = (0..self.rows.len()).collect();
        if !is_in_order {
            self.sort_by_defaults(&mut places);
        }
        if let Some(path) = &query.sort {
            // RabbitMQ sorts by that field and then by the default ones: a stable sort of what is in their order.
            places.sort_by_cached_key(|place| self.key(*place, path));
        }
        if query.reverse {
            places.reverse();
        }
        Some(places)
    }

    /// The rows of one page.
    pub(super) fn select(&self, query: &ListQuery, page: &Page) -> Result<Selection, ApiError> {
        let mut places = self.filtered(page.name.as_ref());
        let filtered = places.len();
        let range = page_range(page, filtered)?;
        if !self.is_in_order() {
            self.sort_by_defaults(&mut places);
        }
        let Some(path) = &query.sort else {
            if query.reverse {
                places.reverse();
            }
            return Ok(Selection { rows: places[range].to_vec(), filtered });
        };
        // With its place in the default order behind it each key is unlike the others, so that an unstable selection
        // finds what a stable sort would.
        let mut keys: Vec<(Key, usize)> =
            places.iter().enumerate().map(|(index, place)| (self.key(*place, path), index)).collect();
        let compare = |left: &(Key, usize), right: &(Key, usize)| {
            let order = left.cmp(right);
            if query.reverse { order.reverse() } else { order }
        };
        // What is before the page, then what is behind it, need not be sorted.
        let rest = match range.start {
            0 => &mut keys[..],
            start if start < filtered => &mut keys.select_nth_unstable_by(start - 1, compare).2[..],
            _ => &mut [],
        };
        let length = range.len();
        if length > 0 && length < rest.len() {
            rest.select_nth_unstable_by(length, compare);
        }
        let shown = &mut rest[..length];
        shown.sort_unstable_by(compare);
        Ok(Selection { rows: shown.iter().map(|(_, index)| places[*index]).collect(), filtered })
    }

    fn is_in_order(&self) -> bool {
        if self.defaults.is_empty() {
            return true;
        }
        let mut before: Option<Vec<Key>> = None;
        self.rows.iter().all(|row| {
            let keys = self.default_keys(row);
            let in_order = before.as_ref().is_none_or(|before| *before <= keys);
            before = Some(keys);
            in_order
        })
    }

    fn sort_by_defaults(&self, places: &mut [usize]) {
        places.sort_by_cached_key(|place| self.default_keys(&self.rows[*place]));
    }

    fn default_keys(&self, row: &R) -> Vec<Key> {
        self.probe(row, self.defaults).into_iter().map(|value| Key::at(value, &[])).collect()
    }

    fn key(&self, place: usize, path: &[String]) -> Key {
        let Some((first, rest)) = path.split_first() else { return Key::at(None, &[]) };
        let value = self.probe(&self.rows[place], &[first]).pop().flatten();
        Key::at(value, rest)
    }

    fn probe(&self, row: &R, names: &[&str]) -> Vec<Option<serde_json::Value>> {
        let mut fields = Fields::probe(names);
        (self.show)(row, &mut fields);
        fields.into_found()
    }

    /// Places of the rows whose name is like that, whatever its case.
    fn filtered(&self, filter: Option<&Filter>) -> Vec<usize> {
        let Some(filter) = filter else { return (0..self.rows.len()).collect() };
        let matches: Box<dyn Fn(&str) -> bool> = match filter {
            Filter::Text(part) => Box::new(move |name| name.to_lowercase().contains(part)),
            Filter::Regex(pattern) => match Pattern::compile_search(&format!("(?i){pattern}")) {
                Ok(pattern) => Box::new(move |name| pattern.is_match(name)),
                // RabbitMQ finds nothing with an expression that it cannot compile.
                Err(_) => return Vec::new(),
            },
        };
        let is_wanted = |place: &usize| {
            let name = self.probe(&self.rows[*place], &["name"]).pop().flatten();
            name.as_ref().and_then(serde_json::Value::as_str).is_some_and(&matches)
        };
        (0..self.rows.len()).filter(is_wanted).collect()
    }
}

/// The part of `length` rows that `page` is; RabbitMQ has an empty page after a full one, and none after that.
fn page_range(page: &Page, length: usize) -> Result<std::ops::Range<usize>, ApiError> {
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let start = usize::try_from(page.number - 1).ok().and_then(|before| before.checked_mul(size));
    match start {
        Some(start) if start <= length => Ok(start..length.min(start.saturating_add(size))),
        _ => Err(ApiError::page_out_of_range(page.number, page.size, length)),
    }
}
