//! Direct reply-to (the behaviours of RabbitMQ's direct_reply_to suite).

use testkit::method::{cancel, close};
use testkit::{Consume, Properties, Publish, QueueDeclare, RawClient, id};

use crate::ours_only;
use crate::support::{connect, queue};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// A requester with its consumer, a responder, and the queue of requests.
struct Pair {
    requester: RawClient,
    responder: RawClient,
    requests: String,
}

impl Pair {
    fn new() -> Pair {
        let (mut requester, mut responder) = (connect(), connect());
        let requests = crate::support::unique("requests");
        responder.declare(1, QueueDeclare::new(&requests).auto_delete());
        responder.consume(1, Consume::new(&requests, "").no_ack());
        requester.consume(1, Consume::new(REPLY_TO, "replies").no_ack());
        Pair { requester, responder, requests }
    }

    /// Sends a request and returns the reply address that the responder sees.
    #[track_caller]
    fn request(&mut self, body: &str) -> String {
        let properties = Properties::default().reply_to(REPLY_TO);
        self.requester.publish_with(1, Publish::new("", &self.requests), &properties, body);
        let request = self.responder.expect_delivery(1);
        assert_eq!(request.text(), body);
        request.properties.reply_to.expect("a reply address")
    }
}

#[test]
fn a_reply_reaches_the_requester() {
    let mut pair = Pair::new();
    let address = pair.request("question");
    assert!(address.starts_with("amq.rabbitmq.reply-to.") && address.len() > REPLY_TO.len() + 10, "{address}");
    let properties = Properties { correlation_id: Some("7".to_owned()), ..Properties::default() };
    pair.responder.publish_with(1, Publish::new("", &address), &properties, "answer");
    let reply = pair.requester.expect_delivery(1);
    assert_eq!((reply.text().as_str(), reply.consumer_tag.as_str(), reply.redelivered), ("answer", "replies", false));
    assert_eq!((reply.exchange.as_str(), reply.routing_key.as_str()), ("", address.as_str()));
    assert_eq!(reply.properties, properties);
}

#[test]
fn the_address_stays_the_same_for_a_channel() {
    let mut pair = Pair::new();
    let (first, second) = (pair.request("1"), pair.request("2"));
    assert_eq!(first, second);
    for body in ["a", "b", "c"] {
        pair.responder.publish(1, "", &first, body);
    }
    pair.requester.expect_bodies(1, &["a", "b", "c"]);
}

#[test]
fn a_requester_can_answer_itself() {
    let mut client = connect();
    let queue = queue(&mut client, "self");
    client.consume(1, Consume::new(REPLY_TO, "").no_ack());
    client.publish_with(1, Publish::new("", &queue), &Properties::default().reply_to(REPLY_TO), "q");
    let address = client.get(1, &queue, true).expect("a request").properties.reply_to.expect("an address");
    client.publish(1, "", &address, "a");
    client.expect_bodies(1, &["a"]);
}

#[test]
fn other_reply_addresses_are_left_alone() {
    let mut client = connect();
    let queue = queue(&mut client, "plain");
    client.publish_with(1, Publish::new("", &queue), &Properties::default().reply_to("somewhere"), "x");
    let taken = client.get(1, &queue, true).expect("a message");
    assert_eq!(taken.properties.reply_to.as_deref(), Some("somewhere"));
}

#[test]
fn declaring_an_address_asks_whether_its_requester_is_there() {
    let mut pair = Pair::new();
    let address = pair.request("are you there");
    let declared = pair.responder.declare(1, QueueDeclare::passive(&address));
    assert_eq!((declared.queue.as_str(), declared.message_count), (address.as_str(), 0));
    pair.responder.declare(1, QueueDeclare::new(&address));
    pair.requester.call(1, cancel("replies"));
    pair.responder.send(1, QueueDeclare::passive(&address));
    assert_eq!(pair.responder.expect_close(1).code, 404);
}

