//! Connections, channels and consumers over HTTP: who sees which, what is told of them, and closing them.

use crate::support::{Client, start};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::method::{ack, cancel, qos};
use testkit::{BrokerProcess, ConnectOptions, Consume, Properties, Publish, QueueDeclare, RawClient, id, pause, table};

/// What clients that decode strictly must find in a connection, a channel and a consumer, and what RabbitMQ has beside.
const CONNECTION: &[&str] = &[
    "name",
    "node",
    "protocol",
    "user",
    "user_who_performed_action",
    "user_provided_name",
    "vhost",
    "connected_at",
    "client_properties",
    "state",
    "host",
    "port",
    "peer_host",
    "peer_port",
    "channel_max",
    "channels",
    "frame_max",
    "timeout",
    "ssl",
    "ssl_protocol",
    "ssl_key_exchange",
    "ssl_cipher",
    "ssl_hash",
    "peer_cert_subject",
    "peer_cert_issuer",
    "peer_cert_validity",
    "auth_mechanism",
    "recv_oct",
    "recv_oct_details",
    "recv_cnt",
    "send_oct",
    "send_oct_details",
    "send_cnt",
    "send_pend",
    "type",
    "reductions",
    "reductions_details",
    "garbage_collection",
];
const CHANNEL: &[&str] = &[
    "number",
    "name",
    "connection_details",
    "vhost",
    "user",
    "user_who_performed_action",
    "node",
    "state",
    "consumer_count",
    "confirm",
    "transactional",
    "prefetch_count",
    "global_prefetch_count",
    "messages_unacknowledged",
    "messages_unconfirmed",
    "messages_uncommitted",
    "acks_uncommitted",
    "pending_raft_commands",
    "message_stats",
    "reductions",
    "reductions_details",
    "garbage_collection",
];
const CONSUMER: &[&str] = &[
    "consumer_tag",
    "active",
    "activity_status",
    "ack_required",
    "prefetch_count",
    "exclusive",
    "arguments",
    "consumer_timeout",
    "queue",
    "channel_details",
];

fn connect(broker: &BrokerProcess, user: &str) -> RawClient {
    let client_properties = table([("connection_name", format!("of {user}").as_str().into())]);
    let options = ConnectOptions { client_properties, ..ConnectOptions::default() }.user(user, user);
    let mut client = RawClient::connect(broker.address(), &options);
    client.open_channel(1);
    client
}

fn put_user(client: &Client<'_>, name: &str, tags: &str) {
    client.put(&format!("/api/users/{name}"), &json!({ "password": name, "tags": tags }).to_string());
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    client.put(&format!("/api/permissions/%2F/{name}"), &all.to_string());
}

fn list(client: &Client<'_>, path: &str) -> Vec<Value> {
    client.get(path).as_array().unwrap_or_else(|| panic!("{path}: no list")).clone()
}

fn users(rows: &[Value]) -> Vec<&str> {
    let mut users: Vec<&str> = rows.iter().filter_map(|row| row["user"].as_str()).collect();
    users.sort_unstable();
    users
}

