//! The HTTP API and the metrics over TLS.

use crate::authority::Subject;
use crate::{BINARY, Fixture, Identity, Tunnel, Versions, tls_settings};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use testkit::{BrokerProcess, free_address};

/// The answer to a request, whole; empty where there is none.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nConnection: close\r\n\r\n"
    );
    let mut answer = String::new();
    if stream.write_all(request.as_bytes()).is_ok() {
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

/// A broker with these listeners of HTTP.
fn start(settings: &[(&str, String)]) -> (Fixture, SocketAddr, SocketAddr) {
    let (api, metrics) = (free_address().unwrap(), free_address().unwrap());
    let fixture = Fixture::start_with(&[], |_, directory| {
        let mut all = tls_settings("management.ssl", directory);
        all.extend(tls_settings("prometheus.ssl", directory));
        for (prefix, address) in [("management.ssl", api), ("prometheus.ssl", metrics)] {
            all.push((format!("{prefix}.ip"), address.ip().to_string()));
            all.push((format!("{prefix}.port"), address.port().to_string()));
        }
        all.push(("leveret.management".to_owned(), "true".to_owned()));
        all.push(("leveret.prometheus".to_owned(), "true".to_owned()));
        all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        all
    });
    (fixture, api, metrics)
}

impl Fixture {
    fn tunnel_to(&self, address: SocketAddr) -> Tunnel {
        Tunnel::to(address, &self.authority, None, Versions::All)
    }

    fn https(&self, address: SocketAddr, identity: Option<&Identity>, path: &str) -> String {
        get(Tunnel::to(address, &self.authority, identity, Versions::All).address(), path)
    }
}

#[test]
fn api_and_metrics_are_served_over_tls() {
    let (fixture, api, metrics) = start(&[]);
    assert!(fixture.https(api, None, "/api/whoami").contains(r#""name":"guest""#));
    assert!(fixture.https(metrics, None, "/metrics").contains("rabbitmq_build_info"));
    // Who speaks no TLS there is not served, and nobody else suffers.
    assert_eq!(get(api, "/api/whoami").matches("HTTP/1.1 200").count(), 0);
    let overview = fixture.https(api, None, "/api/overview");
    for protocol in ["https", "https/prometheus", "amqp/ssl", "amqp"] {
        assert!(overview.contains(&format!(r#""protocol":"{protocol}""#)), "{protocol} in {overview}");
    }
    for path in [
        "/api/health/checks/protocol-listener/https,amqp%2Fssl",
        &format!("/api/health/checks/port-listener/{}", fixture.tls.port()),
        "/api/health/checks/certificate-expiration/1/months",
    ] {
        assert!(fixture.https(api, None, path).contains(r#""status":"ok""#), "{path}");
    }
}

#[test]
fn certificates_that_end_soon_fail_the_check() {
    let (fixture, api, _) = start(&[]);
    let answer = fixture.https(api, None, "/api/health/checks/certificate-expiration/3000/years");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    for part in [
        r#""reason":"Certificates expiring""#,
        r#""protocol":"amqp/ssl""#,
        r#""certfile_expires_on":["4096-01-01 00:00:00"]"#,
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    let shown = fixture.https(api, None, "/api/leveret/tls");
    for part in [r#""versions":["tlsv1.3","tlsv1.2"]"#, r#""subject":"CN=server""#, r#""key":"ssl_options.certfile""#] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn a_certificate_can_be_asked_for() {
    let settings = [
        ("management.ssl.verify", "verify_peer".to_owned()),
        ("management.ssl.fail_if_no_peer_cert", "true".to_owned()),
    ];
    let (fixture, api, metrics) = start(&settings);
    assert!(!fixture.https(api, None, "/api/whoami").contains("guest"));
    let client = fixture.authority.client(&Subject::named("client"));
    assert!(fixture.https(api, Some(&client), "/api/whoami").contains("guest"));
    assert!(fixture.https(metrics, None, "/metrics").contains("rabbitmq_build_info"));
}

#[test]
fn http_and_https_are_served_side_by_side() {
    let plain = free_address().unwrap();
    let settings = [("management.tcp.ip", plain.ip().to_string()), ("management.tcp.port", plain.port().to_string())];
    let (fixture, api, _) = start(&settings);
    assert!(get(plain, "/api/whoami").contains("guest"));
    assert!(fixture.https(api, None, "/api/whoami").contains("guest"));
}

#[test]
fn limits_are_those_of_the_listener() {
    let settings = [
        ("management.ssl.request_timeout", "300".to_owned()),
        ("management.ssl.compress", "true".to_owned()),
        ("prometheus.ssl.max_keepalive", "1".to_owned()),
    ];
    let (fixture, api, metrics) = start(&settings);
    let tunnel = |address| TcpStream::connect(fixture.tunnel_to(address).address()).unwrap();
    let ask = |stream: &mut TcpStream, path: &str, header: &str| {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n{header}\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).to_lowercase()
    };
    // The connection ends by itself, since the next request does not come in time.
    let answer = ask(&mut tunnel(api), "/api/overview", "Accept-Encoding: gzip\r\n");
    assert!(answer.contains("content-encoding: gzip"), "{answer}");
    let answer = ask(&mut tunnel(metrics), "/metrics", "");
    assert!(answer.contains("connection: close"), "{}", &answer[..300]);
}

#[test]
fn clients_with_revoked_certificates_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let authority = crate::Authority::new("Test Authority");
    authority.write_server(directory.path());
    let list = directory.path().join("list.pem");
    std::fs::write(&list, authority.revocation_list(&[7])).unwrap();
    let prefix = "management.listener.ssl_opts";
    let mut settings = tls_settings(prefix, directory.path());
    for (key, value) in [
        ("management.listener.ssl", "true"),
        ("management.listener.ssl_opts.verify", "verify_peer"),
        ("management.listener.ssl_opts.fail_if_no_peer_cert", "true"),
        ("management.listener.ssl_opts.crl_check", "peer"),
        ("ssl_options.crl_sources.1.path", &list.display().to_string()),
    ] {
        settings.push((key.to_owned(), value.to_owned()));
    }
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let broker = BrokerProcess::start_with_http(BINARY, &settings);
    for (serial, is_served) in [(6, true), (7, false)] {
        let client = authority.client(&Subject { serial: Some(serial), ..Subject::named("client") });
        let tunnel = Tunnel::to(broker.management(), &authority, Some(&client), Versions::All);
        assert_eq!(get(tunnel.address(), "/api/whoami").contains("guest"), is_served, "{serial}");
    }
}

#[test]
fn the_old_listener_can_have_tls() {
    let directory = tempfile::tempdir().unwrap();
    let authority = crate::Authority::new("Test Authority");
    authority.write_server(directory.path());
    let mut settings = tls_settings("management.listener.ssl_opts", directory.path());
    settings.push(("management.listener.ssl".to_owned(), "true".to_owned()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let broker = BrokerProcess::start_with_http(BINARY, &settings);
    let tunnel = Tunnel::to(broker.management(), &authority, None, Versions::All);
    assert!(get(tunnel.address(), "/api/whoami").contains("guest"));
}
