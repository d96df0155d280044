//! The node: overview, health, alarms and limits.

use super::{ask, body, status};
use crate::api::{Administrator, Api, ManagementUser};
use crate::error::ApiError;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broker::{AdminCommand, Alarm, MemoryWatermark};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) async fn overview(api: Api<Administrator>) -> Result<Json<Value>, ApiError> {
    let overview = ask!(api, AdminCommand::Overview, Overview);
    let listeners: Vec<Value> = api
        .listeners()
        .into_iter()
        .map(|address| {
            json!({
                "node": overview.node_name,
                "protocol": "amqp",
                "ip_address": address.ip().to_canonical(),
                "port": address.port(),
            })
        })
        .collect();
    Ok(Json(json!({
        "management_version": overview.version,
        "rabbitmq_version": overview.version,
        "product_name": "Leveret",
        "product_version": env!("CARGO_PKG_VERSION"),
        "cluster_name": overview.cluster_name,
        "node": overview.node_name,
        "disable_stats": false,
        "enable_queue_totals": false,
        "object_totals": {
            "channels": overview.channels,
            "connections": overview.connections,
            "consumers": overview.consumers,
            "exchanges": overview.exchanges,
            "queues": overview.queues,
            "vhosts": overview.vhosts,
        },
        "queue_totals": {
            "messages": overview.messages_ready + overview.messages_unacknowledged,
            "messages_ready": overview.messages_ready,
            "messages_unacknowledged": overview.messages_unacknowledged,
        },
        "listeners": listeners,
    })))
}

pub(super) async fn nodes(api: Api<Administrator>) -> Result<Json<Value>, ApiError> {
    let overview = ask!(api, AdminCommand::Overview, Overview);
    let memory = overview.memory.unwrap_or_default();
    let node = api.node();
    Ok(Json(json!([{
        "name": overview.node_name,
        "type": "disc",
        "running": true,
        "os_pid": std::process::id().to_string(),
        "uptime": api.uptime_ms(),
        "processors": std::thread::available_parallelism().map_or(1, usize::from),
        "mem_used": memory.used_bytes,
        "mem_limit": memory.limit_bytes,
        "mem_total": memory.total_bytes,
        "mem_alarm": overview.memory_alarm,
        "message_memory": overview.message_memory_bytes,
        "disk_free_alarm": overview.disk_alarm,
        "being_drained": false,
        "db_dir": node.data_dir.display().to_string(),
        "config_files": node.config_files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "enabled_plugins": [],
    }])))
}

/// The caller; the operator on the socket has no name.
pub(super) async fn whoami(api: Api<ManagementUser>) -> Json<Value> {
    Json(json!({ "name": *api.caller.name, "tags": api.caller.tag_names }))
}

pub(super) async fn cluster_name(api: Api<Administrator>) -> Result<Json<Value>, ApiError> {
    let overview = ask!(api, AdminCommand::Overview, Overview);
    Ok(Json(json!({ "name": overview.cluster_name })))
}

pub(super) async fn check_alarms(api: Api<Administrator>) -> Result<Response, ApiError> {
    let overview = ask!(api, AdminCommand::Overview, Overview);
    let alarms: Vec<Value> = [("memory", overview.memory_alarm), ("disk", overview.disk_alarm)]
        .into_iter()
        .filter(|(_, raised)| *raised)
        .map(|(resource, _)| json!({ "node": overview.node_name, "resource": resource }))
        .collect();
    if alarms.is_empty() {
        return Ok(Json(json!({ "status": "ok" })).into_response());
    }
    let body = json!({ "status": "failed", "reason": "There are alarms in effect in the cluster", "alarms": alarms });
    Ok((StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response())
}

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
        Watermark::Relative(share) => MemoryWatermark::Relative(share),
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

pub(super) async fn start_application(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    run_application(&api, true).await
}

pub(super) async fn stop_application(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    run_application(&api, false).await
}

async fn run_application(api: &Api<Administrator>, running: bool) -> Result<StatusCode, ApiError> {
    let result = api.run_application(running).await;
    let name = if running { "start_application" } else { "stop_application" };
    let failure = result.as_ref().err().map(ApiError::reason);
    api.log_change(name, json!({}), failure.as_deref());
    result.map(|()| StatusCode::NO_CONTENT)
}
