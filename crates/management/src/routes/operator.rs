//! `/api/leveret`: what the command line can do and RabbitMQ's HTTP API has no path for.

use super::{ask, status};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::request::body;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use broker::{AdminCommand, Alarm, MemoryWatermark};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;

async fn set_alarm(api: &Api<Administrator>, resource: &str, raised: bool) -> Result<StatusCode, ApiError> {
    let alarm = match resource {
        "memory" => Alarm::Memory,
        "disk" => Alarm::Disk,
        _ => return Err(ApiError::not_found()),
    };
    Ok(status(&api.execute(AdminCommand::SetAlarm { alarm, raised }).await?))
}

pub(super) async fn raise_alarm(api: Api<Administrator>, Path(resource): Path<String>) -> Result<StatusCode, ApiError> {
    set_alarm(&api, &resource, true).await
}

pub(super) async fn clear_alarm(api: Api<Administrator>, Path(resource): Path<String>) -> Result<StatusCode, ApiError> {
    set_alarm(&api, &resource, false).await
}

/// A share of the available memory, or bytes.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Watermark {
    Relative(f64),
    Absolute(u64),
}

pub(super) async fn set_memory_watermark(api: Api<Administrator>, bytes: Bytes) -> Result<StatusCode, ApiError> {
    let watermark = match body(&bytes)? {
        Watermark::Relative(share) if (0.0..=1.0).contains(&share) => MemoryWatermark::Relative(share),
        Watermark::Relative(share) => {
            let reason = format!("the share of memory must be from 0.0 to 1.0, and is {share}");
            return Err(ApiError::bad_request(reason));
        }
        Watermark::Absolute(bytes) => MemoryWatermark::Absolute(bytes),
    };
    Ok(status(&api.execute(AdminCommand::SetMemoryWatermark(watermark)).await?))
}

pub(super) async fn set_channel_max(api: Api<Administrator>, bytes: Bytes) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::SetChannelMax(body(&bytes)?)).await?))
}

pub(super) async fn loopback_users(api: Api<Administrator>) -> Result<Json<Vec<String>>, ApiError> {
    Ok(Json(ask!(api, AdminCommand::ListLoopbackUsers, Names)))
}

pub(super) async fn set_loopback_users(api: Api<Administrator>, bytes: Bytes) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::SetLoopbackUsers(body(&bytes)?)).await?))
}

/// Puts the node into maintenance: no new connections, and those that are there are closed.
pub(super) async fn drain(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    api.execute(AdminCommand::Drain).await.map(|_| StatusCode::NO_CONTENT)
}

/// Takes it out of maintenance.
pub(super) async fn revive(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    api.execute(AdminCommand::Revive).await.map(|_| StatusCode::NO_CONTENT)
}

/// Where a backup goes.
#[derive(Deserialize)]
struct BackupTarget {
    path: PathBuf,
}

/// Makes a backup of the data directory in a directory of this machine.
pub(super) async fn back_up(api: Api<Administrator>, bytes: Bytes) -> Result<Json<Value>, ApiError> {
    let BackupTarget { path } = body(&bytes)?;
    if !path.is_absolute() {
        return Err(ApiError::bad_request(format!("the path of a backup is absolute, not {}", path.display())));
    }
    let result = api.back_up(path.clone()).await;
    let reason = result.as_ref().err().map(ApiError::reason);
    api.log_change("back_up", json!({ "path": path }), reason.as_deref());
    let summary = result?;
    Ok(Json(json!({ "files": summary.files, "bytes": summary.bytes, "position": summary.position })))
}

pub(super) async fn start_application(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    run_application(&api, true).await
}

pub(super) async fn stop_application(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    run_application(&api, false).await
}

async fn run_application(api: &Api<Administrator>, running: bool) -> Result<StatusCode, ApiError> {
    let result = api.run_application(running).await;
    let name = if running { "start_application" } else { "stop_application" };
    api.log_change(name, json!({}), result.as_ref().err().map(ApiError::reason).as_deref());
    result.map(|()| StatusCode::NO_CONTENT)
}

/// Forgets what the cache of backends keeps; 404 where no chain has one.
pub(super) async fn clear_auth_cache(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    if !api.broker()?.access.clear_caches() {
        return Err(ApiError::not_found());
    }
    tracing::warn!("clearing the cache of authorization backends");
    Ok(StatusCode::NO_CONTENT)
}
