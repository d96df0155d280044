//! Delayed messages that were confirmed come after a restart, when their time has come.

use std::time::{Duration, Instant};

use testkit::{BrokerProcess, ExchangeDeclare, Publish, RawClient, pause};

use crate::support::{Ending, bodies, connect, declare, persistent, start, wait_for_count};

/// A durable queue that gets what the durable exchange `late` has delayed.
fn topology(client: &mut RawClient) {
    declare(client, &["queue"]);
    let exchange = ExchangeDeclare::new("late", "x-delayed-message").argument("x-delayed-type", "direct");
    client.call(1, exchange.durable());
    client.call(1, testkit::method::queue_bind("queue", "late", "key", &Vec::new()));
}

/// Publishes `count` messages, `step_ms` apart from `first_ms` on, and waits for the confirms.
fn delay(client: &mut RawClient, count: u64, first_ms: u64, step_ms: u64) {
    client.confirm_select(1);
    for number in 0..count {
        let delay_ms = i32::try_from(first_ms + number * step_ms).expect("a short delay");
        let properties = persistent().header("x-delay", delay_ms);
        client.publish_with(1, Publish::new("late", "key"), &properties, number.to_string());
    }
    client.expect_all_confirmed(1, count);
}

#[test]
fn what_waits_comes_after_a_restart() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        topology(&mut client);
        let published = Instant::now();
        delay(&mut client, 200, 2500, 1);
        let mut client = ending.restart(&mut broker);
        if published.elapsed() < Duration::from_millis(2400) {
            assert_eq!(client.message_count(1, "queue"), 0, "{ending:?}: it waits on");
        }
        wait_for_count(&mut client, "queue", 200);
        assert!(published.elapsed() >= Duration::from_millis(2500), "{ending:?}");
        let expected: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&mut client, "queue"), expected, "{ending:?}: in the order of their times");
    }
}

#[test]
fn what_became_due_meanwhile_comes_at_once() {
    let mut broker = start();
    let mut client = connect(&broker);
    topology(&mut client);
    delay(&mut client, 50, 600, 1);
    broker.kill_9();
    pause(Duration::from_millis(700));
    broker.launch();
    wait_for_count(&mut connect(&broker), "queue", 50);
}

/// Kills a broker while it releases.
fn kill_while_releasing(broker: &mut BrokerProcess) {
    let mut client = connect(broker);
    topology(&mut client);
    delay(&mut client, 2000, 300, 0);
    while client.message_count(1, "queue") < 300 {
        pause(Duration::from_millis(1));
    }
    broker.kill_9();
    broker.launch();
}

#[test]
fn a_kill_while_messages_are_released_loses_none() {
    let mut broker = start();
    kill_while_releasing(&mut broker);
    let mut client = connect(&broker);
    let deadline = Instant::now() + Duration::from_secs(30);
    while client.message_count(1, "queue") < 2000 {
        assert!(Instant::now() < deadline, "{} came", client.message_count(1, "queue"));
        pause(Duration::from_millis(10));
    }
    pause(Duration::from_millis(300));
    let mut found = bodies(&mut client, "queue");
    // Some may have come twice.
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 2000);
}

#[test]
fn a_cancelled_message_stays_cancelled() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        topology(&mut client);
        delay(&mut client, 10, 1500, 0);
        let answer = broker.http("GET", "/api/delayed/%2F", &[], "").expect("an answer");
        let page: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        let ids: Vec<u64> =
            page["messages"].as_array().expect("a list").iter().filter_map(|message| message["id"].as_u64()).collect();
        assert_eq!(ids.len(), 10, "{}", answer.body);
        for id in &ids[..9] {
            broker.administer("DELETE", &format!("/api/delayed/%2F/{id}"), "");
        }
        let mut client = ending.restart(&mut broker);
        wait_for_count(&mut client, "queue", 1);
        pause(Duration::from_millis(200));
        assert_eq!(bodies(&mut client, "queue"), ["9"], "{ending:?}");
    }
}

#[test]
fn a_deleted_virtual_host_takes_what_waits_along() {
    let mut broker = start();
    let mut client = connect(&broker);
    topology(&mut client);
    delay(&mut client, 100, 60_000, 0);
    drop(client);
    broker.administer("DELETE", "/api/vhosts/%2F", "");
    broker.administer("PUT", "/api/vhosts/%2F", "");
    let listed = |broker: &BrokerProcess| broker.http("GET", "/api/delayed/%2F", &[], "").expect("an answer").body;
    assert_eq!(listed(&broker), r#"{"messages":[],"next":null}"#);
    broker.restart();
    assert_eq!(listed(&broker), r#"{"messages":[],"next":null}"#);
}
