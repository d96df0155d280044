//! What is streamed over HTTP ends with the right to it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::{BrokerProcess, QueueDeclare};

use crate::oauth2::{Issuer, broker};
use crate::{connect, start};

/// A request whose answer has begun.
fn open(broker: &BrokerProcess, path: &str, authorization: &str) -> TcpStream {
    let mut stream = TcpStream::connect(broker.management()).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n");
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200", "{path}");
    stream
}

#[track_caller]
fn assert_ends(mut stream: TcpStream) {
    let end = Instant::now() + Duration::from_secs(20);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}"),
        }
        assert!(Instant::now() < end, "the stream goes on");
    }
}

const OF_ADMINISTRATORS: [&str; 2] = ["/api/leveret/events/stream", "/api/leveret/log/stream"];

#[test]
fn an_administrator_that_is_none_any_more_sees_no_more() {
    let broker = start(&[]);
    let boss = |tags: &str| {
        let user = json!({ "password": "boss", "tags": tags }).to_string();
        broker.administer("PUT", "/api/users/boss", &user);
    };
    boss("administrator");
    for path in OF_ADMINISTRATORS {
        let stream = open(&broker, path, "Basic Ym9zczpib3Nz");
        boss("monitoring");
        assert_ends(stream);
        boss("administrator");
        let stream = open(&broker, path, "Basic Ym9zczpib3Nz");
        broker.administer("DELETE", "/api/users/boss", "");
        assert_ends(stream);
        boss("administrator");
    }
}

#[test]
fn what_a_token_lets_see_ends_with_it() {
    let issuer = Issuer::start();
    let broker = broker(&issuer, &[]);
    let mut client = connect(&broker, "", &issuer.full(60));
    client.declare(1, QueueDeclare::new("q"));
    let scope = "rabbitmq.tag:administrator rabbitmq.read:*/*/*";
    let bearer = format!("Bearer {}", issuer.token(3, json!({ "scope": scope })));
    let paths = OF_ADMINISTRATORS.into_iter().chain(["/api/queues/%2F/q/tail", "/api/exchanges/%2F/amq.topic/tail"]);
    let streams: Vec<TcpStream> = paths.map(|path| open(&broker, path, &bearer)).collect();
    streams.into_iter().for_each(assert_ends);
}
