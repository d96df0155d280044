//! TLS of all listeners.

use config::{CertificateLogin, Config, CrlCheck, HttpsOptions, TlsServerOptions};
use management::HttpsSettings;
use server::{EntranceSettings, TlsEntrance};
use std::sync::Arc;
use std::time::Duration;
use tls::{AlternativeName, Endpoint, LoginFrom, Password, RevocationCheck, ServerOptions, TlsError};

/// The TLS of everything that has it.
#[derive(Clone, Default)]
pub(crate) struct Endpoints {
    pub(crate) amqp: Option<Arc<Endpoint>>,
    pub(crate) management: Option<Arc<Endpoint>>,
    pub(crate) prometheus: Option<Arc<Endpoint>>,
}

impl Endpoints {
    /// Reads the files of all listeners that have TLS.
    pub(crate) fn open(config: &Config) -> Result<Endpoints, TlsError> {
        let [amqp, management, prometheus] = options(config)
            .map(|options| options.map(|options| Endpoint::open(server_options(options)).map(Arc::new)).transpose());
        Ok(Endpoints { amqp: amqp?, management: management?, prometheus: prometheus? })
    }

    /// What is wrong with them, listener by listener.
    pub(super) fn problems(config: &Config) -> Vec<TlsError> {
        let given = options(config).into_iter().flatten();
        given.filter_map(|options| Endpoint::open(server_options(options)).err()).collect()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Endpoint>> {
        [&self.amqp, &self.management, &self.prometheus].into_iter().flatten().cloned().collect()
    }
}

/// Of AMQP, the API and the metrics, where they have TLS.
fn options(config: &Config) -> [Option<&TlsServerOptions>; 3] {
    fn https(options: &Option<HttpsOptions>) -> Option<&TlsServerOptions> {
        options.as_ref().map(|options| &options.server)
    }
    let has_amqp = !config.tls.listeners.is_empty();
    [
        has_amqp.then_some(&config.tls.server),
        https(&config.management.https),
        https(&config.management.prometheus_https),
    ]
}

/// What precedes AMQP.
pub(crate) fn entrance(config: &Config, endpoints: &Endpoints) -> EntranceSettings {
    EntranceSettings {
        proxy_protocol: config.tls.proxy_protocol,
        tls: endpoints.amqp.clone().map(|endpoint| TlsEntrance {
            endpoint,
            handshake_timeout: Duration::from_millis(config.tls.handshake_timeout_ms),
            login_from: login_from(config),
        }),
    }
}

/// Where HTTP is served with TLS.
pub(super) fn https(options: &Option<HttpsOptions>, endpoint: &Option<Arc<Endpoint>>) -> Option<HttpsSettings> {
    let (options, endpoint) = (options.as_ref()?, endpoint.clone()?);
    let limits = super::management::limits(&options.limits);
    Some(HttpsSettings { listeners: options.listeners.clone(), endpoint, limits })
}

fn login_from(config: &Config) -> LoginFrom {
    match config.tls.login_from {
        CertificateLogin::DistinguishedName => LoginFrom::DistinguishedName,
        CertificateLogin::CommonName => LoginFrom::CommonName,
        CertificateLogin::SubjectAlternativeName | CertificateLogin::SubjectAltName => {
            let kind = match config.tls.login_san_type.as_str() {
                "ip" => AlternativeName::Ip,
                "email" => AlternativeName::Email,
                "uri" => AlternativeName::Uri,
                "other_name" => AlternativeName::Other,
                _ => AlternativeName::Dns,
            };
            LoginFrom::AlternativeName(kind, config.tls.login_san_index)
        }
    }
}

fn server_options(options: &TlsServerOptions) -> ServerOptions {
    ServerOptions {
        prefix: options.prefix.clone(),
        certfile: options.certfile.clone(),
        keyfile: options.keyfile.clone(),
        password: options.password.as_ref().map(|password| Password::new(password.expose().to_owned())),
        cacertfile: options.cacertfile.clone(),
        verify_peer: options.verify_peer,
        fail_if_no_peer_cert: options.fail_if_no_peer_cert,
        depth: options.depth,
        versions: options.versions.clone(),
        ciphers: options.ciphers.clone(),
        honor_cipher_order: options.honor_cipher_order,
        reuse_sessions: options.reuse_sessions,
        crl_check: match options.crl_check {
            CrlCheck::Never => RevocationCheck::Never,
            CrlCheck::Chain => RevocationCheck::Chain,
            CrlCheck::Peer => RevocationCheck::Peer,
            CrlCheck::BestEffort => RevocationCheck::BestEffort,
        },
        crl_paths: options.crl_paths.clone(),
    }
}
