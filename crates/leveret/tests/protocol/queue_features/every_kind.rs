//! The everyday cases of a queue (after RabbitMQ's queue_parallel suite), once for each kind of classic queue: with every
//! feature that must not be felt as long as its limit is far away.

use testkit::method::{ack, cancel, nack, queue_delete, queue_purge, recover};
use testkit::{Consume, Properties, QueueDeclare, RawClient, Table, Value, id, table};

use super::waiting::{await_count, put, put_all, take};
use crate::support::{connect, is_external, unique};

const FAR: i32 = 3_600_000;

/// Names and arguments of the kinds.
fn kinds() -> Vec<(&'static str, Table)> {
    let dead_letters = || ("x-dead-letter-exchange", Value::from("amq.fanout"));
    let mut kinds = vec![
        ("plain", Table::new()),
        ("typed", table([("x-queue-type", "classic".into())])),
        ("priorities", table([("x-max-priority", 10.into())])),
        ("time to live", table([("x-message-ttl", FAR.into())])),
        ("expiring", table([("x-expires", FAR.into())])),
        ("limited", table([("x-max-length", 100_000.into()), ("x-max-length-bytes", FAR.into())])),
        ("refusing", table([("x-max-length", 100_000.into()), ("x-overflow", "reject-publish".into())])),
        ("dead-lettering", table([dead_letters()])),
        ("single active", table([("x-single-active-consumer", true.into())])),
        (
            "everything",
            table([
                ("x-max-priority", 10.into()),
                ("x-message-ttl", FAR.into()),
                ("x-expires", FAR.into()),
                ("x-max-length", 100_000.into()),
                ("x-max-length-bytes", FAR.into()),
                dead_letters(),
                ("x-single-active-consumer", true.into()),
            ]),
        ),
    ];
    if !is_external() {
        kinds.push(("with a delivery limit", table([("x-delivery-limit", 1000.into())])));
        kinds.push(("with a timeout", table([("x-consumer-timeout", FAR.into())])));
        let strategy = ("x-dead-letter-strategy", Value::from("at-least-once"));
        kinds.push(("at least once", table([dead_letters(), strategy, ("x-overflow", "reject-publish".into())])));
    }
    kinds
}

/// Does `case` with an empty queue of each kind, durable and not.
fn for_each_kind(case: impl Fn(&mut RawClient, &str)) {
    for (kind, arguments) in kinds() {
        for durable in [false, true] {
            eprintln!("{kind}, durable: {durable}");
            let mut client = connect();
            let queue = unique("kind");
            client.declare(1, QueueDeclare { durable, arguments: arguments.clone(), ..QueueDeclare::new(&queue) });
            client.open_channel(2);
            case(&mut client, &queue);
            let mut client = connect();
            client.call(1, queue_delete(&queue, false, false));
        }
    }
}

fn consume(client: &mut RawClient, queue: &str) {
    client.consume(2, Consume::new(queue, "tag"));
}

#[test]
fn published_messages_are_counted() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a"]);
        await_count(client, queue, 1);
    });
}

#[test]
fn an_empty_queue_gives_nothing_and_then_the_first_message() {
    for_each_kind(|client, queue| {
        assert!(client.get(1, queue, false).is_none());
        put_all(client, queue, &["a"]);
        take(client, queue, 1);
        assert!(client.get(1, queue, false).is_none());
    });
}

#[test]
fn a_get_with_automatic_acknowledgement_removes_the_message() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a"]);
        assert_eq!(client.drain(1, queue), ["a"]);
        client.close_channel(1);
        assert!(client.get(2, queue, true).is_none());
    });
}

#[test]
fn gets_are_acknowledged_one_by_one_and_together() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a", "b", "c", "d"]);
        take(client, queue, 4);
        client.send(1, ack(1, false));
        client.send(1, ack(3, true));
        client.assert_alive(1);
        client.close_channel(1);
        let left = client.get(2, queue, true).expect("the last");
        assert_eq!((left.text().as_str(), left.redelivered), ("d", true));
        assert!(client.get(2, queue, true).is_none());
    });
}

#[test]
fn a_consumer_gets_messages_and_acknowledges_them() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a", "b", "c", "d"]);
        consume(client, queue);
        let tags = client.expect_bodies(2, &["a", "b", "c", "d"]);
        client.send(2, ack(tags[0], false));
        client.send(2, ack(tags[2], true));
        client.assert_alive(2);
        client.close_channel(2);
        await_count(client, queue, 1);
        assert_eq!(client.drain(1, queue), ["d"]);
    });
}

#[test]
fn a_consumer_without_acknowledgements_leaves_nothing() {
    for_each_kind(|client, queue| {
        client.consume(2, Consume::new(queue, "tag").no_ack());
        put_all(client, queue, &["a", "b"]);
        client.expect_bodies(2, &["a", "b"]);
        client.close_channel(2);
        assert_eq!(client.message_count(1, queue), 0);
    });
}

