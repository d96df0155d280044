//! What becomes of the messages of a connection that ends, and of one that does not read.

use amqp::method::{basic, channel, confirm};
use amqp::{Method, Properties};
use broker::Settings;
use testkit::engine::{Client, Engine, publish};

const QUEUE: &str = "q";

fn bodies(client: &mut Client) -> Vec<Vec<u8>> {
    let deliveries = client.arrivals().filter(|arrival| matches!(arrival.method(), Method::BasicDeliver(_)));
    deliveries.map(|arrival| arrival.body).collect()
}

#[test]
fn what_a_closing_connection_returns_is_not_given_to_its_own_other_channel() {
    let mut engine = Engine::new(Settings::default(), 1, 1);
    let mut closing = engine.connect_with_channel(0);
    engine.call(&mut closing, 2, &Method::ChannelOpen(channel::Open {}));
    engine.declare(&mut closing, 1, QUEUE);
    engine.consume(&mut closing, 1, QUEUE, "acknowledges", false);
    for number in 0..5 {
        closing.publish(1, publish("", QUEUE), &Properties::default(), &[number]);
    }
    engine.settle();
    assert_eq!(bodies(&mut closing).len(), 5);
    engine.consume(&mut closing, 2, QUEUE, "does-not", true);
    closing.wire.break_off();
    engine.settle();

    let mut other = engine.connect_with_channel(0);
    engine.consume(&mut other, 1, QUEUE, "other", true);
    engine.settle();
    assert_eq!(bodies(&mut other), [[0], [1], [2], [3], [4]]);
}

#[test]
fn a_client_that_asks_and_does_not_read_is_not_read_either() {
    let mut engine = Engine::new(Settings::default(), 1, 1);
    let mut client = engine.connect_with_channel(0);
    engine.declare(&mut client, 1, QUEUE);
    client.publish(1, publish("", QUEUE), &Properties::default(), &[7; 16_000]);
    engine.settle();
    client.wire.set_window(0);
    for delivery_tag in 1..=20_000 {
        client.method(1, &Method::BasicGet(basic::Get { queue: QUEUE, no_ack: false }));
        client.method(1, &Method::BasicReject(basic::Reject { delivery_tag, requeue: true }));
    }
    engine.settle();
    let unread = client.wire.unread();
    assert!(unread > 0, "requests wait to be read once the answers are");

    client.wire.set_window(usize::MAX);
    let mut answers = 0;
    for _ in 0..2000 {
        engine.advance_ms(20);
        engine.settle();
        answers += client.arrivals().filter(|arrival| matches!(arrival.method(), Method::BasicGetOk(_))).count();
    }
    assert_eq!(answers, 20_000, "a client that reads again gets every answer");
}

#[test]
fn returns_and_confirms_come_before_the_error_of_a_later_publish() {
    let mut engine = Engine::new(Settings::default(), 1, 1);
    let mut client = engine.connect_with_channel(0);
    engine.call(&mut client, 1, &Method::ConfirmSelect(confirm::Select { nowait: false }));
    let unroutable = basic::Publish { mandatory: true, ..publish("", "nowhere") };
    client.publish(1, unroutable, &Properties::default(), b"returned");
    client.publish(1, publish("no-such-exchange", ""), &Properties::default(), b"refused");
    engine.settle();
    let names: Vec<&str> = client.arrivals().map(|arrival| arrival.method().name()).collect();
    assert_eq!(names, ["basic.return", "basic.ack", "channel.close"]);
}
