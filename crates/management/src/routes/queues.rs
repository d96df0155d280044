//! `/api/queues`.

use super::{ask, body, counted, status};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::json;
use crate::service::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use broker::{AdminCommand, QueueSnapshot};
use serde::Deserialize;
use serde_json::{Map, Value, json};

fn show(shared: &Shared, queue: &QueueSnapshot) -> Value {
    json!({
        "name": *queue.name,
        "vhost": *queue.vhost,
        "type": "classic",
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "exclusive": queue.owner.is_some(),
        "owner_pid": queue.owner.map(|owner| shared.pids().connection(owner)),
        "arguments": json::table(&queue.arguments),
        "node": shared.node_name(),
        "state": "running",
        "policy": queue.policy,
        "operator_policy": queue.operator_policy,
        "effective_policy_definition": json::table(&queue.effective_policy_definition),
        "messages": queue.messages_ready + queue.messages_unacknowledged,
        "messages_ready": queue.messages_ready,
        "messages_unacknowledged": queue.messages_unacknowledged,
        "message_bytes": queue.message_bytes_ready + queue.message_bytes_unacknowledged,
        "message_bytes_ready": queue.message_bytes_ready,
        "message_bytes_unacknowledged": queue.message_bytes_unacknowledged,
        "consumers": queue.consumers,
        "message_stats": message_stats(&queue.counters),
    })
}

/// The counters that RabbitMQ has under `message_stats`, with its sum of everything delivered.
fn message_stats(counters: &[(&'static str, u64)]) -> Value {
    const SHOWN: [&str; 8] =
        ["publish", "deliver", "deliver_no_ack", "get", "get_no_ack", "get_empty", "redeliver", "ack"];
    let mut stats: Map<String, Value> = counters
        .iter()
        .filter(|(name, _)| SHOWN.contains(name))
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let delivered = ["deliver", "deliver_no_ack", "get", "get_no_ack"];
    let sum: u64 = counters.iter().filter(|(name, _)| delivered.contains(name)).map(|(_, value)| value).sum();
    stats.insert("deliver_get".to_owned(), sum.into());
    Value::Object(stats)
}

async fn queues(shared: &Shared, vhost: Option<String>) -> Result<Json<Vec<Value>>, ApiError> {
    let queues = ask!(shared, AdminCommand::ListQueues { vhost }, Queues);
    Ok(Json(queues.iter().map(|queue| show(shared, queue)).collect()))
}

pub(super) async fn list(api: Api<Administrator>) -> Result<Json<Vec<Value>>, ApiError> {
    queues(&api, None).await
}

pub(super) async fn of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> Result<Json<Vec<Value>>, ApiError> {
    queues(&api, Some(vhost)).await
}

pub(super) async fn one(
    api: Api<Administrator>,
    Path((vhost, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let queues = ask!(api, AdminCommand::Queue { vhost, name }, Queues);
    queues.first().map(|queue| Json(show(&api, queue))).ok_or_else(ApiError::not_found)
}

#[derive(Deserialize)]
struct Declare {
    #[serde(default)]
    durable: bool,
    #[serde(default)]
    auto_delete: bool,
    #[serde(default)]
    arguments: Map<String, Value>,
}

pub(super) async fn put(
    api: Api<Administrator>,
    Path((vhost, name)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let Declare { durable, auto_delete, arguments } = body(&bytes)?;
    let arguments = json::to_table(&arguments);
    let command = AdminCommand::DeclareQueue { vhost, name, durable, auto_delete, arguments };
    Ok(status(&api.execute(command).await?))
}

#[derive(Deserialize)]
pub(super) struct Condition {
    #[serde(default, rename = "if-unused")]
    if_unused: bool,
    #[serde(default, rename = "if-empty")]
    if_empty: bool,
}

pub(super) async fn delete(
    api: Api<Administrator>,
    Path((vhost, name)): Path<(String, String)>,
    Query(Condition { if_unused, if_empty }): Query<Condition>,
) -> Result<Response, ApiError> {
    Ok(counted(ask!(api, AdminCommand::DeleteQueue { vhost, name, if_unused, if_empty }, Count)))
}

pub(super) async fn purge(
    api: Api<Administrator>,
    Path((vhost, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    Ok(counted(ask!(api, AdminCommand::PurgeQueue { vhost, name }, Count)))
}
