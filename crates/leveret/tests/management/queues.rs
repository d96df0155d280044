//! `/api/queues` as RabbitMQ 3.10.8 answers, and 4.x where the two differ.

use crate::support::{Client, NOT_FOUND, assert_has, start};
use serde_json::json;

#[test]
fn declarations_and_deletions() {
    let broker = start(&[]);
    Client::guest(&broker).check(&[
        ("PUT", "/queues/%2F/q1", r#"{"durable":true,"arguments":{"x-max-length":10}}"#, 201, ""),
        ("PUT", "/queues/%2F/q1", r#"{"durable":true,"arguments":{"x-max-length":10}}"#, 204, ""),
        (
            "PUT",
            "/queues/%2F/q1",
            r#"{"durable":false}"#,
            400,
            r#"{"error":"bad_request","reason":"inequivalent arg 'durable' for queue 'q1' in vhost '/': received 'false' but current is 'true'"}"#,
        ),
        ("PUT", "/queues/%2F/q2", r#"{"auto_delete":"true"}"#, 201, ""),
        (
            "PUT",
            "/queues/%2F/q2",
            r#"{"auto_delete":"maybe"}"#,
            400,
            r#"{"error":"bad_request","reason":["not_boolean","maybe"]}"#,
        ),
        ("PUT", "/queues/%2F/q2", r#"{"durable":3}"#, 400, r#"{"error":"bad_request","reason":["not_boolean",3]}"#),
        ("PUT", "/queues/%2F/q2", "[]", 400, r#"{"error":"bad_request","reason":"not_json"}"#),
        ("PUT", "/queues/%2F/q2", "xx", 400, r#"{"error":"bad_request","reason":"not_json"}"#),
        (
            "PUT",
            "/queues/%2F/q2",
            r#""xx""#,
            400,
            r#"{"error":"bad_request","reason":"invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?"}"#,
        ),
        (
            "PUT",
            "/queues/%2F/q2",
            r#"{"node":"nope@x"}"#,
            400,
            r#"{"error":"bad_request","reason":"Node nope@x is not a cluster member"}"#,
        ),
        ("PUT", "/queues/nope/q", "{}", 404, r#"{"error":"not_found","reason":"vhost_not_found"}"#),
        ("PUT", "/queues/%2F/amq.q", "{}", 401, r#"{"error":"not_authorised","reason":"Access refused."}"#),
        (
            "PUT",
            "/queues/%2F/q4",
            r#"{"arguments":{"x-message-ttl":"a"}}"#,
            400,
            r#"{"error":"bad_request","reason":"invalid arg 'x-message-ttl' for queue 'q4' in vhost '/': \"expected integer, got longstr\""}"#,
        ),
        ("PUT", "/queues/%2F/q4", r#"{"arguments":{"a":null}}"#, 400, r#"{"error":"bad_request","reason":"null_not_allowed"}"#),
        ("PUT", "/queues/%2F/q4", r#"{"arguments":[]}"#, 201, ""),
        ("PUT", "/queues/%2F/q5", "", 201, ""),
        ("POST", "/queues/%2F/q1/actions", r#"{"action":"sync"}"#, 204, ""),
        ("POST", "/queues/%2F/q1/actions", r#"{"action":"foo"}"#, 400, r#"{"error":"bad_request","reason":["unknown","foo"]}"#),
        (
            "POST",
            "/queues/%2F/q1/actions",
            "{}",
            400,
            r#"{"error":"bad_request","reason":"[{key_missing,action}]"}"#,
        ),
        ("DELETE", "/queues/%2F/q1/contents", "", 204, ""),
        ("DELETE", "/queues/%2F/nope/contents", "", 404, NOT_FOUND),
        ("DELETE", "/queues/%2F/nope", "", 404, NOT_FOUND),
        ("DELETE", "/queues/%2F/q1?if-empty=false&if-unused=yes", "", 204, ""),
        ("GET", "/queues/%2F/q1", "", 404, NOT_FOUND),
        ("GET", "/queues/nope", "", 404, NOT_FOUND),
    ]);
}

/// The fields that RabbitMQ has, and strict clients want.
const FIELDS: [&str; 44] = [
    "arguments",
    "auto_delete",
    "backing_queue_status",
    "consumer_capacity",
    "consumer_utilisation",
    "consumers",
    "durable",
    "effective_policy_definition",
    "exclusive",
    "exclusive_consumer_tag",
    "garbage_collection",
    "head_message_timestamp",
    "leader",
    "members",
    "memory",
    "message_bytes",
    "message_bytes_paged_out",
    "message_bytes_persistent",
    "message_bytes_ram",
    "message_bytes_ready",
    "message_bytes_unacknowledged",
    "messages",
    "messages_details",
    "messages_paged_out",
    "messages_persistent",
    "messages_ram",
    "messages_ready",
    "messages_ready_details",
    "messages_ready_ram",
    "messages_unacknowledged",
    "messages_unacknowledged_details",
    "messages_unacknowledged_ram",
    "name",
    "node",
    "online",
    "operator_policy",
    "policy",
    "recoverable_slaves",
    "reductions",
    "reductions_details",
    "single_active_consumer_tag",
    "state",
    "storage_version",
    "vhost",
];

#[test]
fn fields() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    guest.put("/api/queues/%2F/q", r#"{"durable":true}"#);
    let policy = r#"{"pattern":"^q$","definition":{"max-length":7},"apply-to":"queues"}"#;
    guest.put("/api/policies/%2F/p", policy);
    let queue = guest.get("/api/queues/%2F/q");
    assert_has(&queue, &FIELDS);
    assert_has(&queue, &["consumer_details", "deliveries", "incoming"]);
    assert_eq!(queue["type"], "classic");
    assert_eq!(queue["policy"], "p");
    assert_eq!(queue["effective_policy_definition"], json!({ "max-length": 7 }));
    assert_eq!(queue.get("message_stats"), None, "nothing happened yet");
    for path in ["/api/queues", "/api/queues/detailed", "/api/queues/%2F"] {
        let list = guest.get(path);
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{path}");
        assert_has(&list[0], &FIELDS);
    }
    let basic = guest.get("/api/queues?disable_stats=true");
    assert_eq!(basic[0].get("messages"), None);
    let totals = guest.get("/api/queues?disable_stats=true&enable_queue_totals=true&columns=name,messages");
    assert_eq!(totals, json!([{ "name": "q", "messages": 0 }]));
}
