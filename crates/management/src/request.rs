//! Bodies and paths of requests, read as RabbitMQ reads them.

use crate::error::ApiError;
use crate::json;
use amqp::FieldTable;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

const DOUBLY_ENCODED: &str =
    "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?";

/// A body that is an object, whatever its content type says; an empty one is an empty object.
pub(crate) fn object(bytes: &Bytes) -> Result<Map<String, Value>, ApiError> {
    match &bytes[..] {
        b"" | b"null" | b"undefined" => return Ok(Map::new()),
        _ => {}
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::String(_)) => Err(ApiError::bad_request(DOUBLY_ENCODED)),
        _ => Err(ApiError::bad_request("not_json")),
    }
}

/// A body of any form, of which the type says what it is.
pub(crate) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    let value: Value = serde_json::from_slice(text).map_err(|_| ApiError::bad_request("not_json"))?;
    serde_json::from_value(value).map_err(|error| ApiError::bad_request(format!("invalid body: {error}")))
}

/// A body that is an object with these keys; RabbitMQ names all that are missing.
pub(crate) fn required(bytes: &Bytes, keys: &[&str]) -> Result<Map<String, Value>, ApiError> {
    let object = object(bytes)?;
    let missing: Vec<String> =
        keys.iter().filter(|key| !object.contains_key(**key)).map(|key| format!("{{key_missing,{key}}}")).collect();
    if missing.is_empty() { Ok(object) } else { Err(ApiError::bad_request(format!("[{}]", missing.join(",")))) }
}

/// A field that says yes or no, as JSON or as text; `None` where it is not there.
pub(crate) fn boolean(object: &Map<String, Value>, key: &str) -> Result<Option<bool>, ApiError> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(other) => Err(ApiError::bad_value("not_boolean", other)),
    }
}

/// A field that is text; `None` where it is not there. Where RabbitMQ fails with 500 on other values, this is 400.
pub(crate) fn text(object: &Map<String, Value>, key: &str) -> Result<Option<String>, ApiError> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(ApiError::bad_value("not_string", other)),
    }
}

/// The `arguments` of a declaration or binding. An empty list is none, which some clients send.
pub(crate) fn arguments(object: &Map<String, Value>) -> Result<FieldTable, ApiError> {
    match object.get("arguments") {
        None => Ok(FieldTable::new()),
        Some(Value::Array(list)) if list.is_empty() => Ok(FieldTable::new()),
        Some(Value::Object(arguments)) if !arguments.values().any(has_null) => Ok(json::to_table(arguments)),
        Some(Value::Object(_)) => Err(ApiError::bad_request("null_not_allowed")),
        Some(other) => Err(ApiError::bad_value("not_object", other)),
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(object) => object.values().any(has_null),
        _ => false,
    }
}

/// Tags, as a list of texts or as a text with commas.
pub(crate) fn tags(object: &Map<String, Value>) -> Result<Option<Vec<String>>, ApiError> {
    let not_tags = |value| ApiError::bad_value("not_tags", value);
    let list: Vec<String> = match object.get("tags") {
        None => return Ok(None),
        Some(Value::String(text)) => text.split(',').map(|tag| tag.trim().to_owned()).collect(),
        Some(value @ Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| not_tags(value))?,
        Some(other) => return Err(not_tags(other)),
    };
    Ok(Some(list.into_iter().filter(|tag| !tag.is_empty()).collect()))
}

/// The name of an exchange in a path: the default exchange, which has none, is called `amq.default` there.
pub(crate) fn exchange_name(segment: &str) -> &str {
    if segment == "amq.default" { "" } else { segment }
}

/// The virtual host that the path names, or else the header `x-vhost`, by which RabbitMQ's user interface chooses one.
pub(crate) struct OfVhost(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for OfVhost {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<OfVhost, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let of_path = params.as_ref().and_then(|params| params.iter().find(|(name, _)| *name == "vhost"));
        let of_header = || parts.headers.get("x-vhost").and_then(|value| value.to_str().ok());
        let vhost = of_path.map(|(_, vhost)| vhost).or_else(|| of_header().filter(|vhost| !vhost.is_empty()));
        Ok(OfVhost(vhost.map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use serde_json::json;

    fn reason<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        format!("{:?}", result.unwrap_err())
    }

    #[test]
    fn nothing_is_an_empty_object() {
        for text in ["", "null", "undefined", "{}"] {
            assert_eq!(object(&Bytes::from(text)).unwrap(), Map::new(), "{text}");
        }
        for text in ["[]", "1", "{", "{\"a\":}"] {
            assert!(reason(object(&Bytes::from(text))).contains("not_json"), "{text}");
        }
        assert!(reason(object(&Bytes::from("\"{}\""))).contains("doubly-JSON-encoded"));
    }

    #[test]
    fn fields_have_their_types() {
        let of = |value: Value| json!({ "f": value }).as_object().cloned().unwrap();
        assert_eq!(boolean(&of(json!("true")), "f").unwrap(), Some(true));
        assert_eq!(boolean(&of(json!(false)), "f").unwrap(), Some(false));
        assert_eq!(boolean(&of(json!(1)), "g").unwrap(), None);
        for wrong in [json!("yes"), json!(1), json!(null)] {
            let error = boolean(&of(wrong), "f").unwrap_err();
            assert_eq!(error.into_response().status(), 400);
        }
        assert!(text(&of(json!(3)), "f").is_err());
    }

    #[test]
    fn arguments_hold_no_null() {
        let of = |value: Value| json!({ "arguments": value }).as_object().cloned().unwrap();
        assert!(arguments(&of(json!({ "a": [{ "b": null }] }))).is_err());
        assert!(arguments(&of(json!("x"))).is_err());
        assert!(arguments(&of(json!([]))).unwrap().is_empty());
        assert_eq!(arguments(&of(json!({ "a": 1 }))).unwrap().len(), 1);
    }

    #[test]
    fn tags_are_a_list_or_text() {
        let of = |value: Value| tags(json!({ "tags": value }).as_object().unwrap());
        assert_eq!(of(json!("a, b,")).unwrap().unwrap(), ["a", "b"]);
        assert_eq!(of(json!(["a", ""])).unwrap().unwrap(), ["a"]);
        assert!(of(json!([1])).is_err() && of(json!(1)).is_err());
    }
}
