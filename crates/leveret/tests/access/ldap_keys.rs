//! Keys of the LDAP backend that no other test is about, each with a front between the broker and the server.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use testkit::method::id;
use testkit::{BrokerProcess, free_address};
use tls::rustls::{ServerConnection, StreamOwned};

use crate::secure::Secure;
use crate::slapd::Slapd;
use crate::{LEVERET, assert_refused, begun, connect, start};

const PATTERN: (&str, &str) = ("auth_ldap.user_dn_pattern", "cn=${username},ou=people,dc=example");

/// Passes on what is said to the server, and can keep it back.
struct Front {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Connections there have been.
    accepted: AtomicUsize,
    /// Whether what the broker says is kept back.
    holds: AtomicBool,
    /// Connections of which something is.
    held: AtomicUsize,
}

impl Front {
    /// With a configuration of TLS from the first byte on.
    fn start(server: u16, tls: Option<Arc<tls::rustls::ServerConfig>>) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let of_front = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                of_front.accepted.fetch_add(1, SeqCst);
                let (state, tls) = (of_front.clone(), tls.clone());
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
                    match tls {
                        None => pass_on(stream, server, &state),
                        Some(config) => {
                            pass_on(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), server, &state);
                        }
                    }
                });
            }
        });
        Front { address, state }
    }

    fn accepted(&self) -> usize {
        self.state.accepted.load(SeqCst)
    }

    /// Until `count` connections wait for what they said to be passed on.
    fn wait_until_held(&self, count: usize) {
        testkit::eventually("as many requests at a time", || self.state.held.load(SeqCst) >= count);
    }
}

/// Until one of them ends; neither is waited for long while the other has something to say.
fn pass_on(mut client: impl Read + Write, server: u16, state: &State) {
    let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
    server.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let mut buffer = [0; 16_384];
    loop {
        match client.read(&mut buffer) {
            Ok(length @ 1..) => {
                if state.holds.load(SeqCst) {
                    state.held.fetch_add(1, SeqCst);
                    while state.holds.load(SeqCst) {
                        testkit::pause(Duration::from_millis(5));
                    }
                    state.held.fetch_sub(1, SeqCst);
                }
                server.write_all(&buffer[..length]).unwrap();
            }
            Err(error) if is_nothing_yet(&error) => {}
            _ => return,
        }
        match server.read(&mut buffer) {
            Ok(length @ 1..) => {
                if client.write_all(&buffer[..length]).and_then(|()| client.flush()).is_err() {
                    return;
                }
            }
            Err(error) if is_nothing_yet(&error) => {}
            _ => return,
        }
    }
}

fn is_nothing_yet(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn start_at(address: SocketAddr, more: &[(&str, &str)]) -> BrokerProcess {
    let port = address.port().to_string();
    let mut settings = vec![
        ("auth_backends.1", "internal"),
        ("auth_backends.2", "ldap"),
        ("auth_ldap.servers.1", "127.0.0.1"),
        ("auth_ldap.port", &*port),
    ];
    settings.extend_from_slice(more);
    start(&settings)
}

/// How many connections are made for four users, of whom two come at a time.
fn connections_of_pairs(front: &Front, broker: &BrokerProcess) -> usize {
    for _ in 0..2 {
        front.state.holds.store(true, SeqCst);
        let pair = [begun(broker, "alice", "wonderland"), begun(broker, "alice", "wonderland")];
        front.wait_until_held(2);
        front.state.holds.store(false, SeqCst);
        for mut client in pair {
            assert_eq!(client.next_event(0).method.id, id::CONNECTION_TUNE);
        }
    }
    front.accepted()
}

/// A login binds twice: to find out who it is, and for its tags. Two that share one kept connection may therefore open
/// more than one each, as they happen to follow each other; never fewer than the second pair lacks.
#[test]
fn as_many_connections_are_kept_as_the_pool_may_have() {
    let Some(slapd) = Slapd::start("") else { return };
    for (size, expected) in [("64", 2..=2), ("1", 3..=8)] {
        let front = Front::start(slapd.port, None);
        let broker = start_at(front.address, &[PATTERN, ("auth_ldap.connection_pool_size", size)]);
        let connections = connections_of_pairs(&front, &broker);
        assert!(expected.contains(&connections), "connection_pool_size = {size}: {connections} connections");
    }
}

#[test]
fn connections_are_kept_as_long_as_they_may_be_idle() {
    let Some(slapd) = Slapd::start("") else { return };
    let connections = |more: &[(&str, &str)]| {
        let front = Front::start(slapd.port, None);
        let broker = start_at(front.address, &[&[PATTERN], more].concat());
        for _ in 0..2 {
            connect(&broker, "alice", "wonderland");
            testkit::pause(Duration::from_millis(20));
        }
        front.accepted()
    };
    assert_eq!(connections(&[]), 1);
    assert!(connections(&[("auth_ldap.idle_timeout", "10")]) >= 2);
}

#[test]
fn decisions_are_logged_where_that_is_wanted() {
    let Some(slapd) = Slapd::start("") else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], slapd.port));
    let line = "LDAP DECISION: login for alice: ok";
    let broker = start_at(address, &[PATTERN, ("auth_ldap.log", "true")]);
    connect(&broker, "alice", "wonderland");
    assert!(broker.has_logged(line));
    let broker = start_at(address, &[PATTERN]);
    connect(&broker, "alice", "wonderland");
    assert!(broker.has_logged("user 'alice' authenticated and granted access to vhost '/'"));
    assert!(!broker.log().join("\n").contains("LDAP DECISION"));
}

