//! Errors as RabbitMQ's HTTP API words them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broker::errors::ProtocolError;
use broker::{AdminError, Missing};
use serde_json::json;

/// A request that failed: a status and a JSON body with `error` and `reason`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    error: &'static str,
    reason: String,
    /// What was not found, for the command line, which has an exit code for each.
    missing: Option<Missing>,
}

impl ApiError {
    pub(crate) fn bad_request(reason: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::BAD_REQUEST, error: "bad_request", reason: reason.into(), missing: None }
    }

    pub(crate) fn not_found() -> ApiError {
        let reason = "Not Found".to_owned();
        ApiError { status: StatusCode::NOT_FOUND, error: "Object Not Found", reason, missing: None }
    }

    /// The same error, in RabbitMQ's words where something was to be put into a virtual host that is not there.
    pub(crate) fn or_no_vhost(self) -> ApiError {
        match self.missing {
            Some(Missing::Vhost) => ApiError { error: "not_found", reason: "vhost_not_found".to_owned(), ..self },
            _ => self,
        }
    }

    /// The caller may not do that; RabbitMQ spells it with an s here.
    pub(crate) fn not_authorised(reason: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::UNAUTHORIZED, error: "not_authorised", reason: reason.into(), missing: None }
    }

    /// Nobody that we know makes the request.
    pub(crate) fn login_failed() -> ApiError {
        let reason = "Login failed".to_owned();
        ApiError { status: StatusCode::UNAUTHORIZED, error: "not_authorized", reason, missing: None }
    }

    /// The broker is stopped, and only the process runs.
    pub(crate) fn stopped() -> ApiError {
        ApiError::unavailable("the broker is stopped; start it with 'rabbitmqctl start_app'".to_owned())
    }

    /// A client would have been refused that over AMQP; RabbitMQ puts the code before the text.
    pub(crate) fn protocol(refusal: &ProtocolError) -> ApiError {
        let text = refusal.full_text();
        match refusal.code.0 {
            403 => ApiError::not_authorised(text),
            404 => ApiError { error: "not_found", reason: text, ..ApiError::not_found() },
            code => ApiError::bad_request(format!("{code} {text}")),
        }
    }

    /// The same error for a publish: RabbitMQ learns of a refusal when the channel is gone, and answers 400 whatever it is.
    pub(crate) fn for_publisher(self) -> ApiError {
        let code = match self.status {
            StatusCode::UNAUTHORIZED => 403,
            StatusCode::NOT_FOUND if self.missing.is_none() => 404,
            _ => return self,
        };
        ApiError::bad_request(format!("{code} {}", self.reason))
    }

    /// It cannot be done now.
    pub(crate) fn unavailable(reason: String) -> ApiError {
        ApiError { status: StatusCode::SERVICE_UNAVAILABLE, error: "service_unavailable", reason, missing: None }
    }

    /// A reply that does not belong to the command: a mistake of ours.
    pub(crate) fn unexpected_reply() -> ApiError {
        let reason = "a command had the reply of another".to_owned();
        ApiError { status: StatusCode::INTERNAL_SERVER_ERROR, error: "internal_server_error", reason, missing: None }
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> ApiError {
        let reason = error.to_string();
        let (status, word) = match &error {
            AdminError::NotFound { kind, .. } => {
                return ApiError { missing: Some(*kind), reason, ..ApiError::not_found() };
            }
            AdminError::UserExists(_) => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            AdminError::Invalid(_) | AdminError::Refused(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            AdminError::Protocol(refusal) => return ApiError::protocol(refusal),
            AdminError::NotAuthenticated(_) => (StatusCode::UNAUTHORIZED, "not_authorized"),
            AdminError::Unavailable(_) => return ApiError::unavailable(reason),
        };
        ApiError { status, error: word, reason, missing: None }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.error, "reason": self.reason });
        if let Some(missing) = self.missing {
            body["missing"] = missing.as_str().into();
        }
        (self.status, Json(body)).into_response()
    }
}
