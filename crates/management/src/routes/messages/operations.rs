//! `POST /api/queues/{vhost}/{queue}/move` and `/api/leveret/operations`.

use super::peek::check_may_read;
use super::{Refusal, ask, filter, keys, who};
use crate::api::{Api, ManagementUser, VhostUser};
use crate::error::ApiError;
use auth::{Permission, Resource};
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broker::{MessageCommand, MessageReply, MoveTarget, OperationView, Origin, Transfer};
use serde_json::{Map, Value, json};

pub(super) async fn move_some(
    api: Api<VhostUser>,
    Path((vhost, queue)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Response, Refusal> {
    check_may_read(&api, &vhost, &queue).await?;
    let given = keys(&bytes, &["destination"])?;
    const KNOWN: [&str; 6] = ["destination", "filter", "count", "rate", "death_headers", "on_reject"];
    if let Some(name) = given.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Refusal::terms("unknown_key", name.clone()));
    }
    let transfer = Transfer {
        target: target(&given["destination"])?,
        filter: filter::of_body(given.get("filter"))?,
        count: number(&given, "count")?,
        per_second: number(&given, "rate")?.filter(|rate| *rate > 0),
        forgets_deaths: word(&given, "death_headers", ["keep", "remove"])?,
        skips_rejected: word(&given, "on_reject", ["stop", "skip"])?,
    };
    let command = MessageCommand::Transfer { who: who(&api), vhost, queue, transfer: Box::new(transfer) };
    begun(ask(&api, command).await?)
}

/// 202 and the operation, which goes on.
pub(super) fn begun(reply: MessageReply) -> Result<Response, Refusal> {
    match reply {
        MessageReply::Operation(view) => Ok((StatusCode::ACCEPTED, Json(show(&view))).into_response()),
        _ => Err(ApiError::unexpected_reply().into()),
    }
}

/// `origin`, or an object with `queue`, with `exchange` and perhaps `routing_key`, or with `origin`.
fn target(given: &Value) -> Result<MoveTarget, Refusal> {
    let wrong = || Refusal::terms("not_a_destination", given.clone());
    let object = match given {
        Value::String(word) if word == "origin" => return Ok(MoveTarget::Origin(Origin::default())),
        Value::Object(object) => object,
        _ => return Err(wrong()),
    };
    let text = |name: &str| match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong()),
    };
    match (text("queue")?, text("exchange")?, text("origin")?) {
        (Some(queue), None, None) if object.len() == 1 => Ok(MoveTarget::Queue(queue)),
        (None, Some(name), None) => {
            let name = if name == "amq.default" { String::new() } else { name };
            Ok(MoveTarget::Exchange { name, routing_key: text("routing_key")? })
        }
        (None, None, Some(which)) if matches!(&*which, "first" | "last") => {
            let by_exchange = word(object, "via", ["queue", "exchange"])?;
            Ok(MoveTarget::Origin(Origin { is_last: which == "last", by_exchange }))
        }
        _ => Err(wrong()),
    }
}

fn number(given: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, Refusal> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| Refusal::terms("not_integer", value.clone())),
    }
}

/// True for the second of two words, false for the first, which is the default.
fn word(given: &Map<String, Value>, name: &'static str, words: [&str; 2]) -> Result<bool, Refusal> {
    match given.get(name).map(|value| value.as_str().unwrap_or_default()) {
        None => Ok(false),
        Some(word) if word == words[0] => Ok(false),
        Some(word) if word == words[1] => Ok(true),
        Some(_) => Err(Refusal::terms("unknown_value", name)),
    }
}

pub(super) async fn list(api: Api<ManagementUser>) -> Result<Json<Vec<Value>>, Refusal> {
    let all = all(&api).await?;
    Ok(Json(all.iter().filter(|view| api.sees_vhost(&view.vhost)).map(show).collect()))
}

pub(super) async fn one(api: Api<ManagementUser>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let all = all(&api).await?;
    let found = all.iter().find(|view| view.id.to_string() == id && api.sees_vhost(&view.vhost));
    found.map(|view| Json(show(view))).ok_or_else(|| Refusal::not_found("operation_not_found"))
}

pub(super) async fn cancel(api: Api<ManagementUser>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let all = all(&api).await?;
    let missing = || Refusal::not_found("operation_not_found");
    let found = all.iter().find(|view| view.id.to_string() == id && api.sees_vhost(&view.vhost)).ok_or_else(missing)?;
    if !api.may_use_vhost(&found.vhost) && !api.caller.tags.administrator {
        return Err(ApiError::not_authorised("User not authorised to access virtual host").into());
    }
    if !api.caller.tags.administrator {
        // As whoever begins one.
        api.check(Resource::queue(&found.vhost, &found.queue), Permission::Read).await?;
    }
    match ask(&api, MessageCommand::CancelOperation { id: found.id }).await? {
        MessageReply::Operation(view) => Ok(Json(show(&view))),
        _ => Err(ApiError::unexpected_reply().into()),
    }
}

async fn all(api: &Api<ManagementUser>) -> Result<Vec<OperationView>, Refusal> {
    match ask(api, MessageCommand::ListOperations).await? {
        MessageReply::Operations(all) => Ok(all),
        _ => Err(ApiError::unexpected_reply().into()),
    }
}

fn show(view: &OperationView) -> Value {
    json!({
        "id": view.id,
        "kind": view.kind,
        "vhost": view.vhost,
        "queue": view.queue,
        "destination": view.destination,
        "state": view.state,
        "reason": view.reason,
        "started": view.started_ms,
        "ended": view.ended_ms,
        "scanned": view.scanned,
        "moved": view.moved,
        "gone": view.gone,
        "rejected": view.rejected,
        "unroutable": view.unroutable,
        "without_origin": view.without_origin,
        "refused": view.refused,
    })
}
