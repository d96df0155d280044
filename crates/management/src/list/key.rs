//! What rows are sorted by.

use serde_json::{Number, Value};
use std::cmp::Ordering;

/// A field's value in RabbitMQ's order of Erlang terms: numbers, then atoms, objects, lists, and texts by their bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Integer(i64),
    Float(f64),
    /// `false`, `null` and `true`, which are atoms there.
    Atom(u8),
    /// By how much is in it.
    Object(usize),
    List(Vec<Key>),
    Text(Box<str>),
}

/// A missing field counts as the number 0, as in RabbitMQ.
const MISSING: Key = Key::Integer(0);

impl Key {
    /// What the segments of `path` lead to in `value`.
    pub(super) fn at(value: Option<Value>, path: &[String]) -> Key {
        let mut value = value;
        for segment in path {
            value = match value {
                Some(Value::Object(mut object)) => object.swap_remove(segment),
                _ => None,
            };
        }
        value.map_or(MISSING, Key::of)
    }

    fn of(value: Value) -> Key {
        match value {
            Value::Null => Key::Atom(1),
            Value::Bool(flag) => Key::Atom(if flag { 2 } else { 0 }),
            Value::Number(number) => Key::number(&number),
            Value::String(text) => Key::Text(text.into_boxed_str()),
            Value::Array(values) => Key::List(values.into_iter().map(Key::of).collect()),
            Value::Object(object) => Key::Object(object.len()),
        }
    }

    fn number(number: &Number) -> Key {
        match number.as_i64() {
            Some(integer) => Key::Integer(integer),
            None => Key::Float(number.as_f64().unwrap_or_default()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Key::Integer(_) | Key::Float(_) => 0,
            Key::Atom(_) => 1,
            Key::Object(_) => 2,
            Key::List(_) => 3,
            Key::Text(_) => 4,
        }
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    #[allow(clippy::cast_precision_loss, reason = "an order of counters and rates, which are far below 2^53")]
    fn cmp(&self, other: &Key) -> Ordering {
        match (self, other) {
            (Key::Integer(left), Key::Integer(right)) => left.cmp(right),
            (Key::Float(left), Key::Float(right)) => left.total_cmp(right),
            (Key::Integer(left), Key::Float(right)) => (*left as f64).total_cmp(right),
            (Key::Float(left), Key::Integer(right)) => left.total_cmp(&(*right as f64)),
            (Key::Atom(left), Key::Atom(right)) => left.cmp(right),
            (Key::Object(left), Key::Object(right)) => left.cmp(right),
            (Key::List(left), Key::List(right)) => left.cmp(right),
            (Key::Text(left), Key::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            (left, right) => left.rank().cmp(&right.rank()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_come_in_the_order_of_erlang_terms() {
        let ordered = [
            json!(-1),
            json!(0.5),
            json!(1),
            json!(u64::MAX),
            json!(false),
            json!(true),
            json!({}),
            json!([]),
            json!([1]),
            json!(["a"]),
            json!(""),
            json!("B"),
            json!("a"),
            json!("é"),
        ];
        let keys: Vec<Key> = ordered.iter().map(|value| Key::at(Some(value.clone()), &[])).collect();
        assert!(keys.is_sorted_by(|left, right| left < right), "{keys:?}");
    }

    #[test]
    fn what_is_missing_counts_as_zero() {
        let path = ["publish_details".to_owned(), "rate".to_owned()];
        let at = |value: Value| Key::at(Some(value), &path);
        assert_eq!(at(json!({ "publish_details": { "rate": 0.5 } })), Key::Float(0.5));
        assert_eq!(at(json!({ "publish_details": {} })), MISSING);
        assert_eq!(at(json!("text")), MISSING);
        assert_eq!(Key::at(None, &path), MISSING);
    }
}
