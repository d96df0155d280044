//! `/api/vhosts`.

use super::{Tags, ask, body, status};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::service::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use broker::AdminCommand;
use metadata::VhostDefinition;
use serde::Deserialize;
use serde_json::{Value, json};

fn show(shared: &Shared, vhost: &VhostDefinition) -> Value {
    json!({
        "name": vhost.name,
        "description": vhost.description,
        "tags": vhost.tags,
        "default_queue_type": vhost.default_queue_type.as_deref().unwrap_or("classic"),
        "metadata": {
            "description": vhost.description,
            "tags": vhost.tags,
            "default_queue_type": vhost.default_queue_type.as_deref().unwrap_or("classic"),
        },
        "tracing": vhost.tracing,
        "protected_from_deletion": vhost.protected_from_deletion,
        "cluster_state": { shared.node_name(): "running" },
    })
}

pub(super) async fn list(api: Api<Administrator>) -> Result<Json<Vec<Value>>, ApiError> {
    let vhosts = ask!(api, AdminCommand::ListVhosts, Vhosts);
    Ok(Json(vhosts.iter().map(|vhost| show(&api, vhost)).collect()))
}

pub(super) async fn one(api: Api<Administrator>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let vhosts = ask!(api, AdminCommand::ListVhosts, Vhosts);
    let found = vhosts.iter().find(|vhost| vhost.name == name);
    found.map(|vhost| Json(show(&api, vhost))).ok_or_else(ApiError::not_found)
}

#[derive(Deserialize)]
struct PutVhost {
    description: Option<String>,
    tags: Option<Tags>,
    /// RabbitMQ takes this spelling too, which exports of some of its versions have.
    #[serde(alias = "defaultqueuetype")]
    default_queue_type: Option<String>,
}

pub(super) async fn put(
    api: Api<Administrator>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let request: PutVhost = body(&bytes)?;
    let command = AdminCommand::PutVhost {
        name,
        tracing: None,
        protected_from_deletion: None,
        description: request.description,
        tags: request.tags.map(Tags::into_list),
        default_queue_type: request.default_queue_type,
    };
    Ok(status(&api.execute(command).await?))
}

pub(super) async fn delete(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::DeleteVhost { name }).await?))
}
