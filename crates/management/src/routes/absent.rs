//! Lists of what there is none of: federation links, streams and traces belong to plugins of RabbitMQ.
//!
//! Without its plugin RabbitMQ has no such path. Tools that show everything take an empty list better than 404.

use crate::api::{Api, ManagementUser, Monitor, VhostUser};
use axum::Json;
use serde_json::{Value, json};

pub(super) async fn of_node(_: Api<Monitor>) -> Json<Value> {
    Json(json!([]))
}

pub(super) async fn of_vhost(_: Api<VhostUser>) -> Json<Value> {
    Json(json!([]))
}

pub(super) async fn of_caller(_: Api<ManagementUser>) -> Json<Value> {
    Json(json!([]))
}