#[test]
fn consumers_are_counted() {
    for_each_kind(|client, queue| {
        for count in 1..=3 {
            client.consume(2, Consume::new(queue, ""));
            assert_eq!(client.declare(1, QueueDeclare::passive(queue)).consumer_count, count);
        }
    });
}

#[test]
fn what_is_given_back_is_redelivered_in_order() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a", "b", "c"]);
        take(client, queue, 3);
        client.send(1, nack(2, false, true));
        let again = client.get(1, queue, false).expect("the second again");
        assert_eq!((again.text().as_str(), again.redelivered), ("b", true));
        client.send(1, nack(0, true, true));
        assert_eq!(client.drain(1, queue), ["a", "b", "c"]);
    });
}

#[test]
fn what_a_consumer_gives_back_is_redelivered_to_it() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a", "b", "c"]);
        consume(client, queue);
        let tags = client.expect_bodies(2, &["a", "b", "c"]);
        client.send(2, nack(tags[2], true, true));
        for body in ["a", "b", "c"] {
            let delivery = client.expect_delivery(2);
            assert_eq!((delivery.text().as_str(), delivery.redelivered), (body, true));
        }
        client.send(2, nack(0, true, false));
        client.assert_alive(2);
        assert_eq!(client.message_count(1, queue), 0);
    });
}

#[test]
fn what_is_refused_is_gone() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a", "b", "c"]);
        take(client, queue, 3);
        client.send(1, nack(1, false, false));
        client.send(1, nack(3, true, false));
        client.assert_alive(1);
        client.close_channel(1);
        assert!(client.get(2, queue, true).is_none());
    });
}

#[test]
fn a_cancelled_consumer_gets_no_more() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a"]);
        consume(client, queue);
        let tags = client.expect_bodies(2, &["a"]);
        client.call(2, cancel("tag"));
        put_all(client, queue, &["b"]);
        assert_eq!(client.drain(1, queue), ["b"]);
        client.send(2, nack(tags[0], false, true));
        await_count(client, queue, 1);
    });
}

#[test]
fn a_purge_takes_what_is_ready_and_nothing_else() {
    for_each_kind(|client, queue| {
        client.fill(queue, &["a", "b", "c"]);
        take(client, queue, 1);
        assert_eq!(client.call(1, queue_purge(queue)).reader().long(), 2);
        client.send(1, nack(1, false, true));
        assert_eq!(client.drain(1, queue), ["a"]);
        assert_eq!(client.call(1, queue_purge(queue)).reader().long(), 0);
    });
}

#[test]
fn recover_brings_everything_back() {
    for_each_kind(|client, queue| {
        put_all(client, queue, &["a", "b"]);
        take(client, queue, 2);
        client.call(1, recover(id::BASIC_RECOVER, true));
        await_count(client, queue, 2);
        assert_eq!(client.drain(1, queue), ["a", "b"]);
    });
}

#[test]
fn deleting_returns_the_count_and_cancels_consumers() {
    for_each_kind(|client, queue| {
        client.fill(queue, &["a", "b"]);
        assert_eq!(client.call(1, queue_delete(queue, false, false)).reader().long(), 2);
        client.send(1, QueueDeclare::passive(queue));
        assert_eq!(client.expect_close(1).code, 404);
        client.declare(2, QueueDeclare::new(queue));
        consume(client, queue);
        client.open_channel(1);
        client.call(1, queue_delete(queue, false, false));
        assert_eq!(client.expect_method(2, id::BASIC_CANCEL).reader().short_string(), "tag");
    });
}

#[test]
fn a_cc_header_that_is_no_array_closes_the_channel() {
    for_each_kind(|client, queue| {
        put(client, queue, &Properties::default().header("CC", "no array"), "a");
        let closed = client.expect_close(1);
        let expected = "PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\"CC\",longstr}";
        assert_eq!((closed.code, closed.text.as_str()), (406, expected));
        assert_eq!(client.message_count(2, queue), 0);
    });
}

/// Acknowledging every other one of many large messages leaves the others readable.
#[test]
fn the_store_shrinks_around_what_stays() {
    const COUNT: usize = 300;
    for_each_kind(|client, queue| {
        for number in 0..COUNT {
            put(client, queue, &Properties::default().persistent(), &number.to_string().repeat(2000));
        }
        for taken in take(client, queue, COUNT) {
            if taken.delivery_tag % 2 == 0 {
                client.send(1, ack(taken.delivery_tag, false));
            }
        }
        client.assert_alive(1);
        client.close_channel(1);
        for number in (0..COUNT).step_by(2) {
            let taken = super::waiting::until("the next message", || client.get(2, queue, true));
            assert_eq!(taken.text(), number.to_string().repeat(2000));
        }
        assert!(client.get(2, queue, true).is_none());
    });
}
