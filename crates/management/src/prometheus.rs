//! Metrics over HTTP, on a listener of their own.

use crate::service::Shared;
use axum::Router;
use axum::http::StatusCode;

/// What the listeners of metrics serve.
pub(crate) fn router(shared: Shared) -> Router {
    Router::new().fallback(|| async { StatusCode::NOT_FOUND }).with_state(shared)
}
