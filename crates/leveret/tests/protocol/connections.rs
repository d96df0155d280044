//! Opening and closing connections.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use testkit::method::{close, queue_delete};
use testkit::{
    CloseScope, ConnectOptions, Method, PROTOCOL_HEADER, Properties, Publish, QueueDeclare, RawClient, Value,
    connection_open, field, id, plain, tune_ok,
};

use crate::ours_only;
use crate::support::{address, connect, connect_to, connect_with, own_broker, queue, unique};

fn open() -> RawClient {
    RawClient::open(address(), Duration::from_secs(10))
}

#[test]
fn start_offers_what_clients_look_for() {
    let mut client = open();
    client.send_raw(&PROTOCOL_HEADER);
    let start = client.expect_start();
    assert_eq!(start.version, (0, 9));
    assert_eq!(start.locales, "en_US");
    let mechanisms: Vec<&str> = start.mechanisms.split(' ').collect();
    assert!(mechanisms.contains(&"PLAIN") && mechanisms.contains(&"AMQPLAIN"), "{mechanisms:?}");

    let keys: Vec<&str> = start.server_properties.iter().map(|(key, _)| key.as_str()).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(keys, sorted, "server properties are sorted by key");
    for key in ["cluster_name", "copyright", "information", "platform", "product", "version"] {
        assert!(matches!(field(&start.server_properties, key), Some(Value::LongString(_))), "{key}");
    }
    assert_eq!(field(&start.server_properties, "product"), Some(&Value::from("RabbitMQ")));
}

#[test]
fn start_names_every_capability() {
    let mut client = open();
    client.send_raw(&PROTOCOL_HEADER);
    let start = client.expect_start();
    let Some(Value::Table(capabilities)) = field(&start.server_properties, "capabilities") else {
        panic!("no capabilities in {:?}", start.server_properties)
    };
    for capability in [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ] {
        assert_eq!(field(capabilities, capability), Some(&Value::Bool(true)), "{capability}");
    }
}

#[test]
fn mechanisms_are_those_of_rabbitmq_4() {
    ours_only!("3.10 does not offer ANONYMOUS");
    let mut client = open();
    client.send_raw(&PROTOCOL_HEADER);
    assert_eq!(client.expect_start().mechanisms, "PLAIN AMQPLAIN ANONYMOUS");
}

#[test]
fn tune_offers_rabbitmqs_defaults() {
    let mut client = RawClient::logged_in(address(), &ConnectOptions::default());
    let tune = client.expect_tune();
    assert_eq!((tune.channel_max, tune.frame_max, tune.heartbeat), (2047, 131_072, 60));
}

/// A header that the broker does not speak is answered with one that it does, then the socket is closed.
#[track_caller]
fn check_refused_header(header: [u8; 8], answer: [u8; 8]) {
    let mut client = open();
    client.send_raw(&header);
    let read = client.stream().read_bytes(8).expect("an answer");
    assert_eq!(read.as_deref(), Some(answer.as_slice()), "answer to {header:?}");
    client.expect_eof();
}

#[test]
fn later_protocol_versions_are_answered_with_0_9_1() {
    check_refused_header(*b"AMQP\0\0\x09\x02", PROTOCOL_HEADER);
    check_refused_header(*b"AMQP\0\0\x0a\0", PROTOCOL_HEADER);
}

#[test]
fn other_headers_are_answered_with_amqp_1_0() {
    ours_only!("3.x answers every bad header with 0-9-1");
    check_refused_header(*b"AMQP\0\0\x08\0", *b"AMQP\x03\x01\0\0");
    check_refused_header(*b"AMQP\0\x01\0\0", *b"AMQP\x03\x01\0\0");
    check_refused_header(*b"GARBAGE!", *b"AMQP\x03\x01\0\0");
}

#[test]
fn protocol_0_9_is_taken_as_0_9_1() {
    let options = ConnectOptions { protocol_header: *b"AMQP\x01\x01\0\x09", ..ConnectOptions::default() };
    let mut client = connect_with(address(), &options);
    client.assert_alive(1);
}

