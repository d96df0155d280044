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
