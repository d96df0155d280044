//! What happens at an exchange or in a queue, while it happens.

use super::{fetch, message, publish, with_queue};
use crate::support::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use testkit::method::ack;
use testkit::{BrokerProcess, ConnectOptions, Consume, RawClient};

/// A client that reads events.
struct Tail {
    stream: TcpStream,
    text: String,
}

impl Tail {
    /// Watches, from the moment on at which this returns.
    fn open(broker: &BrokerProcess, path: &str) -> Tail {
        Tail::open_as(broker, "guest:guest", path)
    }

    fn open_as(broker: &BrokerProcess, credentials: &str, path: &str) -> Tail {
        let mut stream = TcpStream::connect(broker.management()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let authorization = STANDARD.encode(credentials);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic {authorization}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut tail = Tail { stream, text: String::new() };
        assert_eq!(tail.event().0, "watching");
        tail
    }

    /// The next event: its name and data.
    fn event(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let found = line("event: ").zip(line("data: "));
                self.text = rest.to_owned();
                if let Some((name, data)) = found {
                    return (name, serde_json::from_str(&data).expect("JSON"));
                }
                continue;
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).expect("an event in time");
            assert!(count > 0, "the stream ended: {}", self.text);
            // What frames chunks stands on lines of its own, which no event has.
            self.text += &String::from_utf8_lossy(&bytes[..count]).replace("\r\n", "\n");
        }
    }

    fn names(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.event().0).collect()
    }
}

#[test]
fn what_is_published_to_an_exchange_is_told() {
    let (broker, client) = with_queue("q", json!({}));
    let mut tail = Tail::open(&broker, "/api/exchanges/%2F/amq.topic/tail?routing_key=a.%23&truncate=3");
    let properties = json!({ "headers": { "n": 1 }, "delivery_mode": 2 });
    publish(&client, "amq.topic", &message("b.c", json!({}), "not meant"));
    publish(&client, "amq.topic", &message("a.b", properties.clone(), "from HTTP"));
    let (name, data) = tail.event();
    assert_eq!(name, "publish");
    assert_eq!((&data["exchange"], &data["routing_key"]), (&json!("amq.topic"), &json!("a.b")));
    assert_eq!(
        (&data["payload"], &data["payload_bytes"], &data["properties"]),
        (&json!("fro"), &json!(9), &properties)
    );
    let mut publisher = RawClient::connect(broker.address(), &ConnectOptions::default());
    publisher.open_channel(1);
    publisher.publish(1, "amq.topic", "a", "over AMQP");
    assert_eq!(tail.event().1["routing_key"], "a");
}

#[test]
fn what_enters_and_leaves_a_queue_is_told() {
    let (broker, client) = with_queue("q", json!({ "x-max-length": 2 }));
    let mut tail = Tail::open(&broker, "/api/queues/%2F/q/tail");
    for body in ["1", "2", "3"] {
        publish(&client, "amq.default", &message("q", json!({}), body));
    }
    assert_eq!(tail.names(4), ["enter", "enter", "enter", "maxlen"], "the third enters before the first leaves");
    let mut consumer = RawClient::connect(broker.address(), &ConnectOptions::default());
    consumer.open_channel(1);
    consumer.call(1, testkit::method::qos(1, false));
    consumer.consume(1, Consume::new("q", "c"));
    let tag = consumer.expect_delivery(1).delivery_tag;
    consumer.send(1, ack(tag, false));
    let (name, data) = tail.event();
    assert_eq!((&*name, &data["payload"]), ("ack", &json!("2")));
    consumer.close();
    fetch(&client, "q", 1, "ack_requeue_false");
    assert_eq!(tail.event().0, "deliver_no_ack");
    publish(&client, "amq.default", &message("q", json!({}), "4"));
    fetch(&client, "q", 1, "reject_requeue_false");
    assert_eq!(tail.names(2), ["enter", "rejected"]);
    assert_eq!(client.delete("/api/queues/%2F/q"), 204);
    let mut rest = Vec::new();
    let _ = tail.stream.read_to_end(&mut rest);
    assert!(rest.ends_with(b"0\r\n\r\n"), "the stream ends with the queue");
}

#[test]
fn what_a_slow_or_modest_client_misses_is_counted() {
    let (broker, _) = with_queue("q", json!({}));
    let mut tail = Tail::open(&broker, "/api/queues/%2F/q/tail?rate=5");
    let mut publisher = RawClient::connect(broker.address(), &ConnectOptions::default());
    publisher.open_channel(1);
    publisher.confirm_select(1);
    (0..1000).for_each(|_| publisher.publish(1, "", "q", "x"));
    publisher.expect_all_confirmed(1, 1000);
    let (mut told, mut missed) = (0, 0);
    while told + missed < 1000 {
        match tail.event() {
            (name, data) if name == "missed" => {
                missed += data["skipped"].as_u64().unwrap_or_default() + data["dropped"].as_u64().unwrap_or_default();
            }
            _ => told += 1,
        }
    }
    assert_eq!(told + missed, 1000);
    assert!((5..=50).contains(&told), "{told}");
}

#[test]
fn only_so_many_watch_and_only_who_may_read() {
    let (broker, client) = with_queue("q", json!({}));
    let tails: Vec<Tail> = (0..8).map(|_| Tail::open(&broker, "/api/queues/%2F/q/tail")).collect();
    let path = "/api/queues/%2F/q/tail";
    assert_eq!(client.send("GET", path, &[], "").status, 503);
    drop(tails);
    for _ in 0..500 {
        publish(&client, "amq.default", &message("q", json!({}), "x"));
        if Tail::try_open(&broker, path) {
            break;
        }
    }
    assert!(Tail::try_open(&broker, path), "who is gone makes room");
    client.put("/api/users/u", r#"{"password":"p","tags":"monitoring"}"#);
    client.put("/api/permissions/%2F/u", r#"{"configure":".*","write":".*","read":""}"#);
    let user = Client::new(&broker, "u", "p");
    assert_eq!(user.send("GET", path, &[], "").status, 401);
    assert_eq!(user.send("GET", "/api/exchanges/%2F/amq.topic/tail", &[], "").status, 401);
    assert_eq!(client.send("GET", "/api/exchanges/%2F/nope/tail", &[], "").status, 404);
    assert_eq!(client.send("GET", "/api/queues/%2F/q/tail?rate=fast", &[], "").status, 400);
}

#[test]
fn who_may_not_read_any_more_is_told_nothing_more() {
    let (broker, client) = with_queue("q", json!({}));
    client.put("/api/users/u", r#"{"password":"p","tags":"management"}"#);
    for (path, revoked) in
        [("/api/queues/%2F/q/tail", "/api/permissions/%2F/u"), ("/api/exchanges/%2F/amq.topic/tail", "/api/users/u")]
    {
        client.put("/api/permissions/%2F/u", r#"{"configure":"","write":"","read":".*"}"#);
        let mut tail = Tail::open_as(&broker, "u:p", path);
        assert_eq!(client.delete(revoked), 204);
        // The stream ends, or this waits in vain.
        while tail.stream.read(&mut [0; 4096]).expect("an end in time") > 0 {}
    }
}

impl Tail {
    fn try_open(broker: &BrokerProcess, path: &str) -> bool {
        let mut stream = TcpStream::connect(broker.management()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let authorization = STANDARD.encode("guest:guest");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {authorization}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("a status");
        &status == b"HTTP/1.1 200"
    }
}
