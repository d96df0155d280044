//! `/api/auth/attempts`, `/api/auth/hash_password`, `/api/reset` and `/api/rebalance`.

use crate::api::{Administrator, Api, Monitor};
use crate::error::ApiError;
use auth::hash_password;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use broker::{AdminCommand, LoginCounts, LoginProtocol};
use serde_json::{Map, Value, json};

fn show(counts: LoginCounts) -> Map<String, Value> {
    Map::from_iter([
        ("auth_attempts".to_owned(), counts.attempts().into()),
        ("auth_attempts_failed".to_owned(), counts.failed.into()),
        ("auth_attempts_succeeded".to_owned(), counts.succeeded.into()),
    ])
}

/// Logins by protocol since the start or the last reset; RabbitMQ lists protocols that somebody used.
pub(super) async fn attempts(api: Api<Monitor>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    api.check_node(&name)?;
    let http = LoginCounts { succeeded: api.attempts().succeeded(), failed: api.attempts().failed() };
    let mut all = api.broker()?.logins();
    all.retain(|(protocol, _)| *protocol != LoginProtocol::Http);
    all.push((LoginProtocol::Http, http));
    let used = all.into_iter().filter(|(_, counts)| counts.attempts() > 0);
    let rows = used.map(|(protocol, counts)| {
        let mut row = show(counts);
        row.insert("protocol".to_owned(), protocol.name().into());
        Value::Object(row)
    });
    Ok(Json(rows.collect()))
}

/// The same by address and user, where `track_auth_attempt_source` asks for it.
pub(super) async fn attempts_by_source(api: Api<Monitor>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    api.check_node(&name)?;
    let rows = api.broker()?.login_sources().into_iter().map(|(source, counts)| {
        let mut row = show(counts);
        row.insert("remote_address".to_owned(), source.peer.to_string().into());
        row.insert("username".to_owned(), source.user.into());
        row.insert("protocol".to_owned(), source.protocol.name().into());
        Value::Object(row)
    });
    Ok(Json(rows.collect()))
}

/// RabbitMQ resets both lists, whichever of the two is named.
pub(super) async fn reset_attempts(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    api.check_node(&name)?;
    api.broker()?.reset_logins();
    api.attempts().reset();
    Ok(StatusCode::NO_CONTENT)
}

/// What RabbitMQ answers; its documentation has the hash alone.
pub(super) async fn hash(api: Api<Administrator>, Path(password): Path<String>) -> Result<Json<Value>, ApiError> {
    let algorithm = api.broker()?.accounts().password_hashing;
    let hash = tokio::task::spawn_blocking(move || hash_password(algorithm, password.as_bytes()));
    match hash.await {
        Ok(Ok(hash)) => Ok(Json(json!({ "ok": hash }))),
        Ok(Err(error)) => Err(ApiError::unavailable(error.to_string())),
        Err(_) => Err(ApiError::unexpected_reply()),
    }
}

/// Statistics go with what they are of: there is no database of them to be emptied.
pub(super) async fn reset(_: Api<Administrator>) -> StatusCode {
    StatusCode::NO_CONTENT
}

pub(super) async fn reset_node(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    api.check_node(&name)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A node that is alone has all leaders.
pub(super) async fn rebalance(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    // Only to answer as everything else does while the broker is stopped.
    api.execute(AdminCommand::ListLoopbackUsers).await.map(|_| StatusCode::NO_CONTENT)
}
