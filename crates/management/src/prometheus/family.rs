//! Families of metrics that objects of one kind have, for each of them or added up.

use super::tables::NOT_ADDED_UP;
use super::text::{Kind, Number, Text};
use std::borrow::Borrow;
use std::sync::Arc;

/// A family, and how to read it off an object; `None` where the object has no such value.
pub(super) struct Family<R: ?Sized> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) value: fn(&R) -> Option<Number>,
}

/// A counter.
pub(super) const fn counter<R: ?Sized>(
    name: &'static str,
    help: &'static str,
    value: fn(&R) -> Option<Number>,
) -> Family<R> {
    Family { name, kind: Kind::Counter, help, value }
}

/// A gauge.
pub(super) const fn gauge<R: ?Sized>(
    name: &'static str,
    help: &'static str,
    value: fn(&R) -> Option<Number>,
) -> Family<R> {
    Family { name, kind: Kind::Gauge, help, value }
}

/// Families that are read together, by the name that requests give them.
pub(super) struct Table<R: 'static> {
    pub(super) name: &'static str,
    pub(super) families: &'static [Family<R>],
}

/// Bytes that are made at once: as much as is sent in one piece.
const PIECE: usize = 64 << 10;

/// Part of the text of a scrape.
pub(super) trait Section: Send {
    /// Writes what comes next, about a piece of it; true when that was all.
    fn write(&mut self, text: &mut Text) -> bool;
}

/// A part that is written at once.
pub(super) struct Whole<F>(Option<F>);

impl<F: FnOnce(&mut Text) + Send> Section for Whole<F> {
    fn write(&mut self, text: &mut Text) -> bool {
        if let Some(write) = self.0.take() {
            write(text);
        }
        true
    }
}

pub(super) fn whole<'a>(write: impl FnOnce(&mut Text) + Send + 'a) -> Box<dyn Section + 'a> {
    Box::new(Whole(Some(write)))
}

/// Writes the labels of an object.
type Labels<R> = Box<dyn Fn(&R, &mut String) + Send>;

/// A sample of every family for every object, one family after the other.
pub(super) struct PerObject<R: 'static> {
    rows: Arc<Vec<R>>,
    prefix: &'static str,
    families: &'static [Family<R>],
    labels: Labels<R>,
    /// Where it goes on.
    family: usize,
    row: usize,
}

pub(super) fn per_object<R: Send + Sync + 'static>(
    rows: &Arc<Vec<R>>,
    prefix: &'static str,
    table: &Table<R>,
    labels: impl Fn(&R, &mut String) + Send + 'static,
) -> Box<dyn Section> {
    let rows = rows.clone();
    Box::new(PerObject { rows, prefix, families: table.families, labels: Box::new(labels), family: 0, row: 0 })
}

impl<R: Send + Sync> Section for PerObject<R> {
    fn write(&mut self, text: &mut Text) -> bool {
        let enough = text.len() + PIECE;
        let mut labels = String::new();
        while let Some(family) = self.families.get(self.family) {
            if self.row == 0 {
                text.family(self.prefix, family.name, family.kind, family.help);
            }
            for row in self.rows.iter().skip(self.row) {
                self.row += 1;
                let Some(value) = (family.value)(row) else { continue };
                labels.clear();
                (self.labels)(row, &mut labels);
                text.sample(&labels, value);
                if text.len() >= enough {
                    return false;
                }
            }
            (self.family, self.row) = (self.family + 1, 0);
        }
        true
    }
}

/// The families of a table added up over objects.
pub(super) struct Sums<R: 'static> {
    table: &'static Table<R>,
    sums: Vec<Number>,
}

impl<R> Sums<R> {
    pub(super) fn new(table: &'static Table<R>) -> Sums<R> {
        Sums { table, sums: vec![Number::Whole(0); table.families.len()] }
    }

    pub(super) fn add<B: Borrow<R>>(&mut self, rows: impl IntoIterator<Item = B>) {
        for row in rows {
            for (sum, family) in self.sums.iter_mut().zip(self.table.families) {
                if let Some(value) = (family.value)(row.borrow()) {
                    *sum = sum.add(value);
                }
            }
        }
    }

    pub(super) fn write(self, prefix: &str, text: &mut Text) {
        for (sum, family) in self.sums.into_iter().zip(self.table.families) {
            if !NOT_ADDED_UP.contains(&family.name) {
                text.family(prefix, family.name, family.kind, family.help);
                text.sample("", sum);
            }
        }
    }
}

/// Writes the sum of every family over all objects, which are gone over once.
pub(super) fn sums<R, B: Borrow<R>>(
    rows: impl Iterator<Item = B>,
    prefix: &str,
    table: &'static Table<R>,
    text: &mut Text,
) {
    let mut sums = Sums::new(table);
    sums.add(rows);
    sums.write(prefix, text);
}
