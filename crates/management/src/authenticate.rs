//! Who a request over the network is from.

use crate::caller::Caller;
use crate::error::ApiError;
use crate::service::Shared;
use auth::Credentials;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::LoginProtocol;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a browser is asked for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");

/// Finds out who makes the request, and turns it away when that is nobody.
pub(crate) async fn network(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    match caller(&shared, request.headers(), peer).await {
        Ok(caller) => {
            request.extensions_mut().insert(Arc::new(caller));
            next.run(request).await
        }
        Err(error) => {
            let mut response = error.into_response();
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
            response
        }
    }
}

/// Whoever can open the socket may do everything.
pub(crate) async fn socket(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Arc::new(Caller::operator()));
    next.run(request).await
}

async fn caller(shared: &Shared, headers: &HeaderMap, peer: SocketAddr) -> Result<Caller, ApiError> {
    let credentials = basic(headers).ok_or_else(ApiError::login_failed)?;
    let broker = shared.broker()?;
    // Hashing takes a while, and may be made to take longer.
    let login = tokio::task::spawn_blocking(move || broker.login(&credentials, peer.ip(), LoginProtocol::Http)).await;
    let user = login.map_err(|_| ApiError::unexpected_reply())?.map_err(|_| ApiError::login_failed())?;
    Ok(Caller::user(user.name(), user.tags(), peer))
}

fn basic(headers: &HeaderMap) -> Option<Credentials> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(Credentials::Password { user: decoded[..colon].to_vec(), password: decoded[colon + 1..].to_vec() })
}
