//! `/api/definitions`.

use super::is_true;
use crate::api::{Administrator, Api};
use crate::definitions::{DefinitionsError, Document, Entry, Mode, Scope, export, run};
use crate::error::ApiError;
use crate::multipart;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use broker::{Broker, ImportOutcome};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tracing::{info, warn};

#[derive(Deserialize)]
pub(super) struct ExportQuery {
    /// The name that a browser is to save it under.
    download: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ImportQuery {
    /// Say what would be done, and do nothing.
    dry_run: Option<String>,
}

pub(super) async fn get_all(api: Api<Administrator>, Query(query): Query<ExportQuery>) -> Result<Response, ApiError> {
    answer(&api, Scope::All, query).await
}

pub(super) async fn get_vhost(
    api: Api<Administrator>,
    Path(vhost): Path<String>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    if api.broker()?.vhost(&vhost).is_none() {
        // RabbitMQ: 400 here, and 404 where it is to be imported into.
        return Err(ApiError::bad_request("vhost_not_found"));
    }
    answer(&api, Scope::Vhost(vhost), query).await
}

async fn answer(api: &Api<Administrator>, scope: Scope, query: ExportQuery) -> Result<Response, ApiError> {
    let disposition = query.download.map(|name| disposition(&name)).transpose()?;
    let pieces = off_thread(api.broker()?, move |broker| export(broker, &scope)).await?;
    // Each piece is made when the client has taken the one before it.
    let pieces = tokio_stream::iter(pieces.map(|piece| Ok::<_, Infallible>(Bytes::from(piece))));
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.extend(disposition.map(|value| (header::CONTENT_DISPOSITION, value)));
    Ok(response)
}

/// RabbitMQ takes tokens (RFC 9110) only.
fn disposition(name: &str) -> Result<HeaderValue, ApiError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let invalid = || ApiError::bad_request("download must be a name without blanks");
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(invalid());
    }
    HeaderValue::from_str(&format!("attachment; filename={name}")).map_err(|_| invalid())
}

pub(super) async fn post_all(
    api: Api<Administrator>,
    Query(query): Query<ImportQuery>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    import(&api, None, &query, &headers, body).await
}

pub(super) async fn post_vhost(
    api: Api<Administrator>,
    Path(vhost): Path<String>,
    Query(query): Query<ImportQuery>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    if api.broker()?.vhost(&vhost).is_none() {
        return Err(ApiError::vhost_not_found());
    }
    import(&api, Some(vhost), &query, &headers, body).await
}

async fn import(
    api: &Api<Administrator>,
    scope: Option<String>,
    query: &ImportQuery,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = body.map_err(|rejection| {
        if rejection.status() != StatusCode::PAYLOAD_TOO_LARGE {
            return ApiError::bad_request("the body ended early");
        }
        warn!("definitions are larger than management.http.max_body_size and are not imported");
        ApiError::bad_request("Exceeded HTTP request body size limit")
    })?;
    let (file, redirect) = content(headers, body, api.http().requires_json_extension)?;
    if is_true(query.dry_run.as_ref()) {
        return off_thread(api.broker()?, move |broker| rehearse(broker, &file, scope.as_deref())).await;
    }
    info!("importing definitions for user '{}'", api.caller.name);
    let arguments = json!({ "vhost": scope, "bytes": file.len() });
    let imported = off_thread(api.broker()?, move |broker| {
        let document = Document::parse(&file)?;
        Ok(run(broker, &document, scope.as_deref(), Mode::Import, &mut |_| {})?)
    })
    .await;
    let failure = imported.as_ref().err().map(ApiError::reason);
    api.log_change("import_definitions", arguments, failure.as_deref());
    imported?;
    match redirect {
        None => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(location) => Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()),
    }
}

/// The document, and where a browser is to go afterwards.
///
/// With `management.definitions.require_json_extension`, a form whose file has another name is refused as RabbitMQ does;
/// what comes without a form has no name.
fn content(headers: &HeaderMap, body: Bytes, must_be_json: bool) -> Result<(Bytes, Option<HeaderValue>), ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(boundary) = multipart::boundary(content_type) else { return Ok((body, None)) };
    // RabbitMQ has this text for a form without a file, too.
    let no_file = || ApiError::from(DefinitionsError::NotJson);
    let parts = multipart::parts(&body, &boundary).ok_or_else(no_file)?;
    let file_name = parts.iter().find(|part| part.name == "file").and_then(|part| part.file_name.as_deref());
    if must_be_json && !file_name.is_some_and(|name| name.to_lowercase().ends_with(".json")) {
        return Err(ApiError::bad_request("unsupported_file_extension"));
    }
    let field = |name: &str| parts.iter().find(|part| part.name == name).map(|part| part.content);
    let file = body.slice_ref(field("file").ok_or_else(no_file)?);
    let redirect = field("redirect").map(HeaderValue::from_bytes).transpose();
    Ok((file, redirect.map_err(|_| ApiError::bad_request("redirect is not an address"))?))
}

/// What an import would do.
fn rehearse(broker: &Broker, file: &[u8], scope: Option<&str>) -> Result<Response, ApiError> {
    let document = Document::parse(file)?;
    let mut entries = Vec::new();
    // What happens to the broker in memory is nothing that happened.
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || {
        let mut report = |entry: Entry| entries.push(show(&entry));
        run(&broker.rehearsal(), &document, scope, Mode::Rehearse, &mut report)
    })?;
    Ok(axum::Json(entries).into_response())
}

fn show(entry: &Entry) -> Value {
    let (action, fields, reason) = match &entry.outcome {
        ImportOutcome::Created => ("create", None, None),
        ImportOutcome::Changed(fields) => ("change", Some(fields), None),
        ImportOutcome::Kept(fields) => ("keep", Some(fields), None),
        ImportOutcome::Skipped(reason) => ("skip", None, Some(reason)),
        ImportOutcome::Refused(reason) => ("refuse", None, Some(reason)),
    };
    let mut shown = json!({ "action": action, "type": entry.kind, "vhost": entry.vhost, "name": entry.name });
    if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
        shown["different"] = json!(fields);
    }
    if let Some(reason) = reason {
        shown["reason"] = reason.as_str().into();
    }
    shown
}

/// Importing and gathering take a while, and wait for the disk.
async fn off_thread<T: Send + 'static>(
    broker: Arc<Broker>,
    work: impl FnOnce(&Broker) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(move || work(&broker)).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::unexpected_reply()),
    }
}

impl From<DefinitionsError> for ApiError {
    fn from(error: DefinitionsError) -> ApiError {
        match error {
            DefinitionsError::Unavailable(reason) => ApiError::unavailable(reason),
            other => ApiError::bad_request(other.to_string()),
        }
    }
}
