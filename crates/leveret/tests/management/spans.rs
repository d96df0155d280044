//! Spans of traced messages, as a collector gets them.

use crate::support::start;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use testkit::method::ack;
use testkit::{BrokerProcess, ConnectOptions, Consume, Properties, Publish, QueueDeclare, RawClient};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00";

/// A collector that refuses the first request, as one that starts does; the bodies of the others come out.
fn collector() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let (sender, bodies) = channel();
    thread::spawn(move || {
        let mut is_first = true;
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            loop {
                let mut length = 0;
                let mut head = Vec::new();
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        break;
                    }
                    let line = line.trim_end().to_ascii_lowercase();
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if line.is_empty() {
                        break;
                    }
                    head.push(line);
                }
                let Some(first) = head.first() else { break };
                assert_eq!(first, "post /v1/traces http/1.1");
                assert!(head.contains(&"content-type: application/json".to_owned()), "{head:?}");
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let status = if is_first { "503 Service Unavailable" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
                if !std::mem::take(&mut is_first) && sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                    return;
                }
            }
        }
    });
    (endpoint, bodies)
}

fn traced(parent: &str) -> Properties {
    Properties::default().header("traceparent", parent).header("tracestate", "vendor=1").header("other", 7)
}

/// Publishes to a queue, takes the message and acknowledges it; returns its properties. The connection is closed at the
/// end, or its consumer could get the next exchange's message.
fn exchange(broker: &BrokerProcess, parent: &str) -> Properties {
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare::new("q"));
    client.consume(1, Consume::new("q", "reader"));
    client.publish_with(1, Publish::new("", "q"), &traced(parent), "body");
    let delivery = client.expect_delivery(1);
    client.send(1, ack(delivery.delivery_tag, false));
    client.close();
    delivery.properties
}

/// `operation destination` and the ids of every span until there are `count`.
fn spans(bodies: &Receiver<Value>, count: usize) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    while all.len() < count {
        let body = bodies.recv_timeout(Duration::from_secs(20)).expect("spans come");
        let resource = &body["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "orders");
        all.extend(resource["scopeSpans"][0]["spans"].as_array().unwrap().iter().cloned());
    }
    all
}

#[test]
fn a_traced_message_has_spans_below_its_publishers() {
    let (endpoint, bodies) = collector();
    let broker = start(&[("leveret.otlp.endpoint", &endpoint), ("leveret.otlp.service_name", "orders")]);
    assert_eq!(exchange(&broker, NOT_SAMPLED), traced(NOT_SAMPLED));
    assert_eq!(exchange(&broker, PARENT), traced(PARENT), "headers are not touched");
    let spans = spans(&bodies, 3);
    let names: Vec<&str> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["publish amq.default", "deliver q", "ack q"]);
    let mut ids: Vec<&str> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    for span in &spans {
        assert_eq!(span["traceId"], TRACE);
        assert_eq!(span["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(span["traceState"], "vendor=1");
        let time = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{span}");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let has = |span: &Value, key: &str, value: &str| {
        let attributes = span["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|attribute| attribute["key"] == key).unwrap_or_else(|| panic!("{key}"));
        let shown = &found["value"];
        assert!(shown["stringValue"] == value || shown["intValue"] == value, "{found}");
    };
    has(&spans[0], "leveret.routed_queues", "1");
    has(&spans[0], "messaging.message.body.size", "4");
    has(&spans[1], "messaging.rabbitmq.destination.routing_key", "q");
    has(&spans[1], "messaging.operation.type", "receive");
}

#[test]
fn a_share_of_nothing_is_no_spans_and_stops_nothing() {
    let (endpoint, bodies) = collector();
    let mut broker = start(&[("leveret.otlp.endpoint", &endpoint), ("leveret.otlp.sample", "0")]);
    assert_eq!(exchange(&broker, PARENT), traced(PARENT));
    broker.terminate();
    assert!(bodies.recv_timeout(Duration::from_millis(500)).is_err());
}

#[test]
fn headers_pass_untouched_without_telemetry() {
    let broker = start(&[]);
    assert_eq!(exchange(&broker, PARENT), traced(PARENT));
}
