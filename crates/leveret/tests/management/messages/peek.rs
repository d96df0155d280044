//! Looking at messages without consuming them, and deleting single ones.

use super::{fetch, message, publish, with_queue};
use crate::support::{Client, start};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::method::nack;
use testkit::{ConnectOptions, Properties, Publish, RawClient};

fn messages(client: &Client<'_>, queue: &str, query: &str) -> Value {
    client.get(&format!("/api/queues/%2F/{queue}/messages?{query}"))
}

pub fn bodies(found: &Value) -> Vec<String> {
    let messages = found["messages"].as_array().unwrap_or_else(|| panic!("a list: {found}"));
    messages.iter().map(|message| message["payload"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The counts of a queue as lists show them.
fn counts(client: &Client<'_>, queue: &str) -> (Value, Value) {
    let shown = client.get(&format!("/api/queues/%2F/{queue}"));
    (shown["messages_ready"].clone(), shown["messages_unacknowledged"].clone())
}

#[test]
fn a_look_changes_nothing() {
    let (broker, client) = with_queue("q", json!({}));
    for at in 0..5 {
        publish(&client, "amq.default", &message("q", json!({ "delivery_mode": 1 + at % 2 }), &at.to_string()));
    }
    let before = client.get("/api/queues/%2F/q");
    let found = messages(&client, "q", "count=3");
    assert_eq!(bodies(&found), ["0", "1", "2"]);
    let rest = messages(&client, "q", &format!("from={}", found["next"].as_str().expect("there is more")));
    assert_eq!(bodies(&rest), ["3", "4"]);
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(bodies(&messages(&client, "q", "position=2&count=2")), ["2", "3"]);
    let id = rest["messages"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(bodies(&messages(&client, "q", &format!("from={id}"))), ["3", "4"]);
    let one = client.get(&format!("/api/queues/%2F/q/messages/{id}"));
    assert_eq!((&one["payload"], &one["redelivered"], &one["state"]), (&json!("3"), &json!(false), &json!("ready")));
    assert_eq!(client.get("/api/queues/%2F/q")["message_stats"], before["message_stats"], "nothing is counted");
    let all = fetch(&client, "q", 9, "ack_requeue_false");
    let shown: Vec<_> = all.iter().map(|one| format!("{} {}", one["payload"], one["redelivered"])).collect();
    assert_eq!(shown, ["\"0\" false", "\"1\" false", "\"2\" false", "\"3\" false", "\"4\" false"]);
    drop(broker);
}

#[test]
fn messages_are_found_by_what_they_are() {
    let (_broker, client) = with_queue("q", json!({}));
    let properties = json!({ "headers": { "n": 5, "s": "text", "b": true, "f": 1.5 }, "type": "order", "priority": 2 });
    publish(&client, "amq.default", &message("q", properties, "first body"));
    publish(&client, "amq.default", &message("q", json!({ "headers": { "n": 6 } }), "second body, longer"));
    publish(&client, "amq.default", &message("q", json!({ "app_id": "a" }), "{\"id\":17}"));
    for (query, expected) in [
        ("header=n", &[0, 1][..]),
        ("header=n%3D5", &[0]),
        ("header=s%3Dtext&header=b%3Dtrue&header=f%3D1.5", &[0]),
        ("header=n%3D7", &[]),
        ("property=type%3Dorder", &[0]),
        ("property=priority%3D2&property=type%3Dother", &[]),
        ("property=app_id%3Da", &[2]),
        ("body=body", &[0, 1]),
        ("body_regex=id.%3A%5Cd%2B", &[2]),
        ("min_size=11", &[1]),
        ("max_size=9", &[2]),
        ("routing_key=q", &[0, 1, 2]),
        ("routing_key=q.%23&exchange=", &[0, 1, 2]),
        ("routing_key=other", &[]),
        ("exchange=amq.topic", &[]),
        ("entered_from=1500000000000", &[0, 1, 2]),
        ("entered_before=1500000000000", &[]),
    ] {
        let found = messages(&client, "q", query);
        let all = ["first body", "second body, longer", "{\"id\":17}"];
        let expected: Vec<&str> = expected.iter().map(|at| all[*at]).collect();
        assert_eq!(bodies(&found), expected, "{query}");
        assert_eq!(found["scanned"], 3, "{query}");
    }
    for wrong in
        ["body_regex=(", "count=x", "colour=red", "property=colour%3Dred", "state=gone", "from=x", "min_size=-1"]
    {
        let answer = client.send("GET", &format!("/api/queues/%2F/q/messages?{wrong}"), &[], "");
        assert_eq!(answer.status, 400, "{wrong}: {answer:?}");
    }
}

#[test]
fn priorities_come_in_the_order_of_delivery() {
    let (_broker, client) = with_queue("q", json!({ "x-max-priority": 5 }));
    for (priority, body) in [(0, "low"), (5, "high"), (3, "middle"), (5, "high too"), (0, "low too")] {
        publish(&client, "amq.default", &message("q", json!({ "priority": priority }), body));
    }
    let (mut found, mut next) = (Vec::new(), String::from("0"));
    loop {
        let page = messages(&client, "q", &format!("count=1&from={next}"));
        found.extend(bodies(&page));
        match page["next"].as_str() {
            Some(more) => next = more.to_owned(),
            None => break,
        }
    }
    assert_eq!(found, ["high", "high too", "middle", "low", "low too"]);
    assert_eq!(bodies(&messages(&client, "q", "position=3")), ["low", "low too"]);
}

#[test]
fn what_consumers_have_is_seen_and_not_deleted() {
    let (broker, client) = with_queue("q", json!({}));
    for body in ["a", "b", "c"] {
        publish(&client, "amq.default", &message("q", json!({}), body));
    }
    let mut consumer = RawClient::connect(broker.address(), &ConnectOptions::default());
    consumer.open_channel(1);
    let taken = consumer.get(1, "q", false).expect("a message");
    let found = messages(&client, "q", "state=unacked");
    assert_eq!(bodies(&found), ["a"]);
    let held = &found["messages"][0];
    assert_eq!((&held["state"], &held["holder"]["channel"]), (&json!("unacked"), &json!(1)));
    assert_eq!(held["holder"]["delivery_tag"], 1);
    let id = held["id"].as_str().expect("an id").to_owned();
    assert_eq!(client.delete(&format!("/api/queues/%2F/q/messages/{id}")), 409);
    consumer.send(1, nack(taken.delivery_tag, false, true));
    consumer.assert_alive(1);
    assert_eq!(client.delete(&format!("/api/queues/%2F/q/messages/{id}")), 204);
    assert_eq!(client.delete(&format!("/api/queues/%2F/q/messages/{id}")), 404);
    assert_eq!(counts(&client, "q"), (json!(2), json!(0)));
    assert_eq!(bodies(&messages(&client, "q", "")), ["b", "c"]);
}

#[test]
fn a_deleted_message_stays_deleted_wherever_it_was() {
    // Next to nothing is in memory.
    let mut broker = start(&[("leveret.message_memory", "64KiB")]);
    let client = Client::guest(&broker);
    client.put("/api/queues/%2F/q", r#"{"durable":true}"#);
    let mut publisher = RawClient::connect(broker.address(), &ConnectOptions::default());
    publisher.open_channel(1);
    publisher.confirm_select(1);
    let count = 3000;
    for at in 0..count {
        let properties = if at % 3 == 0 { Properties::default() } else { Properties::default().persistent() };
        let body = format!("{at:05}{}", "x".repeat(200));
        publisher.publish_with(1, Publish::new("", "q"), &properties, body);
    }
    publisher.expect_all_confirmed(1, count);
    let mut rest: BTreeSet<u64> = (0..count).collect();
    for at in [0, 1, 500, 1499, 1500, 2000, 2998, 2999] {
        let found = messages(&client, "q", &format!("body={at:05}&truncate=5"));
        assert_eq!(bodies(&found), [format!("{at:05}")], "{at}");
        let id = found["messages"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(client.delete(&format!("/api/queues/%2F/q/messages/{id}")), 204, "{at}");
        assert_eq!(client.delete(&format!("/api/queues/%2F/q/messages/{id}")), 404, "{at}");
        rest.remove(&at);
    }
    let shown = |found: &Value| bodies(found).iter().map(|body| body.parse().expect("a number")).collect::<Vec<u64>>();
    let expected = |rest: &BTreeSet<u64>| rest.iter().copied().skip(1400).take(200).collect::<Vec<_>>();
    assert_eq!(shown(&messages(&client, "q", "position=1400&count=200&truncate=5")), expected(&rest));
    broker.kill_9();
    broker.launch();
    let client = Client::guest(&broker);
    rest.retain(|at| at % 3 != 0);
    assert_eq!(counts(&client, "q").0, rest.len());
    let (mut found, mut next) = (Vec::new(), String::from("0"));
    loop {
        let page = messages(&client, "q", &format!("count=700&truncate=5&from={next}"));
        found.extend(shown(&page));
        match page["next"].as_str() {
            Some(more) => next = more.to_owned(),
            None => break,
        }
    }
    assert_eq!(found, rest.into_iter().collect::<Vec<_>>());
}

#[test]
fn whoever_may_not_read_a_queue_sees_none_of_its_messages() {
    let (_broker, guest) = with_queue("q", json!({}));
    publish(&guest, "amq.default", &message("q", json!({}), "secret"));
    guest.put("/api/users/u", r#"{"password":"p","tags":"monitoring"}"#);
    let user = Client::new(&_broker, "u", "p");
    for (permissions, expected) in [
        (None, 401),
        (Some(r#"{"configure":".*","write":".*","read":""}"#), 401),
        (Some(r#"{"configure":"","write":"","read":"q"}"#), 200),
    ] {
        if let Some(permissions) = permissions {
            guest.put("/api/permissions/%2F/u", permissions);
        }
        for path in ["/api/queues/%2F/q/messages", "/api/queues/%2F/q/messages/0"] {
            assert_eq!(user.send("GET", path, &[], "").status, expected, "{path} {permissions:?}");
        }
    }
}
