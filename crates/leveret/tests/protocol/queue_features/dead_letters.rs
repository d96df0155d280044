//! Dead-lettering: what becomes a dead letter, in which order, and what does not (after the cases of RabbitMQ's
//! dead_lettering suite).

use testkit::method::{ack, cancel, exchange_delete, nack, queue_delete, queue_purge, reject};
use testkit::{Consume, ExchangeDeclare, Properties, QueueDeclare};

use super::waiting::{await_bodies, await_count, death_counts, put, put_all, queue_with, take, with_dead_letters};
use crate::support::{bind, connect, queue, unique};

#[test]
fn a_nacked_message_is_dead_lettered() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "nack", []);
    put_all(&mut client, &source, &["a", "b", "c"]);
    take(&mut client, &source, 3);
    client.send(1, nack(3, false, false));
    await_bodies(&mut client, &dead, &["c"]);
    client.send(1, nack(1, false, false));
    client.send(1, nack(2, false, false));
    await_bodies(&mut client, &dead, &["a", "b"]);
    assert!(client.get(1, &source, true).is_none());
}

#[test]
fn a_multiple_nack_dead_letters_them_all_in_order() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "multiple", []);
    put_all(&mut client, &source, &["a", "b", "c"]);
    take(&mut client, &source, 3);
    client.send(1, nack(3, true, false));
    await_bodies(&mut client, &dead, &["a", "b", "c"]);
}

#[test]
fn a_rejected_message_is_dead_lettered() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "reject", []);
    put_all(&mut client, &source, &["a", "b", "c"]);
    take(&mut client, &source, 1);
    client.send(1, reject(1, false));
    await_bodies(&mut client, &dead, &["a"]);
    assert_eq!(client.drain(1, &source), ["b", "c"]);
}

/// None of these dead-letters: the messages are in the queue again.
#[test]
fn requeued_messages_are_no_dead_letters() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "requeue", []);
    put_all(&mut client, &source, &["a", "b", "c"]);
    take(&mut client, &source, 3);
    client.send(1, nack(3, false, true));
    take(&mut client, &source, 1);
    client.send(1, nack(4, true, true));
    take(&mut client, &source, 1);
    client.send(1, reject(5, true));
    assert_eq!(client.drain(1, &source), ["a", "b", "c"]);
    assert_eq!(client.message_count(1, &dead), 0);
}

#[test]
fn acknowledged_messages_are_no_dead_letters() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "ack", []);
    put_all(&mut client, &source, &["a", "b"]);
    take(&mut client, &source, 2);
    client.send(1, ack(2, true));
    client.assert_alive(1);
    assert_eq!((client.message_count(1, &source), client.message_count(1, &dead)), (0, 0));
}

#[test]
fn purged_and_deleted_messages_are_no_dead_letters() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "purge", []);
    client.fill(&source, &["a", "b"]);
    client.call(1, queue_purge(&source));
    client.fill(&source, &["c"]);
    client.call(1, queue_delete(&source, false, false));
    assert_eq!(client.message_count(1, &dead), 0);
}

#[test]
fn many_rejected_by_a_consumer_are_dead_lettered_in_order() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "many", []);
    let bodies: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    put_all(&mut client, &source, &bodies);
    client.consume(1, Consume::new(&source, "tag"));
    for body in &bodies {
        let delivery = client.expect_delivery(1);
        assert_eq!(delivery.text(), *body);
        client.send(1, reject(delivery.delivery_tag, false));
    }
    client.call(1, cancel("tag"));
    await_count(&mut client, &dead, 100);
    assert_eq!(client.drain(1, &dead), bodies);
}

#[test]
fn a_message_rejected_back_and_then_for_good_is_dead_lettered_once() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "twice", []);
    put_all(&mut client, &source, &["a"]);
    take(&mut client, &source, 1);
    client.send(1, reject(1, true));
    take(&mut client, &source, 1);
    client.send(1, reject(2, false));
    await_bodies(&mut client, &dead, &["a"]);
    assert!(client.get(1, &source, true).is_none() && client.get(1, &dead, true).is_none());
}

/// The order of a multiple nack is that of the delivery tags, not of the queue.
#[test]
fn a_multiple_nack_goes_by_delivery_tags() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "tags", []);
    put_all(&mut client, &source, &["a", "b", "c"]);
    take(&mut client, &source, 3);
    client.send(1, nack(2, true, true));
    take(&mut client, &source, 2);
    client.send(1, nack(5, true, false));
    await_bodies(&mut client, &dead, &["c", "a", "b"]);
}

