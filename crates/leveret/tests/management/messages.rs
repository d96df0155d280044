//! Messages over HTTP: what RabbitMQ has, publish and get. The answers are those of a RabbitMQ 3.10 that was asked the
//! same, but for what the path names and is not there, which later versions answer with 404.

mod delayed;
mod peek;
mod queue;
mod tail;
mod transfer;

use crate::support::{Client, start};
use serde_json::{Value, json};
use testkit::BrokerProcess;

fn publish(client: &Client<'_>, exchange: &str, message: &Value) -> (u16, Value) {
    let answer = client.post(&format!("/api/exchanges/%2F/{exchange}/publish"), &message.to_string());
    (answer.status, answer.json())
}

fn message(routing_key: &str, properties: Value, payload: &str) -> Value {
    json!({ "routing_key": routing_key, "properties": properties, "payload": payload, "payload_encoding": "string" })
}

fn get(client: &Client<'_>, queue: &str, request: Value) -> (u16, Value) {
    let answer = client.post(&format!("/api/queues/%2F/{queue}/get"), &request.to_string());
    (answer.status, answer.json())
}

fn fetch(client: &Client<'_>, queue: &str, count: i64, ackmode: &str) -> Vec<Value> {
    let (status, body) = get(client, queue, json!({ "count": count, "ackmode": ackmode, "encoding": "auto" }));
    assert_eq!(status, 200, "{body}");
    body.as_array().expect("a list").clone()
}

fn with_queue(name: &str, arguments: Value) -> (BrokerProcess, Client<'static>) {
    let broker = start(&[]);
    let client = Client::guest(&broker);
    let queue = json!({ "durable": true, "arguments": arguments });
    client.put(&format!("/api/queues/%2F/{name}"), &queue.to_string());
    (broker, client)
}

#[test]
fn a_message_goes_in_and_comes_out_with_all_its_properties() {
    let (_broker, client) = with_queue("q", json!({}));
    let properties = json!({
        "headers": {
            "a": 1, "b": 1.5, "c": true, "e": [1, "x", { "y": 2 }], "f": { "g": "h" }, "big": 3_000_000_000_u64, "s": "t"
        },
        "delivery_mode": 2, "priority": 3, "timestamp": 12345, "expiration": "60000", "content_type": "text/plain",
        "message_id": "m", "app_id": "a", "cluster_id": "c", "type": "t", "reply_to": "r", "correlation_id": "ci",
        "content_encoding": "ce", "user_id": "guest"
    });
    let (status, body) = publish(&client, "amq.default", &message("q", properties.clone(), "h\u{e9}"));
    assert_eq!((status, body), (200, json!({ "routed": true })));
    let expected = json!([{
        "payload_bytes": 3, "redelivered": false, "exchange": "", "routing_key": "q", "message_count": 0,
        "properties": properties, "payload": "h\u{e9}", "payload_encoding": "string"
    }]);
    assert_eq!(Value::from(fetch(&client, "q", 5, "ack_requeue_false")), expected);
    assert_eq!(fetch(&client, "q", 5, "ack_requeue_false"), Vec::<Value>::new(), "it is gone");
    let (status, body) = publish(&client, "amq.direct", &message("nowhere", json!([]), "x"));
    assert_eq!((status, body), (200, json!({ "routed": false })));
}

#[test]
fn bodies_are_text_or_base64_and_are_cut() {
    let (_broker, client) = with_queue("q", json!({}));
    let binary = json!({ "routing_key": "q", "properties": {}, "payload": "/wA=", "payload_encoding": "base64" });
    assert_eq!(publish(&client, "amq.default", &binary).0, 200);
    let first = fetch(&client, "q", 1, "ack_requeue_false").remove(0);
    assert_eq!((&first["payload"], &first["payload_encoding"]), (&json!("/wA="), &json!("base64")));
    assert_eq!(first["properties"], json!([]), "none are an empty list");
    publish(&client, "amq.default", &message("q", json!({}), "h\u{e9}llo"));
    let cut = |request: Value| get(&client, "q", request).1[0].clone();
    let shown = cut(json!({ "count": "1", "ackmode": "ack_requeue_true", "encoding": "base64", "truncate": "1" }));
    assert_eq!((&shown["payload"], &shown["payload_bytes"]), (&json!("aA=="), &json!(6)));
    let shown = cut(json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 2 }));
    assert_eq!(shown["payload_encoding"], "base64", "a character is cut in two");
    assert_eq!(shown["redelivered"], true);
}

