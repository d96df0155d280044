//! The key table: every key there is, in one place.
//!
//! It decides what is parsed and how, what the defaults are, and what the documentation of keys says.

mod amqp;
mod leveret;

use crate::key::{Effect, Key, KeySpec};
use crate::kind::Kind;

/// The groups in the order the documentation lists them.
const GROUPS: &[&[KeySpec]] = &[leveret::KEYS, amqp::KEYS];

/// Every row, in the order the documentation lists them.
pub fn table() -> impl Iterator<Item = &'static KeySpec> {
    GROUPS.iter().copied().flatten()
}

/// The row with this pattern.
pub(crate) fn row(pattern: &str) -> Option<&'static KeySpec> {
    table().find(|row| row.pattern == pattern)
}

/// The row that describes a key, with the name its settings are kept under. A row for the key alone comes before a family.
pub(crate) fn find(key: &Key) -> Option<(&'static KeySpec, String)> {
    let find =
        |family| table().filter(|row| row.is_family() == family).find_map(|row| Some((row, row.canonical(key)?)));
    find(false).or_else(|| find(true))
}

/// A key that sets a field of `Config`.
const fn takes(pattern: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> KeySpec {
    KeySpec { pattern, aliases: &[], kind, default, effect: Effect::Takes, doc }
}

/// A key that RabbitMQ knows and nothing here uses.
const fn ignored(pattern: &'static str, kind: Kind, doc: &'static str) -> KeySpec {
    KeySpec { pattern, aliases: &[], kind, default: "", effect: Effect::Ignored, doc }
}

/// A key of which only the values in `accepted` can be honoured; the first is the default.
const fn refused(pattern: &'static str, kind: Kind, accepted: &'static [&'static str], doc: &'static str) -> KeySpec {
    let default = match accepted {
        [first, ..] => first,
        [] => "",
    };
    KeySpec { pattern, aliases: &[], kind, default, effect: Effect::Refused { accepted }, doc }
}

/// The same key under more names.
const fn aliased(row: KeySpec, aliases: &'static [&'static str]) -> KeySpec {
    KeySpec { pattern: row.pattern, aliases, kind: row.kind, default: row.default, effect: row.effect, doc: row.doc }
}
