//! `/api/permissions` and `/api/topic-permissions`, by virtual host and user.

use super::{ask, status};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::list::{self, ListQuery};
use crate::request::{required, text};
use crate::shared::Shared;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use broker::AdminCommand;
use metadata::{PermissionDefinition, TopicPermissionDefinition};

fn show(permission: &PermissionDefinition, fields: &mut Fields<'_>) {
    fields.put("user", || permission.user.as_str());
    fields.put("vhost", || permission.vhost.as_str());
    fields.put("configure", || permission.configure.as_str());
    fields.put("write", || permission.write.as_str());
    fields.put("read", || permission.read.as_str());
}

fn show_topic(permission: &TopicPermissionDefinition, fields: &mut Fields<'_>) {
    fields.put("user", || permission.user.as_str());
    fields.put("vhost", || permission.vhost.as_str());
    fields.put("exchange", || permission.exchange.as_str());
    fields.put("write", || permission.write.as_str());
    fields.put("read", || permission.read.as_str());
}

async fn check_user(shared: &Shared, name: &str) -> Result<(), ApiError> {
    let users = ask!(shared, AdminCommand::ListUsers, Users);
    if users.iter().any(|user| user.name == name) { Ok(()) } else { Err(ApiError::not_found()) }
}

async fn check_vhost(shared: &Shared, name: &str) -> Result<(), ApiError> {
    let vhosts = ask!(shared, AdminCommand::ListVhosts, Vhosts);
    if vhosts.iter().any(|vhost| vhost.name == name) { Ok(()) } else { Err(ApiError::not_found()) }
}

/// RabbitMQ looks for them before it reads the body. The command line learns which of the two is missing.
async fn check_user_and_vhost(api: &Api<Administrator>, user: &str, vhost: &str) -> Result<(), ApiError> {
    if api.caller.is_operator() || (check_user(api, user).await.is_ok() && check_vhost(api, vhost).await.is_ok()) {
        return Ok(());
    }
    Err(ApiError::bad_request("vhost_or_user_not_found"))
}

async fn permissions(
    shared: &Shared,
    query: &ListQuery,
    wanted: impl Fn(&PermissionDefinition) -> bool,
) -> Result<Response, ApiError> {
    let mut rows = ask!(shared, AdminCommand::ListPermissions, Permissions);
    rows.retain(wanted);
    list::reply_sorted(query, rows, &["vhost", "user"], show).await
}

async fn topic_permissions(
    shared: &Shared,
    wanted: impl Fn(&TopicPermissionDefinition) -> bool,
) -> Result<Vec<TopicPermissionDefinition>, ApiError> {
    let mut rows = ask!(shared, AdminCommand::ListTopicPermissions, TopicPermissions);
    rows.retain(wanted);
    Ok(rows)
}

async fn list_topics(
    shared: &Shared,
    query: &ListQuery,
    wanted: impl Fn(&TopicPermissionDefinition) -> bool,
) -> Result<Response, ApiError> {
    let rows = topic_permissions(shared, wanted).await?;
    list::reply_sorted(query, rows, &["vhost", "user", "exchange"], show_topic).await
}

pub(super) async fn list(api: Api<Administrator>, query: ListQuery) -> Result<Response, ApiError> {
    permissions(&api, &query, |_| true).await
}

pub(super) async fn of_user(
    api: Api<Administrator>,
    Path(user): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    check_user(&api, &user).await?;
    permissions(&api, &query, |permission| permission.user == user).await
}

pub(super) async fn of_vhost(
    api: Api<Administrator>,
    Path(vhost): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    check_vhost(&api, &vhost).await?;
    permissions(&api, &query, |permission| permission.vhost == vhost).await
}

pub(super) async fn one(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let all = ask!(api, AdminCommand::ListPermissions, Permissions);
    let found = all.iter().find(|permission| permission.user == user && permission.vhost == vhost);
    let permission = found.ok_or_else(ApiError::not_found)?;
    Ok(list::reply_one(&query, |fields| show(permission, fields)))
}

