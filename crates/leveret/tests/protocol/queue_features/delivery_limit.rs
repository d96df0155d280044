//! `x-delivery-limit`, which RabbitMQ has on quorum queues only and we have on every queue, off by default. As in 4.3 it is
//! failures that count: rejections and consumers that end with the message, not what basic.nack gives back.

use testkit::method::{nack, recover, reject};
use testkit::{Consume, Delivery, QueueDeclare, RawClient, Value, id};

use super::waiting::{await_message, death_counts, number_header, put_all, queue_with, take, until, with_dead_letters};
use crate::ours_only;
use crate::support::{connect, unique};

/// Takes the message, which must say that it failed `count` times before (`None` without the header).
#[track_caller]
fn take_counted(client: &mut RawClient, queue: &str, count: Option<i64>) -> Delivery {
    let taken = until("the message", || client.get(1, queue, false));
    assert_eq!(number_header(&taken, "x-delivery-count"), count);
    assert_eq!(taken.redelivered, count.is_some());
    taken
}

#[test]
fn one_failure_more_than_the_limit_makes_a_dead_letter() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "limit", [("x-delivery-limit", 2.into())]);
    put_all(&mut client, &source, &["a"]);
    for count in [None, Some(1), Some(2)] {
        let taken = take_counted(&mut client, &source, count);
        client.send(1, reject(taken.delivery_tag, true));
    }
    let taken = await_message(&mut client, &dead);
    assert_eq!(taken.text(), "a");
    assert_eq!(death_counts(&taken), [("delivery_limit".to_owned(), source.clone(), 1)]);
    assert!(client.get(1, &source, true).is_none());
}

#[test]
fn a_limit_of_zero_allows_no_failure() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "limit", [("x-delivery-limit", 0.into())]);
    put_all(&mut client, &source, &["a"]);
    take(&mut client, &source, 1);
    client.send(1, reject(1, true));
    assert_eq!(await_message(&mut client, &dead).text(), "a");
}

#[test]
fn without_a_dead_letter_exchange_it_is_dropped() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let queue = queue_with(&mut client, "limit", [("x-delivery-limit", 1.into())]);
    put_all(&mut client, &queue, &["a", "b"]);
    for _ in 0..2 {
        let taken = take(&mut client, &queue, 1);
        assert_eq!(taken[0].text(), "a");
        client.send(1, reject(taken[0].delivery_tag, true));
    }
    assert_eq!(client.drain(1, &queue), ["b"]);
}

#[test]
fn what_a_nack_gives_back_is_no_failure() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let queue = queue_with(&mut client, "limit", [("x-delivery-limit", 1.into())]);
    put_all(&mut client, &queue, &["a"]);
    for _ in 0..5 {
        let taken = until("the message", || client.get(1, &queue, false));
        assert_eq!(number_header(&taken, "x-delivery-count").unwrap_or(0), 0);
        client.send(1, nack(taken.delivery_tag, false, true));
    }
    client.get(1, &queue, false).expect("the message");
    client.call(1, recover(id::BASIC_RECOVER, true));
    assert_eq!(client.drain(1, &queue), ["a"]);
}

/// 4.3 counts every delivery before this one in a header of its own.
#[test]
fn how_often_it_was_taken_is_told_apart_from_failures_as_in_4_3() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let queue = queue_with(&mut client, "limit", [("x-delivery-limit", 5.into())]);
    put_all(&mut client, &queue, &["a"]);
    let mut counts = Vec::new();
    for fails in [false, true, true, false] {
        let taken = until("the message", || client.get(1, &queue, false));
        counts.push((number_header(&taken, "x-acquired-count"), number_header(&taken, "x-delivery-count")));
        client.send(1, if fails { reject(taken.delivery_tag, true) } else { nack(taken.delivery_tag, false, true) });
    }
    assert_eq!(counts, [(None, None), (Some(1), None), (Some(2), Some(1)), (Some(3), Some(2))]);
}

