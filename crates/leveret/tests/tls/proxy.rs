//! The PROXY protocol.

use crate::{Fixture, Tunnel, eventually};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use testkit::{ConnectOptions, RawClient};

const PROXIED: &[(&str, &str)] = &[("proxy_protocol", "true"), ("loopback_users.guest", "false")];
const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 5672\r\n";
const NAME: &str = "192.0.2.7:56324 -> 198.51.100.1:5672";

fn v2(command: u8) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([command, 0x11, 0, 12, 192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x16, 0x28]);
    header
}

impl Fixture {
    /// A connection of guest's behind this header, on the plain listener.
    #[track_caller]
    fn behind(&self, header: &[u8]) -> RawClient {
        let options = ConnectOptions::default();
        let mut client = RawClient::open(self.broker.address(), options.timeout);
        client.send_raw(header);
        client.send_raw(&options.protocol_header);
        client.expect_start();
        client.send(0, options.start_ok());
        let tune = client.expect_tune();
        client.send(0, testkit::tune_ok(tune.channel_max, tune.frame_max, 0));
        client.send(0, testkit::connection_open("/"));
        client.expect_method(0, testkit::id::CONNECTION_OPEN_OK);
        client
    }

    fn has_connection(&self, name: &str) -> bool {
        let shown = self.broker.http("GET", "/api/connections?disable_stats=true", &[], "").unwrap().body;
        shown.contains(&format!(r#""name":"{name}"#))
    }
}

#[test]
fn both_versions_name_the_client() {
    let fixture = Fixture::start(PROXIED);
    for header in [V1.to_vec(), v2(0x21)] {
        let connection = fixture.behind(&header);
        eventually("it has the client's name", || fixture.has_connection(NAME));
        connection.close();
        eventually("it is gone", || !fixture.has_connection(NAME));
    }
}

#[test]
fn a_header_may_come_in_pieces() {
    let fixture = Fixture::start(PROXIED);
    let mut stream = TcpStream::connect(fixture.broker.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for byte in [V1, b"AMQP\0\0\x09\x01"].concat() {
        stream.write_all(&[byte]).unwrap();
    }
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(first, [1], "a method");
}

#[test]
fn a_proxy_that_looks_itself_keeps_its_address() {
    let fixture = Fixture::start(PROXIED);
    let _connection = fixture.behind(&v2(0x20));
    eventually("it has the socket's name", || fixture.has_connection("127.0.0.1:"));
}

#[test]
fn tls_comes_after_the_header() {
    let fixture = Fixture::start(PROXIED);
    let tunnel = Tunnel::after(fixture.tls, &fixture.authority, V1);
    let _connection = RawClient::connect(tunnel.address(), &ConnectOptions::default());
    assert!(fixture.has_connection(NAME));
}

#[test]
fn without_a_header_nobody_is_served() {
    let fixture = Fixture::start(PROXIED);
    for address in [fixture.broker.address(), fixture.tls] {
        for (bytes, line) in
            [(&b"AMQP\0\0\x09\x01"[..], "no PROXY header"), (b"PROXY TCP9 a\r\n", "malformed PROXY header")]
        {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream.write_all(bytes).unwrap();
            // What was not read resets the connection.
            assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
            eventually(line, || fixture.broker.has_logged(line));
        }
    }
    let silent = TcpStream::connect(fixture.broker.address()).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!((&silent).read(&mut [0; 8]).unwrap(), 0);
    assert!(fixture.broker.has_logged("no PROXY header in time"));
}
