//! Priorities together with time to live, length limits and dead letters.

use testkit::method::{nack, reject};
use testkit::{Properties, Value};

use super::priorities::{priority, put_priorities};
use super::waiting::{
    await_bodies, await_count, await_message, death_counts, put, queue_with, take, with_dead_letters,
};
use crate::ours_only;
use crate::support::connect;

#[test]
fn messages_of_all_levels_expire() {
    let mut client = connect();
    let arguments = [("x-max-priority", 3.into()), ("x-message-ttl", 30.into())];
    let (source, dead) = with_dead_letters(&mut client, "expire", arguments);
    put_priorities(&mut client, &source, &[1, 2, 3, 1, 2, 3, 0]);
    await_count(&mut client, &dead, 7);
    assert!(client.get(1, &source, true).is_none());
    let mut expired = client.drain(1, &dead);
    expired.sort();
    assert_eq!(expired, ["0", "1", "1", "2", "2", "3", "3"]);
}

#[test]
fn without_a_dead_letter_exchange_all_levels_expire_too() {
    let mut client = connect();
    let arguments = [("x-max-priority", 3.into()), ("x-message-ttl", 30.into())];
    let queue = queue_with(&mut client, "expire", arguments);
    client.confirm_select(1);
    put_priorities(&mut client, &queue, &[3, 2, 1]);
    client.expect_all_confirmed(1, 3);
    await_count(&mut client, &queue, 0);
}

/// RabbitMQ leaves it behind the ones of higher levels that live longer; expiry is exact here.
#[test]
fn a_low_message_expires_behind_high_ones_that_stay() {
    ours_only!("RabbitMQ looks at the first message of all levels only");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "behind", [("x-max-priority", 9.into())]);
    put(&mut client, &source, &priority(9), "high");
    put(&mut client, &source, &Properties { priority: Some(1), ..Properties::default().expiration("40") }, "low");
    put(&mut client, &source, &priority(0), "lowest");
    await_bodies(&mut client, &dead, &["low"]);
    assert_eq!(client.drain(1, &source), ["high", "lowest"]);
}

#[test]
fn a_high_message_expires_before_low_ones_that_stay() {
    ours_only!("RabbitMQ sets no timer for a message that overtakes the first one");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "before", [("x-max-priority", 9.into())]);
    put(&mut client, &source, &priority(1), "low");
    put(&mut client, &source, &Properties { priority: Some(9), ..Properties::default().expiration("40") }, "high");
    await_bodies(&mut client, &dead, &["high"]);
    assert_eq!(client.drain(1, &source), ["low"]);
}

/// What is first by priority is dropped first: the high ones go, the low ones stay.
#[test]
fn drop_head_drops_the_highest_first() {
    let mut client = connect();
    let arguments = [("x-max-priority", 3.into()), ("x-max-length", 4.into())];
    let (source, dead) = with_dead_letters(&mut client, "drop", arguments);
    put_priorities(&mut client, &source, &[1, 2, 3, 1, 2, 3, 1, 2, 3]);
    await_count(&mut client, &dead, 5);
    assert_eq!(client.drain(1, &source), ["2", "1", "1", "1"]);
    let dropped = await_message(&mut client, &dead);
    assert_eq!((dropped.text().as_str(), dropped.properties.priority), ("3", Some(3)));
    assert_eq!(death_counts(&dropped), [("maxlen".to_owned(), source.clone(), 1)]);
    // Four fit; each later one drops what is then first, itself if it is a 3.
    assert_eq!(client.drain(1, &dead), ["3", "2", "2", "3"]);
}

#[test]
fn bytes_are_counted_over_all_levels() {
    let mut client = connect();
    let arguments = [("x-max-priority", 3.into()), ("x-max-length-bytes", 10.into())];
    let queue = queue_with(&mut client, "bytes", arguments);
    for (level, body) in [(1, "aaaa"), (3, "bbbb"), (2, "cccc")] {
        put(&mut client, &queue, &priority(level), body);
    }
    assert_eq!(client.drain(1, &queue), ["cccc", "aaaa"]);
}

#[test]
fn a_full_queue_refuses_any_level() {
    for overflow in ["reject-publish", "reject-publish-dlx"] {
        let mut client = connect();
        let arguments =
            [("x-max-priority", 3.into()), ("x-max-length", 4.into()), ("x-overflow", Value::from(overflow))];
        let queue = queue_with(&mut client, "refuse", arguments);
        put_priorities(&mut client, &queue, &[1, 2, 3, 1, 2, 3, 1, 2, 3]);
        assert_eq!(client.drain(1, &queue), ["3", "2", "1", "1"], "{overflow}");
    }
}

/// A multiple nack dead-letters by delivery tags, and a target with priorities sorts what it gets.
#[test]
fn dead_letters_take_their_priority_along() {
    let mut client = connect();
    let target = queue_with(&mut client, "target", [("x-max-priority", 5.into())]);
    let arguments = [
        ("x-max-priority", 3.into()),
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", target.as_str().into()),
    ];
    let source = queue_with(&mut client, "source", arguments);
    put_priorities(&mut client, &source, &[1, 2, 3]);
    let taken = take(&mut client, &source, 3);
    for at in [2, 0, 1] {
        client.send(1, reject(taken[at].delivery_tag, false));
    }
    await_count(&mut client, &target, 3);
    assert_eq!(client.drain(1, &target), ["3", "2", "1"]);
}

#[test]
fn a_multiple_nack_dead_letters_in_the_order_of_delivery() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "nack", [("x-max-priority", 3.into())]);
    put_priorities(&mut client, &source, &[1, 2, 3]);
    let taken = take(&mut client, &source, 3);
    client.send(1, nack(taken[2].delivery_tag, true, false));
    await_bodies(&mut client, &dead, &["3", "2", "1"]);
}

#[test]
fn a_high_message_requeued_above_the_limit_is_dropped() {
    let mut client = connect();
    let arguments = [("x-max-priority", 3.into()), ("x-max-length", 1.into())];
    let (source, dead) = with_dead_letters(&mut client, "requeue", arguments);
    put_priorities(&mut client, &source, &[3]);
    let taken = take(&mut client, &source, 1);
    put_priorities(&mut client, &source, &[1]);
    client.send(1, reject(taken[0].delivery_tag, true));
    await_bodies(&mut client, &dead, &["3"]);
    assert_eq!(client.drain(1, &source), ["1"]);
}

#[test]
fn a_low_message_requeued_above_the_limit_drops_the_high_one() {
    let mut client = connect();
    let arguments = [("x-max-priority", 3.into()), ("x-max-length", 1.into())];
    let (source, dead) = with_dead_letters(&mut client, "requeue", arguments);
    put_priorities(&mut client, &source, &[1]);
    let taken = take(&mut client, &source, 1);
    put_priorities(&mut client, &source, &[3]);
    client.send(1, reject(taken[0].delivery_tag, true));
    await_bodies(&mut client, &dead, &["3"]);
    assert_eq!(client.drain(1, &source), ["1"]);
}
