//! `/api/queues` as RabbitMQ 3.10.8 answers, and 4.x where the two differ.

use crate::support::{Client, NOT_FOUND, assert_has, start};
use serde_json::json;
use testkit::{ConnectOptions, Consume, ExchangeDeclare, QueueDeclare, RawClient, method};

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

#[test]
fn a_queue_and_an_exchange_name_who_they_deal_with() {
    let broker = start(&[("management.rates_mode", "detailed")]);
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare::new("q"));
    client.call(1, ExchangeDeclare::new("e", "fanout"));
    client.call(1, method::queue_bind("q", "e", "", &Vec::new()));
    client.publish(1, "e", "", "one");
    client.publish(1, "e", "", "two");
    client.open_channel(2);
    client.consume(2, Consume::new("q", "reader"));
    client.expect_delivery(2);
    client.expect_delivery(2);
    let api = Client::guest(&broker);
    let queue = api.get("/api/queues/%2F/q");
    assert_eq!(queue["incoming"].as_array().map(Vec::len), Some(1), "{queue}");
    assert_eq!(queue["incoming"][0]["exchange"], json!({ "name": "e", "vhost": "/" }));
    assert_eq!(queue["incoming"][0]["stats"]["publish"], 2);
    assert_eq!(queue["deliveries"].as_array().map(Vec::len), Some(1), "{queue}");
    assert_eq!(queue["deliveries"][0]["stats"]["deliver"], 2);
    assert_eq!(queue["deliveries"][0]["channel_details"]["number"], 2);
    let exchange = api.get("/api/exchanges/%2F/e");
    assert_eq!(exchange["incoming"].as_array().map(Vec::len), Some(1), "{exchange}");
    assert_eq!(exchange["incoming"][0]["stats"]["publish"], 2);
    assert_eq!(exchange["incoming"][0]["channel_details"]["number"], 1);
    assert_eq!(exchange["outgoing"][0]["queue"], json!({ "name": "q", "vhost": "/" }));
    assert_eq!(exchange["outgoing"][0]["stats"]["publish"], 2);
}

#[test]
fn lists_are_sorted_by_what_reactors_know() {
    let broker = start(&[]);
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    for place in 0..600 {
        client.declare(1, QueueDeclare::new(&format!("q{place:03}")));
    }
    client.confirm_select(1);
    for (queue, count) in [("q599", 3), ("q000", 2), ("q300", 1)] {
        (0..count).for_each(|_| client.publish(1, "", queue, "message"));
    }
    client.expect_all_confirmed(1, 6);
    let api = Client::guest(&broker);
    let page = api.get("/api/queues?page=1&page_size=4&sort=messages_ram&sort_reverse=true&columns=name,messages_ram");
    let expected = [("q599", 3), ("q000", 2), ("q300", 1), ("q598", 0)];
    let expected: Vec<_> = expected.iter().map(|(name, ram)| json!({ "name": name, "messages_ram": ram })).collect();
    assert_eq!(page["items"], json!(expected));
    let all = api.get("/api/queues?columns=name,messages_ram");
    let known = all.as_array().expect("a list").iter().filter_map(|row| row["messages_ram"].as_u64());
    assert_eq!(known.sum::<u64>(), 6);
}

#[test]
fn every_page_has_its_part_of_the_order() {
    let broker = start(&[]);
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    // In an order that is not theirs.
    for place in 0..103 {
        client.declare(1, QueueDeclare::new(&format!("q{:03}", place * 41 % 103)));
    }
    let api = Client::guest(&broker);
    let mut seen = Vec::new();
    for page in 1..=11 {
        let rows = api.get(&format!("/api/queues?page={page}&page_size=10&columns=name"));
        assert_eq!((&rows["filtered_count"], &rows["page_count"]), (&json!(103), &json!(11)));
        seen.extend(rows["items"].as_array().expect("items").iter().map(|row| row["name"].clone()));
    }
    let expected: Vec<_> = (0..103).map(|place| json!(format!("q{place:03}"))).collect();
    assert_eq!(seen, expected);
}
