//! Length limits that drop the first message: `x-max-length`, `x-max-length-bytes`, `x-overflow` drop-head.

use testkit::method::{nack, qos, queue_purge};
use testkit::{Consume, Properties, RawClient, Value};

use super::waiting::{await_bodies, await_count, deaths, put, put_all, queue_with, take, with_dead_letters};
use crate::support::connect;

/// Bodies of 80 bytes.
fn eighty(letter: &str) -> String {
    letter.repeat(80)
}

/// A limit of one message: what comes later takes the place of what is there.
fn check_keeps_the_last<const N: usize>(arguments: [(&str, Value); N]) {
    let mut client = connect();
    let queue = queue_with(&mut client, "head", arguments);
    client.confirm_select(1);
    let (one, two, three) = (eighty("1"), eighty("2"), eighty("3"));
    let mut published = 0;
    for bodies in [&[&one][..], &[&one, &two], &[&one, &two, &three]] {
        for body in bodies {
            client.publish(1, "", &queue, body);
            published += 1;
            let confirm = client.expect_confirm(1);
            assert_eq!((confirm.ack, confirm.delivery_tag), (true, published), "a dropped head does not refuse");
        }
        assert_eq!(client.drain(1, &queue), [bodies[bodies.len() - 1].as_str()]);
    }
}

#[test]
fn the_first_message_makes_room_by_default() {
    check_keeps_the_last([("x-max-length", 1.into())]);
}

#[test]
fn the_first_message_makes_room_with_drop_head() {
    check_keeps_the_last([("x-max-length", 1.into()), ("x-overflow", "drop-head".into())]);
}

#[test]
fn bytes_are_limited_by_default_in_the_same_way() {
    check_keeps_the_last([("x-max-length-bytes", 100.into())]);
}

#[test]
fn bytes_are_limited_with_drop_head_in_the_same_way() {
    check_keeps_the_last([("x-max-length-bytes", 100.into()), ("x-overflow", "drop-head".into())]);
}

#[test]
fn the_newest_stay_in_their_order() {
    let mut client = connect();
    let queue = queue_with(&mut client, "newest", [("x-max-length", 3.into())]);
    put_all(&mut client, &queue, &["a", "b", "c", "d", "e"]);
    assert_eq!(client.drain(1, &queue), ["c", "d", "e"]);
}

#[test]
fn bytes_count_bodies_only() {
    let mut client = connect();
    let queue = queue_with(&mut client, "bodies", [("x-max-length-bytes", 10.into())]);
    let heavy = Properties::default().header("padding", "x".repeat(1000).as_str());
    put(&mut client, &queue, &heavy, "12345");
    put(&mut client, &queue, &heavy, "67890");
    await_count(&mut client, &queue, 2);
    put(&mut client, &queue, &Properties::default(), "");
    await_count(&mut client, &queue, 3);
    put(&mut client, &queue, &Properties::default(), "x");
    assert_eq!(client.drain(1, &queue), ["67890", "", "x"]);
}

#[test]
fn one_large_message_can_drop_several_and_itself() {
    let mut client = connect();
    let queue = queue_with(&mut client, "large", [("x-max-length-bytes", 10.into())]);
    put_all(&mut client, &queue, &["123", "456", "789"]);
    put_all(&mut client, &queue, &["abcdefg"]);
    assert_eq!(client.drain(1, &queue), ["789", "abcdefg"]);
    put_all(&mut client, &queue, &["123", "twelve bytes"]);
    assert!(client.drain(1, &queue).is_empty());
}

#[test]
fn both_limits_hold_together() {
    let mut client = connect();
    let arguments = [("x-max-length", 3.into()), ("x-max-length-bytes", 10.into())];
    let queue = queue_with(&mut client, "both", arguments);
    put_all(&mut client, &queue, &["a", "b", "c", "d"]);
    assert_eq!(client.drain(1, &queue), ["b", "c", "d"]);
    put_all(&mut client, &queue, &["aaaaa", "bbbbb", "c"]);
    assert_eq!(client.drain(1, &queue), ["bbbbb", "c"]);
}

#[test]
fn messages_that_are_out_do_not_count() {
    let mut client = connect();
    let queue = queue_with(&mut client, "out", [("x-max-length", 2.into())]);
    put_all(&mut client, &queue, &["a", "b"]);
    take(&mut client, &queue, 2);
    put_all(&mut client, &queue, &["c", "d"]);
    assert_eq!(client.drain(1, &queue), ["c", "d"]);
}

