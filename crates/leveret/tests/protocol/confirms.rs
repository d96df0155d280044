//! Publisher confirms (the behaviours of RabbitMQ's publisher_confirms_parallel suite).

use std::collections::BTreeSet;

use testkit::method::{confirm_select, queue_delete};
use testkit::{Consume, Method, Properties, Publish, QueueDeclare, RawClient, id};

use crate::support::{bind, connect, delete_exchange, exchange, queue, unique};

#[test]
fn tags_begin_at_one_with_confirm_select() {
    let mut client = connect();
    let queue = queue(&mut client, "tags");
    client.publish(1, "", &queue, "before");
    client.confirm_select(1);
    client.publish(1, "", &queue, "first");
    let confirm = client.expect_confirm(1);
    assert_eq!((confirm.ack, confirm.delivery_tag), (true, 1));
    client.publish(1, "", &queue, "second");
    assert_eq!(client.expect_confirm(1).delivery_tag, 2);
}

#[test]
fn confirm_select_may_be_repeated_and_unanswered() {
    let mut client = connect();
    let queue = queue(&mut client, "again");
    let no_wait = Method::new(id::CONFIRM_SELECT, |out| {
        out.bits(&[true]);
    });
    client.send(1, no_wait);
    client.publish(1, "", &queue, "a");
    assert_eq!(client.expect_confirm(1).delivery_tag, 1);
    client.call(1, confirm_select());
    client.publish(1, "", &queue, "b");
    assert_eq!(client.expect_confirm(1).delivery_tag, 2);
}

/// Every tag is confirmed once; a `multiple` covers only tags published by then.
#[test]
fn a_thousand_publishes_are_each_confirmed_once() {
    let mut client = connect();
    let queue = queue(&mut client, "thousand");
    client.confirm_select(1);
    client.in_one_write(|client| {
        for number in 0..1000 {
            client.publish(1, "", &queue, number.to_string());
        }
    });
    let mut waiting: BTreeSet<u64> = (1..=1000).collect();
    while !waiting.is_empty() {
        let confirm = client.expect_confirm(1);
        assert!(confirm.ack && waiting.contains(&confirm.delivery_tag), "{confirm:?} of {} waiting", waiting.len());
        if confirm.multiple {
            waiting = waiting.split_off(&(confirm.delivery_tag + 1));
        } else {
            waiting.remove(&confirm.delivery_tag);
        }
    }
    client.expect_nothing(1, RawClient::SILENCE);
    assert_eq!(client.message_count(1, &queue), 1000);
}

#[test]
fn a_persistent_message_in_a_durable_queue_is_confirmed() {
    let mut client = connect();
    let name = unique("durable");
    client.declare(1, QueueDeclare::new(&name).durable());
    client.confirm_select(1);
    for tag in 1..=20 {
        client.publish_with(1, Publish::new("", &name), &Properties::default().persistent(), "x");
        assert_eq!(client.expect_confirm(1).delivery_tag, tag);
    }
    client.call(1, queue_delete(&name, false, false));
}

#[test]
fn an_unroutable_message_is_acked() {
    let mut client = connect();
    client.confirm_select(1);
    client.publish(1, "", "nowhere", "x");
    assert!(client.expect_confirm(1).ack);
    client.publish(1, "amq.fanout", "", "x");
    assert!(client.expect_confirm(1).ack);
}

#[test]
fn a_return_comes_before_its_confirm() {
    let mut client = connect();
    let queue = queue(&mut client, "returns");
    client.confirm_select(1);
    client.in_one_write(|client| {
        for round in 0..10 {
            client.publish_with(1, Publish::new("", "nowhere").mandatory(), &Properties::default(), round.to_string());
            client.publish_with(1, Publish::new("", &queue).mandatory(), &Properties::default(), "routed");
        }
    });
    let mut returned = 0_u64;
    let mut waiting: BTreeSet<u64> = (1..=20).collect();
    while !waiting.is_empty() {
        let event = client.next_event(1);
        if event.method.id == id::BASIC_RETURN {
            assert_eq!(event.content.expect("content").body, returned.to_string().into_bytes());
            returned += 1;
            continue;
        }
        assert_eq!(event.method.id, id::BASIC_ACK);
        let mut input = event.method.reader();
        let (last, multiple) = (input.longlong(), input.octet() & 1 == 1);
        for tag in waiting.clone() {
            if tag == last || (multiple && tag < last) {
                // Tags 1, 3, 5 ... are the returned ones.
                assert!(tag % 2 == 0 || returned > tag / 2, "tag {tag} acked after {returned} returns");
                waiting.remove(&tag);
            }
        }
    }
    assert_eq!(returned, 10);
}

#[test]
fn confirms_do_not_wait_for_consumers() {
    let mut client = connect();
    let queue = queue(&mut client, "consumer");
    client.open_channel(2);
    client.consume(2, Consume::new(&queue, ""));
    client.confirm_select(1);
    client.publish(1, "", &queue, "x");
    assert!(client.expect_confirm(1).ack);
    client.expect_bodies(2, &["x"]);
}

#[test]
fn one_confirm_for_many_targets() {
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    for _ in 0..10 {
        let queue = queue(&mut client, "target");
        bind(&mut client, &queue, &exchange, "");
    }
    client.confirm_select(1);
    client.publish(1, &exchange, "", "x");
    assert_eq!(client.expect_confirm(1).delivery_tag, 1);
    client.expect_nothing(1, RawClient::SILENCE);
    delete_exchange(&mut client, &exchange);
}

/// A deleted target counts as confirmed, never as a nack.
#[test]
fn a_target_deleted_in_the_same_breath_is_confirmed() {
    let mut client = connect();
    let name = unique("deleted");
    client.confirm_select(1);
    client.declare(1, QueueDeclare::new(&name).durable());
    client.in_one_write(|client| {
        for _ in 0..20 {
            client.publish_with(1, Publish::new("", &name), &Properties::default().persistent(), "x");
        }
        client.send(1, queue_delete(&name, false, false));
        client.publish_with(1, Publish::new("", &name), &Properties::default().persistent(), "too late");
    });
    client.wait_for("delete-ok", |event| event.method.id == (50, 41));
    client.expect_all_confirmed(1, 21);
}

#[test]
fn each_channel_counts_its_own_tags() {
    let mut client = connect();
    client.open_channel(2);
    let queue = queue(&mut client, "channels");
    client.confirm_select(1);
    client.confirm_select(2);
    client.publish(1, "", &queue, "a");
    client.publish(2, "", &queue, "b");
    client.publish(2, "", &queue, "c");
    assert_eq!(client.expect_confirm(1).delivery_tag, 1);
    client.expect_all_confirmed(2, 2);
    client.expect_nothing(1, RawClient::SILENCE);
}

#[test]
fn a_channel_opened_again_begins_anew() {
    let mut client = connect();
    client.confirm_select(1);
    client.publish(1, "", "nowhere", "a");
    client.expect_confirm(1);
    client.close_channel(1);
    client.open_channel(1);
    client.publish(1, "", "nowhere", "unconfirmed");
    client.assert_alive(1);
    client.confirm_select(1);
    client.publish(1, "", "nowhere", "b");
    assert_eq!(client.expect_confirm(1).delivery_tag, 1);
}

#[test]
fn confirms_come_one_by_one_to_a_client_that_waits() {
    let mut client = connect();
    let queue = queue(&mut client, "waits");
    client.confirm_select(1);
    for tag in 1..=200 {
        client.publish(1, "", &queue, "x");
        assert_eq!(client.expect_confirm(1).delivery_tag, tag);
    }
}
