//! Length limits that refuse new messages: `x-overflow` reject-publish and reject-publish-dlx.

use std::collections::BTreeSet;

use testkit::method::{bare, nack, queue_purge};
use testkit::{CloseScope, Consume, Properties, Publish, RawClient, Value, id};

use super::waiting::{await_bodies, await_count, death_counts, put_all, queue_with, take, with_dead_letters};
use crate::support::{bind, connect, delete_exchange, exchange, queue};

fn eighty(letter: &str) -> String {
    letter.repeat(80)
}

/// Publishes on channel 1 in confirm mode; true when the message was taken.
#[track_caller]
fn is_taken(client: &mut RawClient, exchange: &str, key: &str, body: &str) -> bool {
    client.publish(1, exchange, key, body);
    client.expect_confirm(1).ack
}

fn check_refuses_the_second(limit: (&str, Value), overflow: &str) {
    let mut client = connect();
    let queue = queue_with(&mut client, "reject", [limit, ("x-overflow", overflow.into())]);
    client.confirm_select(1);
    let (one, two, three) = (eighty("1"), eighty("2"), eighty("3"));
    assert!(is_taken(&mut client, "", &queue, &one));
    assert!(!is_taken(&mut client, "", &queue, &two));
    assert!(!is_taken(&mut client, "", &queue, &three));
    assert_eq!(client.drain(1, &queue), [one.as_str()]);
    assert!(is_taken(&mut client, "", &queue, &two), "there is room again");
    assert_eq!(client.drain(1, &queue), [two.as_str()]);
}

#[test]
fn a_full_queue_nacks() {
    check_refuses_the_second(("x-max-length", 1.into()), "reject-publish");
}

#[test]
fn a_queue_full_of_bytes_nacks() {
    check_refuses_the_second(("x-max-length-bytes", 100.into()), "reject-publish");
}

#[test]
fn a_full_queue_that_dead_letters_nacks_too() {
    check_refuses_the_second(("x-max-length", 1.into()), "reject-publish-dlx");
}

