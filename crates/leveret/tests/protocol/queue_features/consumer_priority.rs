//! Priorities of consumers (`x-priority`) and exclusive consumers, beyond who is served first.

use testkit::method::{ack, cancel, qos, reject};
use testkit::{CloseScope, Consume, QueueDeclare, RawClient, Value};

use super::waiting::{put_all, queue_with};
use crate::support::{connect, connect_to, queue, unique};

/// A connection with consumers of these priorities and one message of credit each.
fn consumers(priorities: &[(&str, i32)]) -> (RawClient, String) {
    let mut client = connect();
    let queue = queue(&mut client, "priority");
    client.call(1, qos(1, false));
    for (tag, priority) in priorities {
        client.consume(1, Consume::new(&queue, tag).argument("x-priority", *priority));
    }
    (client, queue)
}

#[track_caller]
fn expect_tags(client: &mut RawClient, tags: &[&str]) -> u64 {
    let mut last = 0;
    for tag in tags {
        let delivery = client.expect_delivery(1);
        assert_eq!(delivery.consumer_tag, *tag, "who gets {}", delivery.text());
        last = delivery.delivery_tag;
    }
    last
}

#[test]
fn whoever_comes_last_is_served_by_priority() {
    let (mut client, queue) = consumers(&[("zero", 0), ("ten", 10), ("minus", -3), ("five", 5)]);
    put_all(&mut client, &queue, &["a", "b", "c", "d"]);
    expect_tags(&mut client, &["ten", "five", "zero", "minus"]);
}

#[test]
fn no_priority_is_zero() {
    let (mut client, queue) = consumers(&[("minus", -1), ("one", 1)]);
    client.consume(1, Consume::new(&queue, "none"));
    put_all(&mut client, &queue, &["a", "b", "c"]);
    expect_tags(&mut client, &["one", "none", "minus"]);
}

#[test]
fn the_highest_one_is_served_again_as_soon_as_it_has_credit() {
    let (mut client, queue) = consumers(&[("low", 1), ("high", 2)]);
    for _ in 0..3 {
        put_all(&mut client, &queue, &["x"]);
        let tag = expect_tags(&mut client, &["high"]);
        client.send(1, ack(tag, false));
    }
    put_all(&mut client, &queue, &["a", "b"]);
    expect_tags(&mut client, &["high", "low"]);
}

#[test]
fn after_the_highest_is_cancelled_the_next_is_served() {
    let (mut client, queue) = consumers(&[("low", 1), ("high", 2)]);
    client.call(1, cancel("high"));
    put_all(&mut client, &queue, &["x"]);
    expect_tags(&mut client, &["low"]);
}

#[test]
fn a_rejected_message_goes_to_the_highest_with_credit() {
    let (mut client, queue) = consumers(&[("low", 1), ("high", 2)]);
    put_all(&mut client, &queue, &["a"]);
    let tag = expect_tags(&mut client, &["high"]);
    client.send(1, reject(tag, true));
    expect_tags(&mut client, &["high"]);
    put_all(&mut client, &queue, &["b"]);
    expect_tags(&mut client, &["low"]);
}

#[test]
fn any_width_of_integer_is_a_priority() {
    let mut client = connect();
    let queue = queue(&mut client, "widths");
    client.call(1, qos(1, false));
    let priorities = [
        ("long", Value::Long(50)),
        ("byte", Value::Byte(10)),
        ("short", Value::Short(30)),
        ("most", Value::Long(i64::MAX)),
        ("least", Value::Long(i64::MIN)),
    ];
    for (tag, priority) in priorities {
        client.consume(1, Consume::new(&queue, tag).argument("x-priority", priority));
    }
    put_all(&mut client, &queue, &["a", "b", "c", "d", "e"]);
    expect_tags(&mut client, &["most", "long", "short", "byte", "least"]);
}

#[test]
fn a_priority_that_is_no_integer_is_refused() {
    let mut client = connect();
    let queue = queue(&mut client, "text");
    client.send(1, Consume::new(&queue, "").argument("x-priority", "high"));
    let closed = client.expect_close(1);
    assert_eq!((closed.scope, closed.code), (CloseScope::Channel, 406), "{closed:?}");
    let expected = format!(
        "PRECONDITION_FAILED - invalid arg 'x-priority' for queue '{queue}' in vhost '/': \
         \"expected integer, got longstr\""
    );
    assert_eq!(closed.text, expected);
}

#[test]
fn nobody_joins_an_exclusive_consumer() {
    let mut client = connect();
    let queue = queue(&mut client, "exclusive");
    client.consume(1, Consume::new(&queue, "first").exclusive());
    for second in [Consume::new(&queue, "second"), Consume::new(&queue, "second").exclusive()] {
        client.open_channel(2);
        client.send(2, second.argument("x-priority", 100));
        let closed = client.expect_close(2);
        assert_eq!(closed.text, format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use"));
    }
    put_all(&mut client, &queue, &["a"]);
    client.expect_bodies(1, &["a"]);
}

#[test]
fn an_exclusive_consumer_does_not_join_others() {
    let mut client = connect();
    let queue = queue(&mut client, "busy");
    client.consume(1, Consume::new(&queue, "first"));
    client.open_channel(2);
    client.send(2, Consume::new(&queue, "second").exclusive());
    assert_eq!(client.expect_close(2).code, 403);
    put_all(&mut client, &queue, &["a"]);
    client.expect_bodies(1, &["a"]);
}

#[test]
fn the_end_of_its_connection_ends_the_exclusiveness() {
    let mut first = connect();
    let mut second = connect_to(crate::support::address());
    let name = unique("exclusive");
    first.declare(1, QueueDeclare::new(&name));
    second.consume(1, Consume::new(&name, "").exclusive());
    second.close();
    first.consume(1, Consume::new(&name, "").exclusive());
    first.call(1, testkit::method::queue_delete(&name, false, false));
}

#[test]
fn a_basic_get_is_no_second_consumer() {
    let mut client = connect();
    let queue = queue_with(&mut client, "get", []);
    client.call(1, qos(1, false));
    client.consume(1, Consume::new(&queue, "first").exclusive());
    put_all(&mut client, &queue, &["a", "b"]);
    client.expect_bodies(1, &["a"]);
    assert_eq!(client.drain(1, &queue), ["b"]);
}