#[track_caller]
fn has_all(object: &Value, names: &[&str]) {
    let missing: Vec<_> = names.iter().filter(|name| object.get(**name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {object:#}");
}

fn segment(name: &Value) -> String {
    name.as_str().expect("a name").replace(' ', "%20").replace('>', "%3E").replace('(', "%28").replace(')', "%29")
}

#[test]
fn a_connection_and_its_channels_are_told_in_full() {
    let broker = start(&[]);
    let api = Client::guest(&broker);
    let mut client = connect(&broker, "guest");
    let connections = list(&api, "/api/connections");
    let [connection] = &connections[..] else { panic!("one connection: {connections:?}") };
    has_all(connection, CONNECTION);
    assert_eq!(connection["user_provided_name"], "of guest");
    assert_eq!((&connection["state"], &connection["channels"]), (&json!("running"), &json!(1)));
    assert!(connection["recv_oct"].as_u64() > Some(0) && connection["send_cnt"].as_u64() > Some(0));
    let of_connection = format!("/api/connections/{}", segment(&connection["name"]));
    assert_eq!(api.get(&of_connection)["name"], connection["name"]);
    assert_eq!(list(&api, "/api/vhosts/%2F/connections").len(), 1);
    let by_user = list(&api, "/api/connections/username/guest");
    let expected = json!([{
        "name": connection["name"], "vhost": "/", "user": "guest", "node": connection["node"]
    }]);
    assert_eq!(Value::from(by_user), expected);
    assert_eq!(list(&api, &format!("{of_connection}/sessions")), Vec::<Value>::new());
    let basic = api.get(&format!("{of_connection}?disable_stats=true"));
    assert!(basic.get("recv_oct").is_none() && basic.get("peer_port").is_some());

    client.declare(1, QueueDeclare::new("q"));
    client.confirm_select(1);
    client.call(1, qos(7, false));
    // One after the other: a confirm that waits for the log may come before or after the return of the next message.
    client.publish(1, "", "q", "a");
    assert_eq!(client.expect_confirm(1).delivery_tag, 1);
    client.publish_with(1, Publish::new("", "nowhere").mandatory(), &Properties::default(), "b");
    client.expect_return(1);
    assert_eq!(client.expect_confirm(1).delivery_tag, 2);
    client.consume(1, Consume::new("q", "tag").argument("x-priority", 3));
    client.expect_delivery(1);
    let rows = list(&api, "/api/channels");
    let [channel] = &rows[..] else { panic!("one channel: {rows:?}") };
    has_all(channel, CHANNEL);
    assert_eq!(
        (&channel["number"], &channel["confirm"], &channel["prefetch_count"]),
        (&1.into(), &true.into(), &7.into())
    );
    assert_eq!((&channel["messages_unacknowledged"], &channel["consumer_count"]), (&1.into(), &1.into()));
    assert_eq!(channel["connection_details"]["name"], connection["name"]);
    has_all(&channel["connection_details"], &["name", "peer_host", "peer_port"]);
    let stats = &channel["message_stats"];
    for (name, count) in [("publish", 2), ("confirm", 2), ("return_unroutable", 1), ("deliver", 1), ("deliver_get", 1)]
    {
        assert_eq!(stats[name], count, "{name} of {stats}");
        assert!(stats[format!("{name}_details")]["rate"].is_number(), "{name} of {stats}");
    }
    for path in ["/api/vhosts/%2F/channels", &format!("{of_connection}/channels")] {
        assert_eq!(list(&api, path)[0]["name"], channel["name"], "{path}");
    }

    let one = api.get(&format!("/api/channels/{}", segment(&channel["name"])));
    has_all(&one, CHANNEL);
    let publishes = &one["publishes"][0];
    assert_eq!(publishes["exchange"], json!({ "name": "", "vhost": "/" }));
    assert_eq!(publishes["stats"]["publish"], 2);
    let deliveries = &one["deliveries"][0];
    assert_eq!(deliveries["queue"], json!({ "name": "q", "vhost": "/" }));
    assert_eq!(deliveries["stats"]["deliver"], 1);
    has_all(&one["consumer_details"][0], CONSUMER);
    client.send(1, ack(1, false));
    client.assert_alive(1);
    let one = api.get(&format!("/api/channels/{}", segment(&channel["name"])));
    assert_eq!((&one["messages_unacknowledged"], &one["message_stats"]["ack"]), (&0.into(), &1.into()));
    assert_eq!(one["deliveries"][0]["stats"]["ack"], 1);

    let consumers = list(&api, "/api/consumers/%2F");
    let [consumer] = &consumers[..] else { panic!("one consumer: {consumers:?}") };
    has_all(consumer, CONSUMER);
    assert_eq!(consumer["queue"], json!({ "name": "q", "vhost": "/" }));
    assert_eq!((&consumer["arguments"], &consumer["activity_status"]), (&json!({ "x-priority": 3 }), &json!("up")));
    assert!(consumer["consumer_timeout"].is_u64(), "strict clients take a number only: {consumer}");
    assert_eq!(consumer["channel_details"]["name"], channel["name"]);
    client.call(1, cancel("tag"));
    assert_eq!(list(&api, "/api/consumers"), Vec::<Value>::new());
    client.close_channel(1);
    assert_eq!(list(&api, "/api/channels"), Vec::<Value>::new());
    assert_eq!(api.send("GET", &format!("/api/channels/{}", segment(&channel["name"])), &[], "").status, 404);
}

#[test]
fn users_see_and_close_their_own_and_monitors_see_all() {
    let broker = start(&[]);
    let admin = Client::guest(&broker);
    for (name, tags) in [("ann", "management"), ("bob", "management"), ("mon", "monitoring")] {
        put_user(&admin, name, tags);
    }
    let mut of_ann = connect(&broker, "ann");
    let mut of_bob = connect(&broker, "bob");
    of_bob.declare(1, QueueDeclare::new("q"));
    of_bob.consume(1, Consume::new("q", "c"));
    let [ann, monitor] = ["ann", "mon"].map(|name| Client::new(&broker, name, name));
    for path in ["/api/connections", "/api/channels", "/api/vhosts/%2F/connections", "/api/vhosts/%2F/channels"] {
        assert_eq!(users(&list(&ann, path)), ["ann"], "{path}");
        assert_eq!(users(&list(&monitor, path)), ["ann", "bob"], "{path}");
    }
    assert_eq!(list(&ann, "/api/consumers"), Vec::<Value>::new());
    assert_eq!(list(&monitor, "/api/consumers").len(), 1);

    let name_of = |user: &str| segment(&list(&admin, &format!("/api/connections/username/{user}"))[0]["name"]);
    let (path_ann, path_bob) = (name_of("ann"), name_of("bob"));
    let refused = ann.send("GET", &format!("/api/connections/{path_bob}"), &[], "");
    let expected = json!({ "error": "not_authorised", "reason": "User not authorised to access object" });
    assert_eq!((refused.status, refused.json()), (401, expected));
    for (client, method, path) in [
        (ann, "GET", "/api/connections/username/bob".to_owned()),
        (ann, "DELETE", "/api/connections/username/bob".to_owned()),
        (ann, "DELETE", format!("/api/connections/{path_bob}")),
        (ann, "GET", format!("/api/channels/{path_bob}%20%281%29")),
        (ann, "GET", format!("/api/connections/{path_bob}/channels")),
        (monitor, "DELETE", format!("/api/connections/{path_bob}")),
    ] {
        assert_eq!(client.send(method, &path, &[], "").status, 401, "{method} {path}");
    }
    assert_eq!(monitor.send("GET", &format!("/api/connections/{path_bob}"), &[], "").status, 200);
    of_bob.assert_alive(1);

    assert_eq!(ann.send("DELETE", &format!("/api/connections/{path_ann}"), &[], "").status, 204);
    assert_eq!(of_ann.expect_close(0).text, "CONNECTION_FORCED - Closed via management plugin");
    let reason = [("X-Reason", "tidying up")];
    assert_eq!(admin.send("DELETE", "/api/connections/username/bob", &reason, "").status, 204);
    let close = of_bob.expect_close(0);
    assert_eq!((close.code, close.text.as_str()), (320, "CONNECTION_FORCED - tidying up"));
    for mut client in [of_ann, of_bob] {
        client.send(0, testkit::method::bare(id::CONNECTION_CLOSE_OK));
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while !list(&admin, "/api/connections").is_empty() {
        assert!(Instant::now() < deadline, "closed connections stay in the list");
        pause(Duration::from_millis(10));
    }
    assert_eq!(admin.send("DELETE", &format!("/api/connections/{path_bob}"), &[], "").status, 404);
    assert_eq!(admin.send("DELETE", "/api/connections/username/bob", &[], "").status, 204, "none is fine");
}

#[test]
fn what_is_not_there_is_not_found() {
    let broker = start(&[]);
    let api = Client::guest(&broker);
    for path in [
        "/api/connections/x",
        "/api/connections/x/channels",
        "/api/connections/x/sessions",
        "/api/channels/x",
        "/api/vhosts/nowhere/connections",
        "/api/vhosts/nowhere/channels",
        "/api/consumers/nowhere",
    ] {
        assert_eq!(api.send("GET", path, &[], "").status, 404, "{path}");
    }
    let refused = api.send("GET", "/api/consumers?disable_stats=true", &[], "");
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("bad_request")));
}
