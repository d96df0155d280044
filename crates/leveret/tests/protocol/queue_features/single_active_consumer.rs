//! `x-single-active-consumer` (after the cases of RabbitMQ's single_active_consumer suite): one consumer gets messages, the
//! others wait for its end.

use testkit::method::{ack, cancel, nack, qos};
use testkit::{CloseScope, Consume, Properties, QueueDeclare, RawClient};

use super::waiting::{await_bodies, await_count, put, put_all, queue_with, until, with_dead_letters};
use crate::ours_only;
use crate::support::{connect, unique};

fn single(client: &mut RawClient) -> String {
    queue_with(client, "single", [("x-single-active-consumer", true.into())])
}

/// A connection with channels 1 to 4, a queue, and a consumer on each of channels 2 to 4.
fn three_waiting(prefetch: u16) -> (RawClient, String) {
    let mut client = connect();
    let queue = single(&mut client);
    for channel in 2..=4 {
        client.open_channel(channel);
        client.call(channel, qos(prefetch, false));
        client.consume(channel, Consume::new(&queue, &format!("consumer {channel}")));
    }
    (client, queue)
}

#[test]
fn the_first_consumer_gets_everything() {
    let (mut client, queue) = three_waiting(0);
    put_all(&mut client, &queue, &["a", "b", "c", "d", "e"]);
    client.expect_bodies(2, &["a", "b", "c", "d", "e"]);
    assert!(!client.has_delivery(3) && !client.has_delivery(4));
}

#[test]
fn consumers_of_one_channel_wait_for_each_other_too() {
    let mut client = connect();
    let queue = single(&mut client);
    for tag in ["one", "two", "three"] {
        client.consume(1, Consume::new(&queue, tag).no_ack());
    }
    put_all(&mut client, &queue, &["a", "b"]);
    for body in ["a", "b"] {
        let delivery = client.expect_delivery(1);
        assert_eq!((delivery.consumer_tag.as_str(), delivery.text().as_str()), ("one", body));
    }
    client.call(1, cancel("one"));
    put_all(&mut client, &queue, &["c"]);
    assert_eq!(client.expect_delivery(1).consumer_tag, "two");
    client.call(1, cancel("two"));
    put_all(&mut client, &queue, &["d"]);
    assert_eq!(client.expect_delivery(1).consumer_tag, "three");
    client.call(1, cancel("three"));
    put_all(&mut client, &queue, &["e"]);
    assert_eq!(client.drain(1, &queue), ["e"]);
}

#[test]
fn with_prefetch_the_next_takes_over_after_a_cancel() {
    ours_only!("3.10 never goes on");
    let (mut client, queue) = three_waiting(1);
    put_all(&mut client, &queue, &["a", "b", "c"]);
    let tags = client.expect_bodies(2, &["a"]);
    client.call(2, cancel("consumer 2"));
    let next = client.expect_bodies(3, &["b"]);
    assert!(!client.has_delivery(4));
    client.send(2, ack(tags[0], false));
    client.send(3, ack(next[0], false));
    client.expect_bodies(3, &["c"]);
}

#[test]
fn with_prefetch_the_next_takes_over_after_a_cancel_and_an_ack() {
    ours_only!("3.10 never goes on, 4.x does");
    let mut client = connect();
    let queue = single(&mut client);
    client.call(1, qos(1, false));
    for tag in ["one", "two"] {
        client.consume(1, Consume::new(&queue, tag));
    }
    put_all(&mut client, &queue, &["a", "b"]);
    let first = client.expect_delivery(1);
    assert_eq!(first.consumer_tag, "one");
    client.call(1, cancel("one"));
    client.send(1, ack(first.delivery_tag, false));
    let second = client.expect_delivery(1);
    assert_eq!((second.consumer_tag.as_str(), second.text().as_str()), ("two", "b"));
}

/// What a cancelled consumer holds stays out; it can acknowledge it later.
#[test]
fn a_cancelled_consumer_still_acknowledges() {
    let (mut client, queue) = three_waiting(0);
    put_all(&mut client, &queue, &["a", "b"]);
    let tags = client.expect_bodies(2, &["a", "b"]);
    client.call(2, cancel("consumer 2"));
    put_all(&mut client, &queue, &["c"]);
    client.expect_bodies(3, &["c"]);
    client.send(2, ack(tags[1], true));
    client.assert_alive(2);
    client.close_channel(3);
    client.expect_bodies(4, &["c"]);
    client.close_channel(4);
    await_bodies(&mut client, &queue, &["c"]);
}

#[test]
fn the_end_of_its_channel_hands_over_with_what_it_held() {
    let (mut client, queue) = three_waiting(0);
    put_all(&mut client, &queue, &["a", "b", "c"]);
    client.expect_bodies(2, &["a", "b", "c"]);
    client.close_channel(2);
    for body in ["a", "b", "c"] {
        let delivery = client.expect_delivery(3);
        assert_eq!((delivery.text().as_str(), delivery.redelivered), (body, true));
    }
    assert!(!client.has_delivery(4));
}

#[test]
fn the_end_of_its_connection_hands_over() {
    let mut first = connect();
    let mut second = connect();
    let queue = unique("single");
    first.declare(1, QueueDeclare::new(&queue).auto_delete().argument("x-single-active-consumer", true));
    first.consume(1, Consume::new(&queue, "first"));
    second.consume(1, Consume::new(&queue, "second"));
    put_all(&mut first, &queue, &["a"]);
    first.expect_bodies(1, &["a"]);
    drop(first);
    let delivery = second.expect_delivery(1);
    assert_eq!((delivery.text().as_str(), delivery.redelivered), ("a", true));
}

