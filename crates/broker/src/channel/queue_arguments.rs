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

/// An argument of queue.declare.
struct Argument {
    name: &'static str,
    check: Check,
    /// True where a queue that is there can be given another value.
    can_change: bool,
}

const fn live(name: &'static str, check: Check) -> Argument {
    Argument { name, check, can_change: true }
}

const fn fixed(name: &'static str, check: Check) -> Argument {
    Argument { name, check, can_change: false }
}

/// The arguments that a classic queue knows, each with its check. They are what redeclaring compares; all others are
/// kept and ignored.
const QUEUE_ARGUMENTS: &[Argument] = &[
    live("x-expires", |value, _| positive_ms(value)),
    live("x-message-ttl", |value, _| ms(value)),
    live(DEAD_LETTER_EXCHANGE, |value, _| long_string(value).map(drop)),
    live("x-dead-letter-routing-key", dead_letter_routing_key),
    live("x-dead-letter-strategy", |value, _| {
        one_of(value, &["at-most-once", "at-least-once"], "invalid_dlx_strategy")
    }),
    live("x-max-length", |value, _| non_negative(value).map(drop)),
    live("x-max-length-bytes", |value, _| non_negative(value).map(drop)),
    fixed("x-max-priority", |value, _| max_priority(value)),
    live("x-overflow", |value, _| {
        one_of(value, &["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow")
    }),
    fixed("x-single-active-consumer", |value, _| boolean(value)),
    live("x-queue-mode", |value, _| one_of(value, &["default", "lazy"], "invalid_queue_mode")),
    live("x-queue-version", |value, _| version(value)),
    fixed(QUEUE_TYPE, |value, _| known_queue_type(value)),
    live("x-queue-leader-locator", |value, _| {
        let locators = ["client-local", "balanced", "random", "least-leaders", "min-masters"];
        one_of(value, &locators, "invalid_queue_locator_arg")
    }),
    live("x-delivery-limit", |value, _| integer(value).map(drop)),
    live("x-consumer-timeout", |value, _| non_negative(value).map(drop)),
    // RabbitMQ 4.3 takes any value of these three, and has none of them in effect where one makes no sense.
    live("x-delayed-retry-type", |value, _| {
        one_of(value, &["all", "failed", "returned", "disabled"], "invalid_delayed_retry_type")
    }),
    live("x-delayed-retry-min", |value, _| positive_ms(value)),
    live("x-delayed-retry-max", |value, _| positive_ms(value)),
    fixed("x-message-deduplication", |value, _| boolean(value)),
];

/// Arguments of quorum queues that mean nothing here. A classic queue refuses them; one that stands in for a quorum
/// queue keeps and ignores them.
const QUORUM_ARGUMENTS: &[Argument] = &[
    fixed("x-quorum-initial-group-size", |value, _| positive(value)),
    fixed("x-quorum-target-group-size", |value, _| positive(value)),
    fixed("x-max-in-memory-length", |value, _| non_negative(value).map(drop)),
    fixed("x-max-in-memory-bytes", |value, _| non_negative(value).map(drop)),
    fixed("x-consumer-disconnected-timeout", |value, _| non_negative(value).map(drop)),
    fixed("x-member-placement-tag", |value, _| match long_string(value)? {
        [] => Err("invalid_member_placement_tag_arg".to_owned()),
        _ => Ok(()),
    }),
];

/// Arguments of streams.
const STREAM_ARGUMENTS: [&str; 4] =
    ["x-max-age", "x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes", "x-initial-cluster-size"];

const CONSUME_ARGUMENTS: [(&str, Check); 3] = [
    ("x-priority", |value, _| integer(value).map(drop)),
    ("x-consumer-timeout", |value, _| non_negative(value).map(drop)),
    ("x-cancel-on-ha-failover", |value, _| boolean(value)),
];

/// Arguments of consuming from a stream.
const STREAM_CONSUME_ARGUMENTS: [&str; 3] = ["x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"];

/// The types that a queue can be declared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueType {
    Classic,
    Quorum,
    Stream,
}

/// The type that arguments ask for; what does not exist is refused by [`check_queue_arguments`].
pub(crate) fn queue_type(arguments: &FieldTable) -> QueueType {
    arguments.get(QUEUE_TYPE).and_then(FieldValue::as_str).and_then(type_called).unwrap_or(QueueType::Classic)
}

/// The type called `name`, as arguments, virtual hosts and the configuration write it.
pub(crate) fn type_called(name: &str) -> Option<QueueType> {
    match name {
        CLASSIC | "rabbit_classic_queue" => Some(QueueType::Classic),
        "quorum" | "rabbit_quorum_queue" => Some(QueueType::Quorum),
        "stream" | "rabbit_stream_queue" => Some(QueueType::Stream),
        _ => None,
    }
}