#[test]
fn without_confirms_new_messages_are_dropped() {
    let mut client = connect();
    let arguments = [("x-max-length", 2.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "dropped", arguments);
    put_all(&mut client, &queue, &["a", "b", "c", "d"]);
    client.assert_alive(1);
    assert_eq!(client.drain(1, &queue), ["a", "b"]);
}

#[test]
fn without_confirms_new_bytes_are_dropped() {
    let mut client = connect();
    let arguments = [("x-max-length-bytes", 100.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "dropped", arguments);
    let (one, two) = (eighty("1"), eighty("2"));
    put_all(&mut client, &queue, &[&one, &two, "twenty bytes are left"]);
    put_all(&mut client, &queue, &["12345678901234567890"]);
    assert_eq!(client.drain(1, &queue), [one.as_str(), "12345678901234567890"]);
}

/// reject-publish alone does not dead-letter what it refuses.
#[test]
fn refused_messages_are_no_dead_letters() {
    let mut client = connect();
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let (source, dead) = with_dead_letters(&mut client, "plain", arguments);
    client.confirm_select(1);
    assert!(is_taken(&mut client, "", &source, "a"));
    assert!(!is_taken(&mut client, "", &source, "b"));
    assert_eq!(client.message_count(1, &dead), 0);
}

#[test]
fn reject_publish_dlx_dead_letters_what_it_refuses() {
    let mut client = connect();
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish-dlx".into())];
    let (source, dead) = with_dead_letters(&mut client, "dlx", arguments);
    put_all(&mut client, &source, &["a", "b", "c"]);
    await_count(&mut client, &dead, 2);
    for body in ["b", "c"] {
        let taken = client.get(1, &dead, true).expect("a dead letter");
        assert_eq!(taken.text(), body);
        assert_eq!(death_counts(&taken), [("maxlen".to_owned(), source.clone(), 1)]);
    }
    assert_eq!(client.drain(1, &source), ["a"]);
}

/// One queue of several refuses: the publisher gets a nack, the others the message.
#[test]
fn one_full_queue_of_several_nacks_and_the_others_take_it() {
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let small = queue_with(&mut client, "small", arguments);
    let plain = queue(&mut client, "plain");
    for name in [&small, &plain] {
        bind(&mut client, name, &exchange, "");
    }
    client.confirm_select(1);
    assert!(is_taken(&mut client, &exchange, "", "a"));
    assert!(!is_taken(&mut client, &exchange, "", "b"));
    assert_eq!(client.drain(1, &small), ["a"]);
    assert_eq!(client.drain(1, &plain), ["a", "b"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn nacks_and_acks_of_a_burst_name_each_publish_once() {
    let mut client = connect();
    let arguments = [("x-max-length", 10.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "burst", arguments);
    client.confirm_select(1);
    client.in_one_write(|client| {
        for number in 1..=100 {
            client.publish(1, "", &queue, number.to_string());
        }
    });
    let mut waiting: BTreeSet<u64> = (1..=100).collect();
    while !waiting.is_empty() {
        let confirm = client.expect_confirm(1);
        let (last, multiple) = (confirm.delivery_tag, confirm.multiple);
        assert!(waiting.contains(&last), "{last} is answered twice");
        let answered: Vec<u64> =
            waiting.iter().copied().filter(|tag| *tag == last || (multiple && *tag < last)).collect();
        for tag in answered {
            assert_eq!(confirm.ack, tag <= 10, "publish {tag}");
            waiting.remove(&tag);
        }
    }
    assert_eq!(client.message_count(1, &queue), 10);
}

#[test]
fn a_mandatory_message_that_is_refused_is_not_returned() {
    let mut client = connect();
    let arguments = [("x-max-length", 0.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "mandatory", arguments);
    client.confirm_select(1);
    client.publish_with(1, Publish::new("", &queue).mandatory(), &Properties::default(), "x");
    assert!(!client.expect_confirm(1).ack);
}

/// Whether a consumer waits is not asked: a limit of zero refuses everything.
#[test]
fn a_limit_of_zero_refuses_even_with_a_ready_consumer() {
    let mut client = connect();
    let arguments = [("x-max-length", 0.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "zero", arguments);
    client.consume(1, Consume::new(&queue, "").no_ack());
    client.confirm_select(1);
    assert!(!is_taken(&mut client, "", &queue, "x"));
    assert!(!client.has_delivery(1));
}

#[test]
fn messages_that_are_out_leave_room() {
    let mut client = connect();
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "out", arguments);
    client.confirm_select(1);
    assert!(is_taken(&mut client, "", &queue, "a"));
    let taken = take(&mut client, &queue, 1);
    assert!(is_taken(&mut client, "", &queue, "b"));
    client.send(1, nack(taken[0].delivery_tag, false, true));
    await_count(&mut client, &queue, 2);
    assert!(!is_taken(&mut client, "", &queue, "c"));
    assert_eq!(client.drain(1, &queue), ["a", "b"]);
}

#[test]
fn a_purge_leaves_room() {
    let mut client = connect();
    let arguments = [("x-max-length-bytes", 3.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "purge", arguments);
    client.confirm_select(1);
    assert!(is_taken(&mut client, "", &queue, "abc"));
    assert!(!is_taken(&mut client, "", &queue, "d"));
    client.call(1, queue_purge(&queue));
    assert!(is_taken(&mut client, "", &queue, "def"));
}

/// A transaction has no nacks: the commit fails where a message does not fit, and what fitted stays.
#[test]
fn a_commit_of_more_than_fits_fails_and_what_fitted_stays() {
    let mut client = connect();
    let arguments = [("x-max-length", 2.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "tx", arguments);
    check_commit_fails(&mut client, &queue, &["a", "b", "c"]);
    assert_eq!(client.drain(1, &queue), ["a", "b"]);
}

#[test]
fn a_commit_of_more_than_fits_fails_and_the_rest_is_dead_lettered() {
    let mut client = connect();
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish-dlx".into())];
    let (source, dead) = with_dead_letters(&mut client, "tx", arguments);
    check_commit_fails(&mut client, &source, &["a", "b"]);
    await_bodies(&mut client, &dead, &["b"]);
    assert_eq!(client.drain(1, &source), ["a"]);
}

#[test]
fn a_commit_that_fits_exactly_succeeds() {
    let mut client = connect();
    let arguments = [("x-max-length", 2.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&mut client, "tx", arguments);
    client.call(1, bare(id::TX_SELECT));
    put_all(&mut client, &queue, &["a", "b"]);
    client.call(1, bare(id::TX_COMMIT));
    assert_eq!(client.drain(1, &queue), ["a", "b"]);
}

/// Publishes to a queue in a transaction of channel 2, whose commit closes the channel.
#[track_caller]
fn check_commit_fails(client: &mut RawClient, queue: &str, bodies: &[&str]) {
    client.open_channel(2);
    client.call(2, bare(id::TX_SELECT));
    for body in bodies {
        client.publish(2, "", queue, body);
    }
    client.send(2, bare(id::TX_COMMIT));
    let closed = client.expect_close(2);
    assert_eq!((closed.scope, closed.code, closed.method), (CloseScope::Channel, 406, id::TX_COMMIT));
    assert_eq!(closed.text, "PRECONDITION_FAILED - partial tx completion");
}
