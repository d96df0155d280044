//! The same features with a broker that has next to no memory for messages: what they look at is on disk only.

use std::time::Duration;

use testkit::method::{nack, queue_purge, reject};
use testkit::{BrokerProcess, Consume, Properties, Publish, QueueDeclare, RawClient, Value, pause};

use super::waiting::{await_count, await_message, death_counts, deaths};
use crate::support::{connect_to, own_broker};

const COUNT: u32 = 3000;

fn forgetful() -> Option<(BrokerProcess, RawClient)> {
    let broker = own_broker(&[("leveret.message_memory", "64KiB")])?;
    let client = connect_to(broker.address());
    Some((broker, client))
}

/// A durable `queue` with these arguments, whose dead letters go to the durable `dead`.
fn declare(client: &mut RawClient, arguments: &[(&str, Value)]) {
    client.declare(1, QueueDeclare::new("dead").durable());
    let mut declare = QueueDeclare::new("queue").durable();
    declare = declare.argument("x-dead-letter-exchange", "").argument("x-dead-letter-routing-key", "dead");
    for (name, value) in arguments {
        declare = declare.argument(name, value.clone());
    }
    client.declare(1, declare);
}

/// The body of a number: about a kilobyte.
fn body(number: u32) -> String {
    format!("{number} {}", "x".repeat(1000))
}

fn number(body: &str) -> u32 {
    body.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{body:?} has no number"))
}

/// Publishes [`COUNT`] persistent messages and waits for their confirms.
fn fill(client: &mut RawClient, properties: impl Fn(u32) -> Properties) {
    client.open_channel(3);
    client.confirm_select(3);
    for at in 0..COUNT {
        client.publish_with(3, Publish::new("", "queue"), &properties(at).persistent(), body(at));
    }
    client.expect_all_confirmed(3, u64::from(COUNT));
    client.close_channel(3);
}

/// Takes everything there is in `queue`, as numbers.
fn numbers(client: &mut RawClient, queue: &str) -> Vec<u32> {
    // A get may find the next message still on its way from the disk, never an end that is none.
    client.drain(1, queue).iter().map(|body| number(body)).collect()
}

/// Compares, and says where the first difference is instead of all the numbers.
#[track_caller]
fn check_order(numbers: &[u32], expected: std::ops::Range<u32>) {
    let differing = numbers.iter().zip(expected.clone()).position(|(number, expected)| *number != expected);
    if let Some(at) = differing {
        let end = numbers.len().min(at + 5);
        panic!("from {at}: {:?}, {} was due", &numbers[at..end], expected.start + at as u32);
    }
    assert_eq!(numbers.len(), expected.len());
}

#[test]
fn messages_expire_from_disk_in_order() {
    let Some((_broker, mut client)) = forgetful() else { return };
    declare(&mut client, &[("x-message-ttl", 1500.into())]);
    fill(&mut client, |_| Properties::default());
    await_count(&mut client, "dead", COUNT);
    assert_eq!(client.message_count(1, "queue"), 0);
    check_order(&numbers(&mut client, "dead"), 0..COUNT);
}

#[test]
fn expirations_of_their_own_are_found_on_disk() {
    let Some((_broker, mut client)) = forgetful() else { return };
    declare(&mut client, &[]);
    let expiring = |at: u32| match at % 3 {
        0 => Properties::default(),
        1 => Properties::default().expiration(&(1000 + at % 500).to_string()),
        _ => Properties::default().expiration("3600000"),
    };
    fill(&mut client, expiring);
    await_count(&mut client, "dead", COUNT / 3);
    assert!(numbers(&mut client, "queue").into_iter().eq((0..COUNT).filter(|at| at % 3 != 1)));
    let mut expired = numbers(&mut client, "dead");
    expired.sort_unstable();
    assert!(expired.into_iter().eq((0..COUNT).filter(|at| at % 3 == 1)));
}