#[test]
fn a_user_may_bind_by_another_name() {
    let Some(slapd) = Slapd::start("") else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], slapd.port));
    let elsewhere = ("auth_ldap.user_dn_pattern", "cn=${username},dc=elsewhere");
    assert_refused(&start_at(address, &[elsewhere]), "alice", "wonderland");
    let bind = ("auth_ldap.user_bind_pattern", PATTERN.1);
    connect(&start_at(address, &[elsewhere, bind]), "alice", "wonderland");
}

/// Here nobody may look anybody up without a name, and each may as themselves.
#[test]
fn who_looks_users_up_is_who_may() {
    let Some(slapd) = Slapd::start("") else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], slapd.port));
    let lookup = [
        ("auth_ldap.user_dn_pattern", "${username}"),
        ("auth_ldap.user_bind_pattern", PATTERN.1),
        ("auth_ldap.dn_lookup_attribute", "cn"),
        ("auth_ldap.dn_lookup_base", "ou=people,dc=example"),
        ("auth_ldap.queries.vhost_access", r#"{in_group, "cn=managers,ou=groups,dc=example"}"#),
    ];
    let as_user = [&lookup[..], &[("auth_ldap.dn_lookup_bind", "as_user")]].concat();
    connect(&start_at(address, &as_user), "alice", "wonderland");
    let nobody = [&lookup[..], &[("auth_ldap.dn_lookup_bind", "anon")]].concat();
    assert_refused(&start_at(address, &nobody), "alice", "wonderland");
}

/// The first does not answer.
#[test]
fn the_servers_are_tried_in_order() {
    let Some(slapd) = Slapd::start("") else { return };
    let port = slapd.port.to_string();
    let broker = start(&[
        ("auth_backends.1", "ldap"),
        ("auth_ldap.servers.1", "127.0.0.9"),
        ("auth_ldap.servers.2", "127.0.0.1"),
        ("auth_ldap.port", &port),
        PATTERN,
    ]);
    connect(&broker, "alice", "wonderland");
    assert!(broker.has_logged("cannot connect to LDAP server 127.0.0.9"));
}

/// `none` does away with servers that other files name, without which there is nobody to ask.
#[test]
fn without_a_server_it_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let listener = format!("listeners.tcp.1={}", free_address().unwrap());
    let mut command = Command::new(std::env::var_os("LEVERET_BIN").unwrap_or_else(|| LEVERET.into()));
    command.arg("server").arg("--data-dir").arg(directory.path());
    for setting in [
        &*listener,
        "leveret.management=false",
        "leveret.prometheus=false",
        "auth_backends.1=ldap",
        "auth_ldap.servers.1=127.0.0.1",
        "auth_ldap.servers=none",
    ] {
        command.args(["--set", setting]);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("needs `auth_ldap.servers.1`"), "{error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
}

/// From the first byte on, with a server that wants to see a certificate.
#[test]
fn connections_with_tls_show_a_certificate() {
    let Some(slapd) = Slapd::start("") else { return };
    let secure = Secure::new(true);
    let front = Front::start(slapd.port, Some(secure.config.clone()));
    let file = |name: &str| secure.file(name).display().to_string();
    let (ca, certificate, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let trust = [PATTERN, ("auth_ldap.use_ssl", "true"), ("auth_ldap.ssl_options.cacertfile", &*ca)];
    assert_refused(&start_at(front.address, &trust), "alice", "wonderland");
    let own = [("auth_ldap.ssl_options.certfile", &*certificate), ("auth_ldap.ssl_options.keyfile", &*key)];
    connect(&start_at(front.address, &[&trust[..], &own].concat()), "alice", "wonderland");
    assert_refused(&start_at(front.address, &[&[PATTERN], &own[..]].concat()), "alice", "wonderland");
}
