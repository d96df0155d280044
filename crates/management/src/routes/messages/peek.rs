//! `GET` and `DELETE /api/queues/{vhost}/{queue}/messages`, and single messages below it.

use super::filter::{self, Query};
use super::payload::Encoding;
use super::{Refusal, ask, check_connects, check_queue_exists, operations, properties, who};
use crate::api::{Api, VhostUser};
use crate::error::ApiError;
use auth::{Permission, Resource};
use axum::Json;
use axum::extract::{Path, Query as Parameters};
use axum::http::StatusCode;
use axum::response::Response;
use broker::{Cursor, Holder, MessageCommand, MessageReply, MessageView, MoveTarget, Peek, Peeked, Standing, Transfer};
use serde_json::{Map, Value, json};

/// Messages that are answered with when the query does not say.
const COUNT: usize = 20;
/// Bytes of a body that are answered with when the query does not say.
const BODY_BYTES: usize = 4096;

pub(super) async fn list(
    api: Api<VhostUser>,
    Path((vhost, queue)): Path<(String, String)>,
    Parameters(query): Parameters<Query>,
) -> Result<Json<Value>, Refusal> {
    check_may_read(&api, &vhost, &queue).await?;
    let (peek, encoding) = peek(&query)?;
    match ask(&api, MessageCommand::Peek { vhost, queue, peek: Box::new(peek) }).await? {
        MessageReply::Peeked(peeked) => Ok(Json(show_all(&peeked, encoding))),
        _ => Err(ApiError::unexpected_reply().into()),
    }
}