#[test]
fn a_header_may_arrive_in_pieces() {
    let mut client = open();
    for byte in PROTOCOL_HEADER {
        client.send_raw(&[byte]);
        testkit::pause(Duration::from_millis(2));
    }
    client.expect_start();
}

#[test]
fn a_whole_session_may_arrive_at_once() {
    let name = unique("q");
    let options = ConnectOptions::default();
    let mut client = open();
    client.in_one_write(|client| {
        client.send_raw(&PROTOCOL_HEADER);
        client.send(0, options.start_ok());
        client.send(0, tune_ok(2047, 131_072, 0));
        client.send(0, connection_open("/"));
        client.send(1, testkit::method::channel_open());
        client.send(1, QueueDeclare::exclusive(&name));
    });
    client.expect_start();
    client.expect_tune();
    client.expect_method(0, id::CONNECTION_OPEN_OK);
    client.expect_method(1, id::CHANNEL_OPEN_OK);
    client.expect_method(1, (50, 11));
}

#[test]
fn amqplain_logs_in() {
    let response = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest".to_vec();
    let options = ConnectOptions { mechanism: "AMQPLAIN".to_owned(), response, ..ConnectOptions::default() };
    connect_with(address(), &options).assert_alive(1);
}

#[test]
fn anonymous_logs_in_from_loopback() {
    ours_only!("3.10 has no ANONYMOUS");
    let mechanism = "ANONYMOUS".to_owned();
    let options = ConnectOptions { mechanism, response: b"trace".to_vec(), ..ConnectOptions::default() };
    connect_with(address(), &options).assert_alive(1);
}

#[test]
fn a_refused_login_is_silent_without_the_capability() {
    let options = ConnectOptions::default().user("guest", "wrong").without_capability("authentication_failure_close");
    let mut client = RawClient::logged_in(address(), &options);
    client.expect_eof();
}

#[test]
fn an_unknown_user_is_refused_like_a_wrong_password() {
    let mut client = RawClient::logged_in(address(), &ConnectOptions::default().user("nobody", "x"));
    let refused = client.expect_close(0);
    assert_eq!((refused.code, refused.scope), (403, CloseScope::Connection));
    client.expect_eof();
}

#[test]
fn a_passwordless_login_is_refused() {
    let options = ConnectOptions { response: plain("guest", ""), ..ConnectOptions::default() };
    let mut client = RawClient::logged_in(address(), &options);
    assert_eq!(client.expect_close(0).code, 403);
}

#[test]
fn frames_are_cut_to_the_smallest_frame_max() {
    let mut client = connect_with(address(), &ConnectOptions::default().frame_max(4096));
    let queue = queue(&mut client, "small");
    let body: Vec<u8> = (0..20_000_u32).map(|at| (at % 251) as u8).collect();
    client.publish(1, "", &queue, &body);
    let taken = client.get(1, &queue, true).expect("a message");
    assert!(taken.body == body, "another body of {} bytes", taken.body.len());
    assert_eq!(client.body_frames(), 5, "4088 bytes in each frame but the last");
}

/// Clients that count the frame's own 8 bytes wrongly are let through.
#[test]
fn eight_bytes_beyond_frame_max_are_accepted() {
    let mut client = connect_with(address(), &ConnectOptions::default().frame_max(4096));
    let queue = queue(&mut client, "slack");
    client.send(1, Publish::new("", &queue));
    client.send_header(1, 4096, &Properties::default());
    client.send_frame(testkit::FRAME_BODY, 1, &[b'x'; 4096]);
    assert_eq!(client.get(1, &queue, true).expect("a message").body.len(), 4096);
}

#[test]
fn a_channel_max_of_one_leaves_one_channel() {
    let options = ConnectOptions { channel_max: Some(1), ..ConnectOptions::default() };
    let mut client = connect_with(address(), &options);
    client.close_channel(1);
    client.open_channel(1);
    client.send(2, testkit::method::channel_open());
    assert_eq!(
        client.expect_close(2).text,
        "NOT_ALLOWED - number of channels opened (1) has reached the negotiated channel_max (1)"
    );
}

