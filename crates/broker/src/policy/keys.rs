//! The keys of policies: what values they take, and how a user's and an operator's are merged.

use amqp::FieldValue;
use std::cmp::{max, min};

/// A key of policies.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) is_valid: fn(&FieldValue) -> bool,
    /// What follows `V is not ` where the value is not valid.
    pub(super) expected: &'static str,
    /// True where operator policies may have it.
    pub(super) for_operators: bool,
    pub(super) merge: Merge,
    /// True where something here acts upon it.
    pub(super) has_effect: bool,
}

/// How the values of a user policy and an operator policy become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// The operator's counts.
    Operator,
    /// The lower one counts.
    Least,
    /// The higher one counts.
    Most,
    /// The lower one counts, where no limit at all is a negative number.
    Limit,
}

/// Keys that make a policy not apply to classic queues: those of streams, and those of quorum queues that mean nothing
/// here. RabbitMQ has `delivery-limit` and `dead-letter-strategy` among them; here classic queues have both.
pub(super) const NOT_FOR_CLASSIC: &[&str] = &[
    "max-age",
    "stream-max-segment-size-bytes",
    "initial-cluster-size",
    "max-in-memory-length",
    "max-in-memory-bytes",
    "target-group-size",
];

/// Keys that make a policy not apply to quorum queues.
pub(super) const NOT_FOR_QUORUM: &[&str] = &[
    "queue-mode",
    "ha-mode",
    "ha-params",
    "ha-sync-mode",
    "ha-promote-on-shutdown",
    "ha-promote-on-failure",
    "queue-master-locator",
    "max-age",
    "stream-max-segment-size-bytes",
    "initial-cluster-size",
];

const fn acts(name: &'static str, is_valid: fn(&FieldValue) -> bool, expected: &'static str) -> Key {
    Key { name, is_valid, expected, for_operators: false, merge: Merge::Operator, has_effect: true }
}

/// A key that RabbitMQ knows and that does nothing here.
const fn inert(name: &'static str, is_valid: fn(&FieldValue) -> bool, expected: &'static str) -> Key {
    Key { has_effect: false, ..acts(name, is_valid, expected) }
}

const fn operators(merge: Merge, key: Key) -> Key {
    Key { for_operators: true, merge, ..key }
}

