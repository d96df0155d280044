//! `/api/leveret/configuration`, `/api/leveret/reload` and the log of the process.

use super::is_true;
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::request::body;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc::channel;
use tokio_stream::wrappers::ReceiverStream;

/// Lines of the log where none are asked for.
const USUAL_LINES: usize = 50;
/// Lines of the log at a time, however many are asked for.
const MOST_LINES: usize = 4096;
/// How often it is looked whether there are new ones.
const LOOK: Duration = Duration::from_millis(200);

type Parameters = Query<HashMap<String, String>>;

/// What is in force; `all=true` adds what holds by default.
pub(super) async fn configuration(api: Api<Administrator>, Query(query): Parameters) -> Json<Value> {
    Json(api.application().configuration(is_true(query.get("all"))))
}

/// The same as text, since RabbitMQ has Erlang terms here.
pub(super) async fn effective(api: Api<Administrator>) -> Response {
    let configuration = api.application().configuration(true);
    let mut text = String::new();
    for setting in configuration["settings"].as_array().into_iter().flatten() {
        let part = |name: &str| setting[name].as_str().unwrap_or_default();
        text += &format!("{} = {}  # {}\n", part("key"), part("value"), part("origin"));
    }
    ([(header::CONTENT_TYPE, "text/plain")], text).into_response()
}

/// Reads the configuration again, as SIGHUP does.
pub(super) async fn reload(api: Api<Administrator>) -> Result<Response, ApiError> {
    let reloaded = api.in_process(|application| application.reload()).await?;
    let failure = reloaded.as_ref().err().map(|problems| problems.join("; "));
    api.log_change("reload_configuration", json!({}), failure.as_deref());
    Ok(match reloaded {
        Ok(reloaded) => Json(reloaded).into_response(),
        Err(problems) => {
            let reason = problems.first().cloned().unwrap_or_default();
            let answer = json!({ "error": "bad_request", "reason": reason, "problems": problems });
            (StatusCode::BAD_REQUEST, Json(answer)).into_response()
        }
    })
}

/// A level, of one category or of all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLevel {
    level: String,
    category: Option<String>,
}

pub(super) async fn set_log_level(api: Api<Administrator>, bytes: Bytes) -> Result<StatusCode, ApiError> {
    let LogLevel { level, category } = body(&bytes)?;
    let arguments = json!({ "level": level, "category": category });
    let set = api.in_process(move |application| application.set_log_level(&level, category.as_deref())).await?;
    api.log_change("set_log_level", arguments, set.as_ref().err().map(String::as_str));
    set.map(|()| StatusCode::NO_CONTENT).map_err(ApiError::bad_request)
}

pub(super) async fn rotate_log(api: Api<Administrator>) -> Result<StatusCode, ApiError> {
    let rotated = api.in_process(|application| application.rotate_log()).await?;
    rotated.map(|()| StatusCode::NO_CONTENT).map_err(ApiError::unavailable)
}

/// The last lines, as many as `lines` says; with `after` those that came after the line of that number.
pub(super) async fn log(api: Api<Administrator>, Query(query): Parameters) -> Result<Json<Value>, ApiError> {
    let most = number(&query, "lines")?.map_or(USUAL_LINES, |lines| usize::try_from(lines).unwrap_or(MOST_LINES));
    let after = number(&query, "after")?.unwrap_or(0);
    let (lines, last) = api.application().log_lines(after, most.min(MOST_LINES));
    Ok(Json(json!({ "lines": lines, "last": last })))
}

fn number(query: &HashMap<String, String>, name: &str) -> Result<Option<u64>, ApiError> {
    let parse = |text: &String| text.parse().map_err(|_| ApiError::bad_value("not_integer", &text.as_str().into()));
    query.get(name).map(parse).transpose()
}

/// Lines of text from now on, for as long as the client listens and is an administrator; a slow one misses what is not kept.
pub(super) async fn log_stream(api: Api<Administrator>) -> Response {
    let (sender, lines) = channel::<Result<String, Infallible>>(1);
    // What is logged from the answer on is streamed, so this is before it.
    let (_, mut last) = api.application().log_lines(0, 0);
    tokio::spawn(async move {
        while api.still_has_right() {
            let (lines, newest) = api.application().log_lines(last, MOST_LINES);
            last = newest;
            if !lines.is_empty() && sender.send(Ok(lines.join("\n") + "\n")).await.is_err() {
                return;
            }
            tokio::select! {
                () = sender.closed() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    });
    let body = Body::from_stream(ReceiverStream::new(lines));
    ([(header::CONTENT_TYPE, "text/plain")], body).into_response()
}
