//! Deliveries that stay unacknowledged for too long.

use testkit::method::{ack, qos};
use testkit::{BrokerProcess, CloseScope, Consume, QueueDeclare, RawClient, Value, id, pause};

use crate::ours_only;
use crate::support::{connect, connect_to, own_broker, queue, unique};
use std::time::Duration;

/// Expects channel 1 to be closed for a delivery that was out for `timeout_ms`.
#[track_caller]
fn expect_timeout(client: &mut RawClient, timeout_ms: u32) {
    let closed = client.expect_close(1);
    assert_eq!((closed.scope, closed.code), (CloseScope::Channel, 406));
    assert!(closed.text.contains(&format!("Timeout value used: {timeout_ms} ms.")), "{}", closed.text);
}

fn impatient() -> Option<(BrokerProcess, RawClient)> {
    let broker = own_broker(&[("consumer_timeout", "700")])?;
    let client = connect_to(broker.address());
    Some((broker, client))
}

#[test]
fn the_messages_return_to_the_queue() {
    let Some((broker, mut client)) = impatient() else { return };
    let mut other = connect_to(broker.address());
    let name = unique("timeout");
    other.declare(1, QueueDeclare::new(&name));
    other.fill(&name, &["a", "b"]);
    client.consume(1, Consume::new(&name, ""));
    client.expect_bodies(1, &["a", "b"]);
    client.send(1, ack(1, false));
    expect_timeout(&mut client, 700);
    let taken = other.get(1, &name, true).expect("the message again");
    assert_eq!((taken.text().as_str(), taken.redelivered), ("b", true));
    client.open_channel(1);
    client.assert_alive(1);
}

#[test]
fn timely_acks_keep_a_channel_open() {
    let Some((_broker, mut client)) = impatient() else { return };
    let queue = queue(&mut client, "timely");
    client.consume(1, Consume::new(&queue, ""));
    for _ in 0..8 {
        client.publish(1, "", &queue, "x");
        let delivery = client.expect_delivery(1);
        pause(Duration::from_millis(200));
        client.send(1, ack(delivery.delivery_tag, false));
    }
    client.assert_alive(1);
}

#[test]
fn an_idle_consumer_and_automatic_acknowledgement_do_not_time_out() {
    let Some((_broker, mut client)) = impatient() else { return };
    let queue = queue(&mut client, "idle");
    client.consume(1, Consume::new(&queue, "").no_ack());
    client.publish(1, "", &queue, "x");
    client.expect_bodies(1, &["x"]);
    client.expect_nothing(1, Duration::from_millis(2500));
}

#[test]
fn a_consumer_has_a_timeout_of_its_own() {
    ours_only!("3.10 knows no timeout per consumer");
    let mut client = connect();
    let queue = queue(&mut client, "own");
    client.consume(1, Consume::new(&queue, "").argument("x-consumer-timeout", 600));
    client.publish(1, "", &queue, "x");
    client.expect_bodies(1, &["x"]);
    expect_timeout(&mut client, 600);
}

#[test]
fn a_queue_has_a_timeout_of_its_own() {
    ours_only!("3.10 knows no timeout per queue");
    let mut client = connect();
    let name = unique("queue");
    client.declare(1, QueueDeclare::exclusive(&name).argument("x-consumer-timeout", Value::Long(650)));
    client.consume(1, Consume::new(&name, ""));
    client.publish(1, "", &name, "x");
    client.expect_bodies(1, &["x"]);
    expect_timeout(&mut client, 650);
}

#[test]
fn the_consumers_timeout_wins_over_the_queues() {
    ours_only!("3.10 knows no timeout per consumer");
    let mut client = connect();
    let name = unique("wins");
    client.declare(1, QueueDeclare::exclusive(&name).argument("x-consumer-timeout", 100));
    client.consume(1, Consume::new(&name, "").argument("x-consumer-timeout", 60_000));
    client.publish(1, "", &name, "x");
    client.expect_bodies(1, &["x"]);
    client.expect_nothing(1, Duration::from_millis(2500));
}

#[test]
fn the_setting_can_cancel_the_consumer_instead() {
    let settings = [("consumer_timeout", "700"), ("leveret.compat.consumer_timeout", "cancel_consumer")];
    let Some(broker) = own_broker(&settings) else { return };
    let mut client = connect_to(broker.address());
    let queue = queue(&mut client, "cancelled");
    client.publish(1, "", &queue, "x");
    client.consume(1, Consume::new(&queue, "tag"));
    client.expect_bodies(1, &["x"]);
    assert_eq!(client.expect_method(1, id::BASIC_CANCEL).reader().short_string(), "tag");
    let taken = client.get(1, &queue, true).expect("the message again");
    assert!(taken.redelivered);
}

/// The next one begins with what the one before had, and not with what came later.
#[test]
fn a_single_active_consumer_that_is_cancelled_hands_over_in_order() {
    let settings = [("consumer_timeout", "700"), ("leveret.compat.consumer_timeout", "cancel_consumer")];
    let Some(broker) = own_broker(&settings) else { return };
    let mut client = connect_to(broker.address());
    let name = unique("single");
    client.declare(1, QueueDeclare::exclusive(&name).argument("x-single-active-consumer", true));
    client.open_channel(2);
    client.call(1, qos(2, false));
    client.consume(1, Consume::new(&name, "slow"));
    client.consume(2, Consume::new(&name, "next").no_ack());
    client.fill(&name, &["a", "b", "c"]);
    client.expect_bodies(1, &["a", "b"]);
    assert_eq!(client.expect_method(1, id::BASIC_CANCEL).reader().short_string(), "slow");
    client.expect_bodies(2, &["a", "b", "c"]);
}

/// Nobody consumes, so that nothing else makes the broker look.
#[test]
fn what_basic_get_took_has_the_timeout_of_its_queue() {
    ours_only!("3.10 knows no timeout per queue");
    let Some(broker) = own_broker(&[]) else { return };
    let mut client = connect_to(broker.address());
    let name = unique("get");
    client.declare(1, QueueDeclare::exclusive(&name).argument("x-consumer-timeout", 650));
    client.publish(1, "", &name, "x");
    client.get(1, &name, false).expect("the message");
    expect_timeout(&mut client, 650);
}
