//! Two ladders of 28 queues with a time to live of 2^n seconds each, which NServiceBus and Celery (kombu) build to delay
//! messages: every bit of the delay is a word of the routing key, a 1 waits in the queue of its level, a 0 passes on through
//! a binding between exchanges. Here with classic queues, and with the load of many senders.

use std::time::{Duration, Instant};

use testkit::method::{exchange_bind, exchange_delete, qos, queue_bind, queue_delete};
use testkit::{Consume, Delivery, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Value};

use super::waiting::{death_counts, is_gone, text_header};
use crate::support::{connect, is_external, queue, unique};

const LEVELS: u32 = 28;

/// What a ladder is called, and the arguments that its queues have beside the time to live.
struct Ladder {
    level: fn(&str, u32) -> String,
    delivery: String,
    prefix: String,
    arguments: Vec<(&'static str, Value)>,
}

impl Ladder {
    fn nservicebus() -> Ladder {
        let prefix = unique("nsb");
        let mut arguments: Vec<(&'static str, Value)> =
            vec![("x-queue-type", "classic".into()), ("x-overflow", "reject-publish".into())];
        if !is_external() {
            arguments.push(("x-dead-letter-strategy", "at-least-once".into()));
        }
        let level = |prefix: &str, level| format!("{prefix}.v2.delay-level-{level:02}");
        Ladder { level, delivery: format!("{prefix}.v2.delay-delivery"), prefix, arguments }
    }

    fn celery() -> Ladder {
        let prefix = unique("celery");
        let arguments = vec![("x-queue-type", "classic".into()), ("x-overflow", "reject-publish".into())];
        let level = |prefix: &str, level| format!("{prefix}_celery_delayed_{level}");
        Ladder { level, delivery: format!("{prefix}_celery_delayed_delivery"), prefix, arguments }
    }

    fn name(&self, level: u32) -> String {
        (self.level)(&self.prefix, level)
    }

    /// Declares exchanges, queues and bindings, from the top down.
    fn build(&self, client: &mut RawClient) {
        client.call(1, ExchangeDeclare::new(&self.delivery, "topic").durable());
        for level in (0..LEVELS).rev() {
            client.call(1, ExchangeDeclare::new(&self.name(level), "topic").durable());
        }
        for level in (0..LEVELS).rev() {
            let (name, below) = (self.name(level), self.below(level));
            let above = "*.".repeat((LEVELS - 1 - level) as usize);
            let ttl_ms = (1_i64 << level) * 1000;
            let mut declare = QueueDeclare::new(&name).durable().argument("x-message-ttl", Value::Long(ttl_ms));
            declare = declare.argument("x-dead-letter-exchange", below.as_str());
            for (argument, value) in &self.arguments {
                declare = declare.argument(argument, value.clone());
            }
            client.declare(1, declare);
            client.call(1, queue_bind(&name, &name, &format!("{above}1.#"), &Vec::new()));
            client.call(1, exchange_bind(&below, &name, &format!("{above}0.#"), &Vec::new()));
        }
    }

    /// Where messages go from this level.
    fn below(&self, level: u32) -> String {
        if level == 0 { self.delivery.clone() } else { self.name(level - 1) }
    }

    fn delete(&self, client: &mut RawClient) {
        for level in 0..LEVELS {
            client.call(1, queue_delete(&self.name(level), false, false));
            client.call(1, exchange_delete(&self.name(level), false));
        }
        client.call(1, exchange_delete(&self.delivery, false));
    }
}

/// The delay in seconds as 28 words of 0 and 1, then the address.
fn routing_key(delay_s: u32, address: &str) -> String {
    let mut key = String::new();
    for level in (0..LEVELS).rev() {
        key += if delay_s >> level & 1 == 1 { "1." } else { "0." };
    }
    key + address
}

/// The level of the highest bit, where NServiceBus begins; Celery begins at the top.
fn first_level(delay_s: u32) -> u32 {
    delay_s.checked_ilog2().unwrap_or(0)
}

/// Sends `count` messages with delays of 0 to 3 seconds, and checks that each arrives once, in its time and with its history.
fn check_load(ladder: &Ladder, starts_at: fn(u32) -> u32, count: u32) {
    let mut client = connect();
    ladder.build(&mut client);
    let address = queue(&mut client, "endpoint");
    client.call(1, queue_bind(&address, &ladder.delivery, &format!("#.{address}"), &Vec::new()));
    client.open_channel(2);
    client.call(2, qos(100, false));
    client.consume(2, Consume::new(&address, "endpoint").no_ack());
    client.confirm_select(1);
    let start = Instant::now();
    let mut sent = Vec::new();
    client.in_one_write(|client| {
        for number in 0..count {
            let delay_s = number % 4;
            let exchange = ladder.name(starts_at(delay_s));
            let publish = Publish::new(&exchange, &routing_key(delay_s, &address));
            client.publish_with(1, publish, &Properties::default().persistent(), number.to_string());
            sent.push(delay_s);
        }
    });
    client.expect_all_confirmed(1, u64::from(count));
    let published = start.elapsed();
    let mut arrived = vec![false; sent.len()];
    for _ in 0..count {
        let delivery = client.expect_delivery(2);
        let number: usize = delivery.text().parse().expect("a number");
        let elapsed = start.elapsed();
        assert!(!arrived[number], "{number} arrived twice");
        arrived[number] = true;
        let delay_s = sent[number];
        let due = Duration::from_secs(u64::from(delay_s));
        assert!(elapsed + Duration::from_millis(10) >= due, "{number} of {delay_s} s after {elapsed:?}");
        assert!(elapsed < published + due + Duration::from_secs(5), "{number} of {delay_s} s after {elapsed:?}");
        check_history(ladder, starts_at(delay_s), delay_s, &delivery);
        assert_eq!(delivery.routing_key, routing_key(delay_s, &address));
    }
    assert!(arrived.iter().all(|arrived| *arrived));
    for level in 0..LEVELS {
        assert!(!is_gone(&mut client, &ladder.name(level)));
    }
    ladder.delete(&mut client);
}

/// Checks the exchange a message came from last, and the queues it waited in, the lowest level last.
#[track_caller]
fn check_history(ladder: &Ladder, starts_at: u32, delay_s: u32, delivery: &Delivery) {
    let waited: Vec<u32> = (0..LEVELS).filter(|level| delay_s >> level & 1 == 1).collect();
    let last = waited.first().map_or_else(|| ladder.name(starts_at), |level| ladder.below(*level));
    assert_eq!(delivery.exchange, last);
    let mut deaths = death_counts(delivery);
    let mut expected: Vec<_> = waited.iter().map(|level| ("expired".to_owned(), ladder.name(*level), 1)).collect();
    // 3.10 keeps the entries in another order.
    if is_external() {
        deaths.sort();
        expected.sort();
    }
    assert_eq!(deaths, expected);
    let first = waited.last().map(|level| ladder.name(*level));
    assert_eq!(text_header(delivery, "x-first-death-queue"), first);
}

#[test]
fn nservicebus_delays_messages_by_seconds() {
    check_load(&Ladder::nservicebus(), first_level, 4000);
}

#[test]
fn celery_delays_messages_by_seconds() {
    check_load(&Ladder::celery(), |_| LEVELS - 1, 4000);
}

/// Every one of the 28 levels holds the messages of its delay, and only them.
#[test]
fn long_delays_wait_in_the_level_of_their_highest_bit() {
    let ladder = Ladder::nservicebus();
    let mut client = connect();
    ladder.build(&mut client);
    client.confirm_select(1);
    let mut published = 0;
    // From level 6 on, so that none is due while the test runs.
    for level in 6..LEVELS {
        for delay_s in [1 << level, (2 << level) - 1] {
            let publish = Publish::new(&ladder.name(level), &routing_key(delay_s, "nobody"));
            client.publish_with(1, publish, &Properties::default().persistent(), delay_s.to_string());
            // Through the exchanges from the top as well.
            let publish = Publish::new(&ladder.name(LEVELS - 1), &routing_key(delay_s, "nobody"));
            client.publish_with(1, publish, &Properties::default().persistent(), delay_s.to_string());
            published += 2;
        }
    }
    client.expect_all_confirmed(1, published);
    for level in 0..LEVELS {
        let expected = if level < 6 { 0 } else { 4 };
        assert_eq!(client.message_count(1, &ladder.name(level)), expected, "level {level}");
    }
    ladder.delete(&mut client);
}

/// A ladder in declared form may be declared again by every sender that starts.
#[test]
fn building_a_ladder_again_changes_nothing() {
    let ladder = Ladder::celery();
    let mut client = connect();
    ladder.build(&mut client);
    let mut other = connect();
    ladder.build(&mut other);
    ladder.delete(&mut client);
}