#[test]
fn the_end_of_a_waiting_consumer_changes_nothing() {
    let (mut client, queue) = three_waiting(0);
    client.call(3, cancel("consumer 3"));
    put_all(&mut client, &queue, &["a"]);
    client.expect_bodies(2, &["a"]);
    client.close_channel(2);
    client.expect_bodies(4, &["a"]);
}

/// A requeued message returns to the active consumer, never to one that waits.
#[test]
fn requeued_messages_return_to_the_active_one_in_order() {
    let (mut client, queue) = three_waiting(0);
    put_all(&mut client, &queue, &["a", "b", "c"]);
    let tags = client.expect_bodies(2, &["a", "b", "c"]);
    client.send(2, nack(tags[1], true, true));
    client.expect_bodies(2, &["a", "b"]);
    assert!(!client.has_delivery(3) && !client.has_delivery(4));
}

#[test]
fn basic_get_works_beside_it_on_classic_queues() {
    let mut client = connect();
    let queue = single(&mut client);
    put_all(&mut client, &queue, &["a"]);
    assert_eq!(client.drain(1, &queue), ["a"]);
}

#[test]
fn an_exclusive_consumer_is_refused() {
    let mut client = connect();
    let queue = single(&mut client);
    client.send(1, Consume::new(&queue, "").exclusive());
    let closed = client.expect_close(1);
    assert_eq!((closed.scope, closed.code), (CloseScope::Channel, 403));
    assert_eq!(closed.text, format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use"));
}

#[test]
fn waiting_consumers_are_counted() {
    let (mut client, queue) = three_waiting(0);
    assert_eq!(client.declare(1, QueueDeclare::passive(&queue)).consumer_count, 3);
}

#[test]
fn an_auto_delete_queue_lives_until_the_last_waiting_one_ends() {
    let mut client = connect();
    let queue = unique("single");
    client.declare(1, QueueDeclare::exclusive(&queue).auto_delete().argument("x-single-active-consumer", true));
    client.consume(1, Consume::new(&queue, "one"));
    client.consume(1, Consume::new(&queue, "two"));
    client.call(1, cancel("one"));
    client.message_count(1, &queue);
    client.call(1, cancel("two"));
    until("end of the queue", || super::waiting::is_gone(&mut client, &queue).then_some(()));
}

/// Classic queues keep to the one that is active; quorum queues of 4.x would hand over to the higher priority.
#[test]
fn a_consumer_of_higher_priority_waits_too() {
    let mut client = connect();
    let queue = single(&mut client);
    client.consume(1, Consume::new(&queue, "low").argument("x-priority", 1));
    client.consume(1, Consume::new(&queue, "high").argument("x-priority", 10));
    put_all(&mut client, &queue, &["a"]);
    assert_eq!(client.expect_delivery(1).consumer_tag, "low");
}

#[test]
fn of_those_that_wait_the_highest_priority_is_next() {
    let mut client = connect();
    let queue = single(&mut client);
    for (tag, priority) in [("active", 1), ("low", 0), ("high", 9), ("middle", 5)] {
        client.consume(1, Consume::new(&queue, tag).argument("x-priority", priority));
    }
    client.call(1, cancel("active"));
    put_all(&mut client, &queue, &["a"]);
    assert_eq!(client.expect_delivery(1).consumer_tag, "high");
    client.call(1, cancel("high"));
    put_all(&mut client, &queue, &["b"]);
    assert_eq!(client.expect_delivery(1).consumer_tag, "middle");
}

/// Messages wait, expire and die behind the active consumer while the others have credit to spare.
#[test]
fn messages_expire_behind_an_active_consumer_without_credit() {
    let mut client = connect();
    let arguments = [("x-single-active-consumer", true.into()), ("x-message-ttl", 50.into())];
    let (source, dead) = with_dead_letters(&mut client, "single", arguments);
    client.open_channel(2);
    client.call(1, qos(1, false));
    client.consume(1, Consume::new(&source, "active"));
    client.consume(2, Consume::new(&source, "waiting"));
    put_all(&mut client, &source, &["a", "b"]);
    client.expect_bodies(1, &["a"]);
    await_bodies(&mut client, &dead, &["b"]);
    assert!(!client.has_delivery(2));
}

#[test]
fn with_priorities_the_active_one_gets_the_highest_first() {
    let mut client = connect();
    let arguments = [("x-single-active-consumer", true.into()), ("x-max-priority", 5.into())];
    let queue = queue_with(&mut client, "single", arguments);
    for (priority, body) in [(1, "low"), (5, "high"), (3, "middle")] {
        put(&mut client, &queue, &Properties { priority: Some(priority), ..Properties::default() }, body);
    }
    await_count(&mut client, &queue, 3);
    client.consume(1, Consume::new(&queue, "active"));
    client.expect_bodies(1, &["high", "middle", "low"]);
}

/// More than a broker might take back in one piece: none of what was ready may overtake.
#[test]
fn the_next_finds_many_messages_in_their_order() {
    let mut client = connect();
    let queue = single(&mut client);
    let bodies: Vec<String> = (0..3000).map(|number| number.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    client.open_channel(2);
    client.open_channel(3);
    client.call(2, qos(2000, false));
    client.consume(2, Consume::new(&queue, "first"));
    client.consume(3, Consume::new(&queue, "second"));
    put_all(&mut client, &queue, &bodies);
    client.expect_bodies(2, &bodies[..2000]);
    client.close_channel(2);
    client.expect_bodies(3, &bodies);
}
