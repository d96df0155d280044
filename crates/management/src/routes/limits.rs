//! `/api/vhost-limits` and `/api/user-limits`.

use super::{ask, required};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::json;
use crate::service::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use broker::AdminCommand;
use metadata::{ParameterDefinition, UserDefinition, UserLimits};
use serde_json::{Map, Value, json};

type List = Result<Json<Vec<Value>>, ApiError>;
type Names = Path<(String, String)>;

/// RabbitMQ's component of a virtual host's limits.
const VHOST_LIMITS: &str = "vhost-limits";

fn show(parameter: &ParameterDefinition) -> Value {
    json!({ "vhost": parameter.vhost, "value": json::field(&parameter.value) })
}

async fn of_vhosts(shared: &Shared, vhost: Option<String>) -> List {
    let command = AdminCommand::ListParameters { component: Some(VHOST_LIMITS.to_owned()), vhost };
    Ok(Json(ask!(shared, command, Parameters).iter().map(show).collect()))
}

pub(super) async fn vhosts(api: Api<Administrator>) -> List {
    of_vhosts(&api, None).await
}

pub(super) async fn vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    of_vhosts(&api, Some(vhost)).await
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

async fn of_users(shared: &Shared, wanted: impl Fn(&UserDefinition) -> bool) -> List {
    let users = ask!(shared, AdminCommand::ListUsers, Users);
    let show = |user: &UserDefinition| json!({ "user": user.name, "value": of_user(user.limits) });
    Ok(Json(users.iter().filter(|user| user.limits != UserLimits::default() && wanted(user)).map(show).collect()))
}

pub(super) async fn users(api: Api<Administrator>) -> List {
    of_users(&api, |_| true).await
}

pub(super) async fn user(api: Api<Administrator>, Path(name): Path<String>) -> List {
    if !ask!(api, AdminCommand::ListUsers, Users).iter().any(|user| user.name == name) {
        return Err(ApiError::not_found());
    }
    of_users(&api, |user| user.name == name).await
}

pub(super) async fn put_user(
    api: Api<Administrator>,
    Path((user, limit)): Names,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let value = required(&bytes, &["value"])?.remove("value").unwrap_or_default();
    let limits = json::to_field(&Value::Object(Map::from_iter([(limit, value)])));
    api.execute(AdminCommand::SetUserLimits { user, limits }).await?;
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
