//! `/api/permissions` and `/api/topic-permissions`, by virtual host and user.

use super::{ask, body, status};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::service::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use broker::AdminCommand;
use metadata::{PermissionDefinition, TopicPermissionDefinition};
use serde::Deserialize;
use serde_json::{Value, json};

type List = Result<Json<Vec<Value>>, ApiError>;

fn show(permission: &PermissionDefinition) -> Value {
    json!({
        "user": permission.user,
        "vhost": permission.vhost,
        "configure": permission.configure,
        "write": permission.write,
        "read": permission.read,
    })
}

fn show_topic(permission: &TopicPermissionDefinition) -> Value {
    json!({
        "user": permission.user,
        "vhost": permission.vhost,
        "exchange": permission.exchange,
        "write": permission.write,
        "read": permission.read,
    })
}

async fn check_user(shared: &Shared, name: &str) -> Result<(), ApiError> {
    let users = ask!(shared, AdminCommand::ListUsers, Users);
    if users.iter().any(|user| user.name == name) { Ok(()) } else { Err(ApiError::not_found()) }
}

async fn check_vhost(shared: &Shared, name: &str) -> Result<(), ApiError> {
    let vhosts = ask!(shared, AdminCommand::ListVhosts, Vhosts);
    if vhosts.iter().any(|vhost| vhost.name == name) { Ok(()) } else { Err(ApiError::not_found()) }
}

async fn permissions(shared: &Shared, wanted: impl Fn(&PermissionDefinition) -> bool) -> List {
    let all = ask!(shared, AdminCommand::ListPermissions, Permissions);
    Ok(Json(all.iter().filter(|permission| wanted(permission)).map(show).collect()))
}

async fn topic_permissions(shared: &Shared, wanted: impl Fn(&TopicPermissionDefinition) -> bool) -> List {
    let all = ask!(shared, AdminCommand::ListTopicPermissions, TopicPermissions);
    Ok(Json(all.iter().filter(|permission| wanted(permission)).map(show_topic).collect()))
}

pub(super) async fn list(api: Api<Administrator>) -> List {
    permissions(&api, |_| true).await
}

pub(super) async fn of_user(api: Api<Administrator>, Path(user): Path<String>) -> List {
    check_user(&api, &user).await?;
    permissions(&api, |permission| permission.user == user).await
}

pub(super) async fn of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    check_vhost(&api, &vhost).await?;
    permissions(&api, |permission| permission.vhost == vhost).await
}

pub(super) async fn one(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let all = ask!(api, AdminCommand::ListPermissions, Permissions);
    let found = all.iter().find(|permission| permission.user == user && permission.vhost == vhost);
    found.map(|permission| Json(show(permission))).ok_or_else(ApiError::not_found)
}

#[derive(Deserialize)]
struct Patterns {
    configure: String,
    write: String,
    read: String,
}

pub(super) async fn put(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let Patterns { configure, write, read } = body(&bytes)?;
    let command = AdminCommand::SetPermissions(PermissionDefinition { user, vhost, configure, write, read });
    Ok(status(&api.execute(command).await?))
}

pub(super) async fn delete(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::ClearPermissions { user, vhost }).await?))
}

pub(super) async fn topic_list(api: Api<Administrator>) -> List {
    topic_permissions(&api, |_| true).await
}

pub(super) async fn topic_of_user(api: Api<Administrator>, Path(user): Path<String>) -> List {
    check_user(&api, &user).await?;
    topic_permissions(&api, |permission| permission.user == user).await
}

pub(super) async fn topic_of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    check_vhost(&api, &vhost).await?;
    topic_permissions(&api, |permission| permission.vhost == vhost).await
}

/// A list, since a user may have topic permissions on several exchanges.
pub(super) async fn topic_one(api: Api<Administrator>, Path((vhost, user)): Path<(String, String)>) -> List {
    topic_permissions(&api, |permission| permission.user == user && permission.vhost == vhost).await
}

#[derive(Deserialize)]
struct TopicPatterns {
    exchange: String,
    write: String,
    read: String,
}

pub(super) async fn topic_put(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let TopicPatterns { exchange, write, read } = body(&bytes)?;
    let permission = TopicPermissionDefinition { user, vhost, exchange, write, read };
    Ok(status(&api.execute(AdminCommand::SetTopicPermissions(permission)).await?))
}

pub(super) async fn topic_delete(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::ClearTopicPermissions { user, vhost, exchange: None }).await?))
}

pub(super) async fn topic_delete_exchange(
    api: Api<Administrator>,
    Path((vhost, user, exchange)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let command = AdminCommand::ClearTopicPermissions { user, vhost, exchange: Some(exchange) };
    Ok(status(&api.execute(command).await?))
}
