//! Messages over HTTP: RabbitMQ's publish and get, and what Leveret has beyond them.

mod filter;
mod get;
mod operations;
mod payload;
mod peek;
mod properties;
mod publish;
mod queue;
mod refusal;
mod tail;

use super::table::{self, Routes, post};
use crate::api::{Api, Right};
use crate::error::ApiError;
use crate::shared::Shared;
use broker::{AdminCommand, AdminReply, MessageCommand, MessageReply, Who};
use refusal::Refusal;
use serde_json::{Map, Value};

/// The paths that are about messages.
pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .route("/exchanges/{vhost}/{exchange}/publish", post(publish::publish))
        .route("/queues/{vhost}/{queue}/get", post(get::get))
        .route("/queues/{vhost}/{queue}/messages", table::get(peek::list).delete(peek::delete_some))
        .route("/queues/{vhost}/{queue}/messages/{id}", table::get(peek::one).delete(peek::delete))
        .route("/queues/{vhost}/{queue}/move", post(operations::move_some))
        .route("/queues/{vhost}/{queue}/diagnosis", table::get(queue::diagnosis))
        .route("/queues/{vhost}/{queue}/arguments", table::patch(queue::patch_arguments))
        .route("/queues/{vhost}/{queue}/tail", table::get(tail::queue))
        .route("/exchanges/{vhost}/{exchange}/tail", table::get(tail::exchange))
        .route("/leveret/operations", table::get(operations::list))
        .route("/leveret/operations/{id}", table::get(operations::one).delete(operations::cancel))
}

/// For whom the broker does what the caller asks for.
fn who<R: Right>(api: &Api<R>) -> Who {
    if api.caller.is_operator() { Who::Operator } else { Who::User(api.caller.user.clone()) }
}

/// Over HTTP RabbitMQ uses a connection of the caller's, which has to be allowed in the virtual host whatever the tags.
fn check_connects<R: Right>(api: &Api<R>, vhost: &str) -> Result<(), ApiError> {
    if api.may_use_vhost(vhost) { Ok(()) } else { Err(ApiError::not_authorised("Access refused.")) }
}

/// The path has to lead to a queue.
fn check_queue_exists(shared: &Shared, vhost: &str, queue: &str) -> Result<(), Refusal> {
    let vhost = shared.broker()?.vhost(vhost).ok_or_else(|| Refusal::not_found("vhost_not_found"))?;
    if vhost.queue(queue).is_some() { Ok(()) } else { Err(Refusal::not_found("queue_not_found")) }
}

async fn ask<R: Right>(api: &Api<R>, command: MessageCommand) -> Result<MessageReply, ApiError> {
    match api.execute(AdminCommand::Messages(Box::new(command))).await? {
        AdminReply::Messages(reply) => Ok(*reply),
        _ => Err(ApiError::unexpected_reply()),
    }
}

/// A body that is an object with these keys. RabbitMQ takes an empty body, and the texts null and undefined, for an
/// empty object, and names all keys that are missing.
fn keys(bytes: &[u8], keys: &[&str]) -> Result<Map<String, Value>, Refusal> {
    let object = match bytes {
        b"" | b"null" | b"undefined" => Map::new(),
        bytes => match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => object,
            Ok(Value::String(_)) => {
                return Err(Refusal::bad_request(
                    "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?",
                ));
            }
            _ => return Err(Refusal::bad_request("not_json")),
        },
    };
    let missing: Vec<String> =
        keys.iter().filter(|key| !object.contains_key(**key)).map(|key| format!("{{key_missing,{key}}}")).collect();
    if missing.is_empty() { Ok(object) } else { Err(Refusal::bad_request(format!("[{}]", missing.join(",")))) }
}

/// An integer, as a number or in digits.
fn integer(value: &Value) -> Result<i64, Refusal> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number.trunc() as i64)),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Refusal::terms("not_integer", value.clone()))
}