/// Arguments with the default type where they name none, unless a queue of these properties can only be a classic one
/// (RabbitMQ: `augment_declare_args`). A queue without a type is a classic one, so that is not written down.
pub(crate) fn with_default_type(mut arguments: FieldTable, default: &str, is_plain: bool) -> FieldTable {
    match arguments.get(QUEUE_TYPE) {
        // RabbitMQ: as if it were not there.
        Some(FieldValue::LongString(name)) if matches!(&name[..], b"" | b"undefined") => {
            arguments.remove(QUEUE_TYPE);
        }
        Some(_) => return arguments,
        None => {}
    }
    match type_called(default) {
        Some(QueueType::Quorum) if is_plain => arguments.insert(QUEUE_TYPE, "quorum"),
        Some(QueueType::Stream) if is_plain => arguments.insert(QUEUE_TYPE, "stream"),
        _ => {}
    }
    arguments
}

/// True for an argument that a queue which is there can be given another value of.
pub(crate) fn can_change_in_place(name: &str) -> bool {
    QUEUE_ARGUMENTS.iter().any(|argument| argument.name == name && argument.can_change)
}

/// Checks the arguments of queue.declare. There are no quorum queues and no streams yet; classic queues stand in for the
/// first where `quorum_as_classic`.
pub(crate) fn check_queue_arguments(
    arguments: &FieldTable,
    queue: &Resource<'_>,
    quorum_as_classic: bool,
) -> Result<(), ProtocolError> {
    let checks = |table: &'static [Argument]| table.iter().map(|argument| (argument.name, argument.check));
    check_all(checks(QUEUE_ARGUMENTS).filter(|(name, _)| *name == QUEUE_TYPE), arguments, queue)?;
    let kind = queue_type(arguments);
    match kind {
        QueueType::Stream => return Err(errors::NO_STREAMS.with(&[queue])),
        QueueType::Quorum if !quorum_as_classic => return Err(errors::NO_QUORUM_QUEUES.with(&[queue])),
        _ => {}
    }
    check_all(checks(QUEUE_ARGUMENTS), arguments, queue)?;
    let name = if kind == QueueType::Quorum {
        check_all(checks(QUORUM_ARGUMENTS), arguments, queue)?;
        "rabbit_quorum_queue"
    } else {
        refuse_foreign(
            QUORUM_ARGUMENTS.iter().map(|argument| argument.name),
            arguments,
            queue,
            "rabbit_classic_queue",
        )?;
        "rabbit_classic_queue"
    };
    refuse_foreign(STREAM_ARGUMENTS.into_iter(), arguments, queue, name)
}

fn refuse_foreign(
    foreign: impl Iterator<Item = &'static str>,
    arguments: &FieldTable,
    queue: &Resource<'_>,
    kind: &str,
) -> Result<(), ProtocolError> {
    match foreign.into_iter().find(|name| arguments.get(name).is_some()) {
        Some(name) => Err(errors::FOREIGN_ARGUMENT.with(&[&name, queue, &kind])),
        None => Ok(()),
    }
}

/// Checks the arguments of basic.consume.
pub(crate) fn check_consume_arguments(arguments: &FieldTable, queue: &Resource<'_>) -> Result<(), ProtocolError> {
    check_all(CONSUME_ARGUMENTS.into_iter(), arguments, queue)?;
    refuse_foreign(STREAM_CONSUME_ARGUMENTS.into_iter(), arguments, queue, "rabbit_classic_queue")
}

/// The delivery acknowledgement timeout that arguments set, in ms.
pub(crate) fn timeout_argument(arguments: &FieldTable) -> Option<u64> {
    arguments.get("x-consumer-timeout").and_then(FieldValue::as_i64).and_then(|ms| u64::try_from(ms).ok())
}

fn check_all(
    checks: impl Iterator<Item = (&'static str, Check)>,
    arguments: &FieldTable,
    queue: &Resource<'_>,
) -> Result<(), ProtocolError> {
    for (name, check) in checks {
        if let Some(value) = arguments.get(name) {
            check(value, arguments).map_err(|reason| errors::INVALID_ARGUMENT.with(&[&name, queue, &reason]))?;
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

fn positive(value: &FieldValue) -> Result<(), Reason> {
    match non_negative(value)? {
        0 => Err(term("value_zero", 0)),
        _ => Ok(()),
    }
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

fn known_queue_type(value: &FieldValue) -> Result<(), Reason> {
    let name = String::from_utf8_lossy(long_string(value)?);
    match &*name {
        CLASSIC | "quorum" | "stream" => Ok(()),
        other => Err(text(&format!("unsupported queue type '{other}'"))),
    }
}

/// Refuses a redeclaration whose arguments differ in one that counts, among those that are `compared`.
pub(crate) fn assert_queue_arguments_equivalent(
    queue: &Resource<'_>,
    received: &FieldTable,
    current: &FieldTable,
    compared: impl Fn(&str) -> bool,
) -> Result<(), ProtocolError> {
    let quorum = if queue_type(current) == QueueType::Quorum { QUORUM_ARGUMENTS } else { &[] };
    for Argument { name, .. } in QUEUE_ARGUMENTS.iter().chain(quorum).filter(|argument| compared(argument.name)) {
        // A queue without a type is a classic one.
        let is_classic = |table: &FieldTable| table.get(name).is_none_or(|value| value.as_str() == Some(CLASSIC));
        if *name == QUEUE_TYPE && is_classic(received) && is_classic(current) {
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