#[test]
fn what_is_fetched_returns_or_is_gone_as_the_ackmode_says() {
    let (_broker, client) = with_queue("dead", json!({}));
    let arguments = json!({ "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead" });
    client.put("/api/queues/%2F/q", &json!({ "durable": true, "arguments": arguments }).to_string());
    for body in ["1", "2", "3"] {
        publish(&client, "amq.default", &message("q", json!({ "delivery_mode": 2 }), body));
    }
    let bodies = |messages: Vec<Value>| {
        let show = |message: &Value| format!("{} {}", message["payload"], message["redelivered"]);
        messages.iter().map(show).collect::<Vec<_>>()
    };
    let counts: Vec<Value> =
        fetch(&client, "q", 2, "ack_requeue_true").iter().map(|message| message["message_count"].clone()).collect();
    assert_eq!(counts, [2, 1], "messages that are left behind each");
    assert_eq!(bodies(fetch(&client, "q", -1, "reject_requeue_true")), ["\"1\" true", "\"2\" true", "\"3\" false"]);
    assert_eq!(bodies(fetch(&client, "q", 1, "reject_requeue_false")), ["\"1\" true"]);
    assert_eq!(bodies(fetch(&client, "q", 1, "ack_requeue_false")), ["\"2\" true"]);
    assert_eq!(bodies(fetch(&client, "q", 9, "ack_requeue_true")), ["\"3\" true"]);
    let dead = fetch(&client, "dead", 9, "ack_requeue_false");
    assert_eq!(bodies(dead.clone()), ["\"1\" false"]);
    let death = &dead[0]["properties"]["headers"]["x-death"][0];
    assert_eq!((&death["reason"], &death["queue"]), (&json!("rejected"), &json!("q")));
}

#[test]
fn what_a_persistent_message_is_answered_with_survives() {
    let (mut broker, client) = with_queue("q", json!({}));
    for at in 0..5 {
        publish(&client, "amq.default", &message("q", json!({ "delivery_mode": 2 }), &at.to_string()));
    }
    fetch(&client, "q", 1, "ack_requeue_false");
    broker.restart();
    let client = Client::guest(&broker);
    let all = fetch(&client, "q", 9, "ack_requeue_false");
    let bodies: Vec<&str> = all.iter().filter_map(|message| message["payload"].as_str()).collect();
    assert_eq!(bodies.last(), Some(&"4"), "{all:?}");
    assert!(bodies.len() >= 4, "{all:?}");
}

