//! Which messages are meant, as queries and bodies say it.

use super::Refusal;
use broker::{KeyPattern, MessageFilter};
use serde_json::{Map, Value};

/// The parameters of a query, which may come several times.
pub(super) type Query = Vec<(String, String)>;

/// Reads the parameters of a query that name messages; `other` gets those that do not.
pub(super) fn of_query(
    query: &[(String, String)],
    mut other: impl FnMut(&str, &str) -> Result<(), Refusal>,
) -> Result<MessageFilter, Refusal> {
    let mut filter = MessageFilter::default();
    for (name, value) in query {
        match &**name {
            "header" => {
                let (name, value) = match value.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (&**value, None),
                };
                filter.headers.push((name.to_owned(), value));
            }
            "property" => {
                let (name, value) =
                    value.split_once('=').ok_or_else(|| Refusal::terms("not_name=value", "property"))?;
                add_property(&mut filter, name, value.to_owned())?;
            }
            name if is_text(name) => set_text(&mut filter, name, value)?,
            name if is_number(name) => {
                let number = value.parse().map_err(|_| Refusal::terms("not_integer", value.clone()))?;
                set_number(&mut filter, name, number);
            }
            name => other(name, value)?,
        }
    }
    Ok(filter)
}

/// Reads the object `filter` of a body.
pub(super) fn of_body(given: Option<&Value>) -> Result<MessageFilter, Refusal> {
    let mut filter = MessageFilter::default();
    let given = match given {
        None | Some(Value::Null) => return Ok(filter),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(Refusal::terms("not_object", "filter")),
    };
    for (name, value) in given {
        match (&**name, value) {
            ("headers", Value::Object(headers)) => filter.headers = pairs(headers),
            ("properties", Value::Object(properties)) => {
                for (name, value) in pairs(properties) {
                    let value = value.ok_or_else(|| Refusal::terms("not_string", name.clone()))?;
                    add_property(&mut filter, &name, value)?;
                }
            }
            (name, Value::String(text)) if is_text(name) => set_text(&mut filter, name, text)?,
            (name, value) if is_number(name) => {
                let number = value.as_u64().ok_or_else(|| Refusal::terms("not_integer", value.clone()))?;
                set_number(&mut filter, name, number);
            }
            (name, _) => return Err(Refusal::terms("unknown_or_of_wrong_type", name)),
        }
    }
    Ok(filter)
}

/// Names and values, as they are written in JSON; null means any value.
fn pairs(object: &Map<String, Value>) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    };
    object.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn add_property(filter: &mut MessageFilter, name: &str, value: String) -> Result<(), Refusal> {
    const NAMES: [&str; 13] = [
        "content_type",
        "content_encoding",
        "delivery_mode",
        "priority",
        "correlation_id",
        "reply_to",
        "expiration",
        "message_id",
        "timestamp",
        "type",
        "user_id",
        "app_id",
        "cluster_id",
    ];
    if !NAMES.contains(&name) {
        return Err(Refusal::terms("unknown_property", name));
    }
    filter.properties.push((name.to_owned(), value));
    Ok(())
}

fn is_text(name: &str) -> bool {
    matches!(name, "routing_key" | "exchange" | "body" | "body_regex")
}

fn set_text(filter: &mut MessageFilter, name: &str, text: &str) -> Result<(), Refusal> {
    match name {
        "routing_key" => filter.routing_key = Some(KeyPattern::new(text)),
        "exchange" => filter.exchange = Some(text.to_owned()),
        "body" => filter.text = Some(text.as_bytes().to_vec()),
        _ => {
            let pattern = MessageFilter::pattern(text).map_err(|error| Refusal::terms("not_regex", error))?;
            filter.pattern = Some(pattern);
        }
    }
    Ok(())
}

fn is_number(name: &str) -> bool {
    matches!(name, "entered_from" | "entered_before" | "min_size" | "max_size")
}

fn set_number(filter: &mut MessageFilter, name: &str, number: u64) {
    let bytes = usize::try_from(number).unwrap_or(usize::MAX);
    match name {
        "entered_from" => filter.entered_from_ms = Some(number),
        "entered_before" => filter.entered_before_ms = Some(number),
        "min_size" => filter.least_bytes = Some(bytes),
        _ => filter.most_bytes = Some(bytes),
    }
}
