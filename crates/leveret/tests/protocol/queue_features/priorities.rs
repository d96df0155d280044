//! `x-max-priority` (the cases of RabbitMQ's priority_queue suite and more).

use testkit::method::{ack, nack, qos, queue_purge, reject};
use testkit::{Consume, Delivery, Properties, QueueDeclare, RawClient, Value};

use super::waiting::{await_count, put, queue_with, take};
use crate::support::{connect, unique};

pub fn priority(priority: u8) -> Properties {
    Properties { priority: Some(priority), ..Properties::default() }
}

/// Publishes one message for each priority, its number as the body.
#[track_caller]
pub fn put_priorities(client: &mut RawClient, queue: &str, priorities: &[u8]) {
    for level in priorities {
        put(client, queue, &priority(*level), &level.to_string());
    }
}

fn priority_queue(client: &mut RawClient, most: i32) -> String {
    queue_with(client, "priority", [("x-max-priority", most.into())])
}

#[test]
fn higher_ones_come_first_and_equal_ones_in_order() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 3);
    for published in [[1, 2, 3, 1, 2, 3, 1, 2, 3], [2, 3, 1, 2, 3, 1, 2, 3, 1], [3, 1, 2, 3, 1, 2, 3, 1, 2]] {
        put_priorities(&mut client, &queue, &published);
        assert_eq!(client.drain(1, &queue), ["3", "3", "3", "2", "2", "2", "1", "1", "1"]);
    }
    for (level, body) in [(1, "a"), (2, "b"), (1, "c"), (2, "d"), (1, "e")] {
        put(&mut client, &queue, &priority(level), body);
    }
    assert_eq!(client.drain(1, &queue), ["b", "d", "a", "c", "e"]);
}

/// None is zero, and what is above the most counts as the most.
#[test]
fn none_is_the_lowest_and_too_high_is_the_highest() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 5);
    for (properties, body) in [
        (Properties::default(), "none"),
        (priority(0), "zero"),
        (priority(5), "five"),
        (priority(10), "ten"),
        (Properties::default(), "none again"),
        (priority(255), "255"),
        (priority(4), "four"),
    ] {
        put(&mut client, &queue, &properties, body);
    }
    assert_eq!(client.drain(1, &queue), ["five", "ten", "255", "four", "none", "zero", "none again"]);
}

#[test]
fn the_property_arrives_as_it_was_published() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 5);
    put(&mut client, &queue, &priority(10), "x");
    assert_eq!(client.get(1, &queue, true).expect("a message").properties.priority, Some(10));
}

#[test]
fn without_the_argument_priorities_are_ignored() {
    let mut client = connect();
    let queue = queue_with(&mut client, "plain", []);
    put_priorities(&mut client, &queue, &[1, 3, 2]);
    assert_eq!(client.drain(1, &queue), ["1", "3", "2"]);
}

#[test]
fn a_most_of_zero_keeps_the_order_of_publishing() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 0);
    put_priorities(&mut client, &queue, &[1, 3, 2]);
    assert_eq!(client.drain(1, &queue), ["1", "3", "2"]);
}

#[test]
fn all_256_levels_are_told_apart() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 255);
    let levels: Vec<u8> = (0..=255_u8).map(|number| number.wrapping_mul(7)).collect();
    put_priorities(&mut client, &queue, &levels);
    let expected: Vec<String> = (0..=255_u8).rev().map(|level| level.to_string()).collect();
    assert_eq!(client.drain(1, &queue), expected);
}

#[test]
fn bad_values_are_refused() {
    for (value, text) in [
        (Value::SignedInt(3000), "{max_value_exceeded,3000}"),
        (Value::SignedInt(256), "{max_value_exceeded,256}"),
        (Value::SignedInt(-10), "{value_negative,-10}"),
        (Value::from("high"), "\"expected integer, got longstr\""),
    ] {
        let mut client = connect();
        let name = unique("bad");
        client.send(1, QueueDeclare::exclusive(&name).argument("x-max-priority", value));
        let closed = client.expect_close(1);
        let expected =
            format!("PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue '{name}' in vhost '/': {text}");
        assert_eq!((closed.code, closed.text), (406, expected));
    }
}

