//! Cipher suites and versions: their names in OpenSSL and RabbitMQ, and which there are.

use crate::error::TlsError;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion};
use std::sync::Arc;
use tracing::warn;

/// A suite as others call it.
pub(crate) struct Names {
    pub(crate) suite: CipherSuite,
    /// OpenSSL's name, which is RabbitMQ's.
    pub(crate) openssl: &'static str,
    /// Erlang's names of its parts.
    pub(crate) key_exchange: &'static str,
    pub(crate) cipher: &'static str,
}

const fn names(suite: CipherSuite, openssl: &'static str, key_exchange: &'static str, cipher: &'static str) -> Names {
    Names { suite, openssl, key_exchange, cipher }
}

/// Every suite that the provider has.
pub(crate) const SUITES: [Names; 9] = [
    names(CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", "any", "aes_256_gcm"),
    names(CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", "any", "aes_128_gcm"),
    names(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", "any", "chacha20_poly1305"),
    names(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ecdhe_ecdsa",
        "aes_256_gcm",
    ),
    names(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ecdhe_ecdsa",
        "aes_128_gcm",
    ),
    names(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ecdhe_ecdsa",
        "chacha20_poly1305",
    ),
    names(
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ecdhe_rsa",
        "aes_256_gcm",
    ),
    names(
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ecdhe_rsa",
        "aes_128_gcm",
    ),
    names(
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ecdhe_rsa",
        "chacha20_poly1305",
    ),
];

/// Names of the suites that there are, as OpenSSL has them.
pub fn supported_suites() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|names| names.openssl)
}

/// Erlang's names of the key exchange and the cipher of the suite that OpenSSL calls `name`.
pub fn suite_parts(name: &str) -> Option<(&'static str, &'static str)> {
    let names = SUITES.iter().find(|names| names.openssl == name)?;
    Some((names.key_exchange, names.cipher))
}

/// What is known of a suite.
pub(crate) fn names_of(suite: CipherSuite) -> Option<&'static Names> {
    SUITES.iter().find(|names| names.suite == suite)
}

fn suite(name: &str) -> Option<SupportedCipherSuite> {
    // IANA's names of the suites of 1.3 are OpenSSL's.
    let is_called = |names: &Names| {
        let iana = names.suite.as_str().unwrap_or_default();
        names.openssl.eq_ignore_ascii_case(name) || iana.eq_ignore_ascii_case(name)
    };
    let wanted = SUITES.iter().find(|names| is_called(names))?.suite;
    aws_lc_rs::ALL_CIPHER_SUITES.iter().copied().find(|suite| suite.suite() == wanted)
}

/// The provider with the suites called `names`, all for none. Suites that there are not are named in the log.
pub(crate) fn provider(prefix: &str, names: &[String]) -> Result<Arc<CryptoProvider>, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    if names.is_empty() {
        return Ok(Arc::new(provider));
    }
    provider.cipher_suites = names.iter().filter_map(|name| suite(name)).collect();
    let unknown: Vec<&str> = names.iter().filter(|name| suite(name).is_none()).map(String::as_str).collect();
    if provider.cipher_suites.is_empty() {
        let known = supported_suites().collect::<Vec<_>>().join(", ");
        let what = format!("none of {} is supported; there are {known}", unknown.join(", "));
        return Err(TlsError::option(format!("{prefix}.ciphers"), what));
    }
    if !unknown.is_empty() {
        warn!("{prefix}.ciphers: not supported and left out: {}", unknown.join(", "));
    }
    Ok(Arc::new(provider))
}

/// The versions called `names`, all for none, of those for which `provider` has a suite.
pub(crate) fn versions(
    prefix: &str,
    names: &[String],
    provider: &CryptoProvider,
) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let key = format!("{prefix}.versions");
    let mut versions: Vec<&SupportedProtocolVersion> = Vec::new();
    for name in names {
        match name.as_str() {
            "tlsv1.3" => versions.push(&rustls::version::TLS13),
            "tlsv1.2" => versions.push(&rustls::version::TLS12),
            "tlsv1.1" | "tlsv1" | "sslv3" => {
                return Err(TlsError::option(
                    key,
                    format!("{name} is not secure and not supported; there are tlsv1.2 and tlsv1.3"),
                ));
            }
            other => {
                return Err(TlsError::option(key, format!("{other} is no version; there are tlsv1.2 and tlsv1.3")));
            }
        }
    }
    if versions.is_empty() {
        versions = vec![&rustls::version::TLS13, &rustls::version::TLS12];
    }
    versions.retain(|version| provider.cipher_suites.iter().any(|suite| suite.version() == *version));
    if versions.is_empty() {
        return Err(TlsError::option(format!("{prefix}.ciphers"), "no cipher suite is of an allowed version"));
    }
    Ok(versions)
}
