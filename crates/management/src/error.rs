//! Errors as RabbitMQ's HTTP API words them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
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
    /// A browser is to ask for a name and a password.
    is_challenge: bool,
}

/// What it asks for them with.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");

impl ApiError {
    pub(crate) fn bad_request(reason: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            error: "bad_request",
            reason: reason.into(),
            missing: None,
            is_challenge: false,
        }
    }

    pub(crate) fn not_found() -> ApiError {
        let reason = "Not Found".to_owned();
        ApiError {
            status: StatusCode::NOT_FOUND,
            error: "Object Not Found",
            reason,
            missing: None,
            is_challenge: false,
        }
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
        ApiError {
            status: StatusCode::UNAUTHORIZED,
            error: "not_authorised",
            reason: reason.into(),
            missing: None,
            is_challenge: false,
        }
    }

    /// Nobody that we know makes the request.
    pub(crate) fn login_failed() -> ApiError {
        let reason = "Login failed".to_owned();
        ApiError {
            status: StatusCode::UNAUTHORIZED,
            error: "not_authorized",
            reason,
            missing: None,
            is_challenge: true,
        }
    }

    /// Parameters of a page that cannot be.
    pub(crate) fn invalid_pagination(reason: String) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            error: "invalid_pagination_parameters",
            reason,
            missing: None,
            is_challenge: false,
        }
    }

    /// A page behind the end of a list of `length` rows.
    pub(crate) fn page_out_of_range(page: u64, page_size: u64, length: usize) -> ApiError {
        let reason = format!("Page out of range, page: {page} page size: {page_size}, len: {length}");
        ApiError {
            status: StatusCode::BAD_REQUEST,
            error: "page_out_of_range",
            reason,
            missing: None,
            is_challenge: false,
        }
    }

    /// The broker is stopped, and only the process runs.
    pub(crate) fn stopped() -> ApiError {
        ApiError::unavailable("the broker is stopped; start it with 'rabbitmqctl start_app'".to_owned())
    }

    /// It cannot be done now.
    pub(crate) fn unavailable(reason: String) -> ApiError {
        ApiError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "service_unavailable",
            reason,
            missing: None,
            is_challenge: false,
        }
    }

    /// A reply that does not belong to the command: a mistake of ours.
    pub(crate) fn unexpected_reply() -> ApiError {
        let reason = "a command had the reply of another".to_owned();
        ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "internal_server_error",
            reason,
            missing: None,
            is_challenge: false,
        }
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
            AdminError::NotAuthenticated(_) => (StatusCode::UNAUTHORIZED, "not_authorized"),
            AdminError::Unavailable(_) => return ApiError::unavailable(reason),
        };
        ApiError { status, error: word, reason, missing: None, is_challenge: false }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.error, "reason": self.reason });
        if let Some(missing) = self.missing {
            body["missing"] = missing.as_str().into();
        }
        let mut response = (self.status, Json(body)).into_response();
        if self.is_challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}
