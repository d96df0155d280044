//! Cycles: a message that would come to a queue it died in before is dropped, unless a client rejected it since.

use testkit::method::{ack, nack, reject};
use testkit::{QueueDeclare, RawClient, Value};

use super::waiting::{await_count, await_message, death_counts, put_all, queue_with, take, until};
use crate::ours_only;
use crate::support::{connect, queue, unique};

/// A queue whose dead letters go to `target` through the default exchange.
fn chained(client: &mut RawClient, name: &str, target: &str, ttl_ms: Option<i32>) {
    let mut declare = QueueDeclare::exclusive(name)
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", target);
    if let Some(ttl_ms) = ttl_ms {
        declare = declare.argument("x-message-ttl", ttl_ms);
    }
    client.declare(1, declare);
}

fn to_itself<const N: usize>(client: &mut RawClient, more: [(&str, Value); N]) -> String {
    let name = unique("itself");
    let mut declare = QueueDeclare::exclusive(&name).argument("x-dead-letter-exchange", "");
    for (argument, value) in more {
        declare = declare.argument(argument, value);
    }
    client.declare(1, declare);
    name
}

#[test]
fn what_a_limit_drops_does_not_come_back_to_its_queue() {
    let mut client = connect();
    let queue = to_itself(&mut client, [("x-max-length", 1.into())]);
    put_all(&mut client, &queue, &["a", "b"]);
    let taken = take(&mut client, &queue, 1);
    assert_eq!(taken[0].text(), "b");
    client.send(1, ack(taken[0].delivery_tag, false));
    assert!(client.get(1, &queue, true).is_none());
}

#[test]
fn what_expires_does_not_come_back_to_its_queue() {
    let mut client = connect();
    let queue = to_itself(&mut client, [("x-message-ttl", 1.into())]);
    client.fill(&queue, &["a", "b"]);
    await_count(&mut client, &queue, 0);
}

#[test]
fn what_is_rejected_comes_back_again_and_again() {
    let mut client = connect();
    let queue = to_itself(&mut client, []);
    put_all(&mut client, &queue, &["a"]);
    for _ in 0..5 {
        let taken = until("the message", || client.get(1, &queue, false));
        assert!(!taken.redelivered, "it is a new message");
        client.send(1, nack(taken.delivery_tag, false, false));
    }
    assert_eq!(await_message(&mut client, &queue).text(), "a");
}

/// Two queues that let a message expire in turn have it once each.
#[test]
fn a_cycle_of_expiry_ends_before_the_second_round() {
    let mut client = connect();
    let (one, two, copy) = (unique("one"), unique("two"), queue(&mut client, "copy"));
    let exchange = crate::support::exchange(&mut client, "fanout");
    let arguments = QueueDeclare::exclusive(&one)
        .argument("x-dead-letter-exchange", exchange.as_str())
        .argument("x-message-ttl", 10);
    client.declare(1, arguments);
    chained(&mut client, &two, &one, Some(10));
    crate::support::bind(&mut client, &two, &exchange, "");
    crate::support::bind(&mut client, &copy, &exchange, "");
    put_all(&mut client, &one, &["a"]);
    assert_eq!(death_counts(&await_message(&mut client, &copy)), [("expired".to_owned(), one.clone(), 1)]);
    await_count(&mut client, &one, 0);
    await_count(&mut client, &two, 0);
    // A second round would bring a second copy by now: the next message takes the same way behind it.
    put_all(&mut client, &one, &["b"]);
    assert_eq!(await_message(&mut client, &copy).text(), "b");
    crate::support::delete_exchange(&mut client, &exchange);
}

