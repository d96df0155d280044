//! TLS of connections that the broker makes itself: to servers that authenticate, authorize or have keys.

use crate::error::TlsError;
use crate::files::Reader;
use crate::suites;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where systems keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Options of a client, as `auth_http.ssl_options.*`.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions {
    /// What the keys begin with; errors name them.
    pub prefix: String,
    /// Certificates that are trusted; those of the system for `None`.
    pub cacertfile: Option<PathBuf>,
    /// Certificate to show, and the chain behind it.
    pub certfile: Option<PathBuf>,
    /// Its key.
    pub keyfile: Option<PathBuf>,
    /// `verify_peer`: the server's certificate and name are checked.
    pub verify_peer: bool,
    /// Versions that are allowed.
    pub versions: Vec<String>,
    /// Cipher suites that are allowed.
    pub ciphers: Vec<String>,
}

/// The configuration that `options` come to.
pub fn client_config(options: &ClientOptions) -> Result<Arc<ClientConfig>, TlsError> {
    let prefix = &options.prefix;
    let mut reader = Reader::default();
    let provider = suites::provider(prefix, &options.ciphers)?;
    let versions = suites::versions(prefix, &options.versions, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|error| TlsError::option(format!("{prefix}.versions"), error.to_string()))?;
    let builder = if options.verify_peer {
        builder.with_root_certificates(authorities(options, &mut reader)?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
    };
    let Some(certfile) = &options.certfile else { return Ok(Arc::new(builder.with_no_client_auth())) };
    let (cert_key, key_key) = (format!("{prefix}.certfile"), format!("{prefix}.keyfile"));
    let keyfile = options.keyfile.as_ref().unwrap_or(certfile);
    let chain = reader.certificates(&cert_key, certfile)?;
    let key = reader.private_key(&key_key, keyfile, &format!("{prefix}.password"), None)?;
    let config = builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| TlsError::file(&key_key, keyfile, format!("cannot be used: {error}")))?;
    Ok(Arc::new(config))
}

fn authorities(options: &ClientOptions, reader: &mut Reader) -> Result<RootCertStore, TlsError> {
    let key = format!("{}.cacertfile", options.prefix);
    let system = || SYSTEM_AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
    let Some(path) = options.cacertfile.as_deref().or_else(system) else {
        return Err(TlsError::option(key, "not given, and the system has no authorities that it trusts"));
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(reader.certificates(&key, path)?);
    if added == 0 {
        return Err(TlsError::file(&key, path, "has no certificate that can be trusted"));
    }
    Ok(roots)
}

/// `verify_none`: whoever answers is believed, and only has to have the key that it shows.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
