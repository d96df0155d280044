//! Logins by certificate.

use crate::authority::Subject;
use crate::{Fixture, Identity, eventually};
use rcgen::{DnType, SanType};
use testkit::{ConnectOptions, RawClient};

pub const EXTERNAL: &[(&str, &str)] =
    &[("ssl_options.verify", "verify_peer"), ("auth_mechanisms.1", "EXTERNAL"), ("auth_mechanisms.2", "PLAIN")];

pub fn options() -> ConnectOptions {
    ConnectOptions { mechanism: "EXTERNAL".to_owned(), response: Vec::new(), ..ConnectOptions::default() }
}

impl Fixture {
    pub fn add_user(&self, name: &str) {
        let name = testkit::path_segment(name);
        self.broker.administer("PUT", &format!("/api/users/{name}"), r#"{"password_hash":"","tags":""}"#);
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        self.broker.administer("PUT", &format!("/api/permissions/%2F/{name}"), all);
    }

    #[track_caller]
    fn logs_in(&self, identity: &Identity) {
        RawClient::connect(self.tunnel(Some(identity)).address(), &options()).close();
    }

    /// The refusal's text, and what the log says.
    #[track_caller]
    fn is_refused(&self, identity: Option<&Identity>, reason: &str) {
        let mut client = RawClient::logged_in(self.tunnel(identity).address(), &options());
        let close = client.expect_close(0);
        assert_eq!(
            (close.code, &*close.text),
            (
                403,
                "ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL. For details see the \
             broker logfile."
            )
        );
        let line = format!("EXTERNAL login refused: {reason}");
        eventually(&line, || self.broker.has_logged(&line));
    }
}

#[test]
fn the_distinguished_name_is_the_user() {
    let broker = Fixture::start(EXTERNAL);
    let parts = vec![(DnType::OrganizationName, "A, B & C"), (DnType::CommonName, "client")];
    let client = broker.authority.client(&Subject { parts, ..Subject::default() });
    broker.is_refused(Some(&client), "user 'CN=client,O=A\\, B & C' - invalid credentials");
    broker.add_user("CN=client,O=A\\, B & C");
    broker.logs_in(&client);
    let attempts = broker.broker.http("GET", "/api/connections", &[], "").unwrap();
    assert_eq!(attempts.status, 200);
}

#[test]
fn the_common_name_can_be_the_user() {
    let broker = Fixture::start(&[EXTERNAL, &[("ssl_cert_login_from", "common_name")]].concat());
    broker.add_user("client");
    broker.logs_in(&broker.authority.client(&Subject::named("client")));
    let nameless = Subject { parts: vec![(DnType::OrganizationName, "O")], ..Subject::default() };
    broker.is_refused(Some(&broker.authority.client(&nameless)), "no name found");
}

#[test]
fn an_alternative_name_can_be_the_user() {
    for (kind, index, user) in [
        ("dns", "1", "second.example"),
        ("email", "0", "a@example.com"),
        ("uri", "0", "spiffe://example/a"),
        ("ip", "0", "192.0.2.1"),
        ("other_name", "0", "principal"),
    ] {
        let broker = Fixture::start(
            &[
                EXTERNAL,
                &[
                    ("ssl_cert_login_from", "subject_alternative_name"),
                    ("ssl_cert_login_san_type", kind),
                    ("ssl_cert_login_san_index", index),
                ],
            ]
            .concat(),
        );
        broker.add_user(user);
        let names = vec![
            SanType::DnsName("first.example".try_into().unwrap()),
            SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], "principal".into())),
            SanType::Rfc822Name("a@example.com".try_into().unwrap()),
            SanType::URI("spiffe://example/a".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::DnsName("second.example".try_into().unwrap()),
        ];
        broker.logs_in(&broker.authority.client(&Subject { names, ..Subject::named("client") }));
        broker.is_refused(Some(&broker.authority.client(&Subject::named("client"))), "no name found");
    }
}

/// RabbitMQ offers it all the same on TLS, so that the log says why, and not without TLS.
#[test]
fn without_a_certificate_the_log_says_so() {
    let broker = Fixture::start(EXTERNAL);
    broker.is_refused(None, "connection peer presented no TLS (x.509) certificate");
    let offered = |address| {
        let mut client = RawClient::open(address, std::time::Duration::from_secs(10));
        client.send_raw(b"AMQP\0\0\x09\x01");
        client.expect_start().mechanisms
    };
    assert_eq!(offered(broker.tunnel(None).address()), "EXTERNAL PLAIN");
    assert_eq!(offered(broker.broker.address()), "PLAIN");
}
