//! What a queue does beyond keeping messages in order, as its arguments and policies add up.

use amqp::{FieldTable, FieldValue};
use std::sync::Arc;

/// What arguments and policies make of a queue. The default is a plain one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueOptions {
    /// How long a message may wait, in ms (`x-message-ttl`).
    pub message_ttl_ms: Option<u64>,
    /// How long the queue may be unused before it is deleted, in ms (`x-expires`).
    pub expires_ms: Option<u64>,
    /// Most messages that wait (`x-max-length`).
    pub max_length: Option<u64>,
    /// Most bytes of bodies that wait (`x-max-length-bytes`).
    pub max_length_bytes: Option<u64>,
    /// What happens above those limits (`x-overflow`).
    pub overflow: Overflow,
    /// Where messages go that are rejected, expired or dropped.
    pub dead_letter: Option<DeadLetterTarget>,
    /// Highest priority (`x-max-priority`); `None` without priorities.
    pub max_priority: Option<u8>,
    /// One consumer at a time gets messages (`x-single-active-consumer`).
    pub single_active_consumer: bool,
    /// How often a message may come back after a delivery (`x-delivery-limit`).
    pub delivery_limit: Option<u32>,
    /// How long a delivery may wait for its acknowledgement, in ms (`x-consumer-timeout`).
    pub consumer_timeout_ms: Option<u64>,
    /// How long a message that came back waits before it is ready again (`x-delayed-retry-*`).
    pub delayed_retry: Option<DelayedRetry>,
    /// Messages whose `x-deduplication-header` is that of one in the queue are dropped (`x-message-deduplication`).
    pub deduplicates: bool,
    /// What messages say of their own expiration does not count: they are kept for others.
    pub ignores_expirations: bool,
}

/// What happens to messages that a queue has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The first ones are dropped, or dead-lettered.
    #[default]
    DropHead,
    /// New ones are refused: the publisher gets basic.nack.
    RejectPublish,
    /// New ones are refused and dead-lettered.
    RejectPublishDlx,
}

/// Where dead letters go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterTarget {
    /// Name of the exchange.
    pub exchange: Arc<str>,
    /// Their routing key; their own when `None`.
    pub routing_key: Option<Arc<str>>,
    /// A dead letter that no queue takes stays and is tried again (`x-dead-letter-strategy`: at-least-once).
    pub at_least_once: bool,
}

/// Which returned messages wait, and how long: `min_ms` times the number of returns, at most `max_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayedRetry {
    /// Those that were rejected or whose consumer failed.
    pub failed: bool,
    /// Those that were given back without a failure.
    pub returned: bool,
    /// The wait after the first return, in ms.
    pub min_ms: u64,
    /// The longest wait, in ms.
    pub max_ms: u64,
}

impl QueueOptions {
    /// What these arguments, which have been checked, ask for.
    pub fn of_arguments(arguments: &FieldTable) -> QueueOptions {
        let number = |name| arguments.get(name).and_then(FieldValue::as_i64);
        let count = |name| number(name).and_then(|value| u64::try_from(value).ok());
        let word = |name| arguments.get(name).and_then(FieldValue::as_str);
        let is_set = |name| arguments.get(name) == Some(&FieldValue::Bool(true));
        let dead_letter = word("x-dead-letter-exchange").map(|exchange| DeadLetterTarget {
            exchange: exchange.into(),
            routing_key: word("x-dead-letter-routing-key").map(Into::into),
            at_least_once: word("x-dead-letter-strategy") == Some("at-least-once"),
        });
        QueueOptions {
            message_ttl_ms: count("x-message-ttl"),
            expires_ms: count("x-expires"),
            max_length: count("x-max-length"),
            max_length_bytes: count("x-max-length-bytes"),
            overflow: word("x-overflow").map(Overflow::from_word).unwrap_or_default(),
            dead_letter,
            max_priority: count("x-max-priority").map(|most| u8::try_from(most).unwrap_or(u8::MAX)),
            single_active_consumer: is_set("x-single-active-consumer"),
            delivery_limit: count("x-delivery-limit").map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            consumer_timeout_ms: count("x-consumer-timeout"),
            delayed_retry: DelayedRetry::of(
                word("x-delayed-retry-type"),
                count("x-delayed-retry-min"),
                count("x-delayed-retry-max"),
            ),
            deduplicates: is_set("x-message-deduplication"),
            ignores_expirations: false,
        }
    }

    /// These options for a queue; `None` for a plain one.
    pub fn boxed(self) -> Option<Arc<QueueOptions>> {
        (self != QueueOptions::default()).then(|| Arc::new(self))
    }
}

impl Overflow {
    /// The value written as `word`; the default for a word that is none.
    pub fn from_word(word: &str) -> Overflow {
        match word {
            "reject-publish" => Overflow::RejectPublish,
            "reject-publish-dlx" => Overflow::RejectPublishDlx,
            _ => Overflow::DropHead,
        }
    }
}

impl DelayedRetry {
    /// The value that these three arguments add up to.
    pub fn of(kind: Option<&str>, min_ms: Option<u64>, max_ms: Option<u64>) -> Option<DelayedRetry> {
        let (failed, returned) = match kind? {
            "all" => (true, true),
            "failed" => (true, false),
            "returned" => (false, true),
            _ => return None,
        };
        let min_ms = min_ms.unwrap_or_default();
        Some(DelayedRetry { failed, returned, min_ms, max_ms: max_ms.unwrap_or(u64::MAX) })
    }
}
