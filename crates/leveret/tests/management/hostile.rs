//! Requests that are cut short, too long, too many, or for what is not there.

use crate::support::{Client, request, start};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, pause};

const AUTHORIZATION: &str = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Everything until the other side closes or resets the connection.
#[track_caller]
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the connection stays open: {answer:?}"),
        _ => String::from_utf8_lossy(&answer).into_owned(),
    }
}

#[track_caller]
fn is_well(broker: &BrokerProcess) {
    assert_eq!(Client::guest(broker).send("GET", "/api/whoami", &[], "").status, 200);
}

#[test]
fn half_a_request_is_given_up() {
    let broker = start(&[("management.tcp.request_timeout", "300")]);
    for half in ["", "G", "GET /api/whoami HTTP/1.1\r\n", "GET /api/whoami HTTP/1.1\r\nHost: a\r\nX-"] {
        let mut stream = connect(broker.management());
        stream.write_all(half.as_bytes()).unwrap();
        let begun = Instant::now();
        let answer = rest(&mut stream);
        assert!(begun.elapsed() > Duration::from_millis(200), "{half:?}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    is_well(&broker);
}

#[test]
fn a_connection_without_requests_is_closed() {
    let broker = start(&[("management.tcp.request_timeout", "300")]);
    let mut stream = connect(broker.management());
    stream.write_all(b"GET /api/auth HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn half_a_body_is_given_up() {
    let broker = start(&[("management.tcp.idle_timeout", "300")]);
    let mut stream = connect(broker.management());
    let head = format!("PUT /api/vhosts/half HTTP/1.1\r\nHost: a\r\n{AUTHORIZATION}Content-Length: 100\r\n\r\n{{\"a");
    stream.write_all(head.as_bytes()).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(Client::guest(&broker).send("GET", "/api/vhosts/half", &[], "").status, 404);
}

#[test]
fn who_reads_nothing_is_given_up() {
    let broker = start(&[("management.tcp.idle_timeout", "500"), ("management.tcp.max_connections", "1")]);
    let mut stream = connect(broker.management());
    let one = format!("GET /api/index.html HTTP/1.1\r\nHost: a\r\n{AUTHORIZATION}\r\n");
    // More answers than fit between the two sides, of which none is read.
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let begun = Instant::now();
    while stream.write_all(one.repeat(100).as_bytes()).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is answered for ever");
    }
    // The only connection that there may be is free again.
    is_well(&broker);
}

#[test]
fn there_are_as_many_connections_as_there_may_be() {
    let broker = start(&[("management.tcp.max_connections", "2"), ("management.tcp.request_timeout", "1000")]);
    let _idle = [connect(broker.management()), connect(broker.management())];
    let begun = Instant::now();
    is_well(&broker);
    assert!(begun.elapsed() > Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[test]
fn a_connection_has_as_many_requests_as_it_may() {
    let broker = start(&[("management.tcp.max_keepalive", "3")]);
    let mut stream = connect(broker.management());
    stream.write_all("GET /api/auth HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5).as_bytes()).unwrap();
    let answers = rest(&mut stream);
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 3, "{answers}");
    assert_eq!(answers.to_lowercase().matches("connection: close").count(), 1, "{answers}");
}

/// It comes in a packet of its own, as clients send it.
#[test]
fn a_body_that_nobody_reads_does_not_end_the_connection() {
    let broker = start(&[]);
    let mut stream = connect(broker.management());
    for (path, authorization, status) in [
        ("/api/rebalance/queues", AUTHORIZATION, 204),
        ("/api/vhosts/%2F/deletion/protection", "", 401),
        ("/api/nowhere", AUTHORIZATION, 404),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{authorization}Content-Length: 4\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        pause(Duration::from_millis(100));
        stream.write_all(b"[{}]").unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer:?}");
    }
    // What is too long to be skipped does, and the client is told.
    let head = format!("POST /api/nowhere HTTP/1.1\r\nHost: a\r\n{AUTHORIZATION}Content-Length: 1000000\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let broker = start(&[("management.http.max_body_size", "1000")]);
    let guest = Client::guest(&broker);
    let body = |length: usize| format!("{{\"description\":\"{}\"}}", "a".repeat(length - 18));
    assert_eq!(guest.send("PUT", "/api/vhosts/a", &[], &body(1000)).status, 201);
    let refused = guest.send("PUT", "/api/vhosts/b", &[], &body(1001));
    let text = r#"{"error":"bad_request","reason":"Exceeded HTTP request body size limit"}"#;
    assert_eq!((refused.status, refused.body.as_str()), (400, text));
    assert_eq!(guest.send("GET", "/api/vhosts/b", &[], "").status, 404);
}

#[test]
fn a_length_that_is_only_claimed_takes_no_memory() {
    let broker = start(&[]);
    let before = broker.resident_bytes();
    let streams: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = connect(broker.management());
            let claimed =
                format!("PUT /api/vhosts/x HTTP/1.1\r\nHost: a\r\n{AUTHORIZATION}Content-Length: 19999999\r\n\r\n");
            stream.write_all(claimed.as_bytes()).unwrap();
            stream
        })
        .collect();
    is_well(&broker);
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 40 << 20, "{grown}");
    drop(streams);
}

#[test]
fn paths_lead_nowhere_else() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let long = format!("/api/queues/{}", "a".repeat(10_000));
    for path in [
        "/api/vhosts/%2F/..",
        "/api/vhosts/..",
        "/api/vhosts/%2e%2e",
        "/api/../api/nothing",
        "/api/vhosts//",
        "/api//vhosts/x",
        "//api/nothing",
        "/api/vhosts/%00",
        "/api/vhosts/%2F%00",
        "/api/vhosts/%ff%fe",
        "/api/queues/%ff/%fe",
        "/api/vhosts/%",
        "/api/vhosts/%zz",
        "/api/vhosts/%252F",
        "/api/queues/%2F/%2E%2E%2Fx",
        "/api/users/guest%2Fpermissions",
        "/cli/../api/vhosts/x",
        "/api/vhosts/\u{fffd}",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/openapi.json/..",
        long.as_str(),
    ] {
        let answer = guest.send("GET", path, &[], "");
        assert!((400..415).contains(&answer.status), "{path}: {answer:?}");
    }
    for line in [
        "GET  HTTP/1.1",
        "GET * HTTP/1.1",
        "GET http:// HTTP/1.1",
        "G\u{0} / HTTP/1.1",
        "\u{16}\u{3}\u{1}",
        "GET / HTTP/9.9",
    ] {
        let mut stream = connect(broker.management());
        stream.write_all(format!("{line}\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let answer = rest(&mut stream);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4"),
            "{line}: {answer}"
        );
    }
    assert_eq!(guest.get("/api/vhosts").as_array().unwrap().len(), 1);
    is_well(&broker);
}

