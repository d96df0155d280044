//! Why a queue does not move, and other arguments for it.

use super::{fetch, message, publish, with_queue};
use crate::support::{Client, start};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;
use testkit::method::ack;
use testkit::{ConnectOptions, Consume, RawClient, pause};

fn diagnosis(client: &Client<'_>, queue: &str) -> Vec<Value> {
    let found = client.get(&format!("/api/queues/%2F/{queue}/diagnosis?sample_ms=50"));
    found["findings"].as_array().expect("a list").clone()
}

fn codes(findings: &[Value]) -> Vec<(&str, &str)> {
    findings
        .iter()
        .map(|finding| (finding["code"].as_str().unwrap_or_default(), finding["severity"].as_str().unwrap_or_default()))
        .collect()
}

#[test]
fn a_queue_says_why_it_does_not_move() {
    let (broker, client) = with_queue("q", json!({}));
    assert_eq!(codes(&diagnosis(&client, "q")), [("not_bound", "info"), ("idle", "info")]);
    for body in ["a", "b", "c"] {
        publish(&client, "amq.default", &message("q", json!({}), body));
    }
    let found = diagnosis(&client, "q");
    assert_eq!(codes(&found), [("no_consumers", "problem")]);
    assert_eq!(found[0]["figures"]["messages_ready"], 3);
    let mut consumer = RawClient::connect(broker.address(), &ConnectOptions::default());
    consumer.open_channel(1);
    consumer.call(1, testkit::method::qos(1, false));
    consumer.consume(1, Consume::new("q", ""));
    consumer.expect_delivery(1);
    pause(Duration::from_millis(300));
    let found = diagnosis(&client, "q");
    assert_eq!(codes(&found), [("consumers_at_prefetch_limit", "problem")]);
    let figures = &found[0]["figures"];
    assert_eq!(
        (&figures["channel"], &figures["delivery_tag"], &figures["consumers"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let age_ms = figures["oldest_unacked_ms"].as_u64().expect("a number");
    assert!((200..20_000).contains(&age_ms), "{age_ms}");
    assert!(found[0]["names"]["connection"].as_str().is_some_and(|name| name.contains(" -> ")), "{found:?}");
    for tag in 1..=2 {
        consumer.send(1, ack(tag, false));
        consumer.expect_delivery(1);
    }
    assert_eq!(
        codes(&diagnosis(&client, "q")),
        [("waits_for_acknowledgements", "problem"), ("consumers_at_prefetch_limit", "info")]
    );
    let answer = client.send("GET", "/api/queues/%2F/nope/diagnosis", &[], "");
    assert_eq!(answer.status, 404);
}

/// As many as there are threads for commands, and more.
#[test]
fn queues_that_are_watched_keep_nobody_else_waiting() {
    let (_broker, client) = with_queue("q", json!({}));
    thread::scope(|scope| {
        let diagnose = || client.get("/api/queues/%2F/q/diagnosis?sample_ms=4000");
        let watched: Vec<_> = (0..8).map(|_| scope.spawn(diagnose)).collect();
        pause(Duration::from_millis(500));
        assert_eq!(client.get("/api/vhosts").as_array().map(Vec::len), Some(1));
        assert!(watched.iter().all(|diagnosis| !diagnosis.is_finished()), "it waited for them");
    });
}

#[test]
fn a_queue_that_is_full_or_alarmed_says_so() {
    let (broker, client) = with_queue("q", json!({ "x-max-length": 1, "x-overflow": "reject-publish" }));
    publish(&client, "amq.default", &message("q", json!({}), "a"));
    assert_eq!(codes(&diagnosis(&client, "q")), [("no_consumers", "problem"), ("full_and_refuses", "problem")]);
    fetch(&client, "q", 1, "ack_requeue_false");
    client.put("/api/leveret/alarms/memory", "");
    let found = diagnosis(&client, "q");
    assert!(codes(&found).contains(&("memory_alarm", "problem")), "{found:?}");
    let (status, body) = publish(&client, "amq.default", &message("q", json!({}), "b"));
    assert_eq!(status, 503, "{body}");
    assert_eq!(client.delete("/api/leveret/alarms/memory"), 204);
    drop(broker);
}

fn patch(client: &Client<'_>, queue: &str, change: Value) -> (u16, String) {
    let answer = client.send("PATCH", &format!("/api/queues/%2F/{queue}/arguments"), &[], &change.to_string());
    (answer.status, answer.body)
}

#[test]
fn arguments_change_while_the_queue_is_in_use() {
    let (mut broker, client) = with_queue("q", json!({ "x-max-length": 5, "x-max-priority": 3, "x-own": "kept" }));
    for body in ["a", "b", "c"] {
        publish(&client, "amq.default", &message("q", json!({ "delivery_mode": 2 }), body));
    }
    let change = json!({ "set": { "x-max-length": 2, "x-dead-letter-exchange": "" }, "unset": ["x-expires"] });
    assert_eq!(patch(&client, "q", change), (204, String::new()));
    let expected = json!({ "x-max-length": 2, "x-max-priority": 3, "x-own": "kept", "x-dead-letter-exchange": "" });
    assert_eq!(client.get("/api/queues/%2F/q")["arguments"], expected);
    for _ in 0..200 {
        if client.get("/api/queues/%2F/q")["messages"] == 2 {
            break;
        }
        pause(Duration::from_millis(10));
    }
    let bodies: Vec<Value> =
        fetch(&client, "q", 9, "ack_requeue_true").iter().map(|message| message["payload"].clone()).collect();
    assert_eq!(bodies, ["b", "c"], "the new limit holds for what is there");
    broker.kill_9();
    broker.launch();
    let client = Client::guest(&broker);
    assert_eq!(client.get("/api/queues/%2F/q")["arguments"], expected);
    assert_eq!(patch(&client, "q", json!({ "unset": ["x-max-length"] })).0, 204);
    assert_eq!(client.get("/api/queues/%2F/q")["arguments"]["x-max-length"], Value::Null);
}

#[test]
fn arguments_that_cannot_change_say_why() {
    let (broker, client) = with_queue("q", json!({ "x-max-priority": 3 }));
    for (change, part) in [
        (
            json!({ "set": { "x-max-priority": 4 } }),
            "argument 'x-max-priority' of queue 'q' in vhost '/' cannot change",
        ),
        (json!({ "unset": ["x-max-priority"] }), "cannot change while the queue exists"),
        (json!({ "set": { "x-queue-type": "quorum" } }), "argument 'x-queue-type'"),
        (json!({ "set": { "x-max-length": -1 } }), "406 PRECONDITION_FAILED - invalid arg 'x-max-length'"),
        (json!({ "set": { "x-message-ttl": "soon" } }), "406 PRECONDITION_FAILED - invalid arg 'x-message-ttl'"),
        (json!({ "put": {} }), "unknown field"),
    ] {
        let (status, body) = patch(&client, "q", change.clone());
        assert_eq!(status, 400, "{change}: {body}");
        assert!(body.contains(part), "{change}: {body}");
    }
    assert_eq!(patch(&client, "q", json!({ "set": { "x-max-priority": 3 } })).0, 204, "nothing changes");
    client.put("/api/users/u", r#"{"password":"p","tags":"management"}"#);
    client.put("/api/permissions/%2F/u", r#"{"configure":"q","write":"","read":".*"}"#);
    let user = Client::new(&broker, "u", "p");
    assert_eq!(patch(&user, "q", json!({ "set": { "x-max-length": 5 } })).0, 204);
    assert_eq!(patch(&user, "q", json!({ "set": { "x-dead-letter-exchange": "x" } })).0, 401, "he may not write there");
    client.put("/api/permissions/%2F/u", r#"{"configure":"","write":".*","read":".*"}"#);
    assert_eq!(patch(&user, "q", json!({ "set": { "x-max-length": 6 } })).0, 401);
    let other = start(&[]);
    assert_eq!(patch(&Client::guest(&other), "q", json!({})).0, 404);
}