/// Fields that have to be there and to be texts.
fn texts<const N: usize>(bytes: &Bytes, keys: [&str; N]) -> Result<[String; N], ApiError> {
    let request = required(bytes, &keys)?;
    let mut texts = [const { String::new() }; N];
    for (value, key) in texts.iter_mut().zip(keys) {
        *value = text(&request, key)?.unwrap_or_default();
    }
    Ok(texts)
}

pub(super) async fn put(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    check_user_and_vhost(&api, &user, &vhost).await?;
    let [configure, write, read] = texts(&bytes, ["configure", "write", "read"])?;
    let command = AdminCommand::SetPermissions(PermissionDefinition { user, vhost, configure, write, read });
    Ok(status(&api.execute(command).await.map_err(ApiError::or_no_user_or_vhost)?))
}

pub(super) async fn delete(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    // The command line may clear what is not there.
    if !api.caller.is_operator() {
        let all = ask!(api, AdminCommand::ListPermissions, Permissions);
        let is_set = all.iter().any(|permission| permission.user == user && permission.vhost == vhost);
        is_set.then_some(()).ok_or_else(ApiError::not_found)?;
    }
    Ok(status(&api.execute(AdminCommand::ClearPermissions { user, vhost }).await?))
}

pub(super) async fn topic_list(api: Api<Administrator>, query: ListQuery) -> Result<Response, ApiError> {
    list_topics(&api, &query, |_| true).await
}

pub(super) async fn topic_of_user(
    api: Api<Administrator>,
    Path(user): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    check_user(&api, &user).await?;
    list_topics(&api, &query, |permission| permission.user == user).await
}

pub(super) async fn topic_of_vhost(
    api: Api<Administrator>,
    Path(vhost): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    check_vhost(&api, &vhost).await?;
    list_topics(&api, &query, |permission| permission.vhost == vhost).await
}

/// A list, since a user may have topic permissions on several exchanges; RabbitMQ has no empty one.
pub(super) async fn topic_one(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let is_meant = |permission: &TopicPermissionDefinition| permission.user == user && permission.vhost == vhost;
    let rows = topic_permissions(&api, is_meant).await?;
    if rows.is_empty() {
        return Err(ApiError::not_found());
    }
    list::reply_sorted(&query, rows, &[], show_topic).await
}

/// RabbitMQ answers with those on all exchanges here too.
pub(super) async fn topic_one_of_exchange(
    api: Api<Administrator>,
    Path((vhost, user, _)): Path<(String, String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    topic_one(api, Path((vhost, user)), query).await
}

impl<R> Api<R> {
    /// RabbitMQ answers 404 where there is nothing to clear; the command line may clear it all the same.
    async fn check_topic_permissions(&self, vhost: &str, user: &str) -> Result<(), ApiError> {
        if self.caller.is_operator() {
            return Ok(());
        }
        let is_meant = |of: &TopicPermissionDefinition| of.user == user && of.vhost == vhost;
        match topic_permissions(self, is_meant).await?.is_empty() {
            true => Err(ApiError::not_found()),
            false => Ok(()),
        }
    }
}

pub(super) async fn topic_put(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    check_user_and_vhost(&api, &user, &vhost).await?;
    let [exchange, write, read] = texts(&bytes, ["exchange", "write", "read"])?;
    let permission = TopicPermissionDefinition { user, vhost, exchange, write, read };
    let command = AdminCommand::SetTopicPermissions(permission);
    Ok(status(&api.execute(command).await.map_err(ApiError::or_no_user_or_vhost)?))
}

pub(super) async fn topic_delete(
    api: Api<Administrator>,
    Path((vhost, user)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    api.check_topic_permissions(&vhost, &user).await?;
    Ok(status(&api.execute(AdminCommand::ClearTopicPermissions { user, vhost, exchange: None }).await?))
}

pub(super) async fn topic_delete_exchange(
    api: Api<Administrator>,
    Path((vhost, user, exchange)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    api.check_topic_permissions(&vhost, &user).await?;
    let command = AdminCommand::ClearTopicPermissions { user, vhost, exchange: Some(exchange) };
    Ok(status(&api.execute(command).await?))
}
