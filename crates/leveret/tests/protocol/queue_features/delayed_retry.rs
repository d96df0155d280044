//! `x-delayed-retry-*`, which RabbitMQ 4.3 has on quorum queues and we have on every queue: a message that came back waits
//! the shortest time times its failures, and at most the longest.

use std::time::{Duration, Instant};

use testkit::method::{nack, queue_purge, reject};
use testkit::{Consume, QueueDeclare, RawClient, Value};

use super::waiting::{await_bodies, await_message, death_counts, put_all, queue_with, take, until, with_dead_letters};
use crate::ours_only;
use crate::support::{connect, unique};

/// The broker counts in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);

fn retrying(kind: &str, min_ms: i32, max_ms: i32) -> [(&'static str, Value); 3] {
    [
        ("x-delayed-retry-type", kind.into()),
        ("x-delayed-retry-min", min_ms.into()),
        ("x-delayed-retry-max", max_ms.into()),
    ]
}

/// Gives the message back and returns how long it then stays away.
#[track_caller]
fn time_away(client: &mut RawClient, queue: &str, fails: bool) -> Duration {
    let taken = until("the message", || client.get(1, queue, false));
    let start = Instant::now();
    client.send(1, if fails { reject(taken.delivery_tag, true) } else { nack(taken.delivery_tag, false, true) });
    let again = until("the message again", || client.get(1, queue, false));
    let elapsed = start.elapsed();
    client.send(1, nack(again.delivery_tag, false, true));
    assert!(again.redelivered);
    elapsed
}

#[track_caller]
fn check_waits(elapsed: Duration, from_ms: u64) {
    assert!(elapsed + ROUNDING >= Duration::from_millis(from_ms), "back after {elapsed:?}, {from_ms} ms were due");
}

#[test]
fn a_rejected_message_waits_and_others_pass() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("all", 150, 1000));
    put_all(&mut client, &queue, &["a", "b"]);
    let start = Instant::now();
    let taken = take(&mut client, &queue, 1);
    client.send(1, reject(taken[0].delivery_tag, true));
    assert_eq!(client.get(1, &queue, true).expect("the second").text(), "b");
    assert!(client.get(1, &queue, true).is_none());
    assert_eq!(client.message_count(1, &queue), 0, "one that waits is not ready");
    let again = await_message(&mut client, &queue);
    check_waits(start.elapsed(), 150);
    assert_eq!((again.text().as_str(), again.redelivered), ("a", true));
}

#[test]
fn the_wait_grows_with_each_failure_up_to_the_longest() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("failed", 100, 250));
    put_all(&mut client, &queue, &["a"]);
    let mut waits = Vec::new();
    for _ in 0..4 {
        waits.push(time_away(&mut client, &queue, true));
    }
    for (wait, from_ms) in waits.iter().zip([100, 200, 250, 250]) {
        check_waits(*wait, from_ms);
    }
    assert!(waits[2].min(waits[3]) < Duration::from_millis(300), "{waits:?}: above the longest");
}

#[test]
fn failed_leaves_what_is_given_back_alone() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("failed", 60_000, 60_000));
    put_all(&mut client, &queue, &["a"]);
    let taken = take(&mut client, &queue, 1);
    client.send(1, nack(taken[0].delivery_tag, false, true));
    let taken = take(&mut client, &queue, 1);
    client.send(1, reject(taken[0].delivery_tag, true));
    assert!(client.get(1, &queue, true).is_none());
}

#[test]
fn returned_leaves_failures_alone() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("returned", 60_000, 60_000));
    put_all(&mut client, &queue, &["a"]);
    let taken = take(&mut client, &queue, 1);
    client.send(1, reject(taken[0].delivery_tag, true));
    let taken = take(&mut client, &queue, 1);
    client.send(1, nack(taken[0].delivery_tag, false, true));
    assert!(client.get(1, &queue, true).is_none());
}

#[test]
fn disabled_delays_nothing() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("disabled", 60_000, 60_000));
    put_all(&mut client, &queue, &["a"]);
    for _ in 0..3 {
        let taken = take(&mut client, &queue, 1);
        client.send(1, reject(taken[0].delivery_tag, true));
    }
    assert_eq!(client.drain(1, &queue), ["a"]);
}

