//! Arguments of queue.declare and basic.consume: what they may be, and when two declarations are the same.

use crate::errors::{self, ArgumentValue, ProtocolError, Resource};
use amqp::{FieldTable, FieldValue, erlang};

/// Ten years: the longest time in ms that an argument may name.
const LONGEST_MS: i64 = 315_360_000_000;
const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";
const QUEUE_TYPE: &str = "x-queue-type";
const CLASSIC: &str = "classic";

/// Why a value is refused, as the Erlang term that RabbitMQ prints.
type Reason = String;
type Check = fn(&FieldValue, &FieldTable) -> Result<(), Reason>;

/// The arguments that a classic queue knows, each with its check. They are what redeclaring compares; all others are
/// kept and ignored.
const QUEUE_ARGUMENTS: [(&str, Check); 16] = [
    ("x-expires", |value, _| positive_ms(value)),
    ("x-message-ttl", |value, _| ms(value)),
    (DEAD_LETTER_EXCHANGE, |value, _| long_string(value).map(drop)),
    ("x-dead-letter-routing-key", dead_letter_routing_key),
    ("x-dead-letter-strategy", |value, _| one_of(value, &["at-most-once", "at-least-once"], "invalid_dlx_strategy")),
    ("x-max-length", |value, _| non_negative(value).map(drop)),
    ("x-max-length-bytes", |value, _| non_negative(value).map(drop)),
    ("x-max-priority", |value, _| max_priority(value)),
    ("x-overflow", |value, _| {
        one_of(value, &["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow")
    }),
    ("x-single-active-consumer", |value, _| boolean(value)),
    ("x-queue-mode", |value, _| one_of(value, &["default", "lazy"], "invalid_queue_mode")),
    ("x-queue-version", |value, _| version(value)),
    (QUEUE_TYPE, |value, _| queue_type(value)),
    ("x-queue-leader-locator", |value, _| {
        let locators = ["client-local", "balanced", "random", "least-leaders", "min-masters"];
        one_of(value, &locators, "invalid_queue_locator_arg")
    }),
    ("x-delivery-limit", |value, _| integer(value).map(drop)),
    ("x-consumer-timeout", |value, _| non_negative(value).map(drop)),
];

/// Arguments of other queue types, which a classic queue refuses.
const FOREIGN_ARGUMENTS: [&str; 8] = [
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-stream-filter-size-bytes",
    "x-initial-cluster-size",
    "x-quorum-initial-group-size",
    "x-quorum-target-group-size",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
];

const CONSUME_ARGUMENTS: [(&str, Check); 3] = [
    ("x-priority", |value, _| integer(value).map(drop)),
    ("x-consumer-timeout", |value, _| non_negative(value).map(drop)),
    ("x-cancel-on-ha-failover", |value, _| boolean(value)),
];

/// Checks the arguments of queue.declare.
pub(crate) fn check_queue_arguments(arguments: &FieldTable, queue: &Resource<'_>) -> Result<(), ProtocolError> {
    check_all(&QUEUE_ARGUMENTS, arguments, queue)?;
    match FOREIGN_ARGUMENTS.iter().find(|name| arguments.get(name).is_some()) {
        Some(name) => Err(errors::FOREIGN_ARGUMENT.with(&[name, queue, &"rabbit_classic_queue"])),
        None => Ok(()),
    }
}

/// Checks the arguments of basic.consume.
pub(crate) fn check_consume_arguments(arguments: &FieldTable, queue: &Resource<'_>) -> Result<(), ProtocolError> {
    check_all(&CONSUME_ARGUMENTS, arguments, queue)
}

/// The delivery acknowledgement timeout that arguments set, in ms.
pub(crate) fn timeout_argument(arguments: &FieldTable) -> Option<u64> {
    arguments.get("x-consumer-timeout").and_then(FieldValue::as_i64).and_then(|ms| u64::try_from(ms).ok())
}

fn check_all(checks: &[(&str, Check)], arguments: &FieldTable, queue: &Resource<'_>) -> Result<(), ProtocolError> {
    for (name, check) in checks {
        if let Some(value) = arguments.get(name) {
            check(value, arguments).map_err(|reason| errors::INVALID_ARGUMENT.with(&[name, queue, &reason]))?;
        }
    }
    Ok(())
}

fn term(name: &str, value: i64) -> Reason {
    format!("{{{name},{value}}}")
}

/// A text, as Erlang prints a string.
fn text(text: &str) -> Reason {
    erlang::string(text.chars())
}

fn integer(value: &FieldValue) -> Result<i64, Reason> {
    match value {
        FieldValue::Timestamp(_) => None,
        other => other.as_i64(),
    }
    .ok_or_else(|| text(&format!("expected integer, got {}", value.type_name())))
}

fn non_negative(value: &FieldValue) -> Result<i64, Reason> {
    let value = integer(value)?;
    if value < 0 { Err(term("value_negative", value)) } else { Ok(value) }
}

fn ms(value: &FieldValue) -> Result<(), Reason> {
    let value = integer(value)?;
    match value {
        _ if value > LONGEST_MS => Err(term("value_too_large", value)),
        _ if value < 0 => Err(term("value_negative", value)),
        _ => Ok(()),
    }
}

fn positive_ms(value: &FieldValue) -> Result<(), Reason> {
    if integer(value)? == 0 { Err(term("value_zero", 0)) } else { ms(value) }
}

fn max_priority(value: &FieldValue) -> Result<(), Reason> {
    let value = non_negative(value)?;
    if value > 255 { Err(term("max_value_exceeded", value)) } else { Ok(()) }
}

fn boolean(value: &FieldValue) -> Result<(), Reason> {
    match value {
        FieldValue::Bool(_) => Ok(()),
        other => Err(text(&format!("expected boolean, got {}", other.type_name()))),
    }
}

fn long_string(value: &FieldValue) -> Result<&[u8], Reason> {
    match value {
        FieldValue::LongString(bytes) => Ok(bytes),
        other => Err(format!("{{unacceptable_type,{}}}", other.type_name())),
    }
}

fn one_of(value: &FieldValue, words: &[&str], reason: &str) -> Result<(), Reason> {
    let bytes = long_string(value)?;
    if words.iter().any(|word| word.as_bytes() == bytes) { Ok(()) } else { Err(reason.to_owned()) }
}

fn dead_letter_routing_key(value: &FieldValue, arguments: &FieldTable) -> Result<(), Reason> {
    long_string(value)?;
    match arguments.get(DEAD_LETTER_EXCHANGE) {
        Some(_) => Ok(()),
        None => Err("routing_key_but_no_dlx_defined".to_owned()),
    }
}

fn version(value: &FieldValue) -> Result<(), Reason> {
    match integer(value)? {
        1 | 2 => Ok(()),
        other => Err(text(&format!("unsupported queue version '{other}'"))),
    }
}

/// Quorum queues and streams are refused until they exist: nothing pretends to be one.
fn queue_type(value: &FieldValue) -> Result<(), Reason> {
    let name = long_string(value)?;
    if name == CLASSIC.as_bytes() {
        return Ok(());
    }
    Err(text(&format!("unsupported queue type '{}'", String::from_utf8_lossy(name))))
}

/// Refuses a redeclaration whose arguments differ in one that counts.
pub(crate) fn assert_queue_arguments_equivalent(
    queue: &Resource<'_>,
    received: &FieldTable,
    current: &FieldTable,
) -> Result<(), ProtocolError> {
    for (name, _) in QUEUE_ARGUMENTS {
        // A queue without a type is a classic one.
        let is_classic = |table: &FieldTable| table.get(name).is_none_or(|value| value.as_str() == Some(CLASSIC));
        if name == QUEUE_TYPE && is_classic(received) && is_classic(current) {
            continue;
        }
        assert_argument_equivalent(name, queue, received, current)?;
    }
    Ok(())
}

/// Refuses a redeclaration in which the argument `name` differs.
pub(crate) fn assert_argument_equivalent(
    name: &str,
    resource: &Resource<'_>,
    received: &FieldTable,
    current: &FieldTable,
) -> Result<(), ProtocolError> {
    let (received, current) = match (received.get(name), current.get(name)) {
        (None, None) => return Ok(()),
        (Some(received), Some(current)) if received.equivalent(current) => return Ok(()),
        (received, current) => (received, current),
    };
    let (received_text, current_text) = (received.map(shown), current.map(shown));
    let side = |value: Option<&FieldValue>, text: &Option<String>, both: bool| match (value, text) {
        (Some(value), Some(text)) => Some((value.type_name(), text.clone(), both)),
        _ => None,
    };
    let both = received.is_some() && current.is_some();
    let print = |side: Option<(&str, String, bool)>| match &side {
        None => ArgumentValue::Missing.to_string(),
        Some((_, text, true)) => ArgumentValue::Value(text).to_string(),
        Some((field_type, text, false)) => ArgumentValue::Typed { value: text, field_type }.to_string(),
    };
    let received = print(side(received, &received_text, both));
    let current = print(side(current, &current_text, both));
    Err(errors::INEQUIVALENT_ARGUMENT.with(&[&name, resource, &received, &current]))
}

/// A value as RabbitMQ prints it in these texts: strings bare, everything else as a term.
fn shown(value: &FieldValue) -> String {
    erlang::field_value_bare(value)
}
