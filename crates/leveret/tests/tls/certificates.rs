//! Which clients are let in by their certificates.

use crate::authority::{Authority, Subject};
use crate::tunnel::{Versions, client_config, handshake};
use crate::{Fixture, Identity, eventually};
use testkit::RawClient;

const VERIFY: &[(&str, &str)] = &[("ssl_options.verify", "verify_peer")];
const REQUIRE: &[(&str, &str)] = &[("ssl_options.verify", "verify_peer"), ("ssl_options.fail_if_no_peer_cert", "true")];

impl Fixture {
    /// Whether a client with this certificate gets a word of AMQP.
    fn takes(&self, identity: Option<&Identity>) -> bool {
        [Versions::All, Versions::Only12]
            .map(|versions| handshake(self.tls, client_config(&self.authority, identity, versions)).is_ok())
            == [true, true]
    }

    /// Whether both versions refuse it.
    fn refuses(&self, identity: Option<&Identity>) -> bool {
        [Versions::All, Versions::Only12]
            .map(|versions| handshake(self.tls, client_config(&self.authority, identity, versions)).is_err())
            == [true, true]
    }
}

#[test]
fn a_client_without_a_certificate_is_let_in_unless_one_is_required() {
    let broker = Fixture::start(VERIFY);
    assert!(broker.takes(None));
    assert!(broker.takes(Some(&broker.authority.client(&Subject::named("a")))));
    let strict = Fixture::start(REQUIRE);
    assert!(strict.refuses(None));
    assert!(strict.takes(Some(&strict.authority.client(&Subject::named("a")))));
    eventually("the log says why", || strict.broker.has_logged("TLS handshake failed: peer sent no certificates"));
}

#[test]
fn certificates_that_are_expired_or_of_others_are_refused_even_where_none_is_required() {
    let broker = Fixture::start(VERIFY);
    let expired = broker.authority.client(&Subject { has_expired: true, ..Subject::named("late") });
    assert!(broker.refuses(Some(&expired)));
    eventually("the log says why", || broker.broker.has_logged("TLS handshake failed: invalid peer certificate"));
    let other = Authority::new("Another Authority");
    assert!(broker.refuses(Some(&other.client(&Subject::named("stranger")))));
}

#[test]
fn without_verify_peer_nobody_is_asked() {
    let broker = Fixture::start(&[]);
    assert!(broker.takes(None));
    assert!(broker.takes(Some(&Authority::new("Whoever").client(&Subject::named("stranger")))));
}

#[test]
fn chains_are_as_long_as_depth_allows() {
    for (depth, is_taken) in [("0", false), ("1", true)] {
        let settings = [REQUIRE, &[("ssl_options.depth", depth)]].concat();
        let broker = Fixture::start(&settings);
        let below = broker.authority.intermediate("Below").client(&Subject::named("deep"));
        let direct = broker.authority.client(&Subject::named("direct"));
        assert!(broker.takes(Some(&direct)), "depth {depth}");
        assert_eq!((broker.takes(Some(&below)), broker.refuses(Some(&below))), (is_taken, !is_taken), "depth {depth}");
    }
}

/// Who is below an authority chooses the names of who is below him: the chain is not shorter for what it calls itself, nor
/// for certificates beside it that nobody signed.
#[test]
fn names_make_no_chain_shorter() {
    for (depth, is_taken) in [("1", false), ("2", true)] {
        let settings = [REQUIRE, &[("ssl_options.depth", depth)]].concat();
        let broker = Fixture::start(&settings);
        let below = broker.authority.intermediate("Below");
        let alike = below.intermediate("Test Authority").client(&Subject::named("deep"));
        assert_eq!((broker.takes(Some(&alike)), broker.refuses(Some(&alike))), (is_taken, !is_taken), "depth {depth}");
        let mut beside = below.intermediate("Further").client(&Subject::named("deep"));
        let forged = Authority::new("Test Authority").intermediate("Further").client(&Subject::named("none"));
        let forged: String = forged.chain.split_inclusive("-----END CERTIFICATE-----\n").skip(1).collect();
        beside.chain =
            beside.chain.replacen("-----END CERTIFICATE-----\n", &format!("-----END CERTIFICATE-----\n{forged}"), 1);
        assert_eq!(
            (broker.takes(Some(&beside)), broker.refuses(Some(&beside))),
            (is_taken, !is_taken),
            "depth {depth}"
        );
    }
}