#[test]
fn the_end_of_the_channel_is_a_failure() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("failed", 120, 120));
    client.fill(&queue, &["a"]);
    client.open_channel(2);
    client.get(2, &queue, false).expect("the message");
    let start = Instant::now();
    client.close_channel(2);
    await_bodies(&mut client, &queue, &["a"]);
    check_waits(start.elapsed(), 120);
}

#[test]
fn a_consumer_gets_it_when_its_time_comes() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("all", 100, 100));
    client.consume(1, Consume::new(&queue, "tag"));
    put_all(&mut client, &queue, &["a", "b"]);
    let tags = client.expect_bodies(1, &["a", "b"]);
    let start = Instant::now();
    client.send(1, reject(tags[0], true));
    client.expect_bodies(1, &["a"]);
    check_waits(start.elapsed(), 100);
}

#[test]
fn those_that_wait_come_back_in_the_order_of_their_times() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("all", 100, 100));
    put_all(&mut client, &queue, &["a", "b", "c"]);
    let taken = take(&mut client, &queue, 3);
    for at in [1, 2, 0] {
        client.send(1, reject(taken[at].delivery_tag, true));
        testkit::pause(Duration::from_millis(20));
    }
    client.consume(1, Consume::new(&queue, "tag"));
    client.expect_bodies(1, &["b", "c", "a"]);
}

#[test]
fn a_purge_takes_those_that_wait() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("all", 60, 60));
    put_all(&mut client, &queue, &["a"]);
    let taken = take(&mut client, &queue, 1);
    client.send(1, reject(taken[0].delivery_tag, true));
    client.call(1, queue_purge(&queue));
    testkit::pause(Duration::from_millis(90));
    assert!(client.get(1, &queue, true).is_none());
}

#[test]
fn with_a_delivery_limit_it_ends_as_a_dead_letter() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let [kind, min, max] = retrying("all", 20, 100);
    let (source, dead) = with_dead_letters(&mut client, "retry", [kind, min, max, ("x-delivery-limit", 2.into())]);
    put_all(&mut client, &source, &["a"]);
    for _ in 0..3 {
        let taken = until("the message", || client.get(1, &source, false));
        client.send(1, reject(taken.delivery_tag, true));
    }
    assert_eq!(death_counts(&await_message(&mut client, &dead)), [("delivery_limit".to_owned(), source.clone(), 1)]);
}

#[test]
fn rejected_for_good_it_does_not_wait() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "retry", retrying("all", 60_000, 60_000));
    put_all(&mut client, &source, &["a"]);
    let taken = take(&mut client, &source, 1);
    client.send(1, reject(taken[0].delivery_tag, false));
    await_bodies(&mut client, &dead, &["a"]);
}

#[test]
fn an_unknown_type_is_refused() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let name = unique("unknown");
    client.send(1, QueueDeclare::exclusive(&name).argument("x-delayed-retry-type", "sometimes"));
    let closed = client.expect_close(1);
    assert_eq!(closed.code, 406);
    assert!(closed.text.starts_with("PRECONDITION_FAILED - invalid arg 'x-delayed-retry-type'"), "{}", closed.text);
}

/// A thousand messages that fail once are each away for their time and none is lost.
#[test]
fn a_thousand_come_back_once() {
    ours_only!("RabbitMQ's classic queues have no delayed retry");
    let mut client = connect();
    let queue = queue_with(&mut client, "retry", retrying("failed", 80, 80));
    for number in 0..1000 {
        client.publish(1, "", &queue, number.to_string());
    }
    client.consume(1, Consume::new(&queue, "tag"));
    let mut seen = vec![0; 1000];
    for _ in 0..2000 {
        let delivery = client.expect_delivery(1);
        let number: usize = delivery.text().parse().expect("a number");
        seen[number] += 1;
        let tag = delivery.delivery_tag;
        client.send(1, if delivery.redelivered { testkit::method::ack(tag, false) } else { reject(tag, true) });
    }
    assert!(seen.iter().all(|times| *times == 2));
    client.expect_nothing(1, RawClient::SILENCE);
}
