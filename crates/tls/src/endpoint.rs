//! The TLS of a listener, which can be replaced while connections go on.

use crate::certificate::Certificate;
use crate::error::TlsError;
use crate::files::Reader;
use crate::options::ServerOptions;
use crate::server::{self, Built};
use rustls::ServerConfig;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// A certificate in use, and where it is from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The key in `rabbitmq.conf`, as `ssl_options.certfile`.
    pub key: String,
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub certificate: Certificate,
}

/// Changed files that were read and found right, and are not in force yet.
pub struct Prepared(Built);

/// The TLS of listeners with the same options.
pub struct Endpoint {
    options: ServerOptions,
    current: RwLock<Built>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

impl Endpoint {
    /// Reads the files of `options`.
    pub fn open(options: ServerOptions) -> Result<Endpoint, TlsError> {
        let current = RwLock::new(server::build(&options)?);
        Ok(Endpoint { options, current })
    }

    /// What the next connection is served with.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }

    /// The options.
    pub fn options(&self) -> &ServerOptions {
        &self.options
    }

    /// The certificates in use: those of the chain, and those that are trusted.
    pub fn certificates(&self) -> Vec<Source> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let source = |used: &server::Used| Source {
            key: self.options.key(used.key),
            path: used.path.clone(),
            certificate: used.certificate.clone(),
        };
        current.certificates.iter().map(source).collect()
    }

    /// Versions that are allowed, as RabbitMQ calls them.
    pub fn versions(&self) -> Vec<&str> {
        if self.options.versions.is_empty() {
            return vec!["tlsv1.3", "tlsv1.2"];
        }
        self.options.versions.iter().map(String::as_str).collect()
    }

    /// Cipher suites that are allowed, as OpenSSL calls them.
    pub fn ciphers(&self) -> Vec<&'static str> {
        let config = self.config();
        let suites = config.crypto_provider().cipher_suites.iter();
        suites.filter_map(|suite| Some(crate::suites::names_of(suite.suite())?.openssl)).collect()
    }

    /// Reads the files again; `None` when nothing has changed. What is only looked at makes no lines in the log, and
    /// decrypts no key.
    pub fn prepare(&self) -> Result<Option<Prepared>, TlsError> {
        let fingerprint = Reader::fingerprint_of(&self.options);
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).fingerprint;
        if fingerprint.is_some() && fingerprint == current {
            return Ok(None);
        }
        Ok(Some(Prepared(server::build(&self.options)?)))
    }

    /// What was prepared holds for connections from now on.
    pub fn replace(&self, prepared: Prepared) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = prepared.0;
    }

    /// Reads the files again; true when something has changed, which holds for connections from now on. After an error
    /// everything is as it was.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let prepared = self.prepare()?;
        let has_changed = prepared.is_some();
        if let Some(prepared) = prepared {
            self.replace(prepared);
        }
        Ok(has_changed)
    }
}
