//! Who a request over the network is from.

use crate::caller::{Caller, Origin};
use crate::error::ApiError;
use crate::service::Shared;
use auth::Credentials;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::LoginProtocol;
use std::net::SocketAddr;

/// Finds out who makes a request, which `parts` are the head of.
pub(crate) async fn caller(shared: &Shared, parts: &Parts) -> Result<Caller, ApiError> {
    match parts.extensions.get::<Origin>() {
        // Whoever can open the socket may do everything.
        Some(Origin::Socket) => Ok(Caller::operator()),
        Some(Origin::Network(peer)) => user(shared, &parts.headers, *peer).await,
        // Every listener says where a request is from; one without is one that nobody looked at.
        None => Err(ApiError::login_failed()),
    }
}

async fn user(shared: &Shared, headers: &HeaderMap, peer: SocketAddr) -> Result<Caller, ApiError> {
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
