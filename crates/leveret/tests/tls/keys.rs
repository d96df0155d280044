//! Options of TLS under each of the prefixes that listeners have them under.

use crate::authority::{Authority, Subject};
use crate::files::write_encrypted_of;
use crate::tunnel::{Identity, Versions, client_config, handshake};
use crate::{BINARY, tls_settings};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use testkit::{BrokerProcess, free_address};
use tls::rustls::{CipherSuite, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion};

const PREFIXES: [&str; 4] = ["ssl_options", "management.ssl", "management.listener.ssl_opts", "prometheus.ssl"];
const AES_256: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;

/// A broker with one listener for TLS.
struct Listening {
    _broker: BrokerProcess,
    authority: Authority,
    _directory: tempfile::TempDir,
    address: SocketAddr,
}

impl Listening {
    /// Where the options stand under this prefix, and with these names below it.
    #[track_caller]
    fn start(prefix: &str, options: &[(&str, &str)]) -> Listening {
        Listening::start_with(prefix, options, Authority::write_server)
    }

    /// The same with files that something else writes.
    #[track_caller]
    fn start_with(prefix: &str, options: &[(&str, &str)], write: impl Fn(&Authority, &Path)) -> Listening {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("Test Authority");
        write(&authority, directory.path());
        let address = free_address().unwrap();
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let mut all = tls_settings(prefix, directory.path());
        let place: &[(&str, &str)] = match prefix {
            "ssl_options" => &[("listeners.ssl.default", &address.to_string())],
            "management.ssl" => {
                &[("leveret.management", "true"), ("management.ssl.ip", &ip), ("management.ssl.port", &port)]
            }
            "prometheus.ssl" => {
                &[("leveret.prometheus", "true"), ("prometheus.ssl.ip", &ip), ("prometheus.ssl.port", &port)]
            }
            _ => &[
                ("leveret.management", "true"),
                ("management.listener.ssl", "true"),
                ("management.listener.ip", &ip),
                ("management.listener.port", &port),
            ],
        };
        all.extend(place.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let list = directory.path().join("list.pem").display().to_string();
        all.extend(options.iter().map(|(name, value)| {
            // Lists of what is revoked stand under one prefix, and are the test's.
            match *name {
                "crl_sources.1.path" => (format!("ssl_options.{name}"), list.clone()),
                name => (format!("{prefix}.{name}"), (*value).to_owned()),
            }
        }));
        let all: Vec<(&str, &str)> = all.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Listening { _broker: BrokerProcess::start(BINARY, &all), authority, _directory: directory, address }
    }

    fn with(&self, config: Arc<ClientConfig>) -> Option<ClientConnection> {
        handshake(self.address, config).ok()
    }

    fn session(&self, identity: Option<&Identity>, versions: Versions) -> Option<ClientConnection> {
        self.with(client_config(&self.authority, identity, versions))
    }

    fn takes(&self, identity: &Identity) -> bool {
        self.session(Some(identity), Versions::All).is_some()
    }
}

/// certfile and keyfile: every client here checks the server against the authority.
#[test]
fn clients_are_asked_for_certificates_of_trusted_authorities() {
    for prefix in PREFIXES {
        let stranger = Authority::new("Another Authority").client(&Subject::named("stranger"));
        let lax = Listening::start(prefix, &[]);
        assert!(lax.takes(&stranger), "{prefix}");
        let asks = Listening::start(prefix, &[("verify", "verify_peer")]);
        let own = asks.authority.client(&Subject::named("own"));
        assert!(asks.takes(&own) && !asks.takes(&stranger), "{prefix}: verify and cacertfile");
        assert!(asks.session(None, Versions::All).is_some(), "{prefix}");
        let strict = Listening::start(prefix, &[("verify", "verify_peer"), ("fail_if_no_peer_cert", "true")]);
        assert!(strict.session(None, Versions::All).is_none(), "{prefix}: fail_if_no_peer_cert");
        let shallow = Listening::start(prefix, &[("verify", "verify_peer"), ("depth", "0")]);
        let direct = shallow.authority.client(&Subject::named("direct"));
        let deep = shallow.authority.intermediate("Below").client(&Subject::named("deep"));
        assert!(shallow.takes(&direct) && !shallow.takes(&deep), "{prefix}: depth");
    }
}

#[test]
fn versions_and_suites_can_be_restricted() {
    for prefix in PREFIXES {
        let old = Listening::start(prefix, &[("versions.1", "tlsv1.2")]);
        let session = old.session(None, Versions::All).unwrap();
        assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_2), "{prefix}");
        if prefix == "management.listener.ssl_opts" {
            continue;
        }
        let one = Listening::start(prefix, &[("ciphers.1", "ECDHE-ECDSA-AES128-GCM-SHA256")]);
        let suite = one.session(None, Versions::All).unwrap().negotiated_cipher_suite().unwrap().suite();
        assert_eq!(suite, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "{prefix}");
    }
}

