//! `/api/exchanges` as RabbitMQ 3.10.8 answers.

use crate::support::{Client, NOT_FOUND, start};
use serde_json::json;

#[test]
fn declarations_and_deletions() {
    let broker = start(&[]);
    Client::guest(&broker).check(&[
        ("PUT", "/exchanges/%2F/x1", r#"{"type":"topic"}"#, 201, ""),
        ("PUT", "/exchanges/%2F/x1", r#"{"type":"topic"}"#, 204, ""),
        ("PUT", "/exchanges/%2F/x2", "{}", 201, ""),
        (
            "PUT",
            "/exchanges/%2F/x3",
            r#"{"type":"nope"}"#,
            400,
            r#"{"error":"bad_request","reason":"unknown exchange type 'nope'"}"#,
        ),
        (
            "PUT",
            "/exchanges/%2F/x1",
            r#"{"type":"direct"}"#,
            400,
            r#"{"error":"bad_request","reason":"inequivalent arg 'type' for exchange 'x1' in vhost '/': received 'direct' but current is 'topic'"}"#,
        ),
        ("PUT", "/exchanges/%2F/amq.default", "{}", 401, r#"{"error":"not_authorised","reason":"Access refused."}"#),
        ("PUT", "/exchanges/%2F/amq.x", "{}", 401, r#"{"error":"not_authorised","reason":"Access refused."}"#),
        ("PUT", "/exchanges/nope/x", "{}", 404, r#"{"error":"not_found","reason":"vhost_not_found"}"#),
        ("DELETE", "/exchanges/%2F/amq.direct", "", 401, r#"{"error":"not_authorised","reason":"Access refused."}"#),
        ("DELETE", "/exchanges/%2F/nope", "", 404, NOT_FOUND),
        ("POST", "/bindings/%2F/e/x1/e/x2", r#"{"routing_key":"k"}"#, 201, ""),
        (
            "DELETE",
            "/exchanges/%2F/x1?if-unused=true",
            "",
            400,
            r#"{"error":"bad_request","reason":"exchange 'x1' in vhost '/' in use"}"#,
        ),
        (
            "GET",
            "/exchanges/%2F/x1",
            "",
            200,
            r#"{"name":"x1","vhost":"/","type":"topic","durable":false,"auto_delete":false,"internal":false,"arguments":{},"incoming":[],"outgoing":[]}"#,
        ),
        ("DELETE", "/exchanges/%2F/x1", "", 204, ""),
        ("GET", "/exchanges/%2F/x1", "", 404, NOT_FOUND),
        ("GET", "/exchanges/nope", "", 404, NOT_FOUND),
    ]);
}

#[test]
fn every_vhost_has_those_of_amqp() {
    let broker = start(&[]);
    let list = Client::guest(&broker).get("/api/exchanges/%2F?columns=name,type,internal");
    let expected = [
        ("", "direct", false),
        ("amq.direct", "direct", false),
        ("amq.fanout", "fanout", false),
        ("amq.headers", "headers", false),
        ("amq.match", "headers", false),
        ("amq.rabbitmq.trace", "topic", true),
        ("amq.topic", "topic", false),
    ];
    let expected = expected.map(|(name, kind, internal)| json!({ "name": name, "type": kind, "internal": internal }));
    assert_eq!(list, json!(expected));
}
