//! Clients' certificates: webpki's checks, and the length of the chain (`depth`).

use crate::error::TlsError;
use crate::files::Reader;
use crate::options::{RevocationCheck, ServerOptions};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// The verifier of `verify_peer`, with `authorities` from `cacertfile`.
pub(crate) fn of_clients(
    options: &ServerOptions,
    authorities: &[CertificateDer<'static>],
    reader: &mut Reader,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let key = options.key("cacertfile");
    let Some(path) = &options.cacertfile else {
        return Err(TlsError::option(key, format!("not given, and {} = verify_peer needs it", options.key("verify"))));
    };
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        roots
            .add(certificate.clone())
            .map_err(|error| TlsError::file(&key, path, format!("has a certificate that cannot be read: {error}")))?;
    }
    let roots = Arc::new(roots);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    if !options.fail_if_no_peer_cert {
        builder = builder.allow_unauthenticated();
    }
    if options.crl_check != RevocationCheck::Never {
        let mut lists = Vec::new();
        let key = options.key("crl_sources");
        for path in &options.crl_paths {
            lists.extend(reader.revocation_lists(&key, path)?);
        }
        if lists.is_empty() && options.crl_check != RevocationCheck::BestEffort {
            let what = format!("no revocation list found, and {} needs them", options.key("crl_check"));
            return Err(TlsError::option(key, what));
        }
        builder = builder.with_crls(lists);
        builder = match options.crl_check {
            RevocationCheck::Peer => builder.only_check_end_entity_revocation().enforce_revocation_expiration(),
            RevocationCheck::BestEffort => builder.allow_unknown_revocation_status(),
            RevocationCheck::Chain | RevocationCheck::Never => builder.enforce_revocation_expiration(),
        };
    }
    let inner = builder.build().map_err(|error| TlsError::file(&key, path, format!("cannot be used: {error}")))?;
    let Some(depth) = options.depth else { return Ok(inner) };
    Ok(Arc::new(Depth { inner, most: usize::from(depth), roots, provider: provider.clone() }))
}

/// Subject and issuer in DER.
pub(crate) fn names(certificate: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some((parsed.subject().as_raw().to_vec(), parsed.issuer().as_raw().to_vec()))
}

/// A chain of more certificates between the client's and a trusted one is refused.
#[derive(Debug)]
struct Depth {
    inner: Arc<dyn ClientCertVerifier>,
    most: usize,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Depth {
    /// Whether a chain that is short enough leads to a trusted certificate. It is the chain of signatures that counts:
    /// names may be those that somebody below an authority chose.
    fn has_short_chain(&self, end: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], now: UnixTime) -> bool {
        let is_short = |path: &VerifiedPath<'_>| match path.intermediate_certificates().count() <= self.most {
            true => Ok(()),
            false => Err(webpki::Error::MaximumPathDepthExceeded),
        };
        let algorithms = self.provider.signature_verification_algorithms.all;
        let usage = KeyUsage::client_auth();
        EndEntityCert::try_from(end).is_ok_and(|end| {
            end.verify_for_usage(algorithms, &self.roots.roots, intermediates, now, usage, None, Some(&is_short))
                .is_ok()
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the chain of certificates is longer than depth allows")]
struct ChainTooLong;

impl ClientCertVerifier for Depth {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end, intermediates, now)?;
        if !self.has_short_chain(end, intermediates, now) {
            return Err(rustls::CertificateError::Other(OtherError(Arc::new(ChainTooLong))).into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