#[test]
fn every_channel_up_to_channel_max_opens() {
    let mut client = connect();
    client.in_one_write(|client| {
        for channel in 2..=2047 {
            client.send(channel, testkit::method::channel_open());
        }
    });
    for channel in 2..=2047 {
        client.expect_method(channel, id::CHANNEL_OPEN_OK);
    }
    client.assert_alive(2047);
}

#[test]
fn close_is_answered_and_the_socket_ends() {
    let mut client = connect();
    client.call(0, close(id::CONNECTION_CLOSE));
}

#[test]
fn methods_after_close_are_ignored() {
    let mut client = connect();
    let name = unique("q");
    client.in_one_write(|client| {
        client.send(0, close(id::CONNECTION_CLOSE));
        client.send(1, QueueDeclare::new(&name));
    });
    client.expect_method(0, id::CONNECTION_CLOSE_OK);
    let mut other = connect();
    other.send(1, QueueDeclare::passive(&name));
    assert_eq!(other.expect_close(1).code, 404);
}

#[test]
fn exclusive_queues_are_gone_when_close_is_answered() {
    let mut other = connect();
    for _ in 0..10 {
        let mut client = connect();
        let queue = queue(&mut client, "gone");
        client.call(0, close(id::CONNECTION_CLOSE));
        other.send(1, QueueDeclare::passive(&queue));
        assert_eq!(other.expect_close(1).code, 404);
        other.open_channel(1);
    }
}

#[test]
fn a_lost_connection_requeues_what_it_held() {
    let name = unique("held");
    let mut other = connect();
    other.declare(1, QueueDeclare::new(&name));
    let mut client = connect();
    client.fill(&name, &["a", "b"]);
    client.consume(1, testkit::Consume::new(&name, ""));
    client.expect_bodies(1, &["a", "b"]);
    drop(client);
    other.consume(1, testkit::Consume::new(&name, ""));
    for body in ["a", "b"] {
        let delivery = other.expect_delivery(1);
        assert_eq!((delivery.text().as_str(), delivery.redelivered), (body, true));
    }
    other.call(1, queue_delete(&name, false, false));
}

#[test]
fn blocked_is_not_sent_to_a_quiet_broker() {
    let mut client = connect();
    client.publish(1, "", "nowhere", "x");
    client.assert_alive(1);
    client.expect_nothing(0, Duration::from_millis(50));
}

#[test]
fn update_secret_is_answered() {
    let mut client = connect();
    let update = Method::new(id::CONNECTION_UPDATE_SECRET, |out| {
        out.long_string(b"guest").short_string("testing");
    });
    client.call(0, update);
    client.assert_alive(1);
}

#[test]
fn access_request_is_answered_with_ticket_one() {
    let mut client = connect();
    let request = Method::new(id::ACCESS_REQUEST, |out| {
        out.short_string("/data").bits(&[false, false, true, true, true]);
    });
    assert_eq!(client.call(1, request).reader().short(), 1);
}

#[test]
fn a_connection_that_says_nothing_is_noticed_and_harms_nobody() {
    let silent = TcpStream::connect(address()).expect("a connection");
    let mut half = TcpStream::connect(address()).expect("a connection");
    half.write_all(b"AMQ").expect("three bytes");
    connect().assert_alive(1);
    drop((silent, half));
    connect().assert_alive(1);
}

#[test]
fn the_handshake_has_ten_seconds() {
    let Some(broker) = own_broker(&[("handshake_timeout", "300")]) else { return };
    let mut client = RawClient::open(broker.address(), Duration::from_secs(10));
    client.send_raw(&PROTOCOL_HEADER);
    client.expect_start();
    client.expect_eof();
}

