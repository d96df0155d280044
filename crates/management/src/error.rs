//! Errors as RabbitMQ's HTTP API words them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use broker::errors::ProtocolError;
use broker::{AdminError, Missing};
use serde_json::{Value, json};
use std::borrow::Cow;

/// A request that failed: a status and a JSON body with `error` and `reason`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    error: &'static str,
    /// A text, or an Erlang term as RabbitMQ writes it: `["not_boolean","x"]`.
    reason: Value,
    /// What was not found, and a sentence about it, for the command line, which has an exit code for each.
    missing: Option<Box<NotFound>>,
    /// A browser is to ask for a name and a password.
    is_challenge: bool,
}

#[derive(Clone, Debug)]
struct NotFound {
    kind: Missing,
    text: String,
}

/// What a browser asks for them with.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");

impl ApiError {
    fn new(status: StatusCode, error: &'static str, reason: impl Into<Value>) -> ApiError {
        ApiError { status, error, reason: reason.into(), missing: None, is_challenge: false }
    }

    pub(crate) fn bad_request(reason: impl Into<Value>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    /// A value is not what it has to be: RabbitMQ shows the pair of `what` and the value.
    pub(crate) fn bad_value(what: &str, value: &Value) -> ApiError {
        ApiError::bad_request(json!([what, value]))
    }

    pub(crate) fn not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// Something is for a virtual host that is not there.
    pub(crate) fn vhost_not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", "vhost_not_found")
    }

    /// The same error, in RabbitMQ's words where something was to be put into a virtual host that is not there.
    pub(crate) fn or_no_vhost(self) -> ApiError {
        match self.missing.as_deref() {
            Some(NotFound { kind: Missing::Vhost, .. }) => {
                ApiError { missing: self.missing, ..ApiError::vhost_not_found() }
            }
            _ => self,
        }
    }

    /// The same error, in RabbitMQ's words where something was to be put for a user or into a virtual host.
    pub(crate) fn or_no_user_or_vhost(self) -> ApiError {
        match self.missing.as_deref() {
            Some(NotFound { kind: Missing::Vhost | Missing::User, .. }) => {
                ApiError { missing: self.missing, ..ApiError::bad_request("vhost_or_user_not_found") }
            }
            _ => self,
        }
    }

    /// The same error, in RabbitMQ's words where something was to be done with a user that is not there.
    pub(crate) fn or_no_user(self, name: &str) -> ApiError {
        match self.missing.as_deref() {
            Some(NotFound { kind: Missing::User, .. }) => {
                ApiError { missing: self.missing, ..ApiError::bad_request(json!(["no_such_user", name])) }
            }
            _ => self,
        }
    }

    /// The caller may not do that; RabbitMQ spells it with an s here.
    pub(crate) fn not_authorised(reason: impl Into<Value>) -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "not_authorised", reason)
    }

    /// The request does not say who makes it.
    pub(crate) fn no_credentials() -> ApiError {
        let error = ApiError::new(StatusCode::UNAUTHORIZED, "not_authorized", "Login failed");
        ApiError { is_challenge: true, ..error }
    }

    /// It does, and that is not so. RabbitMQ asks no browser for other credentials here, since its user interface does.
    pub(crate) fn not_authenticated() -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "not_authorized", "Not_Authorized")
    }

    /// The body of the request is longer than `management.http.max_body_size`, for which RabbitMQ answers 400.
    pub(crate) fn body_too_large() -> ApiError {
        ApiError::bad_request("Exceeded HTTP request body size limit")
    }

    /// The client accepts none of the types that there are.
    pub(crate) fn not_acceptable() -> ApiError {
        ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "the answer would be application/json")
    }

    /// Why, for people.
    pub(crate) fn reason(&self) -> Cow<'_, str> {
        match (&self.missing, &self.reason) {
            (Some(missing), _) => missing.text.as_str().into(),
            (None, Value::String(text)) => text.as_str().into(),
            (None, term) => term.to_string().into(),
        }
    }

    /// Parameters of a page that cannot be.
    pub(crate) fn invalid_pagination(reason: String) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_pagination_parameters", reason)
    }

    /// A page behind the end of a list of `length` rows.
    pub(crate) fn page_out_of_range(page: u64, page_size: u64, length: usize) -> ApiError {
        let reason = format!("Page out of range, page: {page} page size: {page_size}, len: {length}");
        ApiError::new(StatusCode::BAD_REQUEST, "page_out_of_range", reason)
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
            404 => ApiError::new(StatusCode::NOT_FOUND, "not_found", text),
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
        ApiError::bad_request(format!("{code} {}", self.reason()))
    }

    /// It cannot be done now.
    pub(crate) fn unavailable(reason: String) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", reason)
    }

    /// A reply that does not belong to the command: a mistake of ours.
    pub(crate) fn unexpected_reply() -> ApiError {
        let reason = "a command had the reply of another";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", reason)
    }

    /// What an AMQP client would be told, as `rabbit_mgmt_util:direct_request` passes it on.
    fn of_method(code: u16, text: String) -> ApiError {
        match code {
            403 | 530 => ApiError::not_authorised("Access refused."),
            404 => ApiError::new(StatusCode::NOT_FOUND, "not_found", text),
            _ => ApiError::bad_request(text),
        }
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> ApiError {
        let text = error.to_string();
        match error {
            AdminError::NotFound { kind, .. } => {
                ApiError { missing: Some(Box::new(NotFound { kind, text })), ..ApiError::not_found() }
            }
            AdminError::UserExists(_) => ApiError::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", text),
            AdminError::Protected(vhost) => {
                let reason = format!("Refusing to delete virtual host '{vhost}' because it is protected from deletion");
                ApiError::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", reason)
            }
            AdminError::Channel(refusal) => ApiError::protocol(&refusal),
            AdminError::Method(error) => ApiError::of_method(error.code.0, error.text),
            AdminError::Invalid(_) | AdminError::Refused(_) => ApiError::bad_request(text),
            // RabbitMQ has the validator's own words in its log only, and on the command line.
            AdminError::Credentials(_) => ApiError::bad_request("credential_validation_failed"),
            // Its word is not that of a caller who is nobody: whoever asks about another user has to tell the two apart.
            AdminError::NotAuthenticated(_) => ApiError::new(StatusCode::UNAUTHORIZED, "not_authenticated", text),
            AdminError::Unavailable(_) => ApiError::unavailable(text),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "reason": self.reason });
        let mut response = (self.status, Json(body)).into_response();
        if self.is_challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(missing) = self.missing {
            response.extensions_mut().insert(Detail { error: self.error, reason: self.reason, missing });
        }
        response
    }
}

/// What the command line learns beyond RabbitMQ's body.
#[derive(Clone)]
struct Detail {
    error: &'static str,
    reason: Value,
    missing: Box<NotFound>,
}

/// An answer as the command line reads it: where something was not found, with the kind of it as `missing` and with a
/// sentence where RabbitMQ says no more than that.
pub(crate) fn in_detail(mut response: Response) -> Response {
    let Some(Detail { error, reason, missing }) = response.extensions_mut().remove::<Detail>() else {
        return response;
    };
    let reason = if reason == "Not Found" { missing.text.into() } else { reason };
    let body = json!({ "error": error, "reason": reason, "missing": missing.kind.as_str() });
    (response.status(), Json(body)).into_response()
}