/// The keys of RabbitMQ 4.3 with its words, those of 3.x (`ha-*`), those of plugins that RabbitMQ ships, and ours
/// (`delayed`).
pub(super) const KEYS: &[Key] = &[
    acts("alternate-exchange", is_text, "a valid alternate exchange name"),
    inert("consumer-disconnected-timeout", is_non_negative, "a valid consumer disconnected timeout"),
    acts("consumer-timeout", is_non_negative, "a valid consumer timeout"),
    acts("dead-letter-exchange", is_text, "a valid dead letter exchange name"),
    acts("dead-letter-routing-key", is_text, "a valid dead letter routing key"),
    acts(
        "dead-letter-strategy",
        |value| is_one_of(value, &["at-most-once", "at-least-once"]),
        "a valid dead letter strategy",
    ),
    operators(Merge::Least, acts("message-ttl", is_non_negative, "a valid message TTL")),
    operators(Merge::Least, acts("expires", is_positive, "a valid queue expiry")),
    operators(Merge::Least, acts("max-length", is_non_negative, "a valid maximum length")),
    operators(Merge::Least, acts("max-length-bytes", is_non_negative, "a valid maximum length in bytes")),
    operators(Merge::Least, inert("max-in-memory-length", is_non_negative, "a valid maximum memory in bytes")),
    operators(Merge::Least, inert("max-in-memory-bytes", is_non_negative, "a valid maximum memory in bytes")),
    inert("queue-mode", |value| is_one_of(value, &["default", "lazy"]), "a valid queue-mode value"),
    operators(
        Merge::Operator,
        inert("queue-version", |value| matches!(integer(value), Some(1 | 2)), "a valid queue-version value"),
    ),
    operators(
        Merge::Operator,
        acts(
            "overflow",
            |value| is_one_of(value, &["drop-head", "reject-publish", "reject-publish-dlx"]),
            "a valid overflow value",
        ),
    ),
    operators(Merge::Limit, acts("delivery-limit", |value| integer(value).is_some(), "a valid delivery limit")),
    inert("max-age", is_age, "a valid max age"),
    inert("stream-max-segment-size-bytes", |value| in_range(value, 0, 3_000_000_000), "a valid segment size"),
    inert("stream-filter-size-bytes", |value| in_range(value, 16, 255), "a valid filter size. Valid range is 16-255"),
    inert(
        "queue-leader-locator",
        |value| is_one_of(value, &["client-local", "balanced", "random", "least-leaders"]),
        "a valid queue leader locator value",
    ),
    inert("initial-cluster-size", is_non_negative, "a valid cluster size"),
    operators(Merge::Most, inert("target-group-size", is_positive, "a valid qq target count value")),
    operators(
        Merge::Operator,
        inert(
            "member-placement-tag",
            |value| value.as_str().is_some_and(|text| !text.is_empty()),
            "a valid member-placement-tag value. Must be a non-empty string",
        ),
    ),
    operators(
        Merge::Operator,
        acts(
            "delayed-retry-type",
            |value| is_one_of(value, &["all", "failed", "returned", "disabled"]),
            "a valid delayed retry type. Must be one of: all, failed, returned, disabled",
        ),
    ),
    operators(
        Merge::Most,
        acts("delayed-retry-min", is_positive, "a valid delayed retry minimum delay. Must be a positive integer"),
    ),
    operators(
        Merge::Least,
        acts("delayed-retry-max", is_positive, "a valid delayed retry maximum delay. Must be a positive integer"),
    ),
    operators(
        Merge::Operator,
        inert(
            "queue-master-locator",
            |value| is_one_of(value, &["min-masters", "client-local", "random", "balanced", "least-leaders"]),
            "a valid master locator",
        ),
    ),
    inert("ha-mode", is_text, "a valid ha-mode value"),
    inert("ha-params", |_| true, ""),
    inert("ha-sync-mode", is_text, "a valid ha-sync-mode value"),
    inert("ha-sync-batch-size", is_positive, "a valid ha-sync-batch-size value"),
    inert("ha-promote-on-shutdown", is_text, "a valid ha-promote-on-shutdown value"),
    inert("ha-promote-on-failure", is_text, "a valid ha-promote-on-failure value"),
    inert("federation-upstream", is_text, "a valid federation upstream name"),
    inert("federation-upstream-set", is_text, "a valid federation upstream set name"),
    inert("federation-upstream-pattern", is_text, "a valid federation upstream pattern"),
    inert("shards-per-node", is_non_negative, "a valid number of shards per node"),
    inert("routing-key", is_text, "a valid routing key"),
    acts("delayed", |value| matches!(value, FieldValue::Bool(_)), "a valid delayed value"),
];

/// The key called `name`.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Those of `names` that are kept and shown, and do nothing.
pub(crate) fn without_effect<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.filter(|name| find(name).is_some_and(|key| !key.has_effect)).collect()
}

impl Merge {
    /// One value of a user's and an operator's.
    pub(super) fn values(self, user: &FieldValue, operator: &FieldValue) -> FieldValue {
        let (Some(a), Some(b)) = (integer(user), integer(operator)) else { return operator.clone() };
        FieldValue::I64(match self {
            Merge::Operator => return operator.clone(),
            Merge::Least => min(a, b),
            Merge::Most => max(a, b),
            Merge::Limit => least_limit(a, b),
        })
    }
}

/// The stricter of two limits, where a negative one is none.
pub(super) fn least_limit(a: i64, b: i64) -> i64 {
    if a < 0 || b < 0 { max(a, b) } else { min(a, b) }
}

/// A number that JSON has without a fraction, or an argument with.
pub(super) fn integer(value: &FieldValue) -> Option<i64> {
    match value {
        FieldValue::Timestamp(_) => None,
        other => other.as_i64(),
    }
}

fn in_range(value: &FieldValue, least: i64, most: i64) -> bool {
    integer(value).is_some_and(|value| (least..=most).contains(&value))
}

fn is_non_negative(value: &FieldValue) -> bool {
    in_range(value, 0, i64::MAX)
}

fn is_positive(value: &FieldValue) -> bool {
    in_range(value, 1, i64::MAX)
}

fn is_text(value: &FieldValue) -> bool {
    value.as_str().is_some()
}

fn is_one_of(value: &FieldValue, words: &[&str]) -> bool {
    value.as_str().is_some_and(|text| words.contains(&text))
}

/// A number of years, months, days, hours, minutes or seconds, as `7D`.
fn is_age(value: &FieldValue) -> bool {
    let Some(text) = value.as_str() else { return false };
    let number = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.get(number.len()..).unwrap_or_default();
    number.bytes().all(|byte| byte.is_ascii_digit())
        && number.bytes().any(|byte| byte != b'0')
        && ["Y", "M", "D", "h", "m", "s"].contains(&unit)
}
