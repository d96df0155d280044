//! `/api/delayed`, which RabbitMQ does not have: messages that wait before they are routed.

use super::status;
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use axum::Json;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use broker::{AdminCommand, AdminReply, DelayedSnapshot};
use serde::Deserialize;
use serde_json::{Value, json};

/// Messages of one answer, unless asked otherwise, and at most.
const USUAL: usize = 100;
const MOST: usize = 10_000;

#[derive(Deserialize)]
pub(super) struct Page {
    /// Only those published to this exchange.
    exchange: Option<String>,
    /// Only those with this id or a higher one: `next` of the answer before.
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
}

fn show(message: &DelayedSnapshot) -> Value {
    json!({
        "id": message.id,
        "due_ms": message.due_ms,
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "body_bytes": message.body_bytes,
        "persistent": message.persistent,
    })
}

pub(super) async fn list(
    api: Api<Administrator>,
    Path(vhost): Path<String>,
    Query(Page { exchange, from, limit }): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let most = limit.unwrap_or(USUAL).clamp(1, MOST);
    match api.execute(AdminCommand::ListDelayed { vhost, exchange, from, most }).await? {
        AdminReply::Delayed(messages, next) => {
            let messages: Vec<Value> = messages.iter().map(show).collect();
            Ok(Json(json!({ "messages": messages, "next": next })))
        }
        _ => Err(ApiError::unexpected_reply()),
    }
}

pub(super) async fn cancel(
    api: Api<Administrator>,
    Path((vhost, id)): Path<(String, u64)>,
) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::CancelDelayed { vhost, id }).await?))
}
