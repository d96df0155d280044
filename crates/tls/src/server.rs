//! From options and files to a configuration of rustls.

use crate::certificate::Certificate;
use crate::error::TlsError;
use crate::files::Reader;
use crate::options::ServerOptions;
use crate::{suites, verifier};
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use rustls::{InconsistentKeys, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::warn;

/// A certificate that a listener uses, and the file that it is in.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) key: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) certificate: Certificate,
}

/// What options and files come to.
pub(crate) struct Built {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) certificates: Vec<Used>,
    /// Of the files before they were read for this: one that is replaced meanwhile counts as changed at the next look.
    pub(crate) fingerprint: Option<u64>,
}

/// Builds a configuration. What does not keep it from working is named in the log.
pub(crate) fn build(options: &ServerOptions) -> Result<Built, TlsError> {
    check_combination(options)?;
    let fingerprint = Reader::fingerprint_of(options);
    let mut reader = Reader::default();
    let (cert_key, key_key) = (options.key("certfile"), options.key("keyfile"));
    let missing = |key: &str| TlsError::option(key, "not given, and a TLS listener needs it");
    let cert_path = options.certfile.clone().ok_or_else(|| missing(&cert_key))?;
    // RabbitMQ looks for the key beside the certificate where no file is given for it.
    let key_path = options.keyfile.clone().unwrap_or_else(|| cert_path.clone());
    let mut chain = reader.certificates(&cert_key, &cert_path)?;
    let mut authorities = Vec::new();
    if let Some(path) = &options.cacertfile {
        authorities = reader.certificates(&options.key("cacertfile"), path)?;
    }
    let certificates = used(options, &chain, &authorities, &cert_path)?;
    complete(&mut chain, &authorities);
    let private_key = reader.private_key(&key_key, &key_path, &options.key("password"), options.password.as_ref())?;
    let provider = suites::provider(&options.prefix, &options.ciphers)?;
    let versions = suites::versions(&options.prefix, &options.versions, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|error| TlsError::option(options.key("versions"), error.to_string()))?;
    let builder = if options.verify_peer {
        let verifier = verifier::of_clients(options, &authorities, &mut reader, &provider)?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, private_key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::file(&key_key, &key_path, format!("is not the key of the certificate in {}", cert_path.display()))
        }
        rustls::Error::InvalidCertificate(error) => {
            TlsError::file(&cert_key, &cert_path, format!("has a certificate that cannot be used: {error}"))
        }
        error => TlsError::file(&key_key, &key_path, format!("cannot be used: {error}")),
    })?;
    config.ignore_client_order = options.honor_cipher_order;
    set_resumption(&mut config, options.reuse_sessions)?;
    Ok(Built { config: Arc::new(config), certificates, fingerprint })
}

/// Options that RabbitMQ's TLS refuses together, too.
fn check_combination(options: &ServerOptions) -> Result<(), TlsError> {
    if options.fail_if_no_peer_cert && !options.verify_peer {
        let what = format!("has no meaning without {} = verify_peer", options.key("verify"));
        return Err(TlsError::option(options.key("fail_if_no_peer_cert"), what));
    }
    Ok(())
}

/// Sessions are taken up from tickets, which nothing is kept for here. Keys of tickets are those of a configuration:
/// when certificates are replaced, clients have to show theirs again.
fn set_resumption(config: &mut ServerConfig, reuse_sessions: bool) -> Result<(), TlsError> {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if !reuse_sessions {
        config.send_tls13_tickets = 0;
        return Ok(());
    }
    config.send_tls13_tickets = 1;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()
        .map_err(|error| TlsError::option("ssl_options", format!("no keys for session tickets: {error}")))?;
    Ok(())
}

/// The certificates with what is said of them; those that are not valid now are named in the log, as in RabbitMQ, which
/// starts with them.
fn used(
    options: &ServerOptions,
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    cert_path: &std::path::Path,
) -> Result<Vec<Used>, TlsError> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
    let own = chain.iter().map(|der| ("certfile", cert_path, der));
    let trusted =
        options.cacertfile.iter().flat_map(|path| authorities.iter().map(|der| ("cacertfile", path.as_path(), der)));
    let mut all = Vec::new();
    for (key, path, der) in own.chain(trusted) {
        let certificate = Certificate::parse(der)
            .ok_or_else(|| TlsError::file(&options.key(key), path, "has a certificate that cannot be read"))?;
        let state = match &certificate {
            late if late.not_after_s < now_s => Some("has expired"),
            early if early.not_before_s > now_s => Some("is not valid yet"),
            _ => None,
        };
        if let Some(state) = state {
            let (key, path) = (options.key(key), path.display());
            warn!("{key}: {path}: the certificate of {} {state} ({})", certificate.subject, certificate.validity);
        }
        all.push(Used { key, path: path.to_owned(), certificate });
    }
    Ok(all)
}

/// Appends what is missing between the last certificate of the chain and a root from `authorities`, as Erlang does: many
/// have intermediate certificates in `cacertfile` only.
fn complete(chain: &mut Vec<CertificateDer<'static>>, authorities: &[CertificateDer<'static>]) {
    let known: Vec<_> = authorities.iter().filter_map(|der| Some((der, verifier::names(der)?))).collect();
    // No chain is longer than what there is to make it of.
    for _ in 0..known.len() {
        let Some((subject, issuer)) = chain.last().and_then(|der| verifier::names(der)) else { return };
        let next = known.iter().find(|(_, (subject, _))| *subject == issuer);
        match next {
            // A root is what the other side has already.
            Some((der, (next_subject, next_issuer))) if subject != issuer && next_subject != next_issuer => {
                chain.push((*der).clone());
            }
            _ => return,
        }
    }
}
