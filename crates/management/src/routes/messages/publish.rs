//! `POST /api/exchanges/{vhost}/{exchange}/publish`.

use super::{Refusal, ask, check_connects, keys, payload, properties, who};
use crate::api::{Api, VhostUser};
use crate::error::ApiError;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use broker::{MessageCommand, MessageReply};
use serde_json::{Value, json};

/// The default exchange, as paths call it.
pub(super) const DEFAULT: &str = "amq.default";

/// Answers when the message is as safe as a publisher's confirm says.
pub(super) async fn publish(
    api: Api<VhostUser>,
    Path((vhost, exchange)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let exchange = if exchange == DEFAULT { String::new() } else { exchange };
    let found = api.broker()?.vhost(&vhost).ok_or_else(|| Refusal::not_found("vhost_not_found"))?;
    if found.exchange(&exchange).is_none() {
        return Err(Refusal::not_found("exchange_not_found"));
    }
    let mut given = keys(&bytes, &["routing_key", "properties", "payload", "payload_encoding"])?;
    let Some(routing_key) = given["routing_key"].as_str().map(str::to_owned) else {
        return Err(Refusal::terms("not_string", "routing_key"));
    };
    check_connects(&api, &vhost)?;
    let encoding = given["payload_encoding"].take();
    if !given["payload"].is_string() {
        return Err(Refusal::bad_request("payload_not_string"));
    }
    // RabbitMQ looks at the properties first.
    properties::to_header(&given["properties"], 0)?;
    let body = payload::decode(given["payload"].take(), &encoding)?;
    let header = properties::to_header(&given["properties"], body.len())?;
    let routing_key = routing_key.into_bytes();
    let command = MessageCommand::Publish { who: who(&api), vhost, exchange, routing_key, header, body };
    match ask(&api, command).await {
        Ok(MessageReply::Published(routed)) => Ok(Json(json!({ "routed": routed }))),
        Ok(MessageReply::Rejected) => {
            Err(Refusal::bad_request("rejected Unable to publish message. Check queue limits."))
        }
        Ok(_) => Err(ApiError::unexpected_reply().into()),
        Err(error) => Err(error.for_publisher().into()),
    }
}
