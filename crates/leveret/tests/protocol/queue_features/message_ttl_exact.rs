//! Expirations of messages that are not in the order of the queue: ours come when they are due, RabbitMQ's wait until they
//! are first.

use std::time::{Duration, Instant};

use testkit::method::{ack, queue_purge};
use testkit::{Properties, Value};

use super::waiting::{await_bodies, await_count, await_message, death_counts, put, put_all, take, with_dead_letters};
use crate::ours_only;
use crate::support::{connect, connect_to, own_broker};

fn expiring(ms: u32) -> Properties {
    Properties::default().expiration(&ms.to_string())
}

#[test]
fn a_short_time_behind_a_long_one_is_kept() {
    ours_only!("RabbitMQ looks at the first message only");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "exact", []);
    let start = Instant::now();
    put(&mut client, &source, &expiring(3_600_000), "long");
    put(&mut client, &source, &expiring(80), "short");
    put(&mut client, &source, &Properties::default(), "forever");
    let expired = await_message(&mut client, &dead);
    assert!(start.elapsed() >= Duration::from_millis(79), "after {:?}", start.elapsed());
    assert_eq!(expired.text(), "short");
    assert_eq!(death_counts(&expired), [("expired".to_owned(), source.clone(), 1)]);
    assert_eq!(client.drain(1, &source), ["long", "forever"]);
}

#[test]
fn they_expire_in_the_order_of_their_times() {
    ours_only!("RabbitMQ looks at the first message only");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "exact", [("x-message-ttl", Value::Long(60_000))]);
    for (ms, body) in [(400, "c"), (250, "b"), (550, "d"), (100, "a")] {
        put(&mut client, &source, &expiring(ms), body);
    }
    await_bodies(&mut client, &dead, &["a", "b", "c", "d"]);
    assert_eq!(client.message_count(1, &source), 0);
}

#[test]
fn what_is_out_when_it_is_due_expires_when_it_returns() {
    ours_only!("RabbitMQ looks at the first message only");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "exact", []);
    put_all(&mut client, &source, &["first"]);
    put(&mut client, &source, &expiring(60), "out");
    put(&mut client, &source, &expiring(60), "in");
    let taken = take(&mut client, &source, 2);
    await_bodies(&mut client, &dead, &["in"]);
    client.send(1, testkit::method::nack(taken[1].delivery_tag, true, true));
    await_bodies(&mut client, &dead, &["out"]);
    assert_eq!(client.drain(1, &source), ["first"]);
}

#[test]
fn an_acknowledged_or_purged_message_does_not_come_back_to_expire() {
    ours_only!("RabbitMQ looks at the first message only");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "exact", []);
    put(&mut client, &source, &expiring(150), "acked");
    let taken = take(&mut client, &source, 1);
    client.send(1, ack(taken[0].delivery_tag, false));
    put(&mut client, &source, &expiring(150), "purged");
    client.call(1, queue_purge(&source));
    put(&mut client, &source, &expiring(60_000), "long");
    put(&mut client, &source, &expiring(200), "last");
    await_bodies(&mut client, &dead, &["last"]);
    assert_eq!(client.drain(1, &source), ["long"]);
    assert_eq!(client.message_count(1, &dead), 0);
}

#[test]
fn a_thousand_among_others_expire_and_leave_the_others_in_order() {
    ours_only!("RabbitMQ looks at the first message only");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "exact", []);
    client.in_one_write(|client| {
        for number in 0..2000_u32 {
            let properties = if number % 2 == 0 { Properties::default() } else { expiring(50 + number % 200) };
            put(client, &source, &properties, &number.to_string());
        }
    });
    await_count(&mut client, &dead, 1000);
    let rest: Vec<String> = (0..2000).step_by(2).map(|number| number.to_string()).collect();
    assert_eq!(client.drain(1, &source), rest);
    let mut expired: Vec<u32> = client.drain(1, &dead).iter().map(|body| body.parse().expect("a number")).collect();
    expired.sort_unstable();
    assert!(expired.iter().copied().eq((1..2000).step_by(2)), "each of the odd ones once");
}

/// With `leveret.compat.message_expiry = head` it is as with RabbitMQ's classic queues.
#[test]
fn on_request_only_the_first_expires() {
    let Some(broker) = own_broker(&[("leveret.compat.message_expiry", "head")]) else { return };
    let mut client = connect_to(broker.address());
    let (source, dead) = with_dead_letters(&mut client, "head", []);
    put(&mut client, &source, &Properties::default(), "forever");
    put(&mut client, &source, &expiring(20), "short");
    testkit::pause(Duration::from_millis(60));
    assert_eq!((client.message_count(1, &source), client.message_count(1, &dead)), (2, 0));
    let first = take(&mut client, &source, 1);
    client.send(1, ack(first[0].delivery_tag, false));
    await_bodies(&mut client, &dead, &["short"]);
}