#[test]
fn replies_after_the_channel_closed_are_dropped() {
    let mut pair = Pair::new();
    let address = pair.request("x");
    pair.requester.close_channel(1);
    pair.responder.publish(1, "", &address, "late");
    pair.responder.assert_alive(1);
    pair.requester.open_channel(1);
    pair.requester.consume(1, Consume::new(REPLY_TO, "replies").no_ack());
    pair.responder.publish(1, "", &address, "still late");
    pair.responder.assert_alive(1);
    pair.requester.expect_nothing(1, RawClient::SILENCE);
}

#[test]
fn replies_after_the_connection_closed_are_dropped() {
    let mut pair = Pair::new();
    let address = pair.request("x");
    pair.requester.call(0, close(id::CONNECTION_CLOSE));
    pair.responder.publish(1, "", &address, "late");
    pair.responder.assert_alive(1);
}

#[test]
fn an_invented_address_is_unroutable() {
    ours_only!("3.10 fails with 541 on it");
    let mut client = connect();
    client.confirm_select(1);
    client.publish(1, "", "amq.rabbitmq.reply-to.invented.key", "x");
    assert!(client.expect_confirm(1).ack);
}

#[test]
fn a_cancelled_consumer_can_be_set_again() {
    let mut pair = Pair::new();
    let old = pair.request("1");
    pair.requester.call(1, cancel("replies"));
    pair.requester.consume(1, Consume::new(REPLY_TO, "again").no_ack());
    let new = pair.request("2");
    pair.responder.publish(1, "", &new, "answer");
    assert_eq!(pair.requester.expect_delivery(1).consumer_tag, "again");
    assert!(old.starts_with(REPLY_TO));
}

#[test]
fn a_consumer_tag_is_made_when_none_is_given() {
    let mut client = connect();
    let tag = client.consume(1, Consume::new(REPLY_TO, "").no_ack());
    assert!(tag.starts_with("amq.ctag-"), "{tag}");
}

#[test]
fn a_tag_in_use_is_refused() {
    let mut client = connect();
    let queue = queue(&mut client, "tag");
    client.consume(1, Consume::new(&queue, "my-tag"));
    client.send(1, Consume::new(REPLY_TO, "my-tag").no_ack());
    assert_eq!(client.expect_close(1).text, "NOT_ALLOWED - attempt to reuse consumer tag 'my-tag'");
}

#[test]
fn every_channel_has_its_own_address() {
    let mut client = connect();
    let queue = queue(&mut client, "channels");
    client.open_channel(2);
    let mut addresses = Vec::new();
    for channel in [1, 2] {
        client.consume(channel, Consume::new(REPLY_TO, "").no_ack());
        client.publish_with(channel, Publish::new("", &queue), &Properties::default().reply_to(REPLY_TO), "x");
        let taken = client.get(channel, &queue, true).expect("a request");
        addresses.push(taken.properties.reply_to.expect("an address"));
    }
    assert_ne!(addresses[0], addresses[1]);
    client.publish(1, "", &addresses[1], "to two");
    client.publish(1, "", &addresses[0], "to one");
    client.expect_bodies(1, &["to one"]);
    client.expect_bodies(2, &["to two"]);
}

/// From 4.2 on a reply address counts as a queue for `mandatory`.
#[test]
fn mandatory_replies_are_returned_once_nobody_waits() {
    ours_only!("3.10 returns every mandatory reply");
    let mut pair = Pair::new();
    let address = pair.request("x");
    pair.responder.publish_with(1, Publish::new("", &address).mandatory(), &Properties::default(), "in time");
    pair.requester.expect_bodies(1, &["in time"]);
    pair.requester.call(1, cancel("replies"));
    pair.responder.publish_with(1, Publish::new("", &address).mandatory(), &Properties::default(), "late");
    assert_eq!(pair.responder.expect_return(1).text, "NO_ROUTE");
}