/// A client that likes best what the server likes least.
#[test]
fn the_order_of_suites_is_the_clients_unless_it_is_the_servers() {
    for prefix in PREFIXES {
        let suite = |honor: &str| {
            let listening = Listening::start(prefix, &[("honor_cipher_order", honor)]);
            let mut config = (*client_config(&listening.authority, None, Versions::Only12)).clone();
            let mut provider = (**config.crypto_provider()).clone();
            provider.cipher_suites.reverse();
            config = rebuilt(&listening.authority, provider);
            listening.with(Arc::new(config)).unwrap().negotiated_cipher_suite().unwrap().suite()
        };
        assert_eq!(suite("true"), AES_256, "{prefix}");
        assert_ne!(suite("false"), AES_256, "{prefix}");
    }
}

fn rebuilt(authority: &Authority, provider: tls::rustls::crypto::CryptoProvider) -> ClientConfig {
    use tls::rustls::pki_types::CertificateDer;
    use tls::rustls::pki_types::pem::PemObject;
    let mut roots = tls::rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&tls::rustls::version::TLS12]).unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

#[test]
fn sessions_are_taken_up_unless_they_must_not() {
    for prefix in PREFIXES {
        let second = |reuse: &str| {
            let listening = Listening::start(prefix, &[("reuse_sessions", reuse)]);
            let config = client_config(&listening.authority, None, Versions::Only12);
            listening.with(config.clone()).unwrap();
            listening.with(config).unwrap().handshake_kind()
        };
        assert_eq!(second("true"), Some(HandshakeKind::Resumed), "{prefix}");
        assert_eq!(second("false"), Some(HandshakeKind::Full), "{prefix}");
    }
}

#[test]
fn a_key_with_a_password_is_read_with_it() {
    for prefix in PREFIXES {
        let write = |authority: &Authority, directory: &Path| write_encrypted_of(authority, directory, "p8-256.pem");
        let listening = Listening::start_with(prefix, &[("password", "secret")], write);
        assert!(listening.session(None, Versions::All).is_some(), "{prefix}");
    }
}

/// RabbitMQ has it under two of the prefixes.
#[test]
fn lists_of_what_is_revoked_are_asked_where_that_is_wanted() {
    for prefix in ["ssl_options", "management.listener.ssl_opts"] {
        let write = |authority: &Authority, directory: &Path| {
            authority.write_server(directory);
            std::fs::write(directory.join("list.pem"), authority.revocation_list(&[7])).unwrap();
        };
        for check in ["true", "false"] {
            let options = [("verify", "verify_peer"), ("crl_check", check), ("crl_sources.1.path", "")];
            let listening = Listening::start_with(prefix, &options, write);
            let of = |serial| listening.authority.client(&Subject { serial: Some(serial), ..Subject::named("client") });
            assert!(listening.takes(&of(6)), "{prefix}");
            assert_eq!(listening.takes(&of(7)), check == "false", "{prefix}.crl_check = {check}");
        }
    }
}