#[test]
fn names_in_paths_are_taken_as_they_are() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    for (path, name) in [
        ("/api/vhosts/%2e%2e%2f", "../"),
        ("/api/vhosts/a%2Fb", "a/b"),
        ("/api/vhosts/%252F", "%2F"),
        ("/api/vhosts/%C3%A9+", "é+"),
    ] {
        assert_eq!(guest.put(path, ""), 201, "{path}");
        assert_eq!(guest.get(path)["name"], name);
    }
}

#[test]
fn heads_that_are_too_long_are_refused() {
    let broker = start(&[]);
    let long = "a".repeat(200_000);
    let mut stream = connect(broker.management());
    // It may be refused, and the connection reset, before all of it is sent.
    let _ = stream.write_all(format!("GET /api/whoami HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n").as_bytes());
    let answer = rest(&mut stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = "X: y\r\n".repeat(5_000);
    let mut stream = connect(broker.management());
    let _ = stream.write_all(format!("GET /api/whoami HTTP/1.1\r\nHost: a\r\n{many}\r\n").as_bytes());
    let answer = rest(&mut stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    is_well(&broker);
}

#[test]
fn a_thousand_requests_at_once_are_answered_within_bounded_memory() {
    let broker = start(&[]);
    let before = broker.resident_bytes();
    let body = format!("{{\"description\":\"{}\"}}", "a".repeat(50_000));
    let bytes = format!(
        "PUT /api/vhosts/many HTTP/1.1\r\nHost: a\r\n{AUTHORIZATION}Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut streams: Vec<TcpStream> = (0..1_000)
        .map(|_| {
            let mut stream = connect(broker.management());
            stream.write_all(bytes.as_bytes()).unwrap();
            stream.write_all(&body.as_bytes()[..25_000]).unwrap();
            stream
        })
        .collect();
    for stream in &mut streams {
        stream.write_all(&body.as_bytes()[25_000..]).unwrap();
    }
    let answers: Vec<String> = streams.iter_mut().map(rest).collect();
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 20")), "{:?}", answers.first());
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 150 << 20, "{} MiB", grown >> 20);
    is_well(&broker);
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let broker = start(&[]);
    assert_eq!(request(broker.prometheus(), "GET", "/api/whoami", &[], "").status, 404);
    let off = start(&[("leveret.prometheus", "false")]);
    assert!(TcpStream::connect(off.prometheus()).is_err());
}

/// Serving must not be noticed by what carries messages.
#[test]
#[cfg(target_os = "linux")]
fn serving_has_a_lower_priority() {
    let broker = start(&[]);
    is_well(&broker);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", broker.pid().unwrap())).unwrap();
    let mut niceness = std::collections::BTreeMap::new();
    for task in tasks {
        let Ok(stat) = std::fs::read_to_string(task.unwrap().path().join("stat")) else { continue };
        let (name, fields) = stat.split_once('(').unwrap().1.rsplit_once(')').unwrap();
        niceness.insert(name.to_owned(), fields.split_whitespace().nth(16).unwrap().to_owned());
    }
    assert_eq!(niceness.get("management").map(String::as_str), Some("10"), "{niceness:?}");
    assert_eq!(niceness.get("management-comm").map(String::as_str), Some("10"), "{niceness:?}");
    assert!(niceness.iter().any(|(name, nice)| name.starts_with("reactor") && nice == "0"), "{niceness:?}");
}
