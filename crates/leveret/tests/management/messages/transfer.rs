//! Moving messages, back to where they died too, and deleting many.

use super::peek::bodies;
use super::{fetch, message, publish, with_queue};
use crate::support::Client;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{ConnectOptions, Properties, Publish, RawClient, pause};

fn move_messages(client: &Client<'_>, queue: &str, request: &Value) -> Value {
    let answer = client.post(&format!("/api/queues/%2F/{queue}/move"), &request.to_string());
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()
}

/// The operation when it has ended.
fn ended(client: &Client<'_>, operation: &Value) -> Value {
    for _ in 0..1000 {
        let now = client.get(&format!("/api/leveret/operations/{}", operation["id"]));
        if !now["ended"].is_null() {
            return now;
        }
        pause(Duration::from_millis(10));
    }
    panic!("the operation does not end: {operation}");
}

fn all(client: &Client<'_>, queue: &str) -> Vec<String> {
    bodies(&client.get(&format!("/api/queues/%2F/{queue}/messages?count=1000")))
}

fn fill(client: &Client<'_>, queue: &str, bodies: &[&str]) {
    for body in bodies {
        publish(client, "amq.default", &message(queue, json!({ "delivery_mode": 2, "type": body }), body));
    }
}

#[test]
fn messages_move_to_another_queue_as_far_as_they_are_meant() {
    let (mut broker, client) = with_queue("from", json!({}));
    client.put("/api/queues/%2F/to", r#"{"durable":true}"#);
    fill(&client, "from", &["a", "b", "c", "d", "e"]);
    let request = json!({ "destination": { "queue": "to" }, "filter": { "properties": { "type": "c" } } });
    let end = ended(&client, &move_messages(&client, "from", &request));
    assert_eq!((&end["state"], &end["moved"], &end["scanned"]), (&json!("done"), &json!(1), &json!(5)), "{end}");
    let request = json!({ "destination": { "queue": "to" }, "count": 2 });
    let end = ended(&client, &move_messages(&client, "from", &request));
    assert_eq!((&end["state"], &end["moved"]), (&json!("done"), &json!(2)), "{end}");
    assert_eq!(
        (all(&client, "from"), all(&client, "to")),
        (vec!["d".into(), "e".into()], vec!["c".to_owned(), "a".to_owned(), "b".to_owned()])
    );
    broker.kill_9();
    broker.launch();
    let client = Client::guest(&broker);
    assert_eq!(
        (all(&client, "from"), all(&client, "to")),
        (vec!["d".into(), "e".into()], vec!["c".to_owned(), "a".to_owned(), "b".to_owned()])
    );
}

#[test]
fn messages_move_to_an_exchange_with_the_key_that_is_said_or_theirs() {
    let (_broker, client) = with_queue("from", json!({}));
    client.put("/api/queues/%2F/to", r#"{"durable":true}"#);
    fill(&client, "from", &["a", "b"]);
    let request = json!({ "destination": { "exchange": "amq.direct", "routing_key": "nowhere" } });
    let end = ended(&client, &move_messages(&client, "from", &request));
    assert_eq!((&end["moved"], &end["unroutable"]), (&json!(0), &json!(2)), "{end}");
    assert_eq!(all(&client, "from"), ["a", "b"]);
    let request = json!({ "destination": { "exchange": "amq.default", "routing_key": "to" } });
    assert_eq!(ended(&client, &move_messages(&client, "from", &request))["moved"], 2);
    let taken = fetch(&client, "to", 1, "ack_requeue_false").remove(0);
    assert_eq!((&taken["routing_key"], &taken["redelivered"]), (&json!("to"), &json!(false)));
}

#[test]
fn dead_letters_go_back_to_where_they_died() {
    let (_broker, client) = with_queue("dead", json!({}));
    let arguments = json!({ "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" });
    for queue in ["one", "two"] {
        client
            .put(&format!("/api/queues/%2F/{queue}"), &json!({ "durable": true, "arguments": arguments }).to_string());
        fill(&client, queue, &[queue]);
        fetch(&client, queue, 1, "reject_requeue_false");
    }
    fill(&client, "dead", &["never dead"]);
    assert_eq!(all(&client, "dead"), ["one", "two", "never dead"]);
    let request = json!({ "destination": "origin", "death_headers": "remove" });
    let end = ended(&client, &move_messages(&client, "dead", &request));
    assert_eq!((&end["moved"], &end["without_origin"]), (&json!(2), &json!(1)), "{end}");
    assert_eq!((all(&client, "one"), all(&client, "two")), (vec!["one".to_owned()], vec!["two".to_owned()]));
    assert_eq!(all(&client, "dead"), ["never dead"]);
    let back = fetch(&client, "one", 1, "reject_requeue_false").remove(0);
    assert_eq!((&back["exchange"], &back["routing_key"]), (&json!(""), &json!("one")), "as it was published");
    assert_eq!(back["properties"], json!({ "delivery_mode": 2, "type": "one", "headers": {} }));
    let request = json!({ "destination": { "origin": "last", "via": "exchange" } });
    assert_eq!(ended(&client, &move_messages(&client, "dead", &request))["moved"], 1);
    let back = fetch(&client, "one", 1, "ack_requeue_false").remove(0);
    assert_eq!(back["properties"]["headers"]["x-death"][0]["count"], 1, "its history stays");
}

#[test]
fn what_a_queue_has_no_room_for_stays_where_it_was() {
    let (_broker, client) = with_queue("from", json!({}));
    let limited = json!({ "durable": true, "arguments": { "x-max-length": 2, "x-overflow": "reject-publish" } });
    client.put("/api/queues/%2F/to", &limited.to_string());
    fill(&client, "from", &["a", "b", "c", "d", "e"]);
    let request = json!({ "destination": { "queue": "to" } });
    let end = ended(&client, &move_messages(&client, "from", &request));
    assert_eq!((&end["state"], &end["moved"], &end["rejected"]), (&json!("stopped"), &json!(2), &json!(3)), "{end}");
    assert_eq!(
        (all(&client, "from"), all(&client, "to")),
        (vec!["c".into(), "d".into(), "e".into()], vec!["a".to_owned(), "b".to_owned()])
    );
    let request = json!({ "destination": { "queue": "to" }, "filter": { "body": "d" }, "on_reject": "skip" });
    let end = ended(&client, &move_messages(&client, "from", &request));
    assert_eq!((&end["state"], &end["rejected"]), (&json!("done"), &json!(1)), "{end}");
    let rest = fetch(&client, "from", 9, "ack_requeue_false");
    let shown: Vec<_> = rest.iter().map(|one| format!("{} {}", one["payload"], one["redelivered"])).collect();
    assert_eq!(shown, ["\"c\" false", "\"d\" false", "\"e\" false"], "in its place, and never delivered");
}

#[test]
fn a_move_has_a_rate_and_can_be_cancelled() {
    let (broker, client) = with_queue("from", json!({}));
    client.put("/api/queues/%2F/to", r#"{"durable":true}"#);
    let mut publisher = RawClient::connect(broker.address(), &ConnectOptions::default());
    publisher.open_channel(1);
    publisher.confirm_select(1);
    for _ in 0..1000 {
        publisher.publish_with(1, Publish::new("", "from"), &Properties::default(), "x");
    }
    publisher.expect_all_confirmed(1, 1000);
    let operation = move_messages(&client, "from", &json!({ "destination": { "queue": "to" }, "rate": 40 }));
    pause(Duration::from_millis(500));
    let path = format!("/api/leveret/operations/{}", operation["id"]);
    client.put("/api/users/idle", r#"{"password":"p","tags":"management"}"#);
    client.put("/api/permissions/%2F/idle", r#"{"configure":"","write":"","read":""}"#);
    // Who may not read the queue could not have begun it.
    assert_eq!(Client::new(&broker, "idle", "p").delete(&path), 401);
    assert_eq!(client.send("DELETE", &path, &[], "").status, 200);
    let end = ended(&client, &operation);
    let moved = end["moved"].as_u64().expect("a number");
    assert_eq!(end["state"], "cancelled");
    assert!((2..=200).contains(&moved), "{end}");
    let list = client.get("/api/leveret/operations");
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(client.send("GET", "/api/leveret/operations/99", &[], "").status, 404);
}

#[test]
fn messages_that_a_filter_means_are_deleted() {
    let (_broker, client) = with_queue("q", json!({}));
    fill(&client, "q", &["a", "b", "a", "c"]);
    let refused = client.send("DELETE", "/api/queues/%2F/q/messages", &[], "");
    assert_eq!(refused.status, 400, "{refused:?}");
    let answer = client.send("DELETE", "/api/queues/%2F/q/messages?property=type%3Da", &[], "");
    assert_eq!(answer.status, 202, "{answer:?}");
    let end = ended(&client, &answer.json());
    assert_eq!((&end["kind"], &end["moved"]), (&json!("delete"), &json!(2)), "{end}");
    assert_eq!(all(&client, "q"), ["b", "c"]);
}

#[test]
fn moves_that_make_no_sense_are_refused() {
    let (broker, client) = with_queue("q", json!({}));
    fill(&client, "q", &["a"]);
    for request in [
        json!({}),
        json!({ "destination": "elsewhere" }),
        json!({ "destination": { "queue": "q" } }),
        json!({ "destination": { "queue": "q", "exchange": "x" } }),
        json!({ "destination": { "exchange": "nope" } }),
        json!({ "destination": { "exchange": "amq.direct" }, "rate": "fast" }),
        json!({ "destination": { "exchange": "amq.direct" }, "filter": { "colour": "red" } }),
        json!({ "destination": { "exchange": "amq.direct" }, "colour": "red" }),
    ] {
        let answer = client.post("/api/queues/%2F/q/move", &request.to_string());
        assert_eq!(answer.status, 400, "{request}: {answer:?}");
    }
    let answer = client.post("/api/queues/%2F/q/move", r#"{"destination":{"queue":"nope"}}"#);
    assert_eq!(answer.status, 404, "{answer:?}");
    client.put("/api/queues/%2F/to", r#"{"durable":true}"#);
    client.put("/api/users/u", r#"{"password":"p","tags":"management"}"#);
    client.put("/api/permissions/%2F/u", r#"{"configure":"","write":"","read":".*"}"#);
    let user = Client::new(&broker, "u", "p");
    let end = ended(&user, &move_messages(&user, "q", &json!({ "destination": { "queue": "to" } })));
    assert_eq!((&end["moved"], &end["refused"]), (&json!(0), &json!(1)), "{end}");
    assert_eq!(all(&client, "q"), ["a"]);
}
