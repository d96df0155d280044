//! Metrics in Prometheus' text format: RabbitMQ's names and labels, made of what the engine counts.
//!
//! Nothing is kept for them. A scrape reads the counters, adds them up or writes one sample per object, and sends the text
//! while it is made.

mod body;
mod collect;
mod families;
mod family;
mod filter;
mod global;
mod node;
mod tables;
mod text;

use crate::authenticate;
use crate::error::ApiError;
use crate::shared::Shared;
use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use filter::Filter;
use text::Format;

/// What a browser is asked for.
const CHALLENGE: &str = "Basic realm=\"RabbitMQ Prometheus\"";

/// What a path asks for: RabbitMQ's registries of collectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registry {
    /// Sums, unless the configuration says otherwise.
    Aggregated,
    PerObject,
    /// The groups and objects that a query names.
    Detailed,
    MemoryBreakdown,
}

impl Registry {
    fn from_name(name: &str) -> Option<Registry> {
        match name {
            "default" => Some(Registry::Aggregated),
            "per-object" => Some(Registry::PerObject),
            "detailed" => Some(Registry::Detailed),
            "memory-breakdown" => Some(Registry::MemoryBreakdown),
            _ => None,
        }
    }

    /// As `rabbitmq_identity_info` has it.
    fn endpoint(self) -> &'static str {
        match self {
            Registry::Aggregated => "aggregated",
            Registry::PerObject => "per-object",
            Registry::Detailed => "detailed",
            Registry::MemoryBreakdown => "memory-breakdown",
        }
    }
}

/// What the listeners of metrics serve.
pub(crate) fn router(shared: Shared) -> Router {
    let path = shared.http().prometheus.path.trim_end_matches('/').to_owned();
    let metrics = get(scrape).head(answer_head);
    Router::new()
        .route(if path.is_empty() { "/" } else { &path }, metrics.clone())
        .route(&format!("{path}/{{registry}}"), metrics)
        .fallback(|| async {
            let body = r#"{"error":"Object Not Found","reason":"Not Found"}"#;
            (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], body)
        })
        .with_state(shared)
}

/// As RabbitMQ answers it.
async fn answer_head() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Who asks may monitor, where the configuration wants to know.
async fn check(shared: &Shared, parts: &Parts) -> Result<(), Box<Response>> {
    if !shared.http().prometheus.authentication {
        return Ok(());
    }
    let refused = match authenticate::caller(shared, parts).await {
        Ok(caller) if caller.tags.is_monitor() => return Ok(()),
        Ok(_) => ApiError::not_authorised("Not monitor user"),
        Err(error) => error,
    };
    let mut response = refused.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    Err(Box::new(response))
}

async fn scrape(
    State(shared): State<Shared>,
    registry: Option<Path<String>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let headers = &parts.headers;
    if let Err(refused) = check(&shared, &parts).await {
        return *refused;
    }
    let Some(format) = accepted(headers) else { return StatusCode::NOT_ACCEPTABLE.into_response() };
    let registry = registry.map_or(Some(Registry::Aggregated), |Path(name)| Registry::from_name(&name));
    let Some(registry) = registry else { return plain(StatusCode::NOT_FOUND, "Unknown Registry") };
    let registry = match registry {
        Registry::Aggregated if shared.http().prometheus.return_per_object_metrics => Registry::PerObject,
        other => other,
    };
    let filter = match Filter::parse(query.as_deref().unwrap_or_default()) {
        Ok(filter) => filter,
        Err(reason) => return plain(StatusCode::BAD_REQUEST, &reason),
    };
    let sections = tokio::task::spawn_blocking(move || collect::sections(&shared, registry, &filter)).await;
    match sections {
        Ok(sections) => body::reply(sections, format, takes_gzip(headers)),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain")], text.to_owned()).into_response()
}

/// The values of a header that is a list, in lower case and without their parameters but `q=0`, which excludes them.
fn listed(headers: &HeaderMap, name: header::HeaderName) -> Option<Vec<String>> {
    let mut values = Vec::new();
    for line in headers.get_all(&name) {
        for value in line.to_str().ok()?.split(',') {
            let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
            let value = parts.next().unwrap_or_default();
            let excluded = parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0));
            if !value.is_empty() && !excluded {
                values.push(value);
            }
        }
    }
    Some(values)
}

/// The format for what a client takes; `None` when it takes neither.
fn accepted(headers: &HeaderMap) -> Option<Format> {
    if !headers.contains_key(header::ACCEPT) {
        return Some(Format::Prometheus);
    }
    let accepted = listed(headers, header::ACCEPT)?;
    if accepted.iter().any(|kind| kind == "application/openmetrics-text") {
        return Some(Format::OpenMetrics);
    }
    let is_text = |kind: &String| matches!(kind.as_str(), "text/plain" | "text/*" | "*/*");
    accepted.iter().any(is_text).then_some(Format::Prometheus)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    listed(headers, header::ACCEPT_ENCODING).is_some_and(|encodings| encodings.iter().any(|one| one == "gzip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(accept: &str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        accepted(&headers)
    }

    #[test]
    fn clients_get_the_format_that_they_take() {
        // What Prometheus 2 and 3 send.
        let scraper = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!(format(scraper), Some(Format::OpenMetrics));
        assert_eq!(format("text/plain"), Some(Format::Prometheus));
        assert_eq!(format("*/*"), Some(Format::Prometheus));
        assert_eq!(format("application/json"), None);
        assert_eq!(format("application/openmetrics-text;q=0, text/plain"), Some(Format::Prometheus));
        assert_eq!(accepted(&HeaderMap::new()), Some(Format::Prometheus));
    }
}
