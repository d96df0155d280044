//! Metrics as Prometheus reads them.

use crate::support::{Answer, Client, request, start};
use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};
use testkit::method::{self, ack};
use testkit::{
    BrokerProcess, ConnectOptions, Consume, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, pause,
};

/// One line of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Series {
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// Reads the text format; anything that is none panics.
pub fn parse(text: &str) -> Vec<Series> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| series(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect()
}

fn series(line: &str) -> Option<Series> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let mut labels = BTreeMap::new();
    let value = match rest.strip_prefix('{') {
        None => rest,
        Some(rest) => {
            let mut rest = rest;
            while !rest.starts_with('}') {
                let (label, quoted) = rest.split_once("=\"")?;
                let (value, after) = unquoted(quoted)?;
                labels.insert(label.to_owned(), value);
                rest = after.strip_prefix(',').unwrap_or(after);
            }
            &rest[1..]
        }
    };
    let value = match value.trim() {
        "+Inf" => f64::INFINITY,
        text => text.parse().ok()?,
    };
    Some(Series { name: name.to_owned(), labels, value })
}

fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

/// Scrapes a path.
#[track_caller]
pub fn scrape(broker: &BrokerProcess, path: &str) -> Vec<Series> {
    let answer = request(broker.prometheus(), "GET", path, &[], "");
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    parse(&answer.body)
}

/// The value of the one series of this name with these labels among others.
#[track_caller]
fn value(all: &[Series], name: &str, labels: &[(&str, &str)]) -> f64 {
    let has =
        |series: &&Series| series.name == name && labels.iter().all(|(label, value)| series.label(label) == *value);
    let found: Vec<&Series> = all.iter().filter(has).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
    found[0].value
}

fn names(all: &[Series]) -> Vec<&str> {
    all.iter().map(|series| series.name.as_str()).collect()
}

/// One of everything that is counted: published, confirmed, returned, dropped, delivered, fetched, acknowledged, given up.
pub fn traffic(broker: &BrokerProcess) -> RawClient {
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.confirm_select(1);
    client.declare(1, QueueDeclare::new("orders"));
    client.declare(1, QueueDeclare::new("short").argument("x-max-length", 1));
    client.call(1, ExchangeDeclare::new("events", "fanout"));
    client.call(1, method::queue_bind("orders", "events", "", &Vec::new()));
    for size in [10, 2000, 200] {
        client.publish(1, "events", "", vec![b'x'; size]);
    }
    client.publish(1, "", "short", "one");
    client.publish(1, "", "short", "two");
    client.publish(1, "", "nobody", "dropped");
    // Confirms that wait for the log come when they are due, before or after a return.
    client.expect_all_confirmed(1, 6);
    client.publish_with(1, Publish::new("", "nobody").mandatory(), &Properties::default(), "returned");
    client.expect_return(1);
    assert_eq!(client.expect_confirm(1).delivery_tag, 7);
    client.open_channel(2);
    client.consume(2, Consume::new("orders", "reader"));
    let first = client.expect_delivery(2).delivery_tag;
    client.expect_delivery(2);
    client.expect_delivery(2);
    client.send(2, ack(first, false));
    client.open_channel(3);
    assert!(client.get(3, "short", true).is_some());
    assert!(client.get(3, "short", true).is_none());
    client.assert_alive(2);
    client
}

