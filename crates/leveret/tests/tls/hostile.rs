//! Peers that mean harm, or nothing.

use crate::{Fixture, eventually};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use testkit::pause;

const QUICK: &[(&str, &str)] = &[("ssl_handshake_timeout", "1000")];

/// The beginning of a record with a ClientHello of 512 bytes.
const HALF_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 9, 9, 9];

/// Reads until the peer hangs up; how many bytes it sent.
#[track_caller]
fn hung_up(mut stream: &TcpStream) -> usize {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
    bytes.len()
}

#[test]
fn garbage_instead_of_a_handshake_is_hung_up_on() {
    let fixture = Fixture::start(&[]);
    for (bytes, line) in [
        (&b"AMQP\0\0\x09\x01"[..], "the client speaks AMQP without TLS to a TLS port"),
        (b"GET / HTTP/1.1\r\n\r\n", "the client speaks HTTP to an AMQP port with TLS"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "a PROXY header, and proxy_protocol is not set"),
        (&[0; 64], "TLS handshake failed: the client does not speak TLS"),
        (&[0x16; 64], "TLS handshake failed: received corrupt message"),
    ] {
        let mut stream = TcpStream::connect(fixture.tls).unwrap();
        stream.write_all(bytes).unwrap();
        assert!(hung_up(&stream) < 64, "an alert at most");
        eventually(line, || fixture.broker.has_logged(line));
    }
    fixture.connect(None).close();
}

#[test]
fn who_does_not_finish_a_handshake_is_timed_out() {
    let fixture = Fixture::start(QUICK);
    let begun = Instant::now();
    let silent = TcpStream::connect(fixture.tls).unwrap();
    let mut half = TcpStream::connect(fixture.tls).unwrap();
    half.write_all(HALF_HELLO).unwrap();
    let mut slow = TcpStream::connect(fixture.tls).unwrap();
    for byte in HALF_HELLO {
        // A byte now and then does not give it more time.
        if slow.write_all(&[*byte]).is_err() {
            break;
        }
        pause(Duration::from_millis(150));
    }
    assert_eq!((hung_up(&silent), hung_up(&half), hung_up(&slow)), (0, 0, 0));
    assert!(begun.elapsed() >= Duration::from_millis(900) && begun.elapsed() < Duration::from_secs(9));
    eventually("the log says so", || fixture.broker.has_logged("TLS handshake timed out"));
    fixture.connect(None).close();
}

#[test]
fn many_silent_connections_do_not_keep_others_out() {
    let fixture = Fixture::start(&[]);
    let before = fixture.broker.resident_bytes();
    let silent: Vec<TcpStream> = (0..900).map(|_| TcpStream::connect(fixture.tls).unwrap()).collect();
    let begun = Instant::now();
    fixture.connect(None).close();
    assert!(begun.elapsed() < Duration::from_secs(4), "served while they wait");
    let grown = fixture.broker.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{} KiB for 900 silent connections", grown >> 10);
    drop(silent);
}

/// More than there may be at once, each of which has begun a handshake. Who comes after them is served, what they take is
/// bounded, and the log has no line for each.
#[test]
fn a_flood_that_stalls_harms_nobody() {
    let fixture = Fixture::start(&[("ssl_handshake_timeout", "20000")]);
    let most = sockets_allowed().min(5_000);
    let mut live = fixture.connect(None);
    live.open_channel(1);
    let before = fixture.broker.resident_bytes();
    let mut stalled = Vec::new();
    for _ in 0..most {
        let mut stream = TcpStream::connect(fixture.tls).unwrap();
        // Those of before may have been hung up on to make room.
        let _ = stream.write_all(HALF_HELLO);
        stalled.push(stream);
    }
    let begun = Instant::now();
    fixture.connect(None).close();
    assert!(begun.elapsed() < Duration::from_secs(10), "served among {most}");
    live.assert_alive(1);
    let grown = fixture.broker.resident_bytes().saturating_sub(before);
    assert!(grown < 160 << 20, "{} KiB for {most}", grown >> 10);
    // The last one has 20 s from when it was accepted, which is later than it connected.
    let last = stalled.last().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let outcome = (&*last).read(&mut [0; 8]);
    assert!(!outcome.is_err_and(|error| testkit::is_timeout(&error)), "it is not hung up on");
    live.assert_alive(1);
    fixture.connect(None).close();
    let lines = fixture.broker.log().iter().filter(|line| line.contains("closing")).count();
    assert!(lines < 500, "{lines} lines for {most}");
}

/// How many sockets a test may have beside the broker's.
fn sockets_allowed() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).and_then(|soft| soft.parse::<usize>().ok()).unwrap_or(1024) / 2
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let fixture = Fixture::start(&[]);
    let config = crate::tunnel::client_config(&fixture.authority, None, crate::Versions::All);
    let name = tls::rustls::pki_types::ServerName::from(fixture.tls.ip());
    let mut session = tls::rustls::ClientConnection::new(config, name).unwrap();
    let mut stream = TcpStream::connect(fixture.tls).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut hello = Vec::new();
    session.write_tls(&mut hello).unwrap();
    for byte in hello {
        stream.write_all(&[byte]).unwrap();
    }
    session.complete_io(&mut stream).unwrap();
    assert!(!session.is_handshaking());
}

#[test]
fn tls_and_http_to_the_plain_port_are_one_line() {
    let fixture = Fixture::start(&[]);
    for (bytes, line) in [
        (HALF_HELLO, "the client speaks TLS to an AMQP 0-9-1 port"),
        (b"GET / HTTP/1.1\r\n\r\n", "the client speaks HTTP to an AMQP 0-9-1 port"),
    ] {
        let mut stream = TcpStream::connect(fixture.broker.address()).unwrap();
        stream.write_all(bytes).unwrap();
        // RabbitMQ answers both with its own header, as the specification wants it.
        assert_eq!(hung_up(&stream), 8);
        eventually(line, || fixture.broker.has_logged(line));
        assert_eq!(fixture.broker.log().iter().filter(|logged| logged.contains(line)).count(), 1);
    }
}

#[test]
fn bytes_that_make_no_sense_after_the_handshake_end_the_connection() {
    let fixture = Fixture::start(&[]);
    let config = crate::tunnel::client_config(&fixture.authority, None, crate::Versions::All);
    let name = tls::rustls::pki_types::ServerName::from(fixture.tls.ip());
    let mut session = tls::rustls::ClientConnection::new(config, name).unwrap();
    let mut stream = TcpStream::connect(fixture.tls).unwrap();
    session.complete_io(&mut stream).unwrap();
    let record = [&[0x17, 3, 3, 0, 64][..], &[7; 64]].concat();
    stream.write_all(&record).unwrap();
    hung_up(&stream);
    eventually("the log says so", || fixture.broker.has_logged("TLS of 127.0.0.1:"));
    fixture.connect(None).close();
}