#[test]
fn deliveries_do_not_count() {
    let mut client = connect();
    let queue = queue_with(&mut client, "consumer", [("x-max-length", 1.into())]);
    client.call(1, qos(3, false));
    client.consume(1, Consume::new(&queue, ""));
    put_all(&mut client, &queue, &["a", "b", "c"]);
    client.expect_bodies(1, &["a", "b", "c"]);
    put_all(&mut client, &queue, &["d", "e"]);
    await_count(&mut client, &queue, 1);
    client.send(1, testkit::method::ack(0, true));
    client.expect_bodies(1, &["e"]);
}

/// The message comes back to the front, where it is the first to be dropped.
#[test]
fn a_message_requeued_above_the_limit_is_dropped() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "requeue", [("x-max-length", 1.into())]);
    put_all(&mut client, &source, &["a"]);
    let taken = take(&mut client, &source, 1);
    put_all(&mut client, &source, &["b"]);
    client.send(1, nack(taken[0].delivery_tag, false, true));
    await_bodies(&mut client, &dead, &["a"]);
    assert_eq!(client.drain(1, &source), ["b"]);
}

#[test]
fn several_requeued_above_the_limit_leave_the_newest() {
    let mut client = connect();
    let queue = queue_with(&mut client, "requeue", [("x-max-length", 2.into())]);
    put_all(&mut client, &queue, &["a", "b"]);
    let taken = take(&mut client, &queue, 2);
    put_all(&mut client, &queue, &["c"]);
    client.send(1, nack(taken[1].delivery_tag, true, true));
    assert_eq!(client.drain(1, &queue), ["b", "c"]);
}

#[test]
fn a_limit_of_zero_keeps_nothing() {
    let mut client = connect();
    for argument in ["x-max-length", "x-max-length-bytes"] {
        let (source, dead) = with_dead_letters(&mut client, "zero", [(argument, 0.into())]);
        put_all(&mut client, &source, &["a", "b"]);
        await_bodies(&mut client, &dead, &["a", "b"]);
        assert_eq!(client.message_count(1, &source), 0);
    }
}

#[test]
fn a_limit_of_zero_lets_a_ready_consumer_have_the_message() {
    let mut client = connect();
    let queue = queue_with(&mut client, "zero", [("x-max-length", 0.into())]);
    client.consume(1, Consume::new(&queue, ""));
    put_all(&mut client, &queue, &["a", "b"]);
    client.expect_bodies(1, &["a", "b"]);
}

#[test]
fn dropped_messages_are_dead_letters_in_order() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "dead", [("x-max-length", 2.into())]);
    put_all(&mut client, &source, &["a", "b", "c", "d", "e"]);
    await_count(&mut client, &dead, 3);
    for body in ["a", "b", "c"] {
        let taken = client.get(1, &dead, true).expect("a dead letter");
        assert_eq!(taken.text(), body);
        let deaths = deaths(&taken);
        assert_eq!((deaths.len(), deaths[0].reason.as_str(), deaths[0].queue.as_str()), (1, "maxlen", source.as_str()));
    }
    assert_eq!(client.drain(1, &source), ["d", "e"]);
}

#[test]
fn a_purge_makes_room() {
    let mut client = connect();
    let queue = queue_with(&mut client, "purge", [("x-max-length-bytes", 10.into())]);
    put_all(&mut client, &queue, &["1234567890"]);
    client.call(1, queue_purge(&queue));
    put_all(&mut client, &queue, &["12345", "67890"]);
    assert_eq!(client.drain(1, &queue), ["12345", "67890"]);
}

#[test]
fn expired_messages_make_room() {
    let mut client = connect();
    let arguments = [("x-max-length", 2.into()), ("x-message-ttl", 40.into())];
    let queue = queue_with(&mut client, "expired", arguments);
    let fill = |client: &mut RawClient| put_all(client, &queue, &["a", "b"]);
    fill(&mut client);
    await_count(&mut client, &queue, 0);
    fill(&mut client);
    assert_eq!(client.drain(1, &queue), ["a", "b"]);
}

/// Thousands through a small queue: the limit holds at every count that is seen, and the last ones stay.
#[test]
fn the_limit_holds_under_load() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "load", [("x-max-length", 10.into())]);
    client.in_one_write(|client| {
        for number in 0..5000 {
            client.publish(1, "", &source, number.to_string());
        }
    });
    assert!(client.message_count(1, &source) <= 10);
    await_count(&mut client, &dead, 4990);
    let rest: Vec<String> = (4990..5000).map(|number| number.to_string()).collect();
    assert_eq!(client.drain(1, &source), rest);
    let dropped: Vec<String> = (0..4990).map(|number| number.to_string()).collect();
    assert_eq!(client.drain(1, &dead), dropped);
}
