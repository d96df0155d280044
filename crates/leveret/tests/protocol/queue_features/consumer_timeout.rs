//! Deliveries that wait too long for their acknowledgement (after RabbitMQ's consumer_timeout suite): what else times out,
//! and where the messages go. 4.3 limits this to quorum queues; here every queue has it, as up to 4.2.

use testkit::method::{ack, nack};
use testkit::{Consume, Delivery, QueueDeclare, RawClient, id};

use super::waiting::{LIMIT, await_message, put_all, queue_with, text_header, until};
use crate::ours_only;
use crate::support::{connect, connect_to, own_broker, unique};

const TIMEOUT_MS: i32 = 400;

#[track_caller]
fn expect_timeout(client: &mut RawClient, channel: u16) {
    let closed = client.expect_close(channel);
    let expected = format!(
        "PRECONDITION_FAILED - delivery acknowledgement on channel {channel} timed out. Timeout value used: {TIMEOUT_MS} ms. \
         This timeout value can be configured, see consumers doc guide to learn more"
    );
    assert_eq!((closed.code, closed.text), (406, expected));
}

fn impatient(client: &mut RawClient) -> String {
    queue_with(client, "timeout", [("x-consumer-timeout", TIMEOUT_MS.into())])
}

#[test]
fn a_delivery_of_basic_get_times_out_too() {
    ours_only!("3.10 knows no timeout per queue");
    let mut client = connect();
    client.open_channel(2);
    let queue = impatient(&mut client);
    client.fill(&queue, &["a"]);
    client.get(2, &queue, false).expect("the message");
    expect_timeout(&mut client, 2);
    let again = await_message(&mut client, &queue);
    assert_eq!((again.text().as_str(), again.redelivered), ("a", true));
}

#[test]
fn all_messages_of_the_channel_return_in_order() {
    ours_only!("3.10 knows no timeout per queue");
    let mut client = connect();
    client.open_channel(2);
    let queue = impatient(&mut client);
    client.fill(&queue, &["a", "b", "c"]);
    client.consume(2, Consume::new(&queue, ""));
    client.expect_bodies(2, &["a", "b", "c"]);
    client.send(2, ack(2, false));
    expect_timeout(&mut client, 2);
    super::waiting::await_bodies(&mut client, &queue, &["a", "c"]);
}

#[test]
fn rejecting_in_time_is_enough() {
    ours_only!("3.10 knows no timeout per queue");
    let mut client = connect();
    let queue = impatient(&mut client);
    client.fill(&queue, &["a"]);
    client.consume(1, Consume::new(&queue, ""));
    for _ in 0..5 {
        let delivery = client.expect_delivery(1);
        testkit::pause(std::time::Duration::from_millis(100));
        client.send(1, nack(delivery.delivery_tag, false, true));
    }
    client.assert_alive(1);
}

#[test]
fn a_single_active_consumer_that_times_out_hands_over() {
    ours_only!("3.10 knows no timeout per queue");
    let mut client = connect();
    let arguments = [("x-consumer-timeout", TIMEOUT_MS.into()), ("x-single-active-consumer", true.into())];
    let queue = queue_with(&mut client, "timeout", arguments);
    for channel in [2, 3] {
        client.open_channel(channel);
        client.consume(channel, Consume::new(&queue, ""));
    }
    put_all(&mut client, &queue, &["a"]);
    client.expect_bodies(2, &["a"]);
    expect_timeout(&mut client, 2);
    let delivery: Delivery = client.expect_delivery(3);
    assert_eq!((delivery.text().as_str(), delivery.redelivered), ("a", true));
    client.send(3, ack(delivery.delivery_tag, false));
}

#[test]
fn a_message_that_times_out_is_no_dead_letter() {
    ours_only!("3.10 knows no timeout per queue");
    let mut client = connect();
    client.open_channel(2);
    let arguments = [("x-consumer-timeout", TIMEOUT_MS.into())];
    let (source, dead) = super::waiting::with_dead_letters(&mut client, "timeout", arguments);
    client.fill(&source, &["a"]);
    client.get(2, &source, false).expect("the message");
    expect_timeout(&mut client, 2);
    let again = await_message(&mut client, &source);
    assert_eq!(text_header(&again, "x-first-death-reason"), None);
    assert_eq!(client.message_count(1, &dead), 0);
}

/// With the setting of 4.3's behaviour the consumer gets basic.cancel and its channel stays open.
#[test]
fn with_cancel_consumer_the_channel_lives_on_and_may_consume_again() {
    let Some(broker) = own_broker(&[("leveret.compat.consumer_timeout", "cancel_consumer")]) else { return };
    let mut client = connect_to(broker.address());
    let queue = unique("cancelled");
    client.declare(1, QueueDeclare::new(&queue).argument("x-consumer-timeout", TIMEOUT_MS));
    client.fill(&queue, &["a"]);
    client.consume(1, Consume::new(&queue, "first"));
    client.expect_bodies(1, &["a"]);
    assert_eq!(client.expect_method(1, id::BASIC_CANCEL).reader().short_string(), "first");
    client.consume(1, Consume::new(&queue, "second"));
    let delivery = client.expect_delivery(1);
    assert_eq!((delivery.consumer_tag.as_str(), delivery.redelivered), ("second", true));
    client.send(1, ack(delivery.delivery_tag, false));
    client.assert_alive(1);
}

/// A refused value says what RabbitMQ says of other integers.
#[test]
fn a_negative_timeout_is_refused() {
    ours_only!("3.10 knows no timeout per queue");
    let mut client = connect();
    let name = unique("negative");
    client.send(1, QueueDeclare::exclusive(&name).argument("x-consumer-timeout", -1));
    let expected = format!(
        "PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue '{name}' in vhost '/': {{value_negative,-1}}"
    );
    assert_eq!(client.expect_close(1).text, expected);
}

#[test]
fn many_channels_time_out_each_on_its_own() {
    ours_only!("3.10 knows no timeout per queue");
    let mut client = connect();
    let queue = impatient(&mut client);
    let bodies: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    client.fill(&queue, &bodies.iter().map(String::as_str).collect::<Vec<_>>());
    for channel in 2..12 {
        client.open_channel(channel);
        client.get(channel, &queue, false).expect("a message");
        client.get(channel, &queue, false).expect("a message");
    }
    for channel in 2..7 {
        client.send(channel, ack(0, true));
    }
    for channel in 7..12 {
        expect_timeout(&mut client, channel);
    }
    let deadline = std::time::Instant::now() + LIMIT;
    until("the ten messages", || (client.message_count(1, &queue) == 10).then_some(()));
    assert!(std::time::Instant::now() < deadline);
    assert_eq!(client.drain(1, &queue), bodies[10..]);
    for channel in 2..7 {
        client.assert_alive(channel);
    }
}
