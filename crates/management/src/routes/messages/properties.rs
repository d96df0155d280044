//! Properties of messages as JSON and back (RabbitMQ: `rabbit_mgmt_format:basic_properties` and `to_basic_properties`).

use super::Refusal;
use crate::json;
use amqp::{Properties, PropertiesRef, TableRef};
use serde_json::{Map, Value};

/// Longest short string in bytes.
const SHORT: usize = 255;
/// Most bytes of a headers table that is published over HTTP.
const MOST_HEADERS: usize = 24 << 10;

/// The properties in the payload of a content header; RabbitMQ has an empty list where there are none.
pub(super) fn show(header: &[u8]) -> Value {
    let Some(properties) = PropertiesRef::of_payload(header).and_then(|properties| properties.decode().ok()) else {
        return Value::Array(Vec::new());
    };
    let mut object = Map::new();
    let mut text = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            object.insert(name.to_owned(), value.into());
        }
    };
    text("type", properties.kind);
    text("user_id", properties.user_id);
    text("app_id", properties.app_id);
    text("cluster_id", properties.cluster_id);
    text("message_id", properties.message_id);
    text("expiration", properties.expiration);
    text("reply_to", properties.reply_to);
    text("correlation_id", properties.correlation_id);
    text("content_type", properties.content_type);
    text("content_encoding", properties.content_encoding);
    if let Some(timestamp) = properties.timestamp {
        object.insert("timestamp".to_owned(), timestamp.into());
    }
    if let Some(priority) = properties.priority {
        object.insert("priority".to_owned(), priority.into());
    }
    if let Some(mode) = properties.delivery_mode {
        object.insert("delivery_mode".to_owned(), mode.into());
    }
    if let Some(headers) = properties.headers {
        let headers = headers.to_owned().map(|table| json::table(&table)).unwrap_or_default();
        object.insert("headers".to_owned(), headers);
    }
    if object.is_empty() { Value::Array(Vec::new()) } else { Value::Object(object) }
}

/// The payload of the content header of a message with these properties and a body of `body_size` bytes.
pub(super) fn to_header(given: &Value, body_size: usize) -> Result<Vec<u8>, Refusal> {
    let none = Map::new();
    let given = match given {
        Value::Object(given) => given,
        // As RabbitMQ shows a message without any.
        Value::Array(given) if given.is_empty() => &none,
        _ => return Err(Refusal::terms("not_object", "properties")),
    };
    let headers = given.get("headers").map(headers).transpose()?;
    let text = |name: &'static str| text(given, name);
    let number = |name: &'static str| number(given, name);
    let properties = Properties {
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        headers: headers.as_deref().map(TableRef::new),
        // As RabbitMQ writes a number into an octet.
        delivery_mode: number("delivery_mode")?.map(|mode| mode as u8),
        priority: number("priority")?.map(|priority| priority as u8),
        correlation_id: text("correlation_id")?,
        reply_to: text("reply_to")?,
        expiration: text("expiration")?,
        message_id: text("message_id")?,
        timestamp: number("timestamp")?.map(|seconds| seconds as u64),
        kind: text("type")?,
        user_id: text("user_id")?,
        app_id: text("app_id")?,
        cluster_id: text("cluster_id")?,
    };
    let mut header = Vec::new();
    properties.encode_header(body_size as u64, &mut header);
    Ok(header)
}

fn text<'a>(given: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    match given.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= SHORT => Ok(Some(text)),
        Some(Value::String(_)) => Err(Refusal::terms("longer_than_255_bytes", name)),
        Some(_) => Err(Refusal::terms("not_string", name)),
    }
}

fn number(given: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, Refusal> {
    match given.get(name) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| Refusal::terms("not_int", name)),
    }
}

fn headers(value: &Value) -> Result<Vec<u8>, Refusal> {
    let none = Map::new();
    let object = match value {
        Value::Object(object) => object,
        Value::Array(values) if values.is_empty() => &none,
        _ => return Err(Refusal::terms("not_object", "headers")),
    };
    check_values(object.iter())?;
    let bytes = json::to_table(object).to_bytes();
    if bytes.len() > MOST_HEADERS {
        return Err(Refusal::terms("longer_than_24_kib", "headers"));
    }
    Ok(bytes)
}

/// RabbitMQ has no AMQP value for null here, and names are short strings.
fn check_values<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> Result<(), Refusal> {
    for (name, value) in fields {
        if name.len() > SHORT {
            return Err(Refusal::terms("longer_than_255_bytes", "headers"));
        }
        check_value(value)?;
    }
    Ok(())
}

fn check_value(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Null => Err(Refusal::bad_request("null_not_allowed")),
        Value::Object(object) => check_values(object.iter()),
        Value::Array(values) => values.iter().try_for_each(check_value),
        _ => Ok(()),
    }
}
