//! Time to live of messages: of the queue, of the message, and the smaller of both.

use std::time::{Duration, Instant};

use testkit::method::{ack, bare, nack, qos, queue_purge, reject};
use testkit::{Consume, Properties, RawClient, Value, id, pause};

use super::waiting::{
    await_bodies, await_count, await_message, put, put_all, queue_with, take, until, with_dead_letters,
};
use crate::support::{connect, queue};

/// RabbitMQ counts in whole milliseconds of its own clock.
const ROUNDING: Duration = Duration::from_millis(2);

/// How long a message with `properties` takes from a queue with `ttl_ms` to its dead-letter queue.
fn time_to_die(ttl_ms: Option<i32>, properties: &Properties) -> Duration {
    let mut client = connect();
    let (source, dead) = match ttl_ms {
        Some(ttl_ms) => with_dead_letters(&mut client, "ttl", [("x-message-ttl", ttl_ms.into())]),
        None => with_dead_letters(&mut client, "ttl", []),
    };
    let start = Instant::now();
    put(&mut client, &source, properties, "x");
    await_message(&mut client, &dead);
    let elapsed = start.elapsed();
    assert_eq!(client.message_count(1, &source), 0);
    elapsed
}

fn check_dies_between(elapsed: Duration, from_ms: u64, to_ms: u64) {
    let (from, to) = (Duration::from_millis(from_ms) - ROUNDING, Duration::from_millis(to_ms));
    assert!(from <= elapsed && elapsed < to, "expired after {elapsed:?}");
}

#[test]
fn a_message_expires_after_the_time_of_its_queue() {
    check_dies_between(time_to_die(Some(120), &Properties::default()), 120, 10_000);
}

#[test]
fn a_message_expires_after_its_own_time() {
    check_dies_between(time_to_die(None, &Properties::default().expiration("120")), 120, 10_000);
}

#[test]
fn the_message_wins_when_its_time_is_shorter() {
    check_dies_between(time_to_die(Some(3_600_000), &Properties::default().expiration("100")), 100, 10_000);
}

#[test]
fn the_queue_wins_when_its_time_is_shorter() {
    check_dies_between(time_to_die(Some(100), &Properties::default().expiration("3600000")), 100, 10_000);
}

#[test]
fn without_a_dead_letter_exchange_an_expired_message_is_gone() {
    let mut client = connect();
    let queue = queue_with(&mut client, "ttl", [("x-message-ttl", 30.into())]);
    client.fill(&queue, &["a", "b", "c"]);
    await_count(&mut client, &queue, 0);
    assert!(client.get(1, &queue, true).is_none());
}

#[test]
fn a_get_never_returns_what_has_expired() {
    let mut client = connect();
    let queue = queue(&mut client, "ttl");
    put(&mut client, &queue, &Properties::default().expiration("20"), "late");
    put(&mut client, &queue, &Properties::default(), "in time");
    pause(Duration::from_millis(60));
    assert_eq!(client.get(1, &queue, true).expect("the second").text(), "in time");
}

#[test]
fn zero_without_a_consumer_drops_the_message() {
    let mut client = connect();
    let of_the_queue = queue_with(&mut client, "zero", [("x-message-ttl", 0.into())]);
    let plain = queue(&mut client, "zero");
    put(&mut client, &of_the_queue, &Properties::default(), "x");
    put(&mut client, &plain, &Properties::default().expiration("0"), "x");
    for name in [&of_the_queue, &plain] {
        assert!(client.get(1, name, true).is_none(), "a message in {name}");
        assert_eq!(client.message_count(1, name), 0);
    }
}

#[test]
fn zero_with_a_ready_consumer_delivers_the_message() {
    let mut client = connect();
    let of_the_queue = queue_with(&mut client, "zero", [("x-message-ttl", 0.into())]);
    let plain = queue(&mut client, "zero");
    client.consume(1, Consume::new(&of_the_queue, "one"));
    client.consume(1, Consume::new(&plain, "two"));
    put(&mut client, &of_the_queue, &Properties::default(), "a");
    client.expect_bodies(1, &["a"]);
    put(&mut client, &plain, &Properties::default().expiration("0"), "b");
    client.expect_bodies(1, &["b"]);
}