#[test]
fn totals_are_what_was_done() {
    let broker = start(&[]);
    let client = traffic(&broker);
    let all = scrape(&broker, "/metrics");
    let amqp = |name: &str| value(&all, &format!("rabbitmq_global_{name}"), &[("protocol", "amqp091")]);
    for (name, expected) in [
        ("messages_received_total", 7.0),
        ("messages_received_confirm_total", 7.0),
        ("messages_routed_total", 5.0),
        ("messages_confirmed_total", 7.0),
        ("messages_unroutable_dropped_total", 1.0),
        ("messages_unroutable_returned_total", 1.0),
        ("publishers", 1.0),
        ("consumers", 1.0),
        ("messages_delivered_total", 4.0),
        ("messages_delivered_consume_manual_ack_total", 3.0),
        ("messages_delivered_get_auto_ack_total", 1.0),
        ("messages_get_empty_total", 1.0),
        ("messages_acknowledged_total", 1.0),
    ] {
        assert_eq!(amqp(name), expected, "{name}");
    }
    let short = [("queue_type", "rabbit_classic_queue"), ("dead_letter_strategy", "disabled")];
    assert_eq!(value(&all, "rabbitmq_global_messages_dead_lettered_maxlen_total", &short), 1.0);
    let size = |le: &str| value(&all, "rabbitmq_message_size_bytes_bucket", &[("protocol", "amqp091"), ("le", le)]);
    assert_eq!(
        ["100.0", "1000.0", "10000.0", "100000.0", "1e+06", "1e+07", "5e+07", "1e+08", "+Inf"].map(size),
        [5.0, 6.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0]
    );
    assert_eq!(value(&all, "rabbitmq_message_size_bytes_sum", &[]), 2231.0);
    for (name, expected) in [
        ("rabbitmq_queue_messages_ready", 0.0),
        ("rabbitmq_queue_messages_unacked", 2.0),
        ("rabbitmq_queue_messages_ram", 2.0),
        ("rabbitmq_queues", 2.0),
        ("rabbitmq_connections", 1.0),
        ("rabbitmq_channels", 3.0),
        ("rabbitmq_queues_created_total", 2.0),
        ("rabbitmq_channels_opened_total", 3.0),
        ("rabbitmq_channel_messages_published_total", 7.0),
        ("rabbitmq_queue_messages_published_total", 5.0),
        ("rabbitmq_exchange_messages_published_total", 7.0),
        ("rabbitmq_channel_messages_delivered_ack_total", 3.0),
        ("rabbitmq_channel_get_total", 1.0),
        ("rabbitmq_alarms_memory_used_watermark", 0.0),
    ] {
        assert_eq!(value(&all, name, &[]), expected, "{name}");
    }
    assert!(value(&all, "rabbitmq_process_resident_memory_bytes", &[]) > 1e6);
    assert!(value(&all, "rabbitmq_disk_space_available_bytes", &[]) > 0.0);
    let identity = all.iter().find(|series| series.name == "rabbitmq_identity_info").unwrap();
    assert_eq!(identity.label("rabbitmq_endpoint"), "aggregated");
    assert!(identity.label("rabbitmq_node").starts_with("rabbit@"), "{identity:?}");
    assert!(identity.label("rabbitmq_cluster_permanent_id").starts_with("rabbitmq-cluster-id-"), "{identity:?}");
    // What is gone stays counted.
    client.close();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let all = scrape(&broker, "/metrics");
        if value(&all, "rabbitmq_connections_closed_total", &[]) == 1.0 {
            assert_eq!(value(&all, "rabbitmq_global_messages_received_total", &[]), 7.0);
            assert_eq!(value(&all, "rabbitmq_channels_closed_total", &[]), 3.0);
            break;
        }
        assert!(Instant::now() < deadline, "the connection does not close");
        pause(Duration::from_millis(20));
    }
}