#[test]
fn revoked_certificates_are_refused() {
    let broker = Fixture::start_with(REQUIRE, |authority, directory| {
        let lists = directory.join("lists");
        std::fs::create_dir(&lists).unwrap();
        std::fs::write(lists.join("list.pem"), authority.revocation_list(&[7])).unwrap();
        vec![
            ("ssl_options.crl_check".to_owned(), "true".to_owned()),
            ("ssl_options.crl_sources.1".to_owned(), "dir".to_owned()),
            ("ssl_options.crl_sources.1.path".to_owned(), lists.display().to_string()),
        ]
    });
    let of = |serial| broker.authority.client(&Subject { serial: Some(serial), ..Subject::named("client") });
    assert!(broker.takes(Some(&of(6))));
    assert!(broker.refuses(Some(&of(7))));
}

#[test]
fn only_versions_and_suites_that_are_allowed_are_spoken() {
    let only_13 = Fixture::start(&[("ssl_options.versions.1", "tlsv1.3")]);
    let speaks =
        |fixture: &Fixture, versions| handshake(fixture.tls, client_config(&fixture.authority, None, versions)).ok();
    assert!(speaks(&only_13, Versions::All).is_some() && speaks(&only_13, Versions::Only12).is_none());
    let one_suite = Fixture::start(&[
        ("ssl_options.ciphers.1", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("ssl_options.ciphers.2", "DHE-RSA-AES256-SHA"),
    ]);
    // With suites of 1.2 alone, 1.3 is not spoken.
    let session = speaks(&one_suite, Versions::All).expect("TLS");
    let suite = session.negotiated_cipher_suite().expect("a suite").suite();
    assert_eq!(suite.as_str(), Some("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
    assert!(one_suite.broker.has_logged("ssl_options.ciphers: not supported and left out: DHE-RSA-AES256-SHA"));
}

/// Many have them in cacertfile only, from where RabbitMQ takes them.
#[test]
fn intermediate_certificates_come_from_cacertfile_too() {
    let root = Authority::new("Root");
    let below = root.intermediate("Below");
    let fixture = Fixture::start_with(&[], |_, directory| {
        let server = below.server("server");
        let leaf = server.chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap_or_default().to_owned();
        root.write(directory, &Identity { chain: leaf, key: server.key });
        std::fs::write(directory.join("ca.pem"), root.pem() + &below.pem()).unwrap();
        Vec::new()
    });
    assert!(handshake(fixture.tls, client_config(&root, None, Versions::All)).is_ok());
}

#[test]
fn facts_of_the_connection_are_shown() {
    let broker = Fixture::start(VERIFY);
    let client = broker.authority.client(&Subject { serial: Some(0x0b0b), ..Subject::named("shown") });
    let _connection: RawClient = broker.connect(Some(&client));
    let shown = broker.broker.http("GET", "/api/connections", &[], "").unwrap().body;
    for part in [
        r#""ssl":true"#,
        r#""ssl_protocol":"tlsv1.3""#,
        r#""ssl_key_exchange":"any""#,
        r#""ssl_cipher":"aes_256_gcm""#,
        r#""ssl_hash":"aead""#,
        r#""peer_cert_subject":"CN=shown""#,
        r#""peer_cert_issuer":"CN=Test Authority""#,
        r#""peer_cert_serial_number":"B0B""#,
        r#""peer_cert_validity":"1975-01-01T00:00:00Z - 4096-01-01T00:00:00Z""#,
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}
