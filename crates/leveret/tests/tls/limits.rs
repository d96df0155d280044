//! Limits of HTTP under each of the prefixes that listeners have them under, with TLS and without.

use crate::{Fixture, Tunnel, Versions, tls_settings};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use testkit::{free_address, pause};

const PREFIXES: [&str; 4] = ["management.tcp", "management.ssl", "prometheus.tcp", "prometheus.ssl"];
const GUEST: &str = "Host: localhost\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";

/// A broker with a listener under each prefix.
struct Listening {
    fixture: Fixture,
    addresses: [SocketAddr; 4],
}

impl Listening {
    /// With keys below one of them.
    #[track_caller]
    fn start(prefix: &str, limits: &[(&str, &str)]) -> Listening {
        let addresses = [(); 4].map(|()| free_address().unwrap());
        let fixture = Fixture::start_with(&[], |_, directory| {
            let mut all = tls_settings("management.ssl", directory);
            all.extend(tls_settings("prometheus.ssl", directory));
            for (prefix, address) in PREFIXES.iter().zip(addresses) {
                all.push((format!("{prefix}.ip"), address.ip().to_string()));
                all.push((format!("{prefix}.port"), address.port().to_string()));
            }
            for enabled in ["leveret.management", "leveret.prometheus"] {
                all.push((enabled.to_owned(), "true".to_owned()));
            }
            all.extend(limits.iter().map(|(name, value)| (format!("{prefix}.{name}"), (*value).to_owned())));
            all
        });
        Listening { fixture, addresses }
    }

    /// A connection to the listener of a prefix, on which HTTP is spoken.
    fn connect(&self, prefix: &str) -> TcpStream {
        let at = PREFIXES.iter().position(|other| *other == prefix).unwrap();
        let address = self.addresses[at];
        let stream = if prefix.ends_with("ssl") {
            let tunnel = Tunnel::to(address, &self.fixture.authority, None, Versions::All);
            TcpStream::connect(tunnel.address())
        } else {
            TcpStream::connect(address)
        };
        let stream = stream.unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }
}

/// What is served everywhere.
fn path(prefix: &str) -> &'static str {
    if prefix.starts_with("management") { "/api/exchanges" } else { "/metrics" }
}

/// Whether it ends within 20 s, and what came before.
fn rest(stream: &mut TcpStream) -> (bool, Vec<u8>) {
    let mut answer = Vec::new();
    let has_ended = !stream.read_to_end(&mut answer).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    (has_ended, answer)
}

/// By the older name of gzip: for the newer one metrics are compressed whatever the configuration says, as in RabbitMQ.
#[test]
fn answers_are_compressed_where_that_is_wanted() {
    for prefix in PREFIXES {
        let listening = Listening::start(prefix, &[("compress", "true")]);
        for other in PREFIXES {
            let mut stream = listening.connect(other);
            let head =
                format!("GET {} HTTP/1.1\r\n{GUEST}Accept-Encoding: x-gzip\r\nConnection: close\r\n\r\n", path(other));
            stream.write_all(head.as_bytes()).unwrap();
            let (_, answer) = rest(&mut stream);
            let answer = String::from_utf8_lossy(&answer).to_lowercase();
            assert!(answer.starts_with("http/1.1 200"), "{other}: {answer}");
            assert_eq!(answer.contains("content-encoding: gzip"), other == prefix, "{prefix}, at {other}");
        }
    }
}

#[test]
fn a_connection_has_as_many_requests_as_it_may() {
    for prefix in PREFIXES {
        let listening = Listening::start(prefix, &[("max_keepalive", "2")]);
        let mut stream = listening.connect(prefix);
        stream.write_all(format!("GET /nothing HTTP/1.1\r\n{GUEST}\r\n").repeat(4).as_bytes()).unwrap();
        let (has_ended, answers) = rest(&mut stream);
        assert!(has_ended, "{prefix}");
        assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 404").count(), 2, "{prefix}");
    }
}

/// The listener beside it gives up after the usual 5 s.
#[test]
fn a_request_is_waited_for_as_long_as_is_said() {
    for prefix in PREFIXES {
        let listening = Listening::start(prefix, &[("request_timeout", "200")]);
        let other = if prefix == "management.tcp" { "prometheus.tcp" } else { "management.tcp" };
        let (mut stream, mut beside) = (listening.connect(prefix), listening.connect(other));
        for stream in [&mut beside, &mut stream] {
            stream.write_all(b"GET /api/auth HTTP/1.1\r\n").unwrap();
        }
        assert!(rest(&mut stream).0, "{prefix}");
        beside.set_nonblocking(true).unwrap();
        let outcome = beside.read(&mut [0; 1]);
        assert!(outcome.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{other} has ended, too");
    }
}

/// Who asks and reads no answers: without these limits the connection is kept for a minute, and is the only one.
#[test]
fn who_reads_nothing_is_given_up() {
    for prefix in PREFIXES {
        for key in ["idle_timeout", "inactivity_timeout"] {
            let listening = Listening::start(prefix, &[(key, "300"), ("max_connections", "1")]);
            let mut stream = listening.connect(prefix);
            let one = format!("GET {} HTTP/1.1\r\n{GUEST}\r\n", path(prefix));
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            let begun = Instant::now();
            while stream.write_all(one.repeat(100).as_bytes()).is_ok() {
                assert!(begun.elapsed() < Duration::from_secs(20), "{prefix}: it is answered for ever");
            }
            let mut next = listening.connect(prefix);
            next.write_all(format!("GET /nothing HTTP/1.1\r\n{GUEST}Connection: close\r\n\r\n").as_bytes()).unwrap();
            let (_, answer) = rest(&mut next);
            assert!(answer.starts_with(b"HTTP/1.1 404"), "{prefix}.{key}: {}", String::from_utf8_lossy(&answer));
        }
    }
}

/// The third waits until one of the others has gone.
#[test]
fn there_are_as_many_connections_as_there_may_be() {
    for prefix in PREFIXES {
        let listening = Listening::start(prefix, &[("max_connections", "2"), ("request_timeout", "0")]);
        let is_served = |stream: &mut TcpStream, wait: Duration| {
            stream.set_read_timeout(Some(wait)).unwrap();
            stream.read(&mut [0; 1]).is_ok_and(|length| length == 1)
        };
        let ask = || {
            let mut stream = listening.connect(prefix);
            stream.write_all(format!("GET /nothing HTTP/1.1\r\n{GUEST}\r\n").as_bytes()).unwrap();
            stream
        };
        let mut first = [ask(), ask()];
        for stream in &mut first {
            assert!(is_served(stream, Duration::from_secs(20)), "{prefix}");
        }
        let mut third = ask();
        assert!(!is_served(&mut third, Duration::from_millis(300)), "{prefix}");
        drop(first);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_served(&mut third, Duration::from_secs(1)) {
            assert!(Instant::now() < deadline, "{prefix}: it is still not served");
            pause(Duration::from_millis(10));
        }
    }
}
