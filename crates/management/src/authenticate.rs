//! Who a request is from: RabbitMQ's `rabbit_web_dispatch_access_control`, with its words.

mod attempts;
mod remembered;

pub(crate) use attempts::Attempts;
pub(crate) use remembered::Remembered;

use crate::caller::{Caller, Origin};
use crate::error::ApiError;
use crate::shared::Shared;
use auth::{Begun, Credentials, LoginError, User};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::LoginProtocol;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tracing::warn;

/// Passwords that are hashed at once. Whoever guesses leaves threads to those who are logged in.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Backends that are asked over the network at once, which mostly is waiting. Nobody else waits with them.
pub(crate) const MOST_ASKING: usize = 16;
static ASKING: Semaphore = Semaphore::const_new(MOST_ASKING);

/// What a request says of who makes it.
enum Given {
    Basic { user: Vec<u8>, password: Vec<u8> },
    Bearer { token: Vec<u8> },
    Nothing,
}

/// Finds out who makes a request, which `parts` are the head of.
pub(crate) async fn caller(shared: &Shared, parts: &Parts) -> Result<Caller, ApiError> {
    let peer = match parts.extensions.get::<Origin>() {
        // Whoever can open the socket may do everything.
        Some(Origin::Socket) => return Ok(Caller::operator()),
        Some(Origin::Network(peer)) => *peer,
        // Every listener says where a request is from; one without is one that nobody looked at.
        None => return Err(ApiError::no_credentials()),
    };
    let basic_is_disabled = shared.http().disable_basic_auth;
    match given(&parts.headers) {
        Given::Basic { .. } if basic_is_disabled => Err(denied("basic auth disabled")),
        Given::Basic { user, password } => login(shared, user, password, peer).await,
        // A token is a password of nobody in particular: it says itself whose it is.
        Given::Bearer { token } => {
            let user = shared.http().oauth.client_id.clone().unwrap_or_default().into_bytes();
            login(shared, user, token, peer).await
        }
        Given::Nothing if basic_is_disabled => Err(denied("no credentials")),
        Given::Nothing => Err(ApiError::no_credentials()),
    }
}

fn denied(why: &str) -> ApiError {
    let text = format!("HTTP access denied: {why}");
    warn!("{text}");
    ApiError::not_authorised(text)
}

/// The user of this name and password, who may come from `peer`.
pub(crate) async fn login(
    shared: &Shared,
    user: Vec<u8>,
    password: Vec<u8>,
    peer: SocketAddr,
) -> Result<Caller, ApiError> {
    let name = String::from_utf8_lossy(&user).escape_default().to_string();
    match check(shared, user, password, peer).await? {
        Ok(user) => Ok(Caller::user(user, peer)),
        Err(refused) => {
            warn!("HTTP access denied: {}", refused.to_string().escape_debug());
            wait_after_failure(shared, peer).await;
            match refused {
                LoginError::LoopbackOnly { .. } => {
                    warn!("HTTP access denied: user '{name}' - User can only log in via localhost");
                    Err(ApiError::not_authorised("User can only log in via localhost"))
                }
                _ => Err(ApiError::not_authenticated()),
            }
        }
    }
}

async fn check(
    shared: &Shared,
    user: Vec<u8>,
    password: Vec<u8>,
    peer: SocketAddr,
) -> Result<Result<Arc<User>, LoginError>, ApiError> {
    let broker = shared.broker()?;
    let fingerprint = shared.remembered().fingerprint(&user, &password);
    if let Some(user) = fingerprint.and_then(|fingerprint| shared.remembered().find(&broker, fingerprint)) {
        // Who may log in from this machine alone changes without a new generation.
        let is_loopback = peer.ip().to_canonical().is_loopback();
        if is_loopback || !broker.access.loopback_users().iter().any(|name| name == user.name()) {
            return Ok(Ok(user));
        }
    }
    let generation = broker.access.generation();
    let credentials = Arc::new(Credentials::Password { user, password });
    let (ip, protocol) = (peer.ip(), LoginProtocol::Http);
    // Hashing takes a while, and may be made to take longer.
    let (beginning, given) = (broker.clone(), credentials.clone());
    let begun = aside(&HASHING, move || beginning.begin_login(&given, ip, protocol)).await?;
    let login = match begun {
        Begun::Settled(login) => login,
        Begun::Asks(unsettled) => {
            let asking = broker.clone();
            ask(move || asking.finish_login(unsettled, &credentials, ip, protocol)).await?
        }
    };
    // What others say holds for this request alone: a token expires, and a service may change its mind.
    if let (Ok(user), Some(fingerprint)) = (&login, fingerprint)
        && user.is_internal()
    {
        shared.remembered().keep(&broker, generation, fingerprint, user.clone());
    }
    Ok(login)
}

/// Asks somebody outside, who may not answer.
pub(crate) async fn ask<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    aside(&ASKING, question).await
}

/// Does what must not keep a thread of the API, when it has its place among others.
async fn aside<T: Send + 'static>(
    places: &'static Semaphore,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let _permit = places.acquire().await;
    tokio::task::spawn_blocking(job).await.map_err(|_| ApiError::unexpected_reply())
}

/// Who guesses passwords waits, which costs nobody else anything.
async fn wait_after_failure(shared: &Shared, peer: SocketAddr) {
    shared.attempts().count(false);
    let wait = shared.attempts().fail(peer.ip().to_canonical(), Instant::now());
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

fn given(headers: &HeaderMap) -> Given {
    let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return Given::Nothing;
    };
    let Some((scheme, rest)) = value.split_once(' ') else { return Given::Nothing };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Given::Bearer { token: rest.trim().as_bytes().to_vec() };
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Given::Nothing;
    }
    let Ok(decoded) = STANDARD.decode(rest.trim()) else { return Given::Nothing };
    let Some(colon) = decoded.iter().position(|byte| *byte == b':') else { return Given::Nothing };
    Given::Basic { user: decoded[..colon].to_vec(), password: decoded[colon + 1..].to_vec() }
}