#[test]
fn settings_change_what_is_negotiated() {
    let settings = [("frame_max", "8192"), ("channel_max", "7"), ("heartbeat", "30")];
    let Some(broker) = own_broker(&settings) else { return };
    let mut client = RawClient::logged_in(broker.address(), &ConnectOptions::default());
    let tune = client.expect_tune();
    assert_eq!((tune.channel_max, tune.frame_max, tune.heartbeat), (7, 8192, 30));
    client.send(0, tune_ok(8, 8192, 0));
    client.send(0, connection_open("/"));
    assert_eq!(
        client.expect_close(0).text,
        "NOT_ALLOWED - negotiated channel_max = 8 is higher than the maximum allowed value (7)"
    );
}

#[test]
fn sigterm_closes_every_connection_in_order() {
    let Some(mut broker) = own_broker(&[]) else { return };
    let mut clients: Vec<RawClient> = (0..3).map(|_| connect_to(broker.address())).collect();
    broker.send_terminate();
    for client in &mut clients {
        let closed = client.expect_close(0);
        assert_eq!((closed.code, closed.method), (320, (0, 0)));
        client.expect_eof();
    }
    assert!(broker.wait().success());
}

#[test]
fn durable_objects_survive_a_restart_and_a_kill() {
    let Some(mut broker) = own_broker(&[]) else { return };
    let declare = |client: &mut RawClient, name: &str| {
        client.declare(1, QueueDeclare::new(name).durable());
        client.call(1, testkit::ExchangeDeclare::new(name, "topic").durable());
        client.call(1, testkit::method::queue_bind(name, name, "a.#", &Vec::new()));
    };
    let mut client = connect_to(broker.address());
    declare(&mut client, "first");
    client.declare(1, QueueDeclare::new("transient"));
    client.call(1, testkit::ExchangeDeclare::new("transient", "topic"));
    broker.kill_9();
    broker.launch();
    let mut client = connect_to(broker.address());
    check_routes(&mut client, "first");
    declare(&mut client, "second");
    client.call(1, queue_delete("first", false, false));
    broker.restart();
    let mut client = connect_to(broker.address());
    check_routes(&mut client, "second");
    for gone in [QueueDeclare::passive("first"), QueueDeclare::passive("transient")] {
        client.send(1, gone);
        assert_eq!(client.expect_close(1).code, 404);
        client.open_channel(1);
    }
}

#[track_caller]
fn check_routes(client: &mut RawClient, name: &str) {
    client.declare(1, QueueDeclare::new(name).durable());
    client.publish(1, name, "a.b.c", "routed");
    assert_eq!(client.drain(1, name), ["routed"]);
}

#[test]
fn a_second_broker_on_the_same_port_says_so() {
    let Some(broker) = own_broker(&[]) else { return };
    let data = tempfile::tempdir().expect("a directory");
    let listener = format!("listeners.tcp.default={}", broker.address());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_leveret"))
        .args(["server", "--data-dir"])
        .arg(data.path())
        .args(["--set", &listener])
        .output()
        .expect("the binary runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&broker.address().port().to_string()), "names the port: {said}");
}

/// Tokens are long; 4.1 raised what is accepted before the login from 4096 to 8192 bytes.
#[test]
fn a_login_of_eight_kilobytes_is_read() {
    ours_only!("3.10 reads 4096 bytes before the login");
    let long = "x".repeat(7500);
    let client_properties = testkit::table([("connection_name", Value::from(long.as_str()))]);
    let options = ConnectOptions { client_properties, ..ConnectOptions::default() };
    connect_with(address(), &options).assert_alive(1);
}

#[test]
fn a_frame_of_megabytes_before_the_login_is_refused() {
    let mut client = open();
    client.send_raw(&PROTOCOL_HEADER);
    client.expect_start();
    client.send_raw(&[1, 0, 0, 0, 0x10, 0, 0]);
    // 3.10 says nothing, later versions neither; what counts is that it ends.
    let _ = client.poll(Duration::from_secs(5), |event| event.method.id == id::CONNECTION_CLOSE);
    connect().assert_alive(1);
}
