//! TLS of listeners.

use super::Checked;
use crate::kind::Value;
use crate::options::{CertificateLogin, CrlCheck, HttpsOptions, Secret, TlsOptions, TlsServerOptions};
use std::net::SocketAddr;
use std::path::PathBuf;

impl Checked {
    pub(super) fn tls(&self) -> TlsOptions {
        TlsOptions {
            listeners: self.tls_listeners(),
            handshake_timeout_ms: self.integer("ssl_handshake_timeout"),
            server: self.tls_server("ssl_options"),
            login_from: self.choice("ssl_cert_login_from", CertificateLogin::from_word),
            login_san_type: self.word("ssl_cert_login_san_type").unwrap_or_default().to_owned(),
            login_san_index: self.integer("ssl_cert_login_san_index"),
            proxy_protocol: self.boolean("proxy_protocol"),
            reload_s: self.integer("leveret.tls.reload"),
        }
    }

    fn tls_listeners(&self) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for address in self.members("listeners.ssl.$name").flat_map(|(_, value)| value.clone().into_addresses()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// TLS of an HTTP server, where one of its keys was given (RabbitMQ: then without its listener for plain HTTP, unless
    /// one of that one's was given too).
    pub(super) fn https(&self, enabled: &str, ip: &str, port: &str, prefix: &str) -> Option<HttpsOptions> {
        if !self.is_any_given(&format!("{prefix}.")) {
            return None;
        }
        let listeners = self.http_listeners(enabled, ip, port);
        let (server, limits) = (self.tls_server(prefix), self.http_limits(prefix));
        (!listeners.is_empty()).then_some(HttpsOptions { listeners, server, limits })
    }

    /// Whether a key was given that begins like this.
    pub(super) fn is_any_given(&self, prefix: &str) -> bool {
        self.settings.keys().any(|key| key.starts_with(prefix))
    }

    pub(super) fn tls_server(&self, prefix: &str) -> TlsServerOptions {
        let key = |name: &str| format!("{prefix}.{name}");
        let path = |name: &str| self.optional_text(&key(name)).map(PathBuf::from);
        TlsServerOptions {
            prefix: prefix.to_owned(),
            certfile: path("certfile"),
            keyfile: path("keyfile"),
            password: self.optional_text(&key("password")).map(Secret::new),
            cacertfile: path("cacertfile"),
            verify_peer: self.word(&key("verify")) == Some("verify_peer"),
            fail_if_no_peer_cert: self.boolean(&key("fail_if_no_peer_cert")),
            depth: self.limit(&key("depth")),
            versions: self.numbered(&key("versions.")),
            ciphers: self.numbered(&key("ciphers.")),
            honor_cipher_order: self.boolean(&key("honor_cipher_order")),
            reuse_sessions: self.boolean(&key("reuse_sessions")),
            // Not every listener has the key.
            crl_check: match self.word_if_any(&key("crl_check")) {
                Some("true") => CrlCheck::Chain,
                Some("peer") => CrlCheck::Peer,
                Some("best_effort") => CrlCheck::BestEffort,
                _ => CrlCheck::Never,
            },
            crl_paths: self.crl_paths(),
        }
    }

    /// Texts of the keys that begin like this, in the order of their numbers.
    fn numbered(&self, family: &str) -> Vec<String> {
        let mut given: Vec<_> = self
            .settings
            .iter()
            .filter(|(key, _)| key.starts_with(family))
            .filter_map(|(_, checked)| match &checked.value {
                Value::Text(text) => Some((checked.name.parse().unwrap_or(u64::MAX), &checked.name, text)),
                _ => None,
            })
            .collect();
        given.sort_unstable();
        given.into_iter().map(|(_, _, text)| text.clone()).collect()
    }

    /// RabbitMQ lets one place be named for lists, whoever asks for them.
    fn crl_paths(&self) -> Vec<PathBuf> {
        let of = |(key, checked): (&String, &super::CheckedSetting)| match &checked.value {
            Value::Text(path) if key.starts_with("ssl_options.crl_sources.") && key.ends_with(".path") => {
                Some(PathBuf::from(path))
            }
            _ => None,
        };
        self.settings.iter().filter_map(of).collect()
    }

    /// A word that was given for a key that there may be.
    fn word_if_any(&self, key: &str) -> Option<&'static str> {
        match self.settings.get(key)?.value {
            Value::Word(word) => Some(word),
            _ => None,
        }
    }

    fn word(&self, key: &str) -> Option<&'static str> {
        match self.value(key)? {
            Value::Word(word) => Some(word),
            _ => None,
        }
    }
}
