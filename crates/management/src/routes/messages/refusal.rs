//! Refusals in the words that RabbitMQ has for these endpoints, some of which are terms and not texts.

use crate::error::ApiError;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broker::AdminError;
use serde_json::{Value, json};

/// Why a request was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    Api(ApiError),
    Own { status: StatusCode, error: &'static str, reason: Value },
}

impl Refusal {
    pub(super) fn bad_request(reason: impl Into<Value>) -> Refusal {
        Refusal::Own { status: StatusCode::BAD_REQUEST, error: "bad_request", reason: reason.into() }
    }

    /// What RabbitMQ has as a pair, such as `{not_int, priority}`, is an array of two in JSON.
    pub(super) fn terms(what: &'static str, which: impl Into<Value>) -> Refusal {
        Refusal::bad_request(json!([what, which.into()]))
    }

    /// What the path names is not there: `exchange_not_found`, `queue_not_found`.
    pub(super) fn not_found(reason: &'static str) -> Refusal {
        Refusal::Own { status: StatusCode::NOT_FOUND, error: "not_found", reason: reason.into() }
    }

    pub(super) fn conflict(reason: impl Into<Value>) -> Refusal {
        Refusal::Own { status: StatusCode::CONFLICT, error: "conflict", reason: reason.into() }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        Refusal::Api(error)
    }
}

impl From<AdminError> for Refusal {
    fn from(error: AdminError) -> Refusal {
        Refusal::Api(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Api(error) => error.into_response(),
            Refusal::Own { status, error, reason } => {
                (status, Json(json!({ "error": error, "reason": reason }))).into_response()
            }
        }
    }
}
