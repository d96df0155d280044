//! `POST /api/queues/{vhost}/{queue}/get`.

use super::payload::{Encoding, truncation};
use super::{Refusal, ask, check_connects, check_queue_exists, integer, keys, properties};
use crate::api::{Api, VhostUser};
use crate::error::ApiError;
use auth::{Permission, Resource};
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use broker::{AfterGet, MessageCommand, MessageReply, MessageView};
use serde_json::{Map, Value};

pub(super) async fn get(
    api: Api<VhostUser>,
    Path((vhost, queue)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Vec<Value>>, Refusal> {
    check_queue_exists(&api, &vhost, &queue)?;
    let given = keys(&bytes, &["ackmode", "count", "encoding"])?;
    check_connects(&api, &vhost)?;
    let after = after(&given["ackmode"])?;
    // RabbitMQ counts down to 0 and comes past it, so that a negative count means all there are.
    let count = usize::try_from(integer(&given["count"])?).unwrap_or(usize::MAX);
    let encoding = Encoding::parse(&given["encoding"])?;
    let truncate = truncation(given.get("truncate"))?;
    api.check(Resource::queue(&vhost, &queue), Permission::Read).await?;
    match ask(&api, MessageCommand::Get { vhost, queue, count, after, truncate }).await? {
        MessageReply::Messages(views) => Ok(Json(views.iter().map(|view| show(view, encoding)).collect())),
        _ => Err(ApiError::unexpected_reply().into()),
    }
}

fn after(mode: &Value) -> Result<AfterGet, Refusal> {
    match mode.as_str() {
        Some("ack_requeue_true") => Ok(AfterGet::Return),
        Some("ack_requeue_false") => Ok(AfterGet::Take),
        Some("reject_requeue_true") => Ok(AfterGet::Fail),
        Some("reject_requeue_false") => Ok(AfterGet::Reject),
        other => {
            let other = other.map_or_else(|| mode.to_string(), str::to_owned);
            Err(Refusal::bad_request(format!(
                "Invalid ackmode value: {other}. Valid values are: ack_requeue_true, ack_requeue_false, \
                 reject_requeue_true, reject_requeue_false"
            )))
        }
    }
}

fn show(view: &MessageView, encoding: Encoding) -> Value {
    let mut object = Map::new();
    object.insert("payload_bytes".to_owned(), view.body_bytes.into());
    object.insert("redelivered".to_owned(), view.redelivered.into());
    object.insert("exchange".to_owned(), view.exchange.clone().into());
    object.insert("routing_key".to_owned(), view.routing_key.clone().into());
    object.insert("message_count".to_owned(), view.remaining.into());
    object.insert("properties".to_owned(), properties::show(&view.header));
    encoding.put(&view.body, &mut object);
    Value::Object(object)
}
