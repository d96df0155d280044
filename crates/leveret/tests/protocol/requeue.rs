//! Returning messages: original positions, the redelivered flag and recover.

use testkit::method::{cancel, nack, recover, reject};
use testkit::{Consume, RawClient, id};

use crate::support::{connect, queue};

fn filled(bodies: &[&str]) -> (RawClient, String) {
    let mut client = connect();
    let queue = queue(&mut client, "requeue");
    client.fill(&queue, bodies);
    (client, queue)
}

/// Takes everything left, as body and redelivered flag.
#[track_caller]
fn check_rest(client: &mut RawClient, queue: &str, expected: &[(&str, bool)]) {
    let rest: Vec<(String, bool)> =
        std::iter::from_fn(|| client.get(1, queue, true)).map(|taken| (taken.text(), taken.redelivered)).collect();
    let expected: Vec<(String, bool)> = expected.iter().map(|(body, flag)| ((*body).to_owned(), *flag)).collect();
    assert_eq!(rest, expected);
}

#[test]
fn a_requeued_message_returns_to_its_position() {
    let (mut client, queue) = filled(&["a", "b", "c", "d"]);
    for _ in 0..3 {
        client.get(1, &queue, false).expect("a message");
    }
    client.send(1, reject(2, true));
    client.send(1, reject(1, true));
    client.assert_alive(1);
    check_rest(&mut client, &queue, &[("a", true), ("b", true), ("d", false)]);
}

#[test]
fn several_are_requeued_in_their_order_whatever_the_order_of_nacks() {
    let (mut client, queue) = filled(&["a", "b", "c", "d", "e", "f"]);
    for _ in 0..5 {
        client.get(1, &queue, false).expect("a message");
    }
    for tag in [4, 2, 5, 1, 3] {
        client.send(1, nack(tag, false, true));
    }
    client.assert_alive(1);
    let expected = [("a", true), ("b", true), ("c", true), ("d", true), ("e", true), ("f", false)];
    check_rest(&mut client, &queue, &expected);
}

#[test]
fn a_multiple_nack_requeues_in_order() {
    let (mut client, queue) = filled(&["a", "b", "c"]);
    for _ in 0..3 {
        client.get(1, &queue, false).expect("a message");
    }
    client.send(1, nack(2, true, true));
    client.assert_alive(1);
    check_rest(&mut client, &queue, &[("a", true), ("b", true)]);
}

#[test]
fn requeueing_goes_before_what_was_published_since() {
    let (mut client, queue) = filled(&["old"]);
    client.get(1, &queue, false).expect("a message");
    client.publish(1, "", &queue, "new");
    client.send(1, reject(1, true));
    client.assert_alive(1);
    check_rest(&mut client, &queue, &[("old", true), ("new", false)]);
}

#[test]
fn a_requeued_message_goes_to_the_next_consumer_with_a_new_tag() {
    let (mut client, queue) = filled(&["a"]);
    client.consume(1, Consume::new(&queue, "tag"));
    for tag in 1..=5 {
        let delivery = client.expect_delivery(1);
        assert_eq!((delivery.delivery_tag, delivery.redelivered), (tag, tag > 1));
        client.send(1, reject(tag, true));
    }
}

#[test]
fn a_lone_consumer_that_requeues_sees_its_messages_in_order() {
    let (mut client, queue) = filled(&["a", "b", "c"]);
    client.consume(1, Consume::new(&queue, "tag"));
    client.expect_bodies(1, &["a", "b", "c"]);
    client.send(1, nack(3, true, true));
    let tags = client.expect_bodies(1, &["a", "b", "c"]);
    assert_eq!(tags, [4, 5, 6]);
}

#[test]
fn recover_requeues_everything_unacked() {
    let (mut client, queue) = filled(&["a", "b", "c"]);
    for _ in 0..3 {
        client.get(1, &queue, false).expect("a message");
    }
    client.send(1, testkit::method::ack(2, false));
    client.call(1, recover(id::BASIC_RECOVER, true));
    check_rest(&mut client, &queue, &[("a", true), ("c", true)]);
    client.send(1, testkit::method::ack(1, false));
    assert_eq!(client.expect_close(1).text, "PRECONDITION_FAILED - unknown delivery tag 1");
}

#[test]
fn recover_async_is_not_answered() {
    let (mut client, queue) = filled(&["a"]);
    client.get(1, &queue, false).expect("a message");
    client.send(1, recover(id::BASIC_RECOVER_ASYNC, true));
    client.assert_alive(1);
    check_rest(&mut client, &queue, &[("a", true)]);
}

#[test]
fn recover_redelivers_to_the_channels_consumer() {
    let (mut client, queue) = filled(&["a", "b"]);
    client.consume(1, Consume::new(&queue, "tag"));
    client.expect_bodies(1, &["a", "b"]);
    client.send(1, recover(id::BASIC_RECOVER, true));
    client.wait_for("recover-ok", |event| event.method.id == id::BASIC_RECOVER_OK);
    for (tag, body) in [(3, "a"), (4, "b")] {
        let delivery = client.expect_delivery(1);
        assert_eq!((delivery.delivery_tag, delivery.text().as_str(), delivery.redelivered), (tag, body, true));
    }
}

#[test]
fn recover_may_reach_another_consumer() {
    let (mut client, queue) = filled(&["a"]);
    client.open_channel(2);
    client.consume(1, Consume::new(&queue, "one"));
    client.expect_bodies(1, &["a"]);
    client.consume(2, Consume::new(&queue, "two"));
    client.call(1, cancel("one"));
    client.call(1, recover(id::BASIC_RECOVER, true));
    let delivery = client.expect_delivery(2);
    assert_eq!((delivery.text().as_str(), delivery.redelivered), ("a", true));
}

/// Two channels hold alternating messages of one queue and return them at different times.
#[test]
fn returns_of_two_channels_merge_in_original_order() {
    let (mut client, queue) = filled(&["a", "b", "c", "d", "e", "f"]);
    client.open_channel(2);
    for channel in [1, 2, 1, 2, 1, 2] {
        client.get(channel, &queue, false).expect("a message");
    }
    client.send(2, nack(0, true, true));
    client.assert_alive(2);
    client.send(1, nack(0, true, true));
    client.assert_alive(1);
    assert_eq!(client.drain(1, &queue), ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn a_message_taken_but_never_returned_is_marked_after_its_channel_closes() {
    let (mut client, queue) = filled(&["a"]);
    client.open_channel(2);
    let first = client.get(2, &queue, false).expect("a message");
    assert!(!first.redelivered);
    client.close_channel(2);
    check_rest(&mut client, &queue, &[("a", true)]);
}
