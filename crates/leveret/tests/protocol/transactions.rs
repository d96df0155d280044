//! Transactions (the behaviours of RabbitMQ's transactions suite and more).

use testkit::method::{ack, bare, cancel, nack, reject};
use testkit::{Consume, Properties, Publish, RawClient, id};

use crate::support::{connect, queue};

/// A connection whose channel 1 is transactional, and a queue.
fn transactional() -> (RawClient, String) {
    let mut client = connect();
    let queue = queue(&mut client, "tx");
    client.call(1, bare(id::TX_SELECT));
    client.open_channel(2);
    (client, queue)
}

fn commit(client: &mut RawClient) {
    client.call(1, bare(id::TX_COMMIT));
}

fn rollback(client: &mut RawClient) {
    client.call(1, bare(id::TX_ROLLBACK));
}

#[test]
fn publishes_are_seen_after_commit() {
    let (mut client, queue) = transactional();
    client.publish(1, "", &queue, "a");
    client.publish(1, "", &queue, "b");
    assert!(client.get(1, &queue, true).is_none(), "not even by the channel itself");
    commit(&mut client);
    assert_eq!(client.drain(2, &queue), ["a", "b"]);
}

#[test]
fn publishes_are_gone_after_rollback() {
    let (mut client, queue) = transactional();
    client.publish(1, "", &queue, "lost");
    rollback(&mut client);
    client.publish(1, "", &queue, "kept");
    commit(&mut client);
    assert_eq!(client.drain(2, &queue), ["kept"]);
}

#[test]
fn publishes_are_gone_when_the_channel_closes() {
    let (mut client, queue) = transactional();
    client.publish(1, "", &queue, "lost");
    client.close_channel(1);
    assert_eq!(client.message_count(2, &queue), 0);
}

#[test]
fn acks_count_at_commit() {
    let (mut client, queue) = transactional();
    client.fill(&queue, &["a", "b", "c"]);
    for _ in 0..3 {
        client.get(1, &queue, false).expect("a message");
    }
    client.send(1, ack(1, false));
    commit(&mut client);
    client.send(1, ack(2, false));
    rollback(&mut client);
    client.close_channel(1);
    assert_eq!(client.drain(2, &queue), ["b", "c"]);
}

#[test]
fn rolled_back_acks_can_be_made_again() {
    let (mut client, queue) = transactional();
    client.fill(&queue, &["a"]);
    client.get(1, &queue, false).expect("a message");
    client.send(1, ack(1, false));
    rollback(&mut client);
    client.send(1, ack(1, false));
    commit(&mut client);
    client.close_channel(1);
    assert!(client.drain(2, &queue).is_empty());
}

#[test]
fn rejects_count_at_commit() {
    let (mut client, queue) = transactional();
    client.fill(&queue, &["a", "b", "c"]);
    for _ in 0..3 {
        client.get(1, &queue, false).expect("a message");
    }
    client.send(1, reject(1, true));
    client.send(1, nack(2, false, false));
    client.assert_alive(1);
    assert_eq!(client.message_count(2, &queue), 0, "nothing is requeued before the commit");
    commit(&mut client);
    assert_eq!(client.drain(2, &queue), ["a"]);
    client.close_channel(1);
    assert_eq!(client.drain(2, &queue), ["c"]);
}

#[test]
fn an_ack_twice_in_a_transaction_is_an_error_at_once() {
    let (mut client, queue) = transactional();
    client.fill(&queue, &["a"]);
    client.get(1, &queue, false).expect("a message");
    client.send(1, ack(1, false));
    client.send(1, ack(1, false));
    assert_eq!(client.expect_close(1).text, "PRECONDITION_FAILED - unknown delivery tag 1");
    assert_eq!(client.drain(2, &queue), ["a"]);
}

#[test]
fn returns_come_with_the_commit() {
    let (mut client, _) = transactional();
    client.publish_with(1, Publish::new("", "nowhere").mandatory(), &Properties::default(), "x");
    client.expect_nothing(1, RawClient::SILENCE);
    client.send(1, bare(id::TX_COMMIT));
    assert_eq!(client.expect_return(1).code, 312);
    client.expect_method(1, (90, 21));
}

#[test]
fn a_publish_to_a_missing_exchange_is_an_error_at_once() {
    let (mut client, _) = transactional();
    client.publish(1, "no such exchange", "k", "x");
    assert_eq!(client.expect_close(1).code, 404);
}

#[test]
fn routing_happens_at_commit_or_before_but_once() {
    let (mut client, queue) = transactional();
    client.publish(1, "", &queue, "a");
    commit(&mut client);
    commit(&mut client);
    rollback(&mut client);
    assert_eq!(client.drain(2, &queue), ["a"]);
}

#[test]
fn deliveries_go_on_within_a_transaction() {
    let (mut client, queue) = transactional();
    client.consume(1, Consume::new(&queue, "tag"));
    client.publish(2, "", &queue, "from outside");
    let tags = client.expect_bodies(1, &["from outside"]);
    client.publish(1, "", &queue, "own");
    client.expect_nothing(1, RawClient::SILENCE);
    client.send(1, ack(tags[0], false));
    client.send(1, bare(id::TX_COMMIT));
    client.wait_for("commit-ok", |event| event.method.id == (90, 21));
    client.expect_bodies(1, &["own"]);
    client.call(1, cancel("tag"));
}

#[test]
fn select_twice_is_accepted() {
    let (mut client, queue) = transactional();
    client.publish(1, "", &queue, "a");
    client.call(1, bare(id::TX_SELECT));
    commit(&mut client);
    assert_eq!(client.drain(2, &queue), ["a"]);
}

#[test]
fn a_large_transaction_arrives_in_order() {
    let (mut client, queue) = transactional();
    client.in_one_write(|client| {
        for number in 0..2000 {
            client.publish(1, "", &queue, number.to_string());
        }
    });
    commit(&mut client);
    let expected: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    client.consume(2, Consume::new(&queue, "").no_ack());
    let got: Vec<String> = (0..2000).map(|_| client.expect_delivery(2).text()).collect();
    assert_eq!(got, expected);
}

#[test]
fn an_empty_commit_and_rollback_are_answered() {
    let (mut client, _) = transactional();
    commit(&mut client);
    rollback(&mut client);
}

/// The targets are those of the moment of the publish.
#[test]
fn a_binding_made_before_the_commit_comes_too_late() {
    let (mut client, queue) = transactional();
    client.publish(1, "amq.direct", &queue, "early");
    crate::support::bind(&mut client, &queue, "amq.direct", &queue);
    client.publish(1, "amq.direct", &queue, "in time");
    commit(&mut client);
    assert_eq!(client.drain(2, &queue), ["in time"]);
}

#[test]
fn a_queue_deleted_before_the_commit_is_no_error() {
    let (mut client, queue) = transactional();
    client.publish(1, "", &queue, "lost");
    client.call(2, testkit::method::queue_delete(&queue, false, false));
    commit(&mut client);
}
