//! The options of a listener, as `rabbitmq.conf` has them.

use std::fmt;
use std::path::PathBuf;

/// Whether certificates of clients are looked up in revocation lists (`crl_check`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevocationCheck {
    /// They are not.
    #[default]
    Never,
    /// Every certificate of the chain; one of which nothing is known is refused.
    Chain,
    /// The client's own certificate.
    Peer,
    /// Every certificate of the chain; one of which nothing is known is accepted.
    BestEffort,
}

/// A password, which nothing prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// This text.
    pub fn new(text: String) -> Password {
        Password(text)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// A listener's options.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// What the keys begin with, as `ssl_options`; errors name them.
    pub prefix: String,
    /// Certificate and the chain behind it, in PEM.
    pub certfile: Option<PathBuf>,
    /// Private key in PEM: PKCS#8, PKCS#1 or SEC1, with a password or without.
    pub keyfile: Option<PathBuf>,
    /// Password of the private key.
    pub password: Option<Password>,
    /// Certificates that are trusted, in PEM.
    pub cacertfile: Option<PathBuf>,
    /// `verify_peer`: clients are asked for certificates.
    pub verify_peer: bool,
    /// A client without a certificate is refused.
    pub fail_if_no_peer_cert: bool,
    /// Most certificates between a client's and one that is trusted.
    pub depth: Option<u8>,
    /// Versions that are allowed, as `tlsv1.3`; none given = 1.2 and 1.3.
    pub versions: Vec<String>,
    /// Cipher suites that are allowed, by OpenSSL's names or those of IANA; none given = all that are supported.
    pub ciphers: Vec<String>,
    /// The order of `ciphers` counts, and not the client's.
    pub honor_cipher_order: bool,
    /// A client may take up a session of before.
    pub reuse_sessions: bool,
    /// Whether revocation lists are asked.
    pub crl_check: RevocationCheck,
    /// Files of revocation lists, or directories of such files.
    pub crl_paths: Vec<PathBuf>,
}

impl ServerOptions {
    /// The whole name of one of its keys.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }
}
