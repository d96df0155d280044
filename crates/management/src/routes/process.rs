//! The process that the broker runs in: whether it runs, its end, and the deletion of everything that it holds.

use super::overview::PRODUCT;
use crate::api::{Administrator, Api, Monitor};
use crate::application::DiskFreeLimit;
use crate::error::ApiError;
use crate::request::body;
use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Answers whether the broker runs or not.
pub(super) async fn state(api: Api<Monitor>) -> Json<Value> {
    let broker = api.broker().ok();
    let state = match &broker {
        Some(broker) if broker.is_shutting_down() => "stopping",
        Some(_) => "running",
        None => "stopped",
    };
    let (plain, with_tls) = api.application().suspended_listeners();
    let listener = |protocol: &str, address: SocketAddr| {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        json!({ "node": api.node_name(), "protocol": protocol, "ip_address": ip, "port": port })
    };
    let plain = plain.into_iter().map(|address| listener("amqp", address));
    let suspended = plain.chain(with_tls.into_iter().map(|address| listener("amqp/ssl", address)));
    let version = broker.map_or_else(String::new, |broker| broker.settings.version.clone());
    Json(json!({
        "node": api.node_name(),
        "pid": std::process::id(),
        "state": state,
        "product_name": PRODUCT,
        "version": env!("CARGO_PKG_VERSION"),
        "rabbitmq_version": version,
        "uptime": api.uptime_ms(),
        "enabled_plugins_file": api.application().plugins().file.map(|file| file.display().to_string()),
        "data_dir": api.node().data_dir.display().to_string(),
        "suspended_listeners": suspended.collect::<Vec<_>>(),
    }))
}

/// The answer is on its way before the process ends.
pub(super) async fn terminate(api: Api<Administrator>) -> StatusCode {
    api.log_change("terminate", json!({}), None);
    let application = api.application();
    tokio::spawn(async move {
        tokio::time::sleep(ANSWERED_WITHIN).await;
        application.terminate();
    });
    StatusCode::NO_CONTENT
}

/// Time for the answer to be written.
const ANSWERED_WITHIN: std::time::Duration = std::time::Duration::from_millis(50);

pub(super) async fn clear(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    if api.broker().is_ok() {
        return Err(ApiError::bad_request("the broker has to be stopped; stop it with 'rabbitmqctl stop_app'"));
    }
    let application = api.application();
    let cleared = tokio::task::spawn_blocking(move || application.clear()).await;
    let result = cleared.map_err(|_| ApiError::unexpected_reply())?.map_err(ApiError::unavailable);
    api.log_change("clear", json!({}), result.as_ref().err().map(ApiError::reason).as_deref());
    result.map(|()| StatusCode::NO_CONTENT)
}

pub(super) async fn set_disk_free_limit(api: Api<Administrator>, bytes: Bytes) -> Result<StatusCode, ApiError> {
    let limit: DiskFreeLimit = body(&bytes)?;
    if matches!(limit, DiskFreeLimit::Relative(share) if !share.is_finite() || share < 0.0) {
        return Err(ApiError::bad_request("the share of the memory is not a positive number"));
    }
    if !api.application().set_disk_free_limit(limit) {
        return Err(ApiError::stopped());
    }
    api.log_change("set_disk_free_limit", json!({ "limit": format!("{limit:?}") }), None);
    Ok(StatusCode::NO_CONTENT)
}
