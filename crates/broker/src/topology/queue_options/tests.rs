use super::*;
use amqp::FieldValue;
use proptest::prelude::*;

fn table<const N: usize>(fields: [(&str, FieldValue); N]) -> FieldTable {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn text(text: &str) -> FieldValue {
    FieldValue::from(text)
}

fn n(value: i64) -> FieldValue {
    FieldValue::I64(value)
}

/// An argument, a user policy's and an operator policy's value of one key, each or none.
fn effective(key: &str, [argument, user, operator]: [Option<FieldValue>; 3]) -> QueueOptions {
    let single = |name: &str, value: Option<FieldValue>| value.map(|value| table([(name, value)]));
    let arguments = single(&format!("x-{key}"), argument).unwrap_or_default();
    QueueOptions::effective(&arguments, single(key, user).as_ref(), single(key, operator).as_ref())
}

#[test]
fn a_queue_without_anything_is_a_plain_one() {
    assert_eq!(effective("max-length", [None, None, None]).boxed(), None);
    let empty = FieldTable::new();
    assert_eq!(QueueOptions::effective(&empty, Some(&empty), Some(&empty)).boxed(), None);
}

#[test]
fn the_lowest_number_counts() {
    type Number = fn(&QueueOptions) -> Option<u64>;
    let numbers: [(&str, Number); 5] = [
        ("message-ttl", |options| options.message_ttl_ms),
        ("expires", |options| options.expires_ms),
        ("max-length", |options| options.max_length),
        ("max-length-bytes", |options| options.max_length_bytes),
        ("consumer-timeout", |options| options.consumer_timeout_ms),
    ];
    for (key, option) in numbers {
        for (values, expected) in [
            ([Some(3), None, None], 3),
            ([None, Some(3), None], 3),
            ([None, None, Some(3)], 3),
            ([Some(3), Some(2), None], 2),
            ([Some(2), Some(3), None], 2),
            ([Some(3), Some(2), Some(1)], 1),
            ([Some(1), Some(2), Some(3)], 1),
        ] {
            assert_eq!(option(&effective(key, values.map(|value| value.map(n)))), Some(expected), "{key} {values:?}");
        }
    }
}

#[test]
fn a_negative_delivery_limit_is_none() {
    for (values, expected) in [
        ([Some(-1), None, None], None),
        ([Some(-1), Some(5), None], Some(5)),
        ([Some(5), Some(-1), None], Some(5)),
        ([Some(5), Some(7), Some(-1)], Some(5)),
        ([Some(9), Some(7), None], Some(7)),
        ([Some(0), None, None], Some(0)),
    ] {
        let options = effective("delivery-limit", values.map(|value| value.map(n)));
        assert_eq!(options.delivery_limit, expected, "{values:?}");
    }
}

#[test]
fn an_argument_counts_before_a_policy() {
    let overflow = |values: [Option<&str>; 3]| effective("overflow", values.map(|value| value.map(text))).overflow;
    assert_eq!(overflow([None, None, None]), Overflow::DropHead);
    assert_eq!(overflow([Some("drop-head"), Some("reject-publish"), None]), Overflow::DropHead);
    assert_eq!(overflow([None, Some("reject-publish"), None]), Overflow::RejectPublish);
    assert_eq!(overflow([None, Some("reject-publish"), Some("drop-head")]), Overflow::DropHead);
    let arguments = table([("x-dead-letter-exchange", text("own"))]);
    let policy = table([
        ("dead-letter-exchange", text("other")),
        ("dead-letter-routing-key", text("key")),
        ("dead-letter-strategy", text("at-least-once")),
    ]);
    let target = QueueOptions::effective(&arguments, Some(&policy), None).dead_letter.unwrap();
    assert_eq!((&*target.exchange, target.routing_key.as_deref()), ("own", Some("key")));
    assert!(target.at_least_once);
}

/// RabbitMQ disables dead-lettering with a key and without an exchange.
#[test]
fn a_dead_letter_key_alone_is_nothing() {
    assert_eq!(effective("dead-letter-routing-key", [None, Some(text("key")), None]).dead_letter, None);
}

#[test]
fn delayed_retry_needs_a_shortest_wait() {
    let retry = |kind: &str, min: Option<i64>, max: Option<i64>| {
        let mut policy = table([("delayed-retry-type", text(kind))]);
        for (key, value) in [("delayed-retry-min", min), ("delayed-retry-max", max)] {
            if let Some(value) = value {
                policy.insert(key, value);
            }
        }
        QueueOptions::effective(&FieldTable::new(), Some(&policy), None).delayed_retry
    };
    assert_eq!(retry("all", None, Some(5)), None);
    assert_eq!(retry("disabled", Some(1), Some(5)), None);
    let expected = DelayedRetry { failed: true, returned: false, min_ms: 10, max_ms: 10 };
    assert_eq!(retry("failed", Some(10), None), Some(expected));
    let expected = DelayedRetry { failed: false, returned: true, min_ms: 10, max_ms: 90 };
    assert_eq!(retry("returned", Some(10), Some(90)), Some(expected));
}

/// RabbitMQ: `policy_has_precedence` for the type, and the lower one of the times.
#[test]
fn the_policy_decides_on_the_type_of_delayed_retry() {
    let arguments = table([("x-delayed-retry-type", text("all")), ("x-delayed-retry-min", n(10))]);
    let policy = table([("delayed-retry-type", text("disabled"))]);
    assert_eq!(QueueOptions::effective(&arguments, Some(&policy), None).delayed_retry, None);
    let policy = table([("delayed-retry-type", text("failed")), ("delayed-retry-min", n(5))]);
    let retry = QueueOptions::effective(&arguments, Some(&policy), None).delayed_retry.unwrap();
    assert_eq!((retry.failed, retry.returned, retry.min_ms), (true, false, 5));
}

#[test]
fn policies_have_no_say_in_what_cannot_change() {
    let policy = table([
        ("max-priority", n(5)),
        ("single-active-consumer", FieldValue::Bool(true)),
        ("message-deduplication", FieldValue::Bool(true)),
    ]);
    assert_eq!(QueueOptions::effective(&FieldTable::new(), Some(&policy), None).boxed(), None);
}

proptest! {
    /// The limit in force is the lowest of those that are there, whoever set which and in whatever order their fields
    /// stand.
    #[test]
    fn the_effective_limit_is_the_lowest(
        values in proptest::collection::vec(proptest::option::of(0..100_i64), 3),
        others in proptest::collection::vec(proptest::option::of(0..100_i64), 3),
        reversed in any::<bool>(),
    ) {
        let fields = |prefix: &str, at: usize| -> FieldTable {
            let length = values[at].map(|value| (format!("{prefix}max-length"), n(value)));
            let ttl = others[at].map(|value| (format!("{prefix}message-ttl"), n(value)));
            let mut fields: Vec<_> = length.into_iter().chain(ttl).collect();
            if reversed {
                fields.reverse();
            }
            fields.into_iter().collect()
        };
        let options = QueueOptions::effective(&fields("x-", 0), Some(&fields("", 1)), Some(&fields("", 2)));
        let lowest = |values: &[Option<i64>]| values.iter().flatten().min().map(|value| *value as u64);
        prop_assert_eq!(options.max_length, lowest(&values));
        prop_assert_eq!(options.message_ttl_ms, lowest(&others));
        let swapped = QueueOptions::effective(&fields("x-", 0), Some(&fields("", 2)), Some(&fields("", 1)));
        prop_assert_eq!(options, swapped);
    }
}