#[test]
fn requests_that_make_no_sense_are_refused_in_rabbitmqs_words() {
    let (_broker, client) = with_queue("q", json!({}));
    let limited = json!({ "durable": true, "arguments": { "x-max-length": 0, "x-overflow": "reject-publish" } });
    client.put("/api/queues/%2F/limited", &limited.to_string());
    let bad = |reason: Value| json!({ "error": "bad_request", "reason": reason });
    let with = |properties: Value| message("q", properties, "hi");
    for (given, reason) in [
        (with(json!({ "headers": { "d": null } })), json!("null_not_allowed")),
        (
            json!({ "routing_key": "q", "payload": "hi" }),
            json!("[{key_missing,properties},{key_missing,payload_encoding}]"),
        ),
        (with(json!({ "priority": "x" })), json!(["not_int", "priority"])),
        (with(json!({ "priority": 2.5 })), json!(["not_int", "priority"])),
        (with(json!({ "app_id": 5 })), json!(["not_string", "app_id"])),
        (with(json!({ "expiration": 1234 })), json!(["not_string", "expiration"])),
        (with(json!({ "expiration": "abc" })), json!("406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer")),
        (
            with(json!({ "user_id": "foo" })),
            json!("406 PRECONDITION_FAILED - user_id property set to 'foo' but authenticated user was 'guest'"),
        ),
        (
            json!({ "routing_key": "q", "properties": {}, "payload": ["hi"], "payload_encoding": "string" }),
            json!("payload_not_string"),
        ),
        (
            json!({ "routing_key": "q", "properties": {}, "payload": "!!", "payload_encoding": "base64" }),
            json!(["not_base64", "!!"]),
        ),
        (
            json!({ "routing_key": "q", "properties": {}, "payload": "hi", "payload_encoding": "base99" }),
            json!(["unsupported_encoding", "base99"]),
        ),
        (message("limited", json!({}), "x"), json!("rejected Unable to publish message. Check queue limits.")),
        (json!([]), json!("not_json")),
    ] {
        assert_eq!(publish(&client, "amq.default", &given), (400, bad(reason)), "{given}");
    }
    for (given, reason) in [
        (json!({ "ackmode": "ack_requeue_true" }), json!("[{key_missing,count},{key_missing,encoding}]")),
        (json!({ "count": "x", "ackmode": "ack_requeue_true", "encoding": "auto" }), json!(["not_integer", "x"])),
        (
            json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "utf" }),
            json!("Unsupported encoding. Please use auto or base64."),
        ),
        (
            json!({ "count": 1, "ackmode": "x", "encoding": "auto" }),
            json!(
                "Invalid ackmode value: x. Valid values are: ack_requeue_true, ack_requeue_false, \
                 reject_requeue_true, reject_requeue_false"
            ),
        ),
    ] {
        assert_eq!(get(&client, "q", given.clone()), (400, bad(reason)), "{given}");
    }
    let missing = |reason: &str| (404, json!({ "error": "not_found", "reason": reason }));
    assert_eq!(publish(&client, "nope", &with(json!({}))), missing("exchange_not_found"));
    let request = json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "auto" });
    assert_eq!(get(&client, "nope", request.clone()), missing("queue_not_found"));
    let elsewhere = client.post("/api/queues/nowhere/q/get", &request.to_string());
    assert_eq!((elsewhere.status, elsewhere.json()), missing("vhost_not_found"));
}

#[test]
fn what_a_user_may_not_do_over_amqp_he_may_not_do_here() {
    let (broker, guest) = with_queue("q", json!({}));
    guest.put("/api/users/u", r#"{"password":"p","tags":"management"}"#);
    let user = Client::new(&broker, "u", "p");
    let request = json!({ "count": 1, "ackmode": "ack_requeue_true", "encoding": "auto" });
    assert_eq!(get(&user, "q", request.clone()).0, 401, "no permissions in the virtual host");
    guest.put("/api/permissions/%2F/u", r#"{"configure":"","write":"","read":""}"#);
    assert_eq!(
        get(&user, "q", request.clone()),
        (
            401,
            json!({
                "error": "not_authorised",
                "reason": "ACCESS_REFUSED - read access to queue 'q' in vhost '/' refused for user 'u'"
            })
        )
    );
    assert_eq!(
        publish(&user, "amq.direct", &message("q", json!({}), "x")),
        (
            400,
            json!({
                "error": "bad_request",
                "reason": "403 ACCESS_REFUSED - write access to exchange 'amq.direct' in vhost '/' refused for user 'u'"
            })
        )
    );
    guest.put("/api/permissions/%2F/u", r#"{"configure":"","write":".*","read":".*"}"#);
    assert_eq!(get(&user, "q", request).0, 200);
    guest.put("/api/topic-permissions/%2F/u", r#"{"exchange":"amq.topic","write":"^a","read":""}"#);
    assert_eq!(publish(&user, "amq.topic", &message("a.b", json!({}), "x")).0, 200);
    let (status, body) = publish(&user, "amq.topic", &message("b.a", json!({}), "x"));
    assert_eq!(status, 400);
    let text = body["reason"].as_str().expect("a reason");
    assert!(text.starts_with("403 ACCESS_REFUSED - write access to topic 'b.a' in exchange"), "{text}");
}