#[test]
fn zero_goes_to_the_dead_letters_at_once() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "zero", [("x-message-ttl", 0.into())]);
    put_all(&mut client, &source, &["a", "b"]);
    await_bodies(&mut client, &dead, &["a", "b"]);
}

#[test]
fn a_message_that_is_out_does_not_expire() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "out", [("x-message-ttl", 40.into())]);
    put_all(&mut client, &source, &["a", "b"]);
    let taken = take(&mut client, &source, 1);
    await_bodies(&mut client, &dead, &["b"]);
    client.send(1, ack(taken[0].delivery_tag, false));
    client.assert_alive(1);
    assert_eq!(client.message_count(1, &dead), 0);
}

/// The time of a message runs on while it is out: it expires as soon as it returns.
#[test]
fn a_requeued_message_keeps_its_time() {
    let mut client = connect();
    let queue = queue_with(&mut client, "requeue", [("x-message-ttl", 80.into())]);
    for return_it in [nack(1, false, true), reject(2, true)] {
        client.publish(1, "", &queue, "x");
        take(&mut client, &queue, 1);
        pause(Duration::from_millis(100));
        client.send(1, return_it);
        assert!(client.get(1, &queue, true).is_none(), "the message is there again");
    }
}

#[test]
fn a_requeued_message_expires_when_its_time_comes() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "requeue", [("x-message-ttl", 700.into())]);
    let start = Instant::now();
    put(&mut client, &source, &Properties::default(), "x");
    take(&mut client, &source, 1);
    pause(Duration::from_millis(500));
    client.send(1, reject(1, true));
    await_message(&mut client, &dead);
    check_dies_between(start.elapsed(), 700, 1_150);
}

#[test]
fn what_a_closed_channel_held_past_its_time_expires() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "closed", [("x-message-ttl", 60.into())]);
    client.fill(&source, &["x"]);
    client.open_channel(2);
    client.get(2, &source, false).expect("a message");
    pause(Duration::from_millis(80));
    assert_eq!(client.message_count(1, &dead), 0);
    client.close_channel(2);
    await_bodies(&mut client, &dead, &["x"]);
}

/// The time of a message begins when it enters its queue, which a commit may do long after the publish.
#[test]
fn the_time_of_a_transaction_begins_with_its_commit() {
    for (ttl_ms, properties) in [(200, Properties::default()), (3_600_000, Properties::default().expiration("200"))] {
        let mut client = connect();
        let (source, dead) = with_dead_letters(&mut client, "tx", [("x-message-ttl", ttl_ms.into())]);
        client.call(1, bare(id::TX_SELECT));
        put(&mut client, &source, &properties, "x");
        pause(Duration::from_millis(250));
        let start = Instant::now();
        client.call(1, bare(id::TX_COMMIT));
        await_message(&mut client, &dead);
        check_dies_between(start.elapsed(), 200, 10_000);
    }
}

#[test]
fn messages_expire_behind_a_consumer_without_credit() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "credit", [("x-message-ttl", 60.into())]);
    client.call(1, qos(1, false));
    client.consume(1, Consume::new(&source, "tag"));
    put_all(&mut client, &source, &["a", "b", "c"]);
    let tags = client.expect_bodies(1, &["a"]);
    await_bodies(&mut client, &dead, &["b", "c"]);
    client.send(1, ack(tags[0], false));
    put_all(&mut client, &source, &["d"]);
    client.expect_bodies(1, &["d"]);
}

