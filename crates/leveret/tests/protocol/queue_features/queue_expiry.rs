//! `x-expires`: a queue that nobody uses is deleted. Whether it is there is asked by mandatory publishes, which are no use
//! of it; a passive declare would be.

use std::time::{Duration, Instant};

use testkit::method::{ack, cancel, queue_delete};
use testkit::{Consume, Properties, Publish, QueueDeclare, RawClient, pause};

use super::waiting::{is_gone, put_all, queue_with, take, until, with_dead_letters};
use crate::support::{bind, connect, delete_exchange, exchange, unique};

#[track_caller]
fn await_gone(client: &mut RawClient, queue: &str) {
    until("end of the queue", || is_gone(client, queue).then_some(()));
}

#[test]
fn an_unused_queue_is_deleted_and_not_before_its_time() {
    let mut client = connect();
    let start = Instant::now();
    let queue = queue_with(&mut client, "expires", [("x-expires", 150.into())]);
    await_gone(&mut client, &queue);
    assert!(start.elapsed() >= Duration::from_millis(148), "after {:?}", start.elapsed());
    client.send(1, QueueDeclare::passive(&queue));
    let closed = client.expect_close(1);
    assert_eq!((closed.code, closed.text), (404, format!("NOT_FOUND - no queue '{queue}' in vhost '/'")));
}

#[test]
fn a_durable_queue_expires_too() {
    let mut client = connect();
    let queue = unique("expires");
    client.declare(1, QueueDeclare::new(&queue).durable().argument("x-expires", 60));
    await_gone(&mut client, &queue);
}

#[test]
fn a_consumer_keeps_it_until_it_is_cancelled() {
    let mut client = connect();
    let queue = queue_with(&mut client, "consumer", [("x-expires", 50.into())]);
    client.consume(1, Consume::new(&queue, "tag").no_ack());
    pause(Duration::from_millis(100));
    assert!(!is_gone(&mut client, &queue));
    client.expect_bodies(1, &["probe"]);
    client.call(1, cancel("tag"));
    await_gone(&mut client, &queue);
}

#[test]
fn the_end_of_the_last_consumers_connection_starts_the_time() {
    let mut client = connect();
    let mut other = connect();
    let queue = unique("connection");
    client.declare(1, QueueDeclare::new(&queue).argument("x-expires", 80));
    other.consume(1, Consume::new(&queue, ""));
    other.close();
    await_gone(&mut client, &queue);
}

/// Uses the queue for longer than its time, every fifth of it, and then leaves it alone.
fn check_keeps_alive(use_it: impl Fn(&mut RawClient, &str)) {
    let mut client = connect();
    let queue = queue_with(&mut client, "used", [("x-expires", 1000.into())]);
    for _ in 0..7 {
        pause(Duration::from_millis(200));
        use_it(&mut client, &queue);
    }
    assert!(!is_gone(&mut client, &queue));
    await_gone(&mut client, &queue);
}

#[test]
fn basic_get_keeps_it() {
    check_keeps_alive(|client, queue| {
        client.get(1, queue, true);
    });
}

#[test]
fn declaring_it_again_keeps_it() {
    check_keeps_alive(|client, queue| {
        client.declare(1, QueueDeclare::exclusive(queue).argument("x-expires", 1000));
    });
}

#[test]
fn a_passive_declare_keeps_it() {
    check_keeps_alive(|client, queue| {
        client.message_count(1, queue);
    });
}

#[test]
fn publishing_does_not_keep_it() {
    let mut client = connect();
    let queue = queue_with(&mut client, "published", [("x-expires", 120.into())]);
    let start = Instant::now();
    while !is_gone(&mut client, &queue) {
        client.publish(1, "", &queue, "x");
        assert!(start.elapsed() < Duration::from_secs(15), "publishing keeps the queue");
        pause(Duration::from_millis(10));
    }
}

#[test]
fn unacknowledged_messages_do_not_keep_it() {
    let mut client = connect();
    let queue = queue_with(&mut client, "unacked", [("x-expires", 100.into())]);
    put_all(&mut client, &queue, &["x"]);
    let taken = take(&mut client, &queue, 1);
    await_gone(&mut client, &queue);
    client.send(1, ack(taken[0].delivery_tag, false));
    client.assert_alive(1);
}

/// A queue that expires is deleted, its messages are not dead-lettered.
#[test]
fn its_messages_are_no_dead_letters() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "content", [("x-expires", 80.into())]);
    put_all(&mut client, &source, &["a", "b"]);
    await_gone(&mut client, &source);
    assert_eq!(client.message_count(1, &dead), 0);
}

#[test]
fn its_bindings_go_with_it() {
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    let queue = queue_with(&mut client, "bound", [("x-expires", 80.into())]);
    bind(&mut client, &queue, &exchange, "");
    await_gone(&mut client, &queue);
    client.publish_with(1, Publish::new(&exchange, "").mandatory(), &Properties::default(), "x");
    assert_eq!(client.expect_return(1).text, "NO_ROUTE");
    delete_exchange(&mut client, &exchange);
}

#[test]
fn a_queue_deleted_in_time_does_not_take_its_successor_along() {
    let mut client = connect();
    let queue = queue_with(&mut client, "again", [("x-expires", 100.into())]);
    client.call(1, queue_delete(&queue, false, false));
    client.declare(1, QueueDeclare::exclusive(&queue));
    pause(Duration::from_millis(130));
    assert!(!is_gone(&mut client, &queue));
}
