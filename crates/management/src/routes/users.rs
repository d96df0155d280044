//! `/api/users`.

use super::{Tags, ask, body, status};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use broker::{AdminCommand, NewPassword, Secret, WhenUserExists};
use metadata::UserDefinition;
use serde::Deserialize;
use serde_json::{Value, json};

fn show(user: &UserDefinition) -> Value {
    json!({
        "name": user.name,
        "password_hash": user.password_hash,
        "hashing_algorithm": user.hashing_algorithm,
        "tags": user.tags,
        "limits": super::limits::of_user(user.limits),
    })
}

pub(super) async fn list(api: Api<Administrator>) -> Result<Json<Vec<Value>>, ApiError> {
    let users = ask!(api, AdminCommand::ListUsers, Users);
    Ok(Json(users.iter().map(show).collect()))
}

pub(super) async fn one(api: Api<Administrator>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let users = ask!(api, AdminCommand::ListUsers, Users);
    users.iter().find(|user| user.name == name).map(|user| Json(show(user))).ok_or_else(ApiError::not_found)
}

#[derive(Deserialize)]
struct PutUser {
    password: Option<String>,
    password_hash: Option<String>,
    hashing_algorithm: Option<String>,
    tags: Option<Tags>,
}

impl PutUser {
    fn password(&mut self) -> Option<NewPassword> {
        // Without a name the algorithm is the node's, as in RabbitMQ.
        let algorithm = self.hashing_algorithm.take().unwrap_or_else(|| "rabbit_password_hashing_sha256".to_owned());
        match (self.password.take(), self.password_hash.take()) {
            (Some(plain), _) => Some(NewPassword::Plain(Secret(plain))),
            (None, Some(hash)) => Some(NewPassword::Hash { hash, algorithm }),
            (None, None) => None,
        }
    }
}

/// Creates or replaces; with `If-None-Match: *` it only creates, and answers 412 where the user exists.
pub(super) async fn put(
    api: Api<Administrator>,
    Path(name): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let mut request: PutUser = body(&bytes)?;
    let Some(tags) = request.tags.take() else { return Err(ApiError::bad_request("key_missing: tags")) };
    let creates_only = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    let nobody = || NewPassword::Hash { hash: String::new(), algorithm: "rabbit_password_hashing_sha256".to_owned() };
    let command = AdminCommand::PutUser {
        name,
        limits: None,
        password: Some(request.password().unwrap_or_else(nobody)),
        tags: Some(tags.into_list()),
        when: if creates_only { WhenUserExists::Refuse } else { WhenUserExists::Replace },
    };
    Ok(status(&api.execute(command).await?))
}

/// Changes what is given of a user that exists.
pub(super) async fn patch(
    api: Api<Administrator>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let mut request: PutUser = body(&bytes)?;
    let command = AdminCommand::PutUser {
        name,
        limits: None,
        password: request.password(),
        tags: request.tags.take().map(Tags::into_list),
        when: WhenUserExists::Require,
    };
    Ok(status(&api.execute(command).await?))
}

pub(super) async fn delete(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::DeleteUser { name }).await?))
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