#[test]
fn a_multiple_nack_of_a_consumer_goes_by_delivery_tags() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "tags", []);
    put_all(&mut client, &source, &["a", "b", "c"]);
    client.open_channel(2);
    client.consume(1, Consume::new(&source, "source"));
    client.consume(2, Consume::new(&dead, "dead"));
    client.expect_bodies(1, &["a", "b", "c"]);
    client.send(1, nack(2, true, true));
    client.expect_bodies(1, &["a", "b"]);
    client.send(1, nack(5, true, false));
    client.expect_bodies(2, &["c", "a", "b"]);
    client.send(2, ack(3, true));
    client.assert_alive(2);
    assert_eq!((client.message_count(1, &source), client.message_count(1, &dead)), (0, 0));
}

#[test]
fn an_expired_message_is_dead_lettered() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "ttl", [("x-message-ttl", 1.into())]);
    put_all(&mut client, &source, &["a"]);
    await_bodies(&mut client, &dead, &["a"]);
    assert!(client.get(1, &source, true).is_none());
}

/// The exchange need not be there when the queue is declared; as long as it is missing, dead letters are dropped.
#[test]
fn dead_letters_for_a_missing_exchange_are_dropped() {
    let mut client = connect();
    let (exchange, dead) = (unique("missing"), queue(&mut client, "dead"));
    let arguments = [("x-dead-letter-exchange", exchange.as_str().into())];
    let source = queue_with(&mut client, "source", arguments);
    put_all(&mut client, &source, &["a"]);
    take(&mut client, &source, 1);
    client.send(1, reject(1, false));
    client.assert_alive(1);
    await_count(&mut client, &source, 0);
    client.call(1, ExchangeDeclare::new(&exchange, "fanout"));
    bind(&mut client, &dead, &exchange, "");
    put_all(&mut client, &source, &["b"]);
    let taken = take(&mut client, &source, 1);
    client.send(1, reject(taken[0].delivery_tag, false));
    await_bodies(&mut client, &dead, &["b"]);
    client.call(1, exchange_delete(&exchange, false));
    put_all(&mut client, &source, &["c"]);
    let taken = take(&mut client, &source, 1);
    client.send(1, reject(taken[0].delivery_tag, false));
    assert!(client.get(1, &source, true).is_none() && client.get(1, &dead, true).is_none());
}

#[test]
fn dead_letters_that_no_queue_takes_are_dropped() {
    let mut client = connect();
    let source = queue_with(&mut client, "source", [("x-dead-letter-exchange", "amq.direct".into())]);
    put_all(&mut client, &source, &["a", "b"]);
    take(&mut client, &source, 1);
    client.send(1, reject(1, false));
    assert_eq!(client.drain(1, &source), ["b"]);
}

/// A dead letter goes through an internal exchange and past its publisher's permissions.
#[test]
fn an_internal_exchange_takes_dead_letters() {
    let mut client = connect();
    let (exchange, dead) = (unique("internal"), queue(&mut client, "dead"));
    client.call(1, ExchangeDeclare::new(&exchange, "fanout").internal());
    bind(&mut client, &dead, &exchange, "");
    let source = queue_with(&mut client, "source", [("x-dead-letter-exchange", exchange.as_str().into())]);
    put_all(&mut client, &source, &["a"]);
    take(&mut client, &source, 1);
    client.send(1, reject(1, false));
    await_bodies(&mut client, &dead, &["a"]);
    client.call(1, exchange_delete(&exchange, false));
}

#[test]
fn an_alternate_exchange_takes_dead_letters_without_a_binding() {
    let mut client = connect();
    let (exchange, dead) = (unique("alternate"), queue(&mut client, "dead"));
    client.call(1, ExchangeDeclare::new(&exchange, "direct").argument("alternate-exchange", "amq.fanout"));
    let other = unique("fanout");
    client.call(1, ExchangeDeclare::new(&other, "fanout"));
    bind(&mut client, &dead, &other, "");
    let primary = unique("primary");
    client.call(1, ExchangeDeclare::new(&primary, "direct").argument("alternate-exchange", other.as_str()));
    let source = queue_with(&mut client, "source", [("x-dead-letter-exchange", primary.as_str().into())]);
    put_all(&mut client, &source, &["a"]);
    take(&mut client, &source, 1);
    client.send(1, reject(1, false));
    await_bodies(&mut client, &dead, &["a"]);
    for name in [exchange, other, primary] {
        client.call(1, exchange_delete(&name, false));
    }
}

