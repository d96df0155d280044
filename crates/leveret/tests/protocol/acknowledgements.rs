//! Acknowledging, single and multiple.

use testkit::method::{ack, nack, reject};
use testkit::{Consume, RawClient};

use crate::support::{connect, queue};

/// A connection whose channel 1 holds deliveries 1 to 5, bodies `a` to `e`, of the queue.
fn holding_five() -> (RawClient, String) {
    let mut client = connect();
    let queue = queue(&mut client, "five");
    client.fill(&queue, &["a", "b", "c", "d", "e"]);
    client.consume(1, Consume::new(&queue, "tag"));
    client.expect_bodies(1, &["a", "b", "c", "d", "e"]);
    client.call(1, testkit::method::cancel("tag"));
    (client, queue)
}

/// What comes back once the channel closes.
#[track_caller]
fn check_left(mut client: RawClient, queue: &str, left: &[&str]) {
    client.close_channel(1);
    client.open_channel(1);
    assert_eq!(client.drain(1, queue), left);
}

#[test]
fn a_single_ack_settles_one() {
    let (mut client, queue) = holding_five();
    client.send(1, ack(3, false));
    check_left(client, &queue, &["a", "b", "d", "e"]);
}

#[test]
fn a_multiple_ack_settles_all_up_to_its_tag() {
    let (mut client, queue) = holding_five();
    client.send(1, ack(3, true));
    check_left(client, &queue, &["d", "e"]);
}

#[test]
fn a_multiple_ack_skips_what_is_settled() {
    let (mut client, queue) = holding_five();
    client.send(1, ack(2, false));
    client.send(1, ack(4, true));
    check_left(client, &queue, &["e"]);
}

#[test]
fn a_multiple_ack_of_tag_zero_settles_everything() {
    let (mut client, queue) = holding_five();
    client.send(1, ack(0, true));
    client.send(1, ack(0, true));
    check_left(client, &queue, &[]);
}

#[test]
fn a_multiple_ack_of_a_settled_tag_is_an_error() {
    let (mut client, _) = holding_five();
    client.send(1, ack(5, true));
    client.send(1, ack(5, true));
    assert_eq!(client.expect_close(1).text, "PRECONDITION_FAILED - unknown delivery tag 5");
}

/// A tag below the lowest that is outstanding.
#[test]
fn a_multiple_ack_of_an_earlier_tag_is_an_error() {
    let (mut client, _) = holding_five();
    client.send(1, ack(3, true));
    client.send(1, ack(2, true));
    assert_eq!(client.expect_close(1).text, "PRECONDITION_FAILED - unknown delivery tag 2");
}

#[test]
fn an_error_in_an_ack_requeues_the_rest() {
    let (mut client, queue) = holding_five();
    client.send(1, ack(2, false));
    client.send(1, ack(2, false));
    client.expect_close(1);
    client.open_channel(1);
    assert_eq!(client.drain(1, &queue), ["a", "c", "d", "e"]);
}

#[test]
fn nack_without_requeue_drops() {
    let (mut client, queue) = holding_five();
    client.send(1, nack(2, true, false));
    check_left(client, &queue, &["c", "d", "e"]);
}

#[test]
fn a_multiple_nack_of_tag_zero_takes_everything() {
    let (mut client, queue) = holding_five();
    client.send(1, nack(0, true, true));
    client.assert_alive(1);
    assert_eq!(client.drain(1, &queue), ["a", "b", "c", "d", "e"]);
}

#[test]
fn reject_without_requeue_drops_one() {
    let (mut client, queue) = holding_five();
    client.send(1, reject(4, false));
    check_left(client, &queue, &["a", "b", "c", "e"]);
}

#[test]
fn acks_in_any_order() {
    let (mut client, queue) = holding_five();
    for tag in [5, 1, 3, 2, 4] {
        client.send(1, ack(tag, false));
    }
    check_left(client, &queue, &[]);
}

#[test]
fn acks_cover_several_queues() {
    let mut client = connect();
    let (one, two) = (queue(&mut client, "one"), queue(&mut client, "two"));
    client.fill(&one, &["a", "b"]);
    client.fill(&two, &["c", "d"]);
    for name in [&one, &two, &one, &two] {
        client.get(1, name, false).expect("a message");
    }
    client.send(1, ack(3, true));
    client.close_channel(1);
    client.open_channel(1);
    assert_eq!((client.drain(1, &one), client.drain(1, &two)), (vec![], vec!["d".to_owned()]));
}

#[test]
fn automatic_acknowledgement_leaves_nothing_to_ack() {
    let mut client = connect();
    let queue = queue(&mut client, "auto");
    client.publish(1, "", &queue, "x");
    let taken = client.get(1, &queue, true).expect("a message");
    client.send(1, ack(taken.delivery_tag, false));
    assert_eq!(client.expect_close(1).text, "PRECONDITION_FAILED - unknown delivery tag 1");
    client.open_channel(1);
    assert_eq!(client.drain(1, &queue), Vec::<String>::new());
}

/// Half of them settled one by one from the end, the other half at once.
#[test]
fn many_outstanding_are_settled_in_any_mix() {
    let mut client = connect();
    let queue = queue(&mut client, "many");
    client.in_one_write(|client| {
        for number in 0..10_000 {
            client.publish(1, "", &queue, number.to_string());
        }
    });
    client.consume(1, Consume::new(&queue, "tag"));
    for _ in 0..10_000 {
        client.expect_delivery(1);
    }
    client.in_one_write(|client| {
        for tag in (1..=10_000).rev().step_by(2) {
            client.send(1, ack(tag, false));
        }
    });
    client.assert_alive(1);
    client.send(1, ack(9_999, true));
    client.call(1, testkit::method::cancel("tag"));
    check_left(client, &queue, &[]);
}

#[test]
fn deliveries_of_a_deleted_queue_can_be_settled() {
    let mut client = connect();
    let queue = queue(&mut client, "deleted");
    client.fill(&queue, &["a", "b", "c"]);
    for _ in 0..3 {
        client.get(1, &queue, false).expect("a message");
    }
    client.call(1, testkit::method::queue_delete(&queue, false, false));
    client.send(1, ack(1, false));
    client.send(1, reject(2, true));
    client.send(1, nack(3, true, true));
    client.assert_alive(1);
}

/// A queue of the same name is another queue.
#[test]
fn settling_never_touches_a_queue_declared_since() {
    let mut client = connect();
    let queue = queue(&mut client, "anew");
    client.fill(&queue, &["old"]);
    client.get(1, &queue, false).expect("a message");
    client.call(1, testkit::method::queue_delete(&queue, false, false));
    client.declare(1, testkit::QueueDeclare::exclusive(&queue));
    client.fill(&queue, &["new"]);
    client.send(1, nack(1, false, true));
    client.assert_alive(1);
    assert_eq!(client.drain(1, &queue), ["new"]);
}