#[test]
fn the_end_of_the_channel_or_connection_is_a_failure() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let (source, dead) = (unique("limit"), unique("dead"));
    client.declare(1, QueueDeclare::new(&dead));
    let declare = QueueDeclare::new(&source).argument("x-delivery-limit", 1);
    let declare = declare.argument("x-dead-letter-exchange", "").argument("x-dead-letter-routing-key", dead.as_str());
    client.declare(1, declare);
    client.fill(&source, &["a"]);
    client.open_channel(2);
    client.get(2, &source, false).expect("the message");
    client.close_channel(2);
    let mut other = connect();
    let again = until("the message again", || other.get(1, &source, false));
    assert_eq!(number_header(&again, "x-delivery-count"), Some(1));
    drop(other);
    let taken = await_message(&mut client, &dead);
    assert_eq!(death_counts(&taken), [("delivery_limit".to_owned(), source.clone(), 1)]);
    for name in [source, dead] {
        client.call(1, testkit::method::queue_delete(&name, false, false));
    }
}

#[test]
fn a_consumer_sees_the_count_grow_until_the_end() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "limit", [("x-delivery-limit", 3.into())]);
    client.consume(1, Consume::new(&source, "tag"));
    put_all(&mut client, &source, &["poison", "good"]);
    let mut poisonous = 0;
    let mut good = 0;
    while poisonous < 4 || good < 1 {
        let delivery = client.expect_delivery(1);
        if delivery.text() == "poison" {
            assert_eq!(number_header(&delivery, "x-delivery-count").unwrap_or(0), poisonous);
            poisonous += 1;
            client.send(1, reject(delivery.delivery_tag, true));
        } else {
            good += 1;
            client.send(1, testkit::method::ack(delivery.delivery_tag, false));
        }
    }
    assert_eq!(await_message(&mut client, &dead).text(), "poison");
    assert_eq!((poisonous, good), (4, 1));
}

#[test]
fn classic_queues_have_no_limit_and_no_header_by_default() {
    let mut client = connect();
    let queue = queue_with(&mut client, "unlimited", []);
    put_all(&mut client, &queue, &["a"]);
    for _ in 0..30 {
        let taken = until("the message", || client.get(1, &queue, false));
        assert_eq!(number_header(&taken, "x-delivery-count"), None);
        client.send(1, reject(taken.delivery_tag, true));
    }
    assert_eq!(client.drain(1, &queue), ["a"]);
}

#[test]
fn minus_one_is_no_limit() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let queue = queue_with(&mut client, "unlimited", [("x-delivery-limit", Value::SignedInt(-1))]);
    put_all(&mut client, &queue, &["a"]);
    for _ in 0..30 {
        let taken = until("the message", || client.get(1, &queue, false));
        client.send(1, reject(taken.delivery_tag, true));
    }
    assert_eq!(client.drain(1, &queue), ["a"]);
}

#[test]
fn a_limit_that_is_no_integer_is_refused() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let name = unique("text");
    client.send(1, QueueDeclare::exclusive(&name).argument("x-delivery-limit", "three"));
    let closed = client.expect_close(1);
    let expected = format!(
        "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue '{name}' in vhost '/': \"expected integer, got longstr\""
    );
    assert_eq!((closed.code, closed.text), (406, expected));
}

#[test]
fn every_message_has_a_count_of_its_own() {
    ours_only!("RabbitMQ's classic queues have no delivery limit");
    let mut client = connect();
    let queue = queue_with(&mut client, "own", [("x-delivery-limit", 5.into())]);
    put_all(&mut client, &queue, &["a", "b", "c"]);
    let taken = take(&mut client, &queue, 3);
    client.send(1, reject(taken[0].delivery_tag, true));
    client.send(1, reject(taken[2].delivery_tag, true));
    let again = take(&mut client, &queue, 1);
    client.send(1, reject(again[0].delivery_tag, true));
    client.send(1, reject(taken[1].delivery_tag, true));
    let counts: Vec<_> =
        take(&mut client, &queue, 3).iter().map(|taken| number_header(taken, "x-delivery-count")).collect();
    assert_eq!(counts, [Some(2), Some(1), Some(1)]);
}
