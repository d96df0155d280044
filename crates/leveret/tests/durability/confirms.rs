//! A confirm comes for everything, whether it has to be on disk or not.

use testkit::method::queue_delete;
use testkit::{Properties, Publish, QueueDeclare};

use crate::support::{Ending, bodies, connect, declare, fanout, persistent, start};

#[test]
fn unroutable_messages_are_returned_then_confirmed() {
    let broker = start();
    let mut client = connect(&broker);
    client.confirm_select(1);
    client.publish_with(1, Publish::new("", "nowhere"), &persistent(), "x");
    assert!(client.expect_confirm(1).ack);
    client.publish_with(1, Publish::new("", "nowhere").mandatory(), &persistent(), "x");
    assert_eq!(client.expect_return(1).code, 312);
    assert!(client.expect_confirm(1).ack);
}

#[test]
fn each_kind_of_target_is_confirmed_once() {
    let mut broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["durable"]);
    client.declare(1, QueueDeclare::new("transient"));
    fanout(&mut client, &["durable", "transient"]);
    client.confirm_select(1);
    for _ in 0..50 {
        for (exchange, key) in [("all", ""), ("", "durable"), ("", "transient"), ("", "nowhere")] {
            for properties in [persistent(), Properties::default()] {
                client.publish_with(1, Publish::new(exchange, key).mandatory(), &properties, key);
                if key == "nowhere" {
                    // Not the next event: confirms of earlier publishes may come before.
                    client.wait_for("a return", |event| event.method.id == testkit::id::BASIC_RETURN);
                }
            }
        }
    }
    client.expect_all_confirmed(1, 400);
    client.expect_nothing(1, testkit::RawClient::SILENCE);
    let mut client = Ending::Kill.restart(&mut broker);
    assert_eq!(bodies(&mut client, "durable").len(), 100, "the persistent ones");
}

#[test]
fn messages_to_a_queue_that_is_deleted_meanwhile_are_confirmed() {
    let broker = start();
    let (mut publisher, mut other) = (connect(&broker), connect(&broker));
    publisher.confirm_select(1);
    for round in 1..=20 {
        declare(&mut other, &["queue"]);
        publisher.in_one_write(|client| {
            for _ in 0..20 {
                client.publish_with(1, Publish::new("", "queue"), &persistent(), "x");
            }
        });
        other.call(1, queue_delete("queue", false, false));
        let mut covered = (round - 1) * 20;
        let mut single = std::collections::BTreeSet::new();
        while covered < round * 20 {
            let confirm = publisher.expect_confirm(1);
            assert!(confirm.ack);
            if confirm.multiple {
                covered = confirm.delivery_tag.max(covered);
            } else {
                single.insert(confirm.delivery_tag);
            }
            while single.remove(&(covered + 1)) {
                covered += 1;
            }
        }
    }
}