#[test]
fn a_fanout_dead_letters_to_several_queues() {
    let mut client = connect();
    let exchange = crate::support::exchange(&mut client, "fanout");
    let targets: Vec<String> = (0..3).map(|_| queue(&mut client, "dead")).collect();
    for target in &targets {
        bind(&mut client, target, &exchange, "");
    }
    let source = queue_with(&mut client, "source", [("x-dead-letter-exchange", exchange.as_str().into())]);
    put_all(&mut client, &source, &["a", "b"]);
    take(&mut client, &source, 2);
    client.send(1, nack(2, true, false));
    for target in &targets {
        await_bodies(&mut client, target, &["a", "b"]);
    }
    crate::support::delete_exchange(&mut client, &exchange);
}

/// The dead letter of a message that waited for more than its target holds drops there as any other.
#[test]
fn a_dead_letter_can_be_dropped_by_its_target_and_go_on() {
    let mut client = connect();
    let last = queue(&mut client, "last");
    let arguments = [
        ("x-max-length", 1.into()),
        ("x-dead-letter-exchange", "".into()),
        ("x-dead-letter-routing-key", last.as_str().into()),
    ];
    let middle = queue_with(&mut client, "middle", arguments);
    let arguments = [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", middle.as_str().into())];
    let source = queue_with(&mut client, "source", arguments);
    put_all(&mut client, &source, &["a", "b"]);
    take(&mut client, &source, 2);
    client.send(1, nack(2, true, false));
    let taken = super::waiting::await_message(&mut client, &last);
    assert_eq!(taken.text(), "a");
    assert_eq!(
        death_counts(&taken),
        [("maxlen".to_owned(), middle.clone(), 1), ("rejected".to_owned(), source.clone(), 1)]
    );
    await_bodies(&mut client, &middle, &["b"]);
}

/// A target that refuses (reject-publish) a dead letter loses it: nobody waits for its confirm.
#[test]
fn a_dead_letter_that_its_full_target_refuses_is_dropped() {
    let mut client = connect();
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let target = queue_with(&mut client, "full", arguments);
    let arguments = [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", target.as_str().into())];
    let source = queue_with(&mut client, "source", arguments);
    put_all(&mut client, &source, &["a", "b"]);
    take(&mut client, &source, 2);
    client.send(1, nack(2, true, false));
    await_bodies(&mut client, &target, &["a"]);
    assert!(client.get(1, &source, true).is_none() && client.get(1, &target, true).is_none());
}

#[test]
fn properties_and_a_large_body_arrive_unchanged() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "whole", []);
    let body = "body".repeat(50_000);
    let properties = Properties {
        content_type: Some("text/plain".to_owned()),
        correlation_id: Some("7".to_owned()),
        message_id: Some("id".to_owned()),
        timestamp: Some(1_700_000_000),
        message_type: Some("kind".to_owned()),
        app_id: Some("application".to_owned()),
        priority: Some(3),
        ..Properties::default().persistent().reply_to("somewhere").header("mine", 5)
    };
    put(&mut client, &source, &properties, &body);
    take(&mut client, &source, 1);
    client.send(1, reject(1, false));
    let mut taken = super::waiting::await_message(&mut client, &dead);
    assert_eq!(taken.text(), body);
    assert_eq!((taken.redelivered, taken.routing_key.as_str(), taken.exchange.as_str()), (false, dead.as_str(), ""));
    let headers = taken.properties.headers.take().expect("headers");
    assert_eq!(testkit::field(&headers, "mine"), Some(&testkit::Value::SignedInt(5)));
    assert_eq!(taken.properties, Properties { headers: None, ..properties });
}

/// Source and target deleted while dead letters are on their way do no harm.
#[test]
fn a_deleted_target_loses_its_dead_letters_only() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "deleted", []);
    put_all(&mut client, &source, &["a", "b"]);
    take(&mut client, &source, 2);
    client.call(1, queue_delete(&dead, false, false));
    client.send(1, reject(1, false));
    client.assert_alive(1);
    client.declare(1, QueueDeclare::exclusive(&dead));
    client.send(1, reject(2, false));
    let taken = super::waiting::await_message(&mut client, &dead);
    assert_eq!(taken.text(), "b");
}