#[test]
fn a_waiting_consumer_gets_each_message_at_once() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 3);
    for no_ack in [false, true] {
        client.open_channel(2);
        client.consume(2, Consume { no_ack, ..Consume::new(&queue, "tag") });
        for level in [1, 2, 3, 1] {
            put_priorities(&mut client, &queue, &[level]);
            let delivery = client.expect_delivery(2);
            assert_eq!(delivery.text(), level.to_string());
            if !no_ack {
                client.send(2, ack(delivery.delivery_tag, false));
            }
        }
        client.close_channel(2);
    }
    assert!(client.get(1, &queue, true).is_none());
}

#[test]
fn a_consumer_with_prefetch_gets_the_highest_next() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 9);
    client.confirm_select(1);
    let publish = |client: &mut RawClient, levels: &[u8]| {
        for level in levels {
            put_priorities(client, &queue, &[*level]);
            client.expect_confirm(1);
        }
    };
    client.open_channel(2);
    client.call(2, qos(1, false));
    publish(&mut client, &[1]);
    client.consume(2, Consume::new(&queue, "tag"));
    for (body, meanwhile) in [("1", &[5_u8][..]), ("5", &[3, 9, 0]), ("9", &[2]), ("3", &[9]), ("9", &[])] {
        let delivery = client.expect_delivery(2);
        assert_eq!(delivery.text(), body);
        publish(&mut client, meanwhile);
        client.send(2, ack(delivery.delivery_tag, false));
    }
    for body in ["2", "0"] {
        let tags = client.expect_bodies(2, &[body]);
        client.send(2, ack(tags[0], false));
    }
}

#[test]
fn counts_are_of_all_levels() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 9);
    put_priorities(&mut client, &queue, &[0, 9, 4]);
    await_count(&mut client, &queue, 3);
    assert_eq!(client.get(1, &queue, false).expect("a message").message_count, Some(2));
    assert_eq!(client.message_count(1, &queue), 2);
}

#[test]
fn a_purge_takes_all_levels() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 3);
    put_priorities(&mut client, &queue, &[1, 2, 3, 0]);
    await_count(&mut client, &queue, 4);
    assert_eq!(client.call(1, queue_purge(&queue)).reader().long(), 4);
    assert!(client.get(1, &queue, true).is_none());
    put_priorities(&mut client, &queue, &[1, 2]);
    assert_eq!(client.drain(1, &queue), ["2", "1"]);
}

#[test]
fn requeued_messages_keep_their_priority_and_place() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 3);
    put_priorities(&mut client, &queue, &[1, 2, 3]);
    let taken = take(&mut client, &queue, 3);
    client.send(1, nack(taken[2].delivery_tag, true, true));
    let again = take(&mut client, &queue, 3);
    assert_eq!(again.iter().map(Delivery::text).collect::<Vec<_>>(), ["3", "2", "1"]);
    assert!(again.iter().all(|taken| taken.redelivered));
    for at in [1, 0, 2] {
        client.send(1, reject(again[at].delivery_tag, true));
    }
    assert_eq!(client.drain(1, &queue), ["3", "2", "1"]);
}

#[test]
fn a_requeued_message_goes_before_later_ones_of_its_level_only() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 3);
    put(&mut client, &queue, &priority(1), "low");
    let taken = take(&mut client, &queue, 1);
    put(&mut client, &queue, &priority(1), "low later");
    put(&mut client, &queue, &priority(2), "high later");
    client.send(1, reject(taken[0].delivery_tag, true));
    assert_eq!(client.drain(1, &queue), ["high later", "low", "low later"]);
}

#[test]
fn consumers_of_a_full_queue_get_it_by_priority() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 9);
    put_priorities(&mut client, &queue, &[0, 3, 9, 6, 3]);
    client.consume(1, Consume::new(&queue, "tag"));
    client.expect_bodies(1, &["9", "6", "3", "3", "0"]);
}

#[test]
fn ten_thousand_come_out_sorted() {
    let mut client = connect();
    let queue = priority_queue(&mut client, 10);
    client.confirm_select(1);
    let mut expected: Vec<(u8, u32)> = Vec::new();
    client.in_one_write(|client| {
        for number in 0..10_000_u32 {
            let level = (number * 7919 % 11) as u8;
            put(client, &queue, &priority(level), &number.to_string());
            expected.push((level, number));
        }
    });
    client.expect_all_confirmed(1, 10_000);
    expected.sort_by_key(|(level, number)| (std::cmp::Reverse(*level), *number));
    client.consume(1, Consume::new(&queue, "tag").no_ack());
    for (level, number) in expected {
        let delivery = client.expect_delivery(1);
        assert_eq!((delivery.properties.priority, delivery.text()), (Some(level), number.to_string()));
    }
}
