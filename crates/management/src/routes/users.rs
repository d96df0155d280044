//! `/api/users`.

use super::{ask, status};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::request::{body, object, required, tags, text};
use auth::HashingAlgorithm;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::{AdminCommand, AdminReply, NewPassword, Secret, WhenUserExists};
use metadata::{PermissionDefinition, UserDefinition};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Tags that a user may have (RabbitMQ's `max_user_tags`).
const MOST_TAGS: usize = 64;

fn show(user: &UserDefinition, fields: &mut Fields<'_>) {
    fields.put("name", || user.name.as_str());
    fields.put("password_hash", || user.password_hash.as_str());
    fields.put("hashing_algorithm", || user.hashing_algorithm.as_str());
    fields.put("tags", || user.tags.clone());
    fields.put("limits", || super::limits::of_user(user.limits));
}

pub(super) async fn list(api: Api<Administrator>, query: ListQuery) -> Result<Response, ApiError> {
    let rows = ask!(api, AdminCommand::ListUsers, Users);
    list::reply_sorted(&query, rows, &["name"], show).await
}

/// Users who may do nothing anywhere.
pub(super) async fn without_permissions(api: Api<Administrator>, query: ListQuery) -> Result<Response, ApiError> {
    let permissions = ask!(api, AdminCommand::ListPermissions, Permissions);
    let mut rows = ask!(api, AdminCommand::ListUsers, Users);
    rows.retain(|user| permissions.iter().all(|permission| permission.user != user.name));
    list::reply_sorted(&query, rows, &["name"], show).await
}

pub(super) async fn one(
    api: Api<Administrator>,
    Path(name): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let users = ask!(api, AdminCommand::ListUsers, Users);
    let user = users.iter().find(|user| user.name == name).ok_or_else(ApiError::not_found)?;
    Ok(list::reply_one(&query, |fields| show(user, fields)))
}

/// The password that a request gives; none lets nobody log in with one.
fn password(request: &Map<String, Value>, hashing: HashingAlgorithm) -> Result<Option<NewPassword>, ApiError> {
    // A hash without a name is of the node's algorithm, as in RabbitMQ.
    let algorithm = text(request, "hashing_algorithm")?.unwrap_or_else(|| hashing.as_str().to_owned());
    match (text(request, "password")?, text(request, "password_hash")?) {
        (Some(_), Some(_)) => Err(ApiError::bad_request("both_password_and_password_hash_are_provided")),
        // RabbitMQ: an empty password is one that nobody can log in with.
        (Some(plain), None) if plain.is_empty() => Ok(Some(NewPassword::Nobody)),
        (Some(plain), None) => Ok(Some(NewPassword::Plain(Secret(plain)))),
        (None, Some(hash)) if algorithm != HashingAlgorithm::Argon2.as_str() && STANDARD.decode(&hash).is_err() => {
            Err(ApiError::bad_value("not_base64", &Value::String(hash)))
        }
        (None, Some(hash)) => Ok(Some(NewPassword::Hash { hash, algorithm })),
        (None, None) => Ok(None),
    }
}

/// Tags, or what RabbitMQ had before there were any.
fn given_tags(request: &Map<String, Value>) -> Result<Option<Vec<String>>, ApiError> {
    let administrator = crate::request::boolean(request, "administrator")?;
    let tags = tags(request)?
        .or_else(|| administrator.map(|is_one| if is_one { vec!["administrator".to_owned()] } else { Vec::new() }));
    match &tags {
        Some(tags) if tags.len() > MOST_TAGS => {
            let reason = format!("A user can have at most {MOST_TAGS} tags (received {})", tags.len());
            Err(ApiError::bad_request(reason))
        }
        _ => Ok(tags),
    }
}

/// Creates or replaces; with `If-None-Match: *` it only creates, and answers 412 where the user exists.
pub(super) async fn put(
    api: Api<Administrator>,
    Path(name): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let request = object(&bytes)?;
    let Some(tags) = given_tags(&request)? else { return Err(ApiError::bad_request("tags_not_present")) };
    let creates_only = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    let permissions = preset_permissions(&name, &request)?;
    let hashing = api.broker()?.accounts().password_hashing;
    let command = AdminCommand::PutUser {
        name,
        password: Some(password(&request, hashing)?.unwrap_or(NewPassword::Nobody)),
        tags: Some(tags),
        limits: request.get("limits").map(json::to_field),
        when: if creates_only { WhenUserExists::Refuse } else { WhenUserExists::Replace },
    };
    let reply = api.execute(command).await?;
    if matches!(reply, AdminReply::Created) {
        for permission in permissions {
            let command = AdminCommand::SetPermissions(permission);
            api.execute(command).await.map_err(ApiError::or_no_user_or_vhost)?;
        }
    }
    Ok(status(&reply))
}

/// Permissions that a new user begins with, by virtual host.
fn preset_permissions(user: &str, request: &Map<String, Value>) -> Result<Vec<PermissionDefinition>, ApiError> {
    let by_vhost = match request.get("permissions") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(by_vhost)) => by_vhost,
        Some(other) => return Err(ApiError::bad_value("not_object", other)),
    };
    let permission = |(vhost, value): (&String, &Value)| {
        let patterns = value.as_object().ok_or_else(|| ApiError::bad_value("not_object", value))?;
        let pattern = |key| text(patterns, key).map(Option::unwrap_or_default);
        Ok(PermissionDefinition {
            user: user.to_owned(),
            vhost: vhost.clone(),
            configure: pattern("configure")?,
            write: pattern("write")?,
            read: pattern("read")?,
        })
    };
    by_vhost.iter().map(permission).collect()
}

/// Changes what is given of a user that exists.
pub(super) async fn patch(
    api: Api<Administrator>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let request = object(&bytes)?;
    let command = AdminCommand::PutUser {
        name,
        password: password(&request, api.broker()?.accounts().password_hashing)?,
        tags: given_tags(&request)?,
        limits: request.get("limits").map(json::to_field),
        when: WhenUserExists::Require,
    };
    Ok(status(&api.execute(command).await?))
}

pub(super) async fn delete(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::DeleteUser { name }).await?))
}

/// Deletes users one after the other; the first that is not there ends it, as in RabbitMQ.
pub(super) async fn delete_many(api: Api<Administrator>, bytes: Bytes) -> Result<StatusCode, ApiError> {
    let mut request = required(&bytes, &["users"])?;
    let given = request.remove("users").unwrap_or_default();
    let texts = given.as_array().and_then(|users| users.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let Some(names) = texts else { return Err(ApiError::bad_value("not_list_of_strings", &given)) };
    for name in names {
        let command = AdminCommand::DeleteUser { name: name.to_owned() };
        api.execute(command).await.map_err(|error| error.or_no_user(name))?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

pub(super) async fn authenticate(api: Api<Administrator>, bytes: Bytes) -> Result<StatusCode, ApiError> {
    let login: Login = body(&bytes)?;
    let command = AdminCommand::Authenticate { name: login.username, password: Secret(login.password), peer: None };
    Ok(status(&api.execute(command).await?))
}