#[test]
fn a_consumer_that_comes_in_time_gets_them_all() {
    let mut client = connect();
    let queue = queue_with(&mut client, "in_time", [("x-message-ttl", 60_000.into())]);
    put_all(&mut client, &queue, &["a", "b"]);
    put(&mut client, &queue, &Properties::default().expiration("50000"), "c");
    client.consume(1, Consume::new(&queue, "tag"));
    client.expect_bodies(1, &["a", "b", "c"]);
}

#[test]
fn the_expiration_is_delivered_as_it_was_published() {
    let mut client = connect();
    let queue = queue_with(&mut client, "property", [("x-message-ttl", 60_000.into())]);
    put(&mut client, &queue, &Properties::default().expiration("3600000"), "x");
    let taken = client.get(1, &queue, true).expect("a message");
    assert_eq!(taken.properties.expiration.as_deref(), Some("3600000"));
}

/// More than a broker does at once, and exactly as many.
#[test]
fn many_expire_in_their_order() {
    for count in [256, 512, 513, 3000] {
        let mut client = connect();
        let (source, dead) = with_dead_letters(&mut client, "order", [("x-message-ttl", 50.into())]);
        let bodies: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        client.in_one_write(|client| put_all(client, &source, &bodies.iter().map(String::as_str).collect::<Vec<_>>()));
        await_count(&mut client, &dead, count);
        assert_eq!(client.drain(1, &dead), bodies);
        assert_eq!(client.message_count(1, &source), 0);
    }
}

#[test]
fn the_longest_time_allowed_keeps_messages() {
    let mut client = connect();
    let queue = queue_with(&mut client, "longest", [("x-message-ttl", Value::Long(315_360_000_000))]);
    put(&mut client, &queue, &Properties::default().expiration("315360000000"), "x");
    assert_eq!(client.drain(1, &queue), ["x"]);
}

#[test]
fn a_purge_leaves_nothing_to_expire() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "purge", [("x-message-ttl", 70.into())]);
    put_all(&mut client, &source, &["a", "b"]);
    assert_eq!(client.call(1, queue_purge(&source)).reader().long(), 2);
    put_all(&mut client, &source, &["c"]);
    await_bodies(&mut client, &dead, &["c"]);
    assert_eq!(client.message_count(1, &dead), 0);
}

#[test]
fn persistent_messages_of_a_durable_queue_expire_too() {
    let mut client = connect();
    let dead = queue(&mut client, "durable.dead");
    let name = crate::support::unique("durable");
    let declare = testkit::QueueDeclare::new(&name).durable().argument("x-message-ttl", 50);
    let declare = declare.argument("x-dead-letter-exchange", "").argument("x-dead-letter-routing-key", dead.as_str());
    client.declare(1, declare);
    for body in ["a", "b"] {
        put(&mut client, &name, &Properties::default().persistent(), body);
    }
    await_bodies(&mut client, &dead, &["a", "b"]);
    client.call(1, testkit::method::queue_delete(&name, false, false));
}

/// Deliveries of a consumer and expiry meet: each message goes to one of them.
#[test]
fn a_message_is_delivered_or_expires_and_never_both() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "both", [("x-message-ttl", 20.into())]);
    client.call(1, qos(3, false));
    client.consume(1, Consume::new(&source, "tag"));
    const COUNT: usize = 300;
    for number in 0..COUNT {
        client.publish(1, "", &source, number.to_string());
    }
    let mut seen = vec![0_u8; COUNT];
    let mut note = |client: &mut RawClient, left: &mut usize| {
        while client.has_delivery(1) {
            let delivery = client.expect_delivery(1);
            seen[delivery.text().parse::<usize>().expect("a number")] += 1;
            client.send(1, ack(delivery.delivery_tag, false));
            *left -= 1;
        }
        while let Some(taken) = client.get(1, &dead, true) {
            seen[taken.text().parse::<usize>().expect("a number")] += 1;
            *left -= 1;
        }
    };
    let mut left = COUNT;
    until("end of all messages", || {
        note(&mut client, &mut left);
        (left == 0).then_some(())
    });
    assert!(seen.iter().all(|times| *times == 1), "{seen:?}");
}