/// Deletes those that the query means; all of them is what purging is for.
pub(super) async fn delete_some(
    api: Api<VhostUser>,
    Path((vhost, queue)): Path<(String, String)>,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Refusal> {
    check_may_read(&api, &vhost, &queue).await?;
    let mut count = None;
    let filter = filter::of_query(&query, |name, value| match name {
        "count" => {
            count = Some(value.parse().map_err(|_| Refusal::terms("not_integer", value))?);
            Ok(())
        }
        name => Err(Refusal::terms("unknown_parameter", name)),
    })?;
    if filter.is_empty() {
        return Err(Refusal::bad_request("a filter is required; to delete all messages, purge the queue"));
    }
    let (target, per_second) = (MoveTarget::Nowhere, None);
    let transfer = Transfer { target, filter, count, per_second, forgets_deaths: false, skips_rejected: false };
    let command = MessageCommand::Transfer { who: who(&api), vhost, queue, transfer: Box::new(transfer) };
    operations::begun(ask(&api, command).await?)
}

pub(super) async fn one(
    api: Api<VhostUser>,
    Path((vhost, queue, id)): Path<(String, String, String)>,
    Parameters(query): Parameters<Query>,
) -> Result<Json<Value>, Refusal> {
    check_may_read(&api, &vhost, &queue).await?;
    let (quid, seq) = parse_id(&id).ok_or_else(|| Refusal::terms("not_id", id))?;
    let (peek, encoding) = peek(&query)?;
    for standing in [Standing::Ready, Standing::Unacked] {
        let peek = Peek { standing, from: Cursor::from_seq(seq), count: 1, ..peek.clone() };
        let command = MessageCommand::Peek { vhost: vhost.clone(), queue: queue.clone(), peek: Box::new(peek) };
        let MessageReply::Peeked(peeked) = ask(&api, command).await? else {
            return Err(ApiError::unexpected_reply().into());
        };
        let is_it = |view: &MessageView| view.seq == seq && quid.is_none_or(|quid| quid == peeked.quid);
        if let Some((view, holder)) = peeked.messages.iter().find(|(view, _)| is_it(view)) {
            return Ok(Json(show(peeked.quid, view, holder.as_ref(), encoding)));
        }
    }
    Err(Refusal::not_found("message_not_found"))
}

/// Answers when it is durable that the message is gone.
pub(super) async fn delete(
    api: Api<VhostUser>,
    Path((vhost, queue, id)): Path<(String, String, String)>,
) -> Result<StatusCode, Refusal> {
    check_may_read(&api, &vhost, &queue).await?;
    let (quid, seq) = parse_id(&id).ok_or_else(|| Refusal::terms("not_id", id))?;
    match ask(&api, MessageCommand::Remove { vhost, queue, quid, seq }).await? {
        MessageReply::Done => Ok(StatusCode::NO_CONTENT),
        MessageReply::Unacknowledged => Err(Refusal::conflict("the message is with a consumer")),
        _ => Err(ApiError::unexpected_reply().into()),
    }
}

/// What AMQP asks of whoever gets or purges messages.
pub(super) async fn check_may_read(api: &Api<VhostUser>, vhost: &str, queue: &str) -> Result<(), Refusal> {
    check_queue_exists(api, vhost, queue)?;
    check_connects(api, vhost)?;
    Ok(api.check(Resource::queue(vhost, queue), Permission::Read).await?)
}

fn peek(query: &[(String, String)]) -> Result<(Peek, Encoding), Refusal> {
    let (mut standing, mut from, mut skip, mut count) = (Standing::Ready, Cursor::from_seq(0), 0, COUNT);
    let (mut truncate, mut encoding) = (BODY_BYTES, Encoding::default());
    let not_integer = |value: &str| Refusal::terms("not_integer", value);
    let filter = filter::of_query(query, |name, value| {
        match name {
            "state" => {
                standing = match value {
                    "ready" => Standing::Ready,
                    "unacked" => Standing::Unacked,
                    _ => return Err(Refusal::terms("unknown_state", value)),
                };
            }
            "from" => from = parse_cursor(value).ok_or_else(|| Refusal::terms("not_id_or_next", value))?,
            "position" => skip = value.parse().map_err(|_| not_integer(value))?,
            "count" => count = value.parse().map_err(|_| not_integer(value))?,
            "truncate" => truncate = value.parse().map_err(|_| not_integer(value))?,
            "encoding" => encoding = Encoding::parse(&value.into())?,
            _ => return Err(Refusal::terms("unknown_parameter", name)),
        }
        Ok(())
    })?;
    Ok((Peek { standing, from, skip, count, filter, truncate: Some(truncate) }, encoding))
}

/// An id, as lists have it, or the position alone.
fn parse_id(id: &str) -> Option<(Option<u64>, u64)> {
    match id.split_once('-') {
        Some((quid, seq)) => Some((Some(quid.parse().ok()?), seq.parse().ok()?)),
        None => Some((None, id.parse().ok()?)),
    }
}

/// An id, a position, or what `next` said: priority, position, and the first position that counts elsewhere.
fn parse_cursor(text: &str) -> Option<Cursor> {
    let mut parts = text.split('.');
    match (parts.next()?, parts.next(), parts.next(), parts.next()) {
        (level, Some(seq), Some(base), None) => {
            Some(Cursor { level: level.parse().ok()?, seq: seq.parse().ok()?, base: base.parse().ok()? })
        }
        (id, None, ..) => parse_id(id).map(|(_, seq)| Cursor::from_seq(seq)),
        _ => None,
    }
}

fn show_all(peeked: &Peeked, encoding: Encoding) -> Value {
    let messages = peeked.messages.iter().map(|(view, holder)| show(peeked.quid, view, holder.as_ref(), encoding));
    let next = peeked.next.map(|Cursor { level, seq, base }| format!("{level}.{seq}.{base}"));
    json!({ "messages": messages.collect::<Vec<_>>(), "next": next, "scanned": peeked.scanned })
}

fn show(quid: u64, view: &MessageView, holder: Option<&Holder>, encoding: Encoding) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), format!("{quid}-{}", view.seq).into());
    object.insert("seq".to_owned(), view.seq.into());
    let state = match holder {
        None => "ready",
        Some(holder) if holder.connection.is_empty() => "waiting",
        Some(_) => "unacked",
    };
    object.insert("state".to_owned(), state.into());
    object.insert("priority".to_owned(), view.level.into());
    object.insert("entered".to_owned(), view.entered_ms.into());
    object.insert("redelivered".to_owned(), view.redelivered.into());
    object.insert("delivery_count".to_owned(), view.delivery_count.into());
    object.insert("exchange".to_owned(), view.exchange.clone().into());
    object.insert("routing_key".to_owned(), view.routing_key.clone().into());
    object.insert("properties".to_owned(), properties::show(&view.header));
    object.insert("payload_bytes".to_owned(), view.body_bytes.into());
    encoding.put(&view.body, &mut object);
    if let Some(Holder { connection, channel, delivery_tag, age_ms }) = holder.filter(|_| state == "unacked") {
        let holder = json!({
            "connection": connection, "channel": channel, "delivery_tag": delivery_tag, "age_ms": age_ms
        });
        object.insert("holder".to_owned(), holder);
    }
    Value::Object(object)
}