#[test]
fn objects_have_series_and_queues_no_channel() {
    let broker = start(&[]);
    let _client = traffic(&broker);
    let all = scrape(&broker, "/metrics/per-object");
    let orders = [("vhost", "/"), ("queue", "orders")];
    assert_eq!(value(&all, "rabbitmq_queue_messages_unacked", &orders), 2.0);
    assert_eq!(value(&all, "rabbitmq_queue_messages_published_total", &orders), 3.0);
    assert_eq!(value(&all, "rabbitmq_queue_messages_delivered_ack_total", &orders), 3.0);
    assert_eq!(value(&all, "rabbitmq_queue_info", &orders), 1.0);
    let with_channel: Vec<&Series> = all
        .iter()
        .filter(|series| series.name.starts_with("rabbitmq_queue_") && series.labels.contains_key("channel"))
        .collect();
    assert!(with_channel.is_empty(), "{with_channel:?}");
    let published = [("vhost", "/"), ("exchange", "events")];
    assert_eq!(value(&all, "rabbitmq_channel_messages_published_total", &published), 3.0);
    assert_eq!(value(&all, "rabbitmq_exchange_messages_published_total", &published), 3.0);
    assert_eq!(value(&all, "rabbitmq_channel_messages_delivered_ack_total", &orders), 3.0);
    // No series is there twice, which Prometheus would refuse.
    let mut seen: Vec<String> = all.iter().map(|series| format!("{}{:?}", series.name, series.labels)).collect();
    seen.sort_unstable();
    let count = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

#[test]
fn details_are_what_is_asked_for() {
    let broker = start(&[]);
    let _client = traffic(&broker);
    let nothing = scrape(&broker, "/metrics/detailed");
    assert_eq!(names(&nothing), ["rabbitmq_build_info", "rabbitmq_identity_info"]);
    let queues = scrape(&broker, "/metrics/detailed?family=queue_coarse_metrics&queue=%5Eord");
    assert_eq!(value(&queues, "rabbitmq_detailed_queue_messages", &[("vhost", "/")]), 2.0);
    assert!(queues.iter().all(|series| matches!(series.label("queue"), "" | "orders")), "{queues:?}");
    let elsewhere = scrape(&broker, "/metrics/detailed?family=queue_coarse_metrics&vhost=elsewhere");
    assert_eq!(names(&elsewhere), ["rabbitmq_build_info", "rabbitmq_identity_info"]);
    let consumers = scrape(&broker, "/metrics/detailed?family=queue_consumer_count&vhost=elsewhere&vhost=/");
    assert_eq!(value(&consumers, "rabbitmq_detailed_queue_consumers", &[("queue", "orders")]), 1.0);
    let both = scrape(&broker, "/metrics/detailed?family=queue_consumer_count&family=queue_metrics");
    assert_eq!(value(&both, "rabbitmq_detailed_queue_consumers", &[("queue", "orders")]), 1.0);
    let cluster =
        scrape(&broker, "/metrics/detailed?family=vhost_status&family=exchange_bindings&family=exchange_names");
    assert_eq!(value(&cluster, "rabbitmq_cluster_vhost_status", &[("vhost", "/")]), 1.0);
    assert_eq!(value(&cluster, "rabbitmq_cluster_exchange_bindings", &[("exchange", "events")]), 1.0);
    assert_eq!(value(&cluster, "rabbitmq_cluster_exchange_name", &[("exchange", "events"), ("type", "fanout")]), 1.0);
    let node = scrape(&broker, "/metrics/detailed?family=connection_churn_metrics&family=auth_attempt_metrics");
    assert_eq!(value(&node, "rabbitmq_detailed_queues_created_total", &[]), 2.0);
    assert_eq!(value(&node, "rabbitmq_detailed_auth_attempts_succeeded_total", &[("protocol", "amqp091")]), 1.0);
}

#[test]
fn mistakes_are_answered_as_rabbitmq_does() {
    let broker = start(&[]);
    let get = |path: &str, accept: &str| request(broker.prometheus(), "GET", path, &[("Accept", accept)], "");
    let is =
        |answer: Answer, status: u16, body: &str| assert_eq!((answer.status, answer.body.as_str()), (status, body));
    is(get("/metrics/nothing", "*/*"), 404, "Unknown Registry");
    is(get("/nothing", "*/*"), 404, r#"{"error":"Object Not Found","reason":"Not Found"}"#);
    is(get("/metrics", "application/json"), 406, "");
    let two = "/metrics/detailed?queue=a&queue=b";
    is(get(two, "*/*"), 400, "Only one 'queue' query parameter is allowed");
    assert_eq!(get("/metrics/detailed?queue=(", "*/*").status, 400);
    assert_eq!(request(broker.prometheus(), "HEAD", "/metrics", &[], "").status, 204);
    assert_eq!(request(broker.prometheus(), "POST", "/metrics", &[], "").status, 405);
}

#[test]
fn clients_choose_format_and_compression() {
    let broker = start(&[]);
    let get = |headers: &[(&str, &str)]| request(broker.prometheus(), "GET", "/metrics", headers, "");
    assert_eq!(get(&[]).header("content-type"), Some("text/plain; version=0.0.4"));
    let open = get(&[("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")]);
    let kind = open.header("content-type").unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.body.ends_with("# EOF\n"));
    assert!(open.body.contains("# TYPE rabbitmq_queues_created counter\n"), "{}", open.body);
    assert!(open.body.contains("\nrabbitmq_queues_created_total 0\n"), "{}", open.body);
    assert!(open.body.contains("\nrabbitmq_global_messages_received_created{protocol=\"amqp091\"} "), "{}", open.body);
    // A client that takes gzip gets it, and one that takes deflate does not.
    assert_eq!(get(&[("Accept-Encoding", "deflate")]).header("content-encoding"), None);
    let mut stream = std::net::TcpStream::connect(broker.prometheus()).unwrap();
    let head = "GET /metrics HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let body = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(String::from_utf8_lossy(&bytes[..body]).contains("content-encoding: gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[body..]).read_to_string(&mut text).unwrap();
    assert!(!parse(&text).is_empty());
}

#[test]
fn configuration_says_what_is_served_where() {
    let broker = start(&[
        ("prometheus.path", "/bunnies"),
        ("prometheus.return_per_object_metrics", "true"),
        ("prometheus.authentication.enabled", "true"),
    ]);
    let _client = traffic(&broker);
    let refused = request(broker.prometheus(), "GET", "/bunnies", &[], "");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"RabbitMQ Prometheus\""));
    // guest:guest
    let credentials = [("Authorization", "Basic Z3Vlc3Q6Z3Vlc3Q=")];
    let answer = request(broker.prometheus(), "GET", "/bunnies", &credentials, "");
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("rabbitmq_queue_messages_unacked{vhost=\"/\",queue=\"orders\"} 2\n"));
    assert!(answer.body.contains("rabbitmq_endpoint=\"per-object\""));
    assert_eq!(request(broker.prometheus(), "GET", "/metrics", &credentials, "").status, 404);
}

#[test]
fn queues_can_be_left_out_of_sums() {
    let broker = start(&[("prometheus.filter_aggregated_queue_metrics_pattern", "^ord")]);
    let _client = traffic(&broker);
    let all = scrape(&broker, "/metrics");
    assert_eq!(value(&all, "rabbitmq_queue_messages_unacked", &[]), 0.0);
    assert_eq!(value(&all, "rabbitmq_queue_messages_published_total", &[]), 2.0);
}

#[test]
fn memory_has_parts() {
    let broker = start(&[]);
    let all = scrape(&broker, "/metrics/memory-breakdown");
    let parts: f64 = all.iter().filter(|series| series.name.starts_with("rabbitmq_memory_")).map(|s| s.value).sum();
    assert!(parts > 1e6, "{all:?}");
    assert_eq!(value(&all, "rabbitmq_identity_info", &[("rabbitmq_endpoint", "memory-breakdown")]), 1.0);
    // The API is elsewhere.
    assert_eq!(Client::guest(&broker).send("GET", "/metrics", &[], "").status, 404);
}