#[test]
fn heads_are_dropped_from_disk_in_order() {
    let Some((_broker, mut client)) = forgetful() else { return };
    declare(&mut client, &[("x-max-length", 2000.into())]);
    fill(&mut client, |_| Properties::default());
    await_count(&mut client, "dead", COUNT - 2000);
    let first = await_message(&mut client, "dead");
    assert_eq!((number(&first.text()), deaths(&first)[0].reason.as_str()), (0, "maxlen"));
    check_order(&numbers(&mut client, "dead"), 1..COUNT - 2000);
    check_order(&numbers(&mut client, "queue"), COUNT - 2000..COUNT);
}

#[test]
fn bytes_are_limited_on_disk() {
    let Some((_broker, mut client)) = forgetful() else { return };
    declare(&mut client, &[("x-max-length-bytes", 1_000_000.into())]);
    fill(&mut client, |_| Properties::default());
    let mut bytes = 0;
    let fitting = (0..COUNT).rev().take_while(|at| {
        bytes += body(*at).len();
        bytes <= 1_000_000
    });
    let left = u32::try_from(fitting.count()).expect("a small count");
    await_count(&mut client, "dead", COUNT - left);
    check_order(&numbers(&mut client, "queue"), COUNT - left..COUNT);
}

#[test]
fn priorities_are_sorted_on_disk() {
    let Some((_broker, mut client)) = forgetful() else { return };
    declare(&mut client, &[("x-max-priority", 5.into())]);
    let level = |at: u32| (at % 6) as u8;
    fill(&mut client, |at| Properties { priority: Some(level(at)), ..Properties::default() });
    let mut expected: Vec<u32> = (0..COUNT).collect();
    expected.sort_by_key(|at| (std::cmp::Reverse(level(*at)), *at));
    // Half by gets, half by a consumer.
    let gets: Vec<u32> =
        (0..COUNT / 2).map(|_| number(&client.get(1, "queue", true).expect("a message").text())).collect();
    assert_eq!(gets, expected[..gets.len()]);
    client.consume(1, Consume::new("queue", "tag").no_ack());
    for at in &expected[gets.len()..] {
        assert_eq!(number(&client.expect_delivery(1).text()), *at);
    }
}

#[test]
fn rejected_messages_take_their_bodies_along() {
    let Some((_broker, mut client)) = forgetful() else { return };
    declare(&mut client, &[]);
    fill(&mut client, |_| Properties::default());
    client.consume(1, Consume::new("queue", "tag"));
    for _ in 0..COUNT {
        let delivery = client.expect_delivery(1);
        client.send(1, reject(delivery.delivery_tag, false));
    }
    await_count(&mut client, "dead", COUNT);
    for at in 0..COUNT {
        let taken = client.get(1, "dead", true).expect("a dead letter");
        assert_eq!(taken.text(), body(at));
        assert_eq!(death_counts(&taken), [("rejected".to_owned(), "queue".to_owned(), 1)]);
    }
}

/// All features at once, and the queue goes through them: dropped, expired, sorted, given back, purged.
#[test]
fn priorities_limits_and_times_to_live_hold_together() {
    let Some((_broker, mut client)) = forgetful() else { return };
    declare(
        &mut client,
        &[("x-max-priority", 2.into()), ("x-max-length", 2500.into()), ("x-message-ttl", 20_000.into())],
    );
    let level = |at: u32| (at % 3) as u8;
    fill(&mut client, |at| Properties { priority: Some(level(at)), ..Properties::default() });
    await_count(&mut client, "queue", 2500);
    let taken: Vec<_> = (0..100).map(|_| client.get(1, "queue", false).expect("a message")).collect();
    assert!(taken.iter().all(|taken| taken.properties.priority == Some(2)), "the highest that are left");
    client.send(1, nack(0, true, true));
    let again: Vec<_> = (0..100).map(|_| client.get(1, "queue", false).expect("a message").text()).collect();
    assert_eq!(again, taken.iter().map(testkit::Delivery::text).collect::<Vec<_>>());
    client.send(1, nack(0, true, false));
    await_count(&mut client, "dead", COUNT - 2500 + 100);
    assert_eq!(client.call(1, queue_purge("queue")).reader().long(), 2400);
    pause(Duration::from_millis(20));
    assert!(client.get(1, "queue", true).is_none());
}
