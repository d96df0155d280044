//! `/api/delayed`, which RabbitMQ does not have: messages that wait before they are routed.

use super::status;
use crate::api::{Api, VhostUser};
use crate::error::ApiError;
use auth::{Permission, Resource};
use axum::Json;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use broker::{AdminCommand, AdminReply, DelayedSnapshot};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Messages of one answer, unless asked otherwise, and at most.
const USUAL: usize = 100;
const MOST: usize = 10_000;

#[derive(Deserialize)]
pub(super) struct Page {
    /// Only those published to this exchange.
    exchange: Option<String>,
    /// Only those with this id or a higher one: `next` of the answer before.
    from: Option<String>,
    limit: Option<String>,
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

/// Shows those whose exchange the caller may read, as whoever binds a queue to it.
pub(super) async fn list(
    api: Api<VhostUser>,
    Path(vhost): Path<String>,
    Query(Page { exchange, from, limit }): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let most = number(limit)?.map_or(USUAL, |limit| usize::try_from(limit).unwrap_or(MOST)).clamp(1, MOST);
    let from = number(from)?.unwrap_or(0);
    if let Some(exchange) = &exchange {
        api.check(Resource::exchange(&vhost, exchange), Permission::Read).await?;
    }
    let command = AdminCommand::ListDelayed { vhost: vhost.clone(), exchange, from, most };
    let AdminReply::Delayed(messages, next) = api.execute(command).await? else {
        return Err(ApiError::unexpected_reply());
    };
    if api.caller.user.has_to_be_asked_for() {
        let exchanges: BTreeSet<&str> = messages.iter().map(|message| &*message.exchange).collect();
        for exchange in exchanges {
            // Whether it may see them is looked at below.
            let _ = api.check(Resource::exchange(&vhost, exchange), Permission::Read).await;
        }
    }
    let may_see = |message: &&DelayedSnapshot| {
        api.check_known(Resource::exchange(&vhost, &message.exchange), Permission::Read).is_ok()
    };
    let messages: Vec<Value> = messages.iter().filter(may_see).map(show).collect();
    Ok(Json(json!({ "messages": messages, "next": next })))
}

/// Asks for what deleting the exchange asks for, which messages that wait do not survive either.
pub(super) async fn cancel(
    api: Api<VhostUser>,
    Path((vhost, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    // What is no number is no message's.
    let id = id.parse().map_err(|_| ApiError::not_found())?;
    let found = AdminCommand::ListDelayed { vhost: vhost.clone(), exchange: None, from: id, most: 1 };
    if let AdminReply::Delayed(messages, _) = api.execute(found).await?
        && let Some(message) = messages.first().filter(|message| message.id == id)
    {
        api.check(Resource::exchange(&vhost, &message.exchange), Permission::Configure).await?;
    }
    Ok(status(&api.execute(AdminCommand::CancelDelayed { vhost, id }).await?))
}

fn number(text: Option<String>) -> Result<Option<u64>, ApiError> {
    let parse = |text: String| text.parse().map_err(|_| ApiError::bad_request(format!("not a number: {text}")));
    text.map(parse).transpose()
}
