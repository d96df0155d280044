//! `listeners.ssl.*`, `ssl_options.*` and what else concerns TLS.

use super::management::HttpLimits;
use super::secret::Secret;
use super::words::words;
use std::net::SocketAddr;
use std::path::PathBuf;

/// TLS of the AMQP listeners, and what precedes AMQP on all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// AMQP listeners with TLS.
    pub listeners: Vec<SocketAddr>,
    /// How long a handshake may take.
    pub handshake_timeout_ms: u64,
    /// `ssl_options.*`.
    pub server: TlsServerOptions,
    /// The part of a client's certificate that names its user.
    pub login_from: CertificateLogin,
    /// The kind of alternative name that does.
    pub login_san_type: String,
    /// Which one of that kind.
    pub login_san_index: usize,
    /// Connections begin with the PROXY protocol.
    pub proxy_protocol: bool,
    /// Seconds between looks whether files have changed; 0 is never.
    pub reload_s: u64,
}

/// TLS of an HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsOptions {
    /// Where it listens.
    pub listeners: Vec<SocketAddr>,
    /// Certificates and options.
    pub server: TlsServerOptions,
    /// Limits on connections.
    pub limits: HttpLimits,
}

/// The options of a listener with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsServerOptions {
    /// What the keys begin with, without the last dot.
    pub prefix: String,
    /// Own certificate.
    pub certfile: Option<PathBuf>,
    /// Its key.
    pub keyfile: Option<PathBuf>,
    /// The password of the key.
    pub password: Option<Secret>,
    /// Certificates that are trusted.
    pub cacertfile: Option<PathBuf>,
    /// Clients are asked for certificates.
    pub verify_peer: bool,
    /// A client without one is refused.
    pub fail_if_no_peer_cert: bool,
    /// Most certificates between a client's and a trusted one.
    pub depth: Option<u8>,
    /// Versions that are allowed, in the order of their numbers.
    pub versions: Vec<String>,
    /// Cipher suites that are allowed, likewise.
    pub ciphers: Vec<String>,
    /// Their order counts.
    pub honor_cipher_order: bool,
    /// Clients may take up sessions.
    pub reuse_sessions: bool,
    /// Whether revocation lists are asked.
    pub crl_check: CrlCheck,
    /// Where they are.
    pub crl_paths: Vec<PathBuf>,
}

/// `crl_check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrlCheck {
    /// `false`.
    #[default]
    Never,
    /// `true`.
    Chain,
    /// `peer`.
    Peer,
    /// `best_effort`.
    BestEffort,
}

words! {
    /// `ssl_cert_login_from`.
    CertificateLogin {
        /// The whole subject.
        DistinguishedName = "distinguished_name",
        /// Its common names.
        CommonName = "common_name",
        /// An alternative name.
        SubjectAlternativeName = "subject_alternative_name",
        /// The same.
        SubjectAltName = "subject_alt_name",
    }
}