/// A retry ladder: work queue, rejected to a waiting queue, expired back to the work queue; as often as it is rejected.
#[test]
fn rejections_keep_a_cycle_with_expiry_going() {
    let mut client = connect();
    let (work, wait) = (unique("work"), unique("wait"));
    chained(&mut client, &work, &wait, None);
    chained(&mut client, &wait, &work, Some(20));
    put_all(&mut client, &work, &["a"]);
    for round in 0..4 {
        let taken = until("the message", || client.get(1, &work, false));
        let counts = death_counts(&taken);
        let expected = [("expired".to_owned(), wait.clone(), round), ("rejected".to_owned(), work.clone(), round)];
        assert_eq!(counts, if round == 0 { vec![] } else { expected.to_vec() });
        client.send(1, reject(taken.delivery_tag, false));
    }
    assert_eq!(await_message(&mut client, &work).text(), "a");
}

/// Three queues, of which only the first is rejected from, twice around (a case that 3.13.0 to 3.13.2 had wrong).
#[test]
fn one_rejection_in_a_round_of_three_is_enough() {
    ours_only!("3.10 does not keep x-death of three queues in the order of the deaths");
    let mut client = connect();
    let (one, two, three) = (unique("b"), unique("a2"), unique("a3"));
    chained(&mut client, &one, &two, None);
    chained(&mut client, &two, &three, Some(5));
    chained(&mut client, &three, &one, Some(5));
    put_all(&mut client, &one, &["a"]);
    for _ in 0..3 {
        let taken = until("the message", || client.get(1, &one, false));
        client.send(1, reject(taken.delivery_tag, false));
    }
    assert_eq!(await_message(&mut client, &one).text(), "a");
}

/// The rejection has to be younger than the death in the target queue.
#[test]
fn a_rejection_before_the_first_round_does_not_help() {
    ours_only!("3.10 does not keep x-death of three queues in the order of the deaths");
    let mut client = connect();
    let (first, one, two) = (unique("first"), unique("one"), unique("two"));
    chained(&mut client, &first, &one, None);
    chained(&mut client, &one, &two, Some(10));
    chained(&mut client, &two, &one, Some(10));
    put_all(&mut client, &first, &["a"]);
    take(&mut client, &first, 1);
    client.send(1, reject(1, false));
    // It dies in both, and then the way back to the first of them is a cycle without a rejection.
    until("end of the message", || {
        let counts = [&first, &one, &two].map(|name| client.message_count(1, name));
        (counts == [0, 0, 0]).then_some(())
    });
    for _ in 0..20 {
        testkit::pause(std::time::Duration::from_millis(3));
        assert_eq!([&one, &two].map(|name| client.message_count(1, name)), [0, 0], "it goes on");
    }
}

/// A cycle is a matter of each target queue: the others of the same exchange still get the dead letter.
#[test]
fn only_the_target_of_the_cycle_is_left_out() {
    let mut client = connect();
    let exchange = crate::support::exchange(&mut client, "fanout");
    let arguments = [("x-dead-letter-exchange", exchange.as_str().into()), ("x-message-ttl", 10.into())];
    let source = queue_with(&mut client, "source", arguments);
    let other = queue(&mut client, "other");
    for name in [&source, &other] {
        crate::support::bind(&mut client, name, &exchange, "");
    }
    put_all(&mut client, &source, &["a"]);
    assert_eq!(await_message(&mut client, &other).text(), "a");
    await_count(&mut client, &source, 0);
    assert!(client.get(1, &other, true).is_none());
    crate::support::delete_exchange(&mut client, &exchange);
}

/// A thousand messages rejected around a cycle at once all come back.
#[test]
fn a_cycle_under_load_loses_nothing() {
    let mut client = connect();
    let queue = to_itself(&mut client, []);
    let bodies: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    put_all(&mut client, &queue, &bodies.iter().map(String::as_str).collect::<Vec<_>>());
    for _ in 0..3 {
        let taken = take_thousand(&mut client, &queue);
        client.send(1, nack(taken, true, false));
    }
    await_count(&mut client, &queue, 1000);
    assert_eq!(client.drain(1, &queue), bodies);
}

/// Takes a thousand messages as they come and returns the last delivery tag.
#[track_caller]
fn take_thousand(client: &mut RawClient, queue: &str) -> u64 {
    let mut last = 0;
    for _ in 0..1000 {
        last = until("the next message", || client.get(1, queue, false)).delivery_tag;
    }
    last
}
