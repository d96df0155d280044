//! `/api/vhost-limits` and `/api/user-limits`.

use super::ask;
use crate::api::{Administrator, Api, ManagementUser, VhostVisible};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::request::required;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use broker::AdminCommand;
use metadata::{ParameterDefinition, UserDefinition, UserLimits};
use serde_json::{Map, Value, json};

type Names = Path<(String, String)>;

/// RabbitMQ's component of a virtual host's limits.
const VHOST_LIMITS: &str = "vhost-limits";

fn show(parameter: &ParameterDefinition, fields: &mut Fields<'_>) {
    fields.put("vhost", || parameter.vhost.as_str());
    fields.put("value", || json::field(&parameter.value));
}

impl<R> Api<R> {
    /// The limits that there are; RabbitMQ lists no virtual host whose limits were all lifted.
    async fn vhost_limits(&self, vhost: Option<String>) -> Result<Vec<ParameterDefinition>, ApiError> {
        let command = AdminCommand::ListParameters { component: Some(VHOST_LIMITS.to_owned()), vhost };
        let mut rows = ask!(self, command, Parameters);
        rows.retain(|parameter| parameter.value.as_table().is_some_and(|limits| !limits.is_empty()));
        Ok(rows)
    }
}

pub(super) async fn vhosts(api: Api<VhostVisible>, query: ListQuery) -> Result<Response, ApiError> {
    let mut rows = api.vhost_limits(None).await?;
    rows.retain(|parameter| api.sees_vhost(&parameter.vhost));
    list::reply_sorted(&query, rows, &[], show).await
}

pub(super) async fn vhost(
    api: Api<VhostVisible>,
    Path(vhost): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    list::reply_sorted(&query, api.vhost_limits(Some(vhost)).await?, &[], show).await
}

/// One limit; RabbitMQ sets them one by one and reads them together.
pub(super) async fn one_of_vhost(api: Api<VhostVisible>, Path((vhost, name)): Names) -> Result<Json<Value>, ApiError> {
    let limits = api.vhost_limits(Some(vhost)).await?;
    let limit = limits.first().and_then(|parameter| parameter.value.as_table()?.get(&name));
    limit.map(|value| Json(json!({ "value": json::field(value) }))).ok_or_else(ApiError::not_found)
}

pub(super) async fn put_vhost(
    api: Api<Administrator>,
    Path((vhost, limit)): Names,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let value = required(&bytes, &["value"])?.remove("value").unwrap_or_default();
    let command = AdminCommand::SetVhostLimit { vhost, limit, value: Some(json::to_field(&value)) };
    api.execute(command).await.map_err(ApiError::or_no_vhost)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_vhost(api: Api<Administrator>, Path((vhost, limit)): Names) -> Result<StatusCode, ApiError> {
    let command = AdminCommand::SetVhostLimit { vhost, limit, value: None };
    api.execute(command).await.map_err(ApiError::or_no_vhost)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user's limits, sorted by name; none are an empty object.
pub(crate) fn of_user(limits: UserLimits) -> Value {
    let limits = [("max-channels", limits.max_channels), ("max-connections", limits.max_connections)];
    let set = limits.into_iter().filter_map(|(name, most)| Some((name.to_owned(), most?.into())));
    Value::Object(set.collect())
}

fn show_user(user: &UserDefinition, fields: &mut Fields<'_>) {
    fields.put("user", || user.name.as_str());
    fields.put("value", || of_user(user.limits));
}

pub(super) async fn users(api: Api<Administrator>, query: ListQuery) -> Result<Response, ApiError> {
    let mut rows = ask!(api, AdminCommand::ListUsers, Users);
    rows.retain(|user| user.limits != UserLimits::default());
    list::reply_sorted(&query, rows, &[], show_user).await
}

impl Api<ManagementUser> {
    /// A user, for monitors and for itself.
    async fn limited_user(&self, name: &str) -> Result<UserDefinition, ApiError> {
        if !self.sees_user(name) {
            return Err(ApiError::not_authorised("User not authorised to access object"));
        }
        let users = ask!(self, AdminCommand::ListUsers, Users);
        users.into_iter().find(|user| user.name == name).ok_or_else(ApiError::not_found)
    }
}

pub(super) async fn user(
    api: Api<ManagementUser>,
    Path(name): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let mut rows = vec![api.limited_user(&name).await?];
    rows.retain(|user| user.limits != UserLimits::default());
    list::reply_sorted(&query, rows, &[], show_user).await
}

/// One limit; RabbitMQ sets them one by one and reads them together.
pub(super) async fn one_of_user(api: Api<ManagementUser>, Path((user, name)): Names) -> Result<Json<Value>, ApiError> {
    let limits = of_user(api.limited_user(&user).await?.limits);
    limits.get(&name).map(|value| Json(json!({ "value": value }))).ok_or_else(ApiError::not_found)
}

pub(super) async fn put_user(
    api: Api<Administrator>,
    Path((user, limit)): Names,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let value = required(&bytes, &["value"])?.remove("value").unwrap_or_default();
    let limits = json::to_field(&Value::Object(Map::from_iter([(limit, value)])));
    let command = AdminCommand::SetUserLimits { user: user.clone(), limits };
    api.execute(command).await.map_err(|error| error.or_no_user(&user))?;
    Ok(StatusCode::NO_CONTENT)
}

/// All limits of a user at once: RabbitMQ's HTTP API has none of this, and its command line does it.
pub(super) async fn put_all_of_user(
    api: Api<Administrator>,
    Path(user): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let value = required(&bytes, &["value"])?.remove("value").unwrap_or_default();
    api.execute(AdminCommand::SetUserLimits { user, limits: json::to_field(&value) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_user(api: Api<Administrator>, Path((user, limit)): Names) -> Result<StatusCode, ApiError> {
    api.execute(AdminCommand::ClearUserLimits { user, limit: Some(limit) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_all_of_user(
    api: Api<Administrator>,
    Path(user): Path<String>,
) -> Result<StatusCode, ApiError> {
    api.execute(AdminCommand::ClearUserLimits { user, limit: None }).await?;
    Ok(StatusCode::NO_CONTENT)
}
