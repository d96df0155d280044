//! Sessions that clients take up again: what holds of them, and what ends them.

use crate::authority::Subject;
use crate::external::{EXTERNAL, options};
use crate::tunnel::{Tunnel, Versions, client_config, handshake};
use crate::{Fixture, Identity, eventually};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use testkit::{RawClient, pause};
use tls::Certificate;
use tls::rustls::{ClientConfig, ClientConnection, HandshakeKind};

const BOTH: [Versions; 2] = [Versions::All, Versions::Only12];
const VERIFY: &[(&str, &str)] = &[("ssl_options.verify", "verify_peer"), ("leveret.tls.reload", "1")];

impl Fixture {
    /// A client, which remembers sessions.
    fn client(&self, identity: Option<&Identity>, versions: Versions) -> Arc<ClientConfig> {
        client_config(&self.authority, identity, versions)
    }

    #[track_caller]
    fn shakes_hands(&self, config: &Arc<ClientConfig>) -> ClientConnection {
        handshake(self.tls, config.clone()).expect("a handshake")
    }

    #[track_caller]
    fn is_full(&self, config: &Arc<ClientConfig>) {
        let kind = self.shakes_hands(config).handshake_kind();
        assert!(matches!(kind, Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)), "{kind:?}");
    }

    #[track_caller]
    fn is_taken_up(&self, config: &Arc<ClientConfig>) {
        assert_eq!(self.shakes_hands(config).handshake_kind(), Some(HandshakeKind::Resumed));
    }
}

#[test]
fn sessions_are_taken_up_unless_the_configuration_says_otherwise() {
    let (usual, without) = (Fixture::start(&[]), Fixture::start(&[("ssl_options.reuse_sessions", "false")]));
    for versions in BOTH {
        let config = usual.client(None, versions);
        usual.is_full(&config);
        usual.is_taken_up(&config);
        usual.is_taken_up(&config);
        let config = without.client(None, versions);
        without.is_full(&config);
        without.is_full(&config);
    }
}

#[test]
fn the_certificate_of_a_session_logs_in_again() {
    let fixture = Fixture::start(EXTERNAL);
    fixture.add_user("CN=client");
    for versions in BOTH {
        let client = fixture.authority.client(&Subject::named("client"));
        let tunnel = Tunnel::with(fixture.tls, fixture.client(Some(&client), versions), Vec::new());
        for taken_up in 0..3 {
            let connection = RawClient::connect(tunnel.address(), &options());
            let shown = fixture.broker.http("GET", "/api/connections", &[], "").unwrap().body;
            assert!(shown.contains(r#""user":"CN=client""#) && shown.contains(r#""peer_cert_subject":"CN=client""#));
            connection.close();
            eventually("the session is taken up", || tunnel.taken_up() == taken_up);
        }
    }
}

/// The keys of tickets are those of a configuration.
#[test]
fn new_certificates_end_sessions_and_nobody_is_refused() {
    let fixture = Fixture::start(VERIFY);
    for (versions, name) in BOTH.into_iter().zip(["second", "third"]) {
        let client = fixture.authority.client(&Subject::named("client"));
        let config = fixture.client(Some(&client), versions);
        fixture.is_full(&config);
        fixture.is_taken_up(&config);
        fixture.authority.write(fixture.directory.path(), &fixture.authority.server(name));
        let fresh = fixture.client(None, versions);
        eventually("the new certificate is shown", || {
            let session = fixture.shakes_hands(&fresh);
            let shown = session.peer_certificates().and_then(|chain| Certificate::parse(chain.first()?));
            shown.is_some_and(|shown| shown.subject == format!("CN={name}"))
        });
        fixture.is_full(&config);
        fixture.is_taken_up(&config);
    }
}

#[test]
fn a_certificate_that_is_revoked_takes_no_session_up() {
    let fixture = Fixture::start_with(VERIFY, |authority, directory| {
        let list = directory.join("list.pem");
        std::fs::write(&list, authority.revocation_list(&[])).unwrap();
        vec![
            ("ssl_options.crl_check".to_owned(), "peer".to_owned()),
            ("ssl_options.crl_sources.1".to_owned(), "dir".to_owned()),
            ("ssl_options.crl_sources.1.path".to_owned(), list.display().to_string()),
        ]
    });
    let client = fixture.authority.client(&Subject { serial: Some(7), ..Subject::named("client") });
    let configs = BOTH.map(|versions| fixture.client(Some(&client), versions));
    for config in &configs {
        fixture.is_full(config);
        fixture.is_taken_up(config);
    }
    std::fs::write(fixture.directory.path().join("list.pem"), fixture.authority.revocation_list(&[7])).unwrap();
    for config in configs {
        eventually("it is refused", || handshake(fixture.tls, config.clone()).is_err());
    }
}

#[test]
fn a_certificate_that_has_expired_takes_no_session_up() {
    let fixture = Fixture::start(VERIFY);
    // Time enough for what comes before its end on a busy machine.
    let end = SystemTime::now() + Duration::from_secs(12);
    let client = fixture.authority.client(&Subject { ends: Some(end), ..Subject::named("brief") });
    let configs = BOTH.map(|versions| fixture.client(Some(&client), versions));
    for config in &configs {
        fixture.is_full(config);
        fixture.is_taken_up(config);
    }
    while SystemTime::now() < end + Duration::from_secs(2) {
        pause(Duration::from_millis(100));
    }
    for config in configs {
        assert!(handshake(fixture.tls, config).is_err());
    }
    eventually("the log says why", || fixture.broker.has_logged("the certificate of CN=brief has expired"));
}
