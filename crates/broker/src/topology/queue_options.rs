//! What a queue does beyond keeping messages in order, as its arguments and policies add up.

use crate::policy::{Sources, merged};
use amqp::FieldTable;
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
        QueueOptions::effective(arguments, None, None)
    }

    /// What arguments and policies add up to, all of which have been checked.
    ///
    /// The two policies are merged first. Of an argument and a policy, the lower number counts for times, lengths and the
    /// delivery limit, the policy for the type of delayed retry, and the argument for everything else (RabbitMQ:
    /// `rabbit_amqqueue_process` for classic queues, `rabbit_quorum_queue` for what only quorum queues have there).
    pub fn effective(
        arguments: &FieldTable,
        policy: Option<&FieldTable>,
        operator_policy: Option<&FieldTable>,
    ) -> QueueOptions {
        let (none, both);
        let policies = match (policy, operator_policy) {
            (Some(user), Some(operator)) => {
                both = merged(user, operator);
                &both
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                none = FieldTable::new();
                &none
            }
        };
        let from = Sources { arguments, policies };
        let dead_letter = from.argument_first("dead-letter-exchange").map(|exchange| DeadLetterTarget {
            exchange: exchange.into(),
            routing_key: from.argument_first("dead-letter-routing-key").map(Into::into),
            at_least_once: from.argument_first("dead-letter-strategy") == Some("at-least-once"),
        });
        let narrow = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
        QueueOptions {
            message_ttl_ms: from.least("message-ttl"),
            expires_ms: from.least("expires"),
            max_length: from.least("max-length"),
            max_length_bytes: from.least("max-length-bytes"),
            overflow: from.argument_first("overflow").map(Overflow::from_word).unwrap_or_default(),
            dead_letter,
            max_priority: from.argument_only("max-priority").map(|most| u8::try_from(most).unwrap_or(u8::MAX)),
            single_active_consumer: from.argument_is_set("single-active-consumer"),
            delivery_limit: from.least_limit("delivery-limit").map(narrow),
            consumer_timeout_ms: from.least("consumer-timeout"),
            delayed_retry: DelayedRetry::of(
                from.policy_first("delayed-retry-type"),
                from.least("delayed-retry-min"),
                from.least("delayed-retry-max"),
            ),
            deduplicates: from.argument_is_set("message-deduplication"),
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
    /// The value that these three add up to; without a shortest wait there is none, and without a longest one every
    /// wait is the shortest (RabbitMQ 4.3).
    pub fn of(kind: Option<&str>, min_ms: Option<u64>, max_ms: Option<u64>) -> Option<DelayedRetry> {
        let (failed, returned) = match kind? {
            "all" => (true, true),
            "failed" => (true, false),
            "returned" => (false, true),
            _ => return None,
        };
        let min_ms = min_ms.filter(|min_ms| *min_ms > 0)?;
        Some(DelayedRetry { failed, returned, min_ms, max_ms: max_ms.filter(|ms| *ms > 0).unwrap_or(min_ms) })
    }
}

#[cfg(test)]
mod tests;
