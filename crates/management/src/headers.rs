//! Headers that all answers have: for browsers, for caches, and for pages of other origins.

use crate::error::ApiError;
use crate::settings::HeaderSettings;
use crate::shared::Shared;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What answers depend on beside the path.
const VARY: HeaderValue = HeaderValue::from_static("accept, accept-encoding, origin");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// What a request of a page says, kept until its answer is there.
struct Page {
    origin: HeaderValue,
    is_preflight: bool,
    asked_headers: Option<HeaderValue>,
}

impl Page {
    fn of(request: &Request) -> Option<Page> {
        let headers = request.headers();
        Some(Page {
            origin: headers.get(header::ORIGIN)?.clone(),
            is_preflight: request.method() == Method::OPTIONS,
            asked_headers: headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        })
    }
}

/// Sends the request on, and adds the headers to what comes back.
pub(crate) async fn add(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let page = Page::of(&request);
    let mut response = in_json(next.run(request).await);
    let settings = &shared.http().headers;
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(page) = page {
        allow_origin(settings, &page, headers);
    }
    if shared.http().hide_allow_header && status != StatusCode::METHOD_NOT_ALLOWED {
        headers.remove(header::ALLOW);
    }
    headers.insert(header::VARY, VARY);
    headers.entry(header::CACHE_CONTROL).or_insert(NO_CACHE);
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, &settings.content_security_policy),
        (header::STRICT_TRANSPORT_SECURITY, &settings.strict_transport_security),
        (header::X_CONTENT_TYPE_OPTIONS, &settings.content_type_options),
        (HeaderName::from_static("x-xss-protection"), &settings.xss_protection),
        (header::X_FRAME_OPTIONS, &settings.frame_options),
        (header::REFERRER_POLICY, &settings.referrer_policy),
    ];
    for (name, value) in fixed {
        // A value that no header can have is left out; it came from the configuration, not from a client.
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// Lets pages of other origins read the answer, as RabbitMQ's `rabbit_mgmt_cors` does: an origin that is named may send
/// credentials, and one that only `*` lets in may not.
fn allow_origin(settings: &HeaderSettings, page: &Page, headers: &mut HeaderMap) {
    if page.origin == "null" || page.origin == "*" {
        return;
    }
    let allows = |origin: &[u8]| settings.cors_allow_origins.iter().any(|allowed| allowed.as_bytes() == origin);
    let is_named = allows(page.origin.as_bytes());
    if !is_named && !allows(b"*") {
        return;
    }
    if page.is_preflight {
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, settings.cors_max_age_s.into());
        if let Some(names) = &page.asked_headers {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        if let Some(verbs) = headers.get(header::ALLOW).cloned() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, verbs);
        }
    }
    if is_named {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    }
    let origin = if is_named { page.origin.clone() } else { HeaderValue::from_static("*") };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
}

/// What the framework refuses by itself, such as a path that is not UTF-8, in the words of the API.
fn in_json(response: Response) -> Response {
    let status = response.status();
    let is_text = |value: &HeaderValue| value.as_bytes().starts_with(b"text/plain");
    if !status.is_client_error() || !response.headers().get(header::CONTENT_TYPE).is_some_and(is_text) {
        return response;
    }
    match status {
        // RabbitMQ answers 400 here, not 413.
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::body_too_large().into_response(),
        StatusCode::NOT_FOUND => ApiError::not_found().into_response(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => status.into_response(),
        _ => ApiError::bad_request("the request cannot be read").into_response(),
    }
}
