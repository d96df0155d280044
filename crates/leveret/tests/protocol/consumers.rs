//! Consumers: fairness, prefetch, priority, exclusiveness and cancellation.

use testkit::method::{ack, cancel, get, nack, qos, queue_delete};
use testkit::{ConnectOptions, Consume, QueueDeclare, RawClient, id};

use crate::support::{address, connect, connect_with, queue, unique};

/// Bodies 0 to `count` in one socket write.
fn publish_numbers(client: &mut RawClient, queue: &str, count: usize) {
    client.in_one_write(|client| {
        for number in 0..count {
            client.publish(1, "", queue, number.to_string());
        }
    });
}

fn numbers(range: impl Iterator<Item = usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[track_caller]
fn expect_exactly(client: &mut RawClient, channel: u16, bodies: &[String]) {
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    client.expect_bodies(channel, &bodies);
}

#[test]
fn two_workers_take_turns_within_one_write() {
    let mut publisher = connect();
    let name = unique("turns");
    publisher.declare(1, QueueDeclare::new(&name).auto_delete());
    let mut workers: Vec<RawClient> = (0..2).map(|_| connect()).collect();
    for worker in &mut workers {
        worker.consume(1, Consume::new(&name, "").no_ack());
    }
    publish_numbers(&mut publisher, &name, 20);
    let mut got: Vec<Vec<String>> = Vec::new();
    for worker in &mut workers {
        got.push((0..10).map(|_| worker.expect_delivery(1).text()).collect());
    }
    got.sort();
    assert_eq!(got, [numbers((0..20).step_by(2)), numbers((1..20).step_by(2))]);
}

#[test]
fn three_consumers_of_one_channel_take_turns() {
    let mut client = connect();
    let queue = queue(&mut client, "turns");
    for tag in ["a", "b", "c"] {
        client.consume(1, Consume::new(&queue, tag));
    }
    publish_numbers(&mut client, &queue, 9);
    let tags: Vec<String> = (0..9).map(|_| client.expect_delivery(1).consumer_tag).collect();
    assert_eq!(tags, ["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
}

#[test]
fn a_backlog_is_shared_in_turns() {
    let mut client = connect();
    let queue = queue(&mut client, "backlog");
    client.open_channel(2);
    client.call(1, qos(1, false));
    client.consume(1, Consume::new(&queue, "slow"));
    publish_numbers(&mut client, &queue, 5);
    let held = client.expect_delivery(1);
    client.consume(2, Consume::new(&queue, "fast").no_ack());
    expect_exactly(&mut client, 2, &numbers(1..5));
    client.send(1, ack(held.delivery_tag, false));
    publish_numbers(&mut client, &queue, 1);
    client.assert_alive(1);
}

#[test]
fn prefetch_limits_each_new_consumer() {
    let mut client = connect();
    let queue = queue(&mut client, "prefetch");
    client.call(1, qos(2, false));
    client.consume(1, Consume::new(&queue, "first"));
    publish_numbers(&mut client, &queue, 10);
    let tags = client.expect_bodies(1, &["0", "1"]);
    client.expect_nothing(1, RawClient::SILENCE);
    client.send(1, ack(tags[0], false));
    client.expect_bodies(1, &["2"]);
    client.expect_nothing(1, RawClient::SILENCE);
    // Another limit leaves the consumer that is there as it is.
    client.call(1, qos(5, false));
    client.expect_nothing(1, RawClient::SILENCE);
    client.consume(1, Consume::new(&queue, "second"));
    for body in numbers(3..8) {
        let delivery = client.expect_delivery(1);
        assert_eq!((delivery.consumer_tag.as_str(), delivery.text()), ("second", body));
    }
    client.expect_nothing(1, RawClient::SILENCE);
}

#[test]
fn prefetch_zero_is_unlimited() {
    let mut client = connect();
    let queue = queue(&mut client, "unlimited");
    client.call(1, qos(1, false));
    client.call(1, qos(0, false));
    client.consume(1, Consume::new(&queue, ""));
    publish_numbers(&mut client, &queue, 100);
    expect_exactly(&mut client, 1, &numbers(0..100));
}

#[test]
fn prefetch_does_not_limit_automatic_acknowledgement() {
    let mut client = connect();
    let queue = queue(&mut client, "no_ack");
    client.call(1, qos(1, false));
    client.consume(1, Consume::new(&queue, "").no_ack());
    publish_numbers(&mut client, &queue, 50);
    expect_exactly(&mut client, 1, &numbers(0..50));
}

#[test]
fn a_multiple_ack_makes_room_for_as_many() {
    let mut client = connect();
    let queue = queue(&mut client, "room");
    client.call(1, qos(3, false));
    client.consume(1, Consume::new(&queue, ""));
    publish_numbers(&mut client, &queue, 9);
    let tags = client.expect_bodies(1, &["0", "1", "2"]);
    client.send(1, ack(tags[2], true));
    client.expect_bodies(1, &["3", "4", "5"]);
    client.expect_nothing(1, RawClient::SILENCE);
}

/// Channel-wide, as RabbitMQ up to 4.2 has it (4.3 silently makes it per consumer).
#[test]
fn a_global_prefetch_is_shared_by_the_channels_consumers() {
    let mut client = connect();
    let (one, two) = (queue(&mut client, "one"), queue(&mut client, "two"));
    client.call(1, qos(3, true));
    client.consume(1, Consume::new(&one, "one"));
    client.consume(1, Consume::new(&two, "two"));
    publish_numbers(&mut client, &one, 2);
    client.expect_bodies(1, &["0", "1"]);
    publish_numbers(&mut client, &two, 5);
    let third = client.expect_delivery(1);
    assert_eq!(third.consumer_tag, "two");
    client.expect_nothing(1, RawClient::SILENCE);
    client.send(1, ack(1, false));
    assert_eq!(client.expect_delivery(1).consumer_tag, "two");
    client.expect_nothing(1, RawClient::SILENCE);
}

#[test]
fn a_global_prefetch_changes_while_consuming() {
    let mut client = connect();
    let queue = queue(&mut client, "global");
    client.call(1, qos(1, true));
    client.consume(1, Consume::new(&queue, ""));
    publish_numbers(&mut client, &queue, 10);
    client.expect_bodies(1, &["0"]);
    client.expect_nothing(1, RawClient::SILENCE);
    client.call(1, qos(4, true));
    client.expect_bodies(1, &["1", "2", "3"]);
    client.expect_nothing(1, RawClient::SILENCE);
    // Lowered below what is held, it delivers nothing until that much is settled.
    client.call(1, qos(2, true));
    client.send(1, ack(1, false));
    client.send(1, ack(2, false));
    client.expect_nothing(1, RawClient::SILENCE);
    client.send(1, ack(3, false));
    client.expect_bodies(1, &["4"]);
    client.call(1, qos(0, true));
    client.expect_bodies(1, &["5", "6", "7", "8", "9"]);
}

#[test]
fn both_prefetches_hold_together() {
    let mut client = connect();
    let queue = queue(&mut client, "both");
    client.call(1, qos(2, false));
    client.call(1, qos(3, true));
    client.consume(1, Consume::new(&queue, "a"));
    client.consume(1, Consume::new(&queue, "b"));
    publish_numbers(&mut client, &queue, 10);
    let tags: Vec<String> = (0..3).map(|_| client.expect_delivery(1).consumer_tag).collect();
    client.expect_nothing(1, RawClient::SILENCE);
    let of_a = tags.iter().filter(|tag| *tag == "a").count();
    assert!((1..=2).contains(&of_a), "{tags:?}");
}

#[test]
fn get_is_not_limited_by_prefetch() {
    let mut client = connect();
    let queue = queue(&mut client, "get");
    client.call(1, qos(1, true));
    client.consume(1, Consume::new(&queue, ""));
    publish_numbers(&mut client, &queue, 3);
    client.expect_bodies(1, &["0"]);
    assert_eq!(client.get(1, &queue, false).map(|taken| taken.text()).as_deref(), Some("1"));
    assert_eq!(client.get(1, &queue, false).map(|taken| taken.text()).as_deref(), Some("2"));
}

#[test]
fn higher_priority_consumers_are_served_first() {
    let mut client = connect();
    let queue = queue(&mut client, "priority");
    client.call(1, qos(2, false));
    client.consume(1, Consume::new(&queue, "low").argument("x-priority", -5));
    client.consume(1, Consume::new(&queue, "normal"));
    client.consume(1, Consume::new(&queue, "high").argument("x-priority", 10));
    publish_numbers(&mut client, &queue, 8);
    let mut tags = Vec::new();
    let mut last = 0;
    for _ in 0..6 {
        let delivery = client.expect_delivery(1);
        tags.push(delivery.consumer_tag);
        last = delivery.delivery_tag;
    }
    assert_eq!(tags, ["high", "high", "normal", "normal", "low", "low"]);
    client.expect_nothing(1, RawClient::SILENCE);
    client.send(1, ack(last - 5, true));
    assert_eq!(client.expect_delivery(1).consumer_tag, "high");
}

#[test]
fn an_exclusive_consumer_gives_way_when_cancelled() {
    let mut client = connect();
    let queue = queue(&mut client, "exclusive");
    client.consume(1, Consume::new(&queue, "first").exclusive());
    client.open_channel(2);
    client.send(2, Consume::new(&queue, "second"));
    assert_eq!(client.expect_close(2).code, 403);
    client.call(1, cancel("first"));
    client.open_channel(2);
    client.consume(2, Consume::new(&queue, "second").exclusive());
}

#[test]
fn a_cancelled_consumer_keeps_what_it_holds() {
    let mut client = connect();
    let queue = queue(&mut client, "cancel");
    client.consume(1, Consume::new(&queue, "tag"));
    publish_numbers(&mut client, &queue, 2);
    let tags = client.expect_bodies(1, &["0", "1"]);
    assert_eq!(client.call(1, cancel("tag")).reader().short_string(), "tag");
    assert_eq!(client.message_count(1, &queue), 0);
    publish_numbers(&mut client, &queue, 1);
    client.expect_nothing(1, RawClient::SILENCE);
    client.send(1, ack(tags[0], false));
    client.send(1, nack(tags[1], false, true));
    client.assert_alive(1);
    assert_eq!(client.drain(1, &queue), ["1", "0"]);
}

#[test]
fn cancelling_an_unknown_tag_succeeds() {
    let mut client = connect();
    assert_eq!(client.call(1, cancel("nobody")).reader().short_string(), "nobody");
}

#[test]
fn a_tag_can_be_used_again_after_cancel() {
    let mut client = connect();
    let queue = queue(&mut client, "again");
    for _ in 0..5 {
        client.consume(1, Consume::new(&queue, "tag"));
        client.call(1, cancel("tag"));
    }
    client.consume(1, Consume::new(&queue, "tag"));
    publish_numbers(&mut client, &queue, 1);
    assert_eq!(client.expect_delivery(1).consumer_tag, "tag");
}

#[test]
fn the_same_tag_may_be_used_on_two_channels() {
    let mut client = connect();
    client.open_channel(2);
    let queue = queue(&mut client, "tags");
    client.consume(1, Consume::new(&queue, "tag"));
    client.consume(2, Consume::new(&queue, "tag"));
    publish_numbers(&mut client, &queue, 2);
    client.expect_delivery(1);
    client.expect_delivery(2);
}

#[test]
fn the_server_cancels_consumers_of_a_deleted_queue() {
    let mut client = connect();
    let queue = queue(&mut client, "deleted");
    client.consume(1, Consume::new(&queue, "tag"));
    client.open_channel(2);
    client.call(2, queue_delete(&queue, false, false));
    let cancelled = client.expect_method(1, id::BASIC_CANCEL);
    let mut input = cancelled.reader();
    assert_eq!((input.short_string().as_str(), input.octet() & 1), ("tag", 1), "tag and no-wait");
    client.assert_alive(1);
}

#[test]
fn without_the_capability_the_server_cancels_silently() {
    let options = ConnectOptions::default().without_capability("consumer_cancel_notify");
    let mut client = connect_with(address(), &options);
    let queue = queue(&mut client, "silent");
    client.consume(1, Consume::new(&queue, "tag"));
    client.open_channel(2);
    client.call(2, queue_delete(&queue, false, false));
    client.expect_nothing(1, RawClient::SILENCE);
    client.assert_alive(1);
}

#[test]
fn consume_ok_comes_before_the_first_delivery() {
    let mut client = connect();
    let queue = queue(&mut client, "order");
    client.fill(&queue, &["ready"]);
    client.send(1, Consume::new(&queue, "tag"));
    client.expect_method(1, (60, 21));
    client.expect_bodies(1, &["ready"]);
}

#[test]
fn no_local_is_ignored() {
    let mut client = connect();
    let queue = queue(&mut client, "local");
    client.consume(1, Consume { no_local: true, ..Consume::new(&queue, "") });
    publish_numbers(&mut client, &queue, 1);
    client.expect_bodies(1, &["0"]);
}

#[test]
fn get_and_get_empty() {
    let mut client = connect();
    let queue = queue(&mut client, "get");
    client.send(1, get(&queue, false));
    assert_eq!(client.expect_method(1, id::BASIC_GET_EMPTY).reader().short_string(), "");
    client.publish(1, "", &queue, "x");
    let taken = client.get(1, &queue, false).expect("a message");
    assert_eq!((taken.delivery_tag, taken.redelivered, taken.message_count), (1, false, Some(0)));
    assert_eq!((taken.exchange.as_str(), taken.routing_key.as_str()), ("", queue.as_str()));
}

#[test]
fn deliveries_carry_where_they_were_published() {
    let mut client = connect();
    let queue = queue(&mut client, "where");
    crate::support::bind(&mut client, &queue, "amq.topic", "a.#");
    client.consume(1, Consume::new(&queue, "tag"));
    client.publish(1, "amq.topic", "a.b", "x");
    let delivery = client.expect_delivery(1);
    assert_eq!((delivery.exchange.as_str(), delivery.routing_key.as_str()), ("amq.topic", "a.b"));
    assert_eq!((delivery.delivery_tag, delivery.redelivered), (1, false));
}

#[test]
fn consumers_on_many_connections_share_everything_once() {
    let mut publisher = connect();
    let name = unique("shared");
    publisher.declare(1, QueueDeclare::new(&name).auto_delete());
    let mut workers: Vec<RawClient> = (0..5).map(|_| connect()).collect();
    for worker in &mut workers {
        worker.call(1, qos(3, false));
        worker.consume(1, Consume::new(&name, ""));
    }
    publish_numbers(&mut publisher, &name, 500);
    let mut got = Vec::new();
    while got.len() < 500 {
        for worker in &mut workers {
            let left = 500 - got.len();
            for _ in 0..left.min(3) {
                if !worker.has_delivery(1) {
                    break;
                }
                let delivery = worker.expect_delivery(1);
                worker.send(1, ack(delivery.delivery_tag, false));
                got.push(delivery.text().parse::<usize>().expect("a number"));
            }
        }
    }
    got.sort_unstable();
    assert_eq!(got, (0..500).collect::<Vec<_>>());
}

#[test]
fn equal_priorities_take_turns() {
    let mut client = connect();
    let queue = queue(&mut client, "equal");
    for tag in ["a", "b"] {
        client.consume(1, Consume::new(&queue, tag).argument("x-priority", 3));
    }
    client.consume(1, Consume::new(&queue, "never"));
    publish_numbers(&mut client, &queue, 6);
    let tags: Vec<String> = (0..6).map(|_| client.expect_delivery(1).consumer_tag).collect();
    assert_eq!(tags, ["a", "b", "a", "b", "a", "b"]);
}

#[test]
fn turns_go_on_from_where_they_were() {
    let mut client = connect();
    let queue = queue(&mut client, "turns");
    for tag in ["a", "b", "c"] {
        client.consume(1, Consume::new(&queue, tag).no_ack());
    }
    let mut tags = Vec::new();
    for _ in 0..6 {
        publish_numbers(&mut client, &queue, 1);
        tags.push(client.expect_delivery(1).consumer_tag);
    }
    assert_eq!(tags, ["a", "b", "c", "a", "b", "c"]);
    client.call(1, cancel("b"));
    publish_numbers(&mut client, &queue, 4);
    let mut tags: Vec<String> = (0..4).map(|_| client.expect_delivery(1).consumer_tag).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["a", "a", "c", "c"]);
}

#[test]
fn a_consumer_at_its_prefetch_is_passed_over() {
    let mut client = connect();
    let queue = queue(&mut client, "passed");
    client.call(1, qos(1, false));
    client.consume(1, Consume::new(&queue, "one"));
    client.call(1, qos(0, false));
    client.consume(1, Consume::new(&queue, "any"));
    publish_numbers(&mut client, &queue, 6);
    let tags: Vec<String> = (0..6).map(|_| client.expect_delivery(1).consumer_tag).collect();
    assert_eq!(tags.iter().filter(|tag| *tag == "one").count(), 1, "{tags:?}");
}

#[test]
fn deleting_and_declaring_again_leaves_old_consumers_behind() {
    let mut client = connect();
    let queue = queue(&mut client, "again");
    client.consume(1, Consume::new(&queue, "old"));
    client.open_channel(2);
    client.call(2, queue_delete(&queue, false, false));
    client.expect_method(1, id::BASIC_CANCEL);
    assert_eq!(client.declare(2, QueueDeclare::exclusive(&queue)).consumer_count, 0);
    publish_numbers(&mut client, &queue, 1);
    client.expect_nothing(1, RawClient::SILENCE);
    client.consume(1, Consume::new(&queue, "old"));
    assert_eq!(client.expect_delivery(1).consumer_tag, "old");
}

#[test]
fn a_prefetch_per_consumer_ends_the_channel_wide_one() {
    let mut client = connect();
    let queue = queue(&mut client, "ends");
    client.call(1, qos(1, true));
    client.call(1, qos(3, false));
    client.consume(1, Consume::new(&queue, ""));
    publish_numbers(&mut client, &queue, 5);
    client.expect_bodies(1, &["0", "1", "2"]);
    client.expect_nothing(1, RawClient::SILENCE);
}

#[test]
fn a_prefetch_of_zero_per_consumer_ends_the_channel_wide_one_while_consuming() {
    let mut client = connect();
    let queue = queue(&mut client, "ends");
    client.call(1, qos(1, true));
    client.consume(1, Consume::new(&queue, ""));
    publish_numbers(&mut client, &queue, 3);
    client.expect_bodies(1, &["0"]);
    client.expect_nothing(1, RawClient::SILENCE);
    client.call(1, qos(0, false));
    client.expect_bodies(1, &["1", "2"]);
}

#[test]
fn a_raised_channel_wide_prefetch_is_answered_before_it_delivers() {
    let mut client = connect();
    let queue = queue(&mut client, "raised");
    client.call(1, qos(1, true));
    client.consume(1, Consume::new(&queue, ""));
    publish_numbers(&mut client, &queue, 3);
    client.expect_bodies(1, &["0"]);
    client.send(1, qos(3, true));
    client.expect_method(1, (60, 11));
    client.expect_bodies(1, &["1", "2"]);
}
