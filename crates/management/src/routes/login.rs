//! `/api/login` and `/api/auth`, which the user interface begins with.

use crate::api::Public;
use crate::authenticate;
use crate::caller::{Caller, Origin};
use crate::error::ApiError;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Form, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest form that is read of somebody who has not logged in, in bytes.
const LONGEST: usize = 16 << 10;

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

/// Checks a name and a password, and answers with what further requests say of them.
pub(super) async fn login(
    public: Public,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Result<Response, ApiError> {
    if !is_form(request.headers()) {
        return Ok(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST).await.map_err(|_| ApiError::body_too_large())?;
    let form = Request::from_parts(parts, Body::from(body)).extract::<Form<Given>, _>().await;
    let Form(given) = form.map_err(|_| ApiError::bad_request("the form cannot be read"))?;
    let caller = match origin {
        Origin::Socket => Caller::operator(),
        Origin::Network(peer) => {
            let (user, password) = (given.username.clone().into_bytes(), given.password.clone().into_bytes());
            authenticate::login(&public, user, password, peer).await?
        }
    };
    if !caller.tags.is_management_user() {
        public.attempts().count(false);
        return Err(ApiError::not_authorised("Not management user"));
    }
    public.attempts().count(true);
    let token = STANDARD.encode(format!("{}:{}", given.username, given.password));
    let mut user =
        json!({ "name": *caller.name, "tags": caller.tag_names, "is_internal_user": caller.user.asks_internally() });
    if let Some(minutes) = public.http().login_session_timeout_min {
        user["login_session_timeout"] = minutes.into();
    }
    Ok(Json(json!({ "token": { "type": "basic", "value": token }, "user": user })).into_response())
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// There is nothing to end: each request brings its credentials.
pub(super) async fn logout(_public: Public) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// How the user interface may log in.
pub(super) async fn settings(public: Public) -> Json<Value> {
    Json(public.http().oauth.answer())
}
