//! Channels: opening, closing and what happens to what was on them.

use testkit::method::{ack, channel_flow, close, qos};
use testkit::{Consume, QueueDeclare, id};

use crate::support::{connect, queue, unique};

#[test]
fn a_number_can_be_used_again_after_close() {
    let mut client = connect();
    for _ in 0..50 {
        client.close_channel(1);
        client.open_channel(1);
    }
    client.assert_alive(1);
}

#[test]
fn a_number_can_be_used_again_after_an_error() {
    let mut client = connect();
    for _ in 0..10 {
        client.send(1, ack(1, false));
        assert_eq!(client.expect_close(1).code, 406);
        client.open_channel(1);
    }
    client.assert_alive(1);
}

#[test]
fn frames_to_a_closing_channel_are_discarded() {
    let mut client = connect();
    let name = unique("discarded");
    client.in_one_write(|client| {
        client.send(1, ack(99, false));
        client.send(1, QueueDeclare::new(&name));
        client.send(1, ack(98, false));
        client.publish(1, "no such exchange", "k", "body");
        client.send(1, QueueDeclare::new(&name));
    });
    assert_eq!(client.expect_close(1).text, "PRECONDITION_FAILED - unknown delivery tag 99");
    client.open_channel(1);
    client.send(1, QueueDeclare::passive(&name));
    assert_eq!(client.expect_close(1).code, 404);
}

#[test]
fn a_close_that_crosses_the_servers_is_answered() {
    let mut client = connect();
    client.in_one_write(|client| {
        client.send(1, ack(99, false));
        client.send(1, close(id::CHANNEL_CLOSE));
    });
    let mut methods = vec![client.next_event(1).method.id, client.next_event(1).method.id];
    methods.sort_unstable();
    assert_eq!(methods, [id::CHANNEL_CLOSE, id::CHANNEL_CLOSE_OK]);
    client.send(1, testkit::Method { id: id::CHANNEL_CLOSE_OK, arguments: Vec::new() });
    client.open_channel(1);
    client.assert_alive(1);
}

#[test]
fn an_error_on_one_channel_leaves_the_others() {
    let mut client = connect();
    client.open_channel(2);
    let queue = queue(&mut client, "other");
    client.consume(1, Consume::new(&queue, "tag"));
    client.send(2, ack(1, false));
    client.expect_close(2);
    client.publish(1, "", &queue, "still here");
    client.expect_bodies(1, &["still here"]);
}

#[test]
fn closing_a_channel_requeues_and_ends_its_consumers() {
    let mut client = connect();
    client.open_channel(2);
    let queue = queue(&mut client, "closing");
    client.fill(&queue, &["a", "b", "c"]);
    client.consume(2, Consume::new(&queue, ""));
    client.expect_bodies(2, &["a", "b", "c"]);
    assert_eq!(client.message_count(1, &queue), 0);
    client.close_channel(2);
    let declared = client.declare(1, QueueDeclare::passive(&queue));
    assert_eq!((declared.message_count, declared.consumer_count), (3, 0));
    for body in ["a", "b", "c"] {
        let taken = client.get(1, &queue, true).expect("a message");
        assert_eq!((taken.text().as_str(), taken.redelivered), (body, true));
    }
}

#[test]
fn delivery_tags_begin_at_one_on_each_channel() {
    let mut client = connect();
    client.open_channel(2);
    let queue = queue(&mut client, "tags");
    client.fill(&queue, &["a", "b", "c", "d"]);
    assert_eq!(client.get(1, &queue, false).map(|taken| taken.delivery_tag), Some(1));
    assert_eq!(client.get(2, &queue, false).map(|taken| taken.delivery_tag), Some(1));
    assert_eq!(client.get(2, &queue, true).map(|taken| taken.delivery_tag), Some(2));
    client.consume(1, Consume::new(&queue, ""));
    assert_eq!(client.expect_delivery(1).delivery_tag, 2);
}

#[test]
fn a_tag_of_another_channel_is_unknown() {
    let mut client = connect();
    client.open_channel(2);
    let queue = queue(&mut client, "foreign");
    client.fill(&queue, &["a"]);
    client.get(1, &queue, false);
    client.send(2, ack(1, false));
    assert_eq!(client.expect_close(2).text, "PRECONDITION_FAILED - unknown delivery tag 1");
}

#[test]
fn flow_active_is_answered_active() {
    let mut client = connect();
    let reply = client.call(1, channel_flow(true));
    assert_eq!(reply.reader().octet() & 1, 1);
}

#[test]
fn closing_a_closed_channel_is_an_error() {
    let mut client = connect();
    client.close_channel(1);
    client.send(1, qos(1, false));
    assert_eq!(client.expect_close(1).text, "CHANNEL_ERROR - expected 'channel.open'");
}

#[test]
fn channels_interleave_contents() {
    let mut client = connect();
    client.open_channel(2);
    let queue = queue(&mut client, "interleaved");
    let parts = |letter: u8| vec![vec![letter; 1000], vec![letter; 500], vec![letter; 1]];
    client.in_one_write(|client| {
        for channel in [1, 2] {
            client.send(channel, testkit::Publish::new("", &queue));
        }
        for channel in [2, 1] {
            client.send_header(channel, 1501, &testkit::Properties::default());
        }
        for (one, two) in parts(b'a').into_iter().zip(parts(b'b')) {
            client.send_frame(testkit::FRAME_BODY, 1, &one);
            client.send_frame(testkit::FRAME_BODY, 2, &two);
        }
    });
    client.assert_alive(1);
    client.assert_alive(2);
    let mut bodies = client.drain(1, &queue);
    bodies.sort_unstable();
    assert_eq!(bodies, ["a".repeat(1501), "b".repeat(1501)]);
}

/// The limit is on how many are open, not on their numbers.
#[test]
fn any_channel_number_may_be_used() {
    let mut client = connect();
    for channel in [2048, 30_000, 65_535] {
        client.open_channel(channel);
        client.assert_alive(channel);
    }
}

#[test]
fn a_channel_closed_within_a_content_is_closed() {
    let mut client = connect();
    let queue = queue(&mut client, "half");
    client.open_channel(2);
    client.send(2, testkit::Publish::new("", &queue));
    client.send_header(2, 10, &testkit::Properties::default());
    client.send_frame(testkit::FRAME_BODY, 2, b"half");
    client.send(2, close(id::CHANNEL_CLOSE));
    assert_eq!(
        client.expect_close(1).text,
        "UNEXPECTED_FRAME - expected content body, got non content body frame instead"
    );
}

#[test]
fn contents_to_a_closing_channel_are_discarded_too() {
    let mut client = connect();
    let queue = queue(&mut client, "discarded");
    client.open_channel(2);
    client.in_one_write(|client| {
        client.send(2, ack(99, false));
        client.publish(2, "", &queue, "x".repeat(300_000));
        client.publish(2, "", &queue, "");
    });
    client.expect_close(2);
    client.open_channel(2);
    client.assert_alive(2);
    assert_eq!(client.message_count(1, &queue), 0);
}

#[test]
fn no_wait_requests_still_fail_aloud() {
    let mut client = connect();
    client.send(1, QueueDeclare { no_wait: true, passive: true, ..QueueDeclare::new(&unique("missing")) });
    assert_eq!(client.expect_close(1).code, 404);
    client.open_channel(1);
    client.send(1, Consume { no_wait: true, ..Consume::new(&unique("missing"), "") });
    assert_eq!(client.expect_close(1).code, 404);
}
