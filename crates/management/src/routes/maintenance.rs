//! `/api/auth/attempts`, `/api/auth/hash_password`, `/api/config/effective`, `/api/reset` and `/api/rebalance`.

use crate::api::{Administrator, Api, Monitor};
use crate::error::ApiError;
use auth::{HashingAlgorithm, hash_password};
use axum::Json;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use broker::AdminCommand;
use serde_json::{Value, json};

/// Logins by protocol since the start or the last reset; RabbitMQ lists protocols that somebody used.
pub(super) async fn attempts(api: Api<Monitor>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    api.check_node(&name)?;
    let (amqp, http) = (&api.broker()?.logins, api.attempts());
    let counts = [("amqp091", amqp.succeeded.value(), amqp.failed.value()), ("http", http.succeeded(), http.failed())];
    let used = counts.into_iter().filter(|(_, succeeded, failed)| succeeded + failed > 0);
    let show = |(protocol, succeeded, failed): (&str, u64, u64)| {
        json!({
            "protocol": protocol,
            "auth_attempts": succeeded + failed,
            "auth_attempts_failed": failed,
            "auth_attempts_succeeded": succeeded,
        })
    };
    Ok(Json(used.map(show).collect()))
}

/// RabbitMQ counts by address and user only where `track_auth_attempt_source` asks for it, which nothing does here.
pub(super) async fn attempts_by_source(api: Api<Monitor>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    api.check_node(&name)?;
    Ok(Json(json!([])))
}

pub(super) async fn reset_attempts(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    api.check_node(&name)?;
    api.broker()?.logins.reset();
    api.attempts().reset();
    Ok(StatusCode::NO_CONTENT)
}

/// What RabbitMQ answers; its documentation has the hash alone.
pub(super) async fn hash(_: Api<Administrator>, Path(password): Path<String>) -> Result<Json<Value>, ApiError> {
    let hash = tokio::task::spawn_blocking(move || hash_password(HashingAlgorithm::default(), password.as_bytes()));
    match hash.await {
        Ok(Ok(hash)) => Ok(Json(json!({ "ok": hash }))),
        Ok(Err(error)) => Err(ApiError::unavailable(error.to_string())),
        Err(_) => Err(ApiError::unexpected_reply()),
    }
}

/// What the broker runs with, as text, since RabbitMQ has Erlang terms here.
pub(super) async fn effective(api: Api<Administrator>) -> Result<Response, ApiError> {
    let broker = api.broker()?;
    let text = format!("{:#?}\n{:#?}\n", broker.settings, api.http());
    Ok(([(header::CONTENT_TYPE, "text/plain")], text).into_response())
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
