//! Requests to services over HTTP and HTTPS, with limits of time and size on everything.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 1 << 20;

/// How a server's certificate is checked.
#[derive(Clone, Debug)]
pub struct HttpsSettings {
    /// False takes any certificate (`verify_none`).
    pub verify: bool,
    /// Certificates that are trusted, in PEM; the system's without it.
    pub cacertfile: Option<PathBuf>,
    /// The client's own certificate and key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Default for HttpsSettings {
    fn default() -> HttpsSettings {
        HttpsSettings { verify: true, cacertfile: None, identity: None }
    }
}

/// Why a service cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file of certificates or keys cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A client that keeps connections, and gives up in time.
pub(crate) fn agent(
    https: &HttpsSettings,
    request: Option<Duration>,
    connect: Option<Duration>,
) -> Result<Agent, ClientError> {
    let mut tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .disable_verification(!https.verify)
        .root_certs(roots(https.cacertfile.as_deref())?)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    if let Some((certificate, key)) = &https.identity {
        tls = tls.client_cert(Some(identity(certificate, key)?));
    }
    let config = Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(request)
        .timeout_connect(connect)
        .http_status_as_error(false)
        // A redirection would carry a password to somebody else.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .build();
    Ok(config.new_agent())
}

fn roots(path: Option<&Path>) -> Result<RootCerts, ClientError> {
    let Some(path) = path else { return Ok(RootCerts::PlatformVerifier) };
    let certificates = certificates(path)?;
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, ClientError> {
    let pem = read(path)?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| if let Ok(PemItem::Certificate(certificate)) = item { Some(certificate) } else { None })
        .collect();
    if found.is_empty() {
        return Err(ClientError::File { path: path.to_owned(), reason: "it holds no certificate".to_owned() });
    }
    Ok(found)
}

fn identity(certificate: &Path, key: &Path) -> Result<ClientCert, ClientError> {
    let private = PrivateKey::from_pem(&read(key)?)
        .map_err(|_| ClientError::File { path: key.to_owned(), reason: "it holds no private key".to_owned() })?;
    Ok(ClientCert::new_with_certs(&certificates(certificate)?, private))
}

fn read(path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|error| ClientError::File { path: path.to_owned(), reason: error.to_string() })
}

/// An answer: its status, and its body as text.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// True when the server hung up before it answered, as one does with a connection that it has kept for long, or when what
/// it said was left over from an answer before.
pub(crate) fn is_stale(error: &ureq::Error) -> bool {
    use io::ErrorKind as Kind;
    match error {
        ureq::Error::Io(error) => matches!(
            error.kind(),
            Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe
        ),
        ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

/// What came of a request.
pub(crate) fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, String> {
    let mut response = result.map_err(|error| shown(&error))?;
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string();
    Ok(Answer { status, body: body.map_err(|error| shown(&error))? })
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Files of certificates cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The address is not one of HTTP.
    #[error("the address does not begin with https:// or http://")]
    Address,
    /// The server could not be asked.
    #[error("{0}")]
    Failed(String),
    /// It answered, but not with what was asked for.
    #[error("the server answered {0}")]
    Status(u16),
}

/// Fetches a document of at most `largest` bytes; it may take as long as `timeout`.
///
/// # Errors
/// When there is none to be had; the words never hold the address, which may have a password in it.
pub fn fetch(url: &str, https: &HttpsSettings, timeout: Duration, largest: u64) -> Result<Vec<u8>, FetchError> {
    if !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(FetchError::Address);
    }
    let failed = |error: ureq::Error| FetchError::Failed(shown(&error));
    let mut response = agent(https, Some(timeout), Some(timeout))?.get(url).call().map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        return Err(FetchError::Status(status.as_u16()));
    }
    response.body_mut().with_config().limit(largest).read_to_vec().map_err(failed)
}

/// Words for an error that never hold the address, which may have a password in it.
fn shown(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "timeout".to_owned(),
        ureq::Error::HostNotFound => "host not found".to_owned(),
        ureq::Error::ConnectionFailed => "connection failed".to_owned(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => "timeout".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Tls(reason) => format!("TLS: {reason}"),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::BodyExceedsLimit(_) => "the answer is too long".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

/// `text` as a value in a query or form: RabbitMQ's `quote_plus`.
pub(crate) fn quote(text: &[u8], out: &mut String) {
    for &byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'~' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}
