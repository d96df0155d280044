//! What queues are declared as.

use crate::oracle::{Options, Overflow, QUEUES};
use crate::world::name;
use amqp::{FieldTable, FieldValue};
use testkit::engine::Random;

/// Options that a seed makes of it.
pub fn options(random: &mut Random) -> Options {
    let target = random.chance(75).then(|| random.below(QUEUES + 1));
    Options {
        ttl_ms: random.chance(50).then(|| 50 + random.number() % 5000),
        max_length: random.chance(40).then(|| random.below(6)),
        max_length_bytes: random.chance(15).then(|| random.below(2000)),
        overflow: random.pick(&[Overflow::DropHead, Overflow::DropHead, Overflow::Reject, Overflow::RejectDlx]),
        target,
        at_least_once: target.is_some() && random.chance(30),
        max_priority: random.chance(40).then(|| random.pick(&[1, 3, 10, 255])),
        delivery_limit: random.chance(35).then(|| random.below(4) as u32),
        retry_ms: random.chance(30).then(|| (30 + random.number() % 900, 30 + random.number() % 2000)),
    }
}

/// The arguments that ask for these options.
pub fn arguments(options: &Options) -> FieldTable {
    let mut table = FieldTable::new();
    let mut number = |name: &str, value: Option<u64>| {
        value.into_iter().for_each(|value| table.insert(name, FieldValue::I64(value as i64)));
    };
    number("x-message-ttl", options.ttl_ms);
    number("x-max-length", options.max_length.map(|most| most as u64));
    number("x-max-length-bytes", options.max_length_bytes.map(|most| most as u64));
    number("x-max-priority", options.max_priority.map(u64::from));
    number("x-delivery-limit", options.delivery_limit.map(u64::from));
    number("x-delayed-retry-min", options.retry_ms.map(|(min_ms, _)| min_ms));
    number("x-delayed-retry-max", options.retry_ms.map(|(_, max_ms)| max_ms));
    let mut word = |name: &str, value: &str| table.insert(name, FieldValue::LongString(value.as_bytes().to_vec()));
    match options.overflow {
        Overflow::DropHead => {}
        Overflow::Reject => word("x-overflow", "reject-publish"),
        Overflow::RejectDlx => word("x-overflow", "reject-publish-dlx"),
    }
    if let Some(target) = options.target {
        word("x-dead-letter-exchange", "");
        word("x-dead-letter-routing-key", &name(target));
    }
    if options.at_least_once {
        word("x-dead-letter-strategy", "at-least-once");
    }
    if options.retry_ms.is_some() {
        word("x-delayed-retry-type", "all");
    }
    table
}
