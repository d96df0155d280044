//! Bodies as JSON: as text where they are UTF-8, else in base64.

use super::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// How bodies are to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As text if possible.
    #[default]
    Auto,
    Base64,
}

impl Encoding {
    pub(super) fn parse(value: &Value) -> Result<Encoding, Refusal> {
        match value.as_str() {
            Some("auto") => Ok(Encoding::Auto),
            Some("base64") => Ok(Encoding::Base64),
            _ => Err(Refusal::bad_request("Unsupported encoding. Please use auto or base64.")),
        }
    }

    /// Adds `payload` and `payload_encoding`.
    pub(super) fn put(self, body: &[u8], object: &mut Map<String, Value>) {
        let (payload, encoding) = match (self, std::str::from_utf8(body)) {
            (Encoding::Auto, Ok(text)) => (text.to_owned(), "string"),
            _ => (STANDARD.encode(body), "base64"),
        };
        object.insert("payload".to_owned(), payload.into());
        object.insert("payload_encoding".to_owned(), encoding.into());
    }
}

/// The bytes of a payload that is to be published.
pub(super) fn decode(payload: Value, encoding: &Value) -> Result<Vec<u8>, Refusal> {
    let Value::String(payload) = payload else { return Err(Refusal::bad_request("payload_not_string")) };
    match encoding.as_str() {
        Some("string") => Ok(payload.into_bytes()),
        Some("base64") => {
            let digits: String = payload.chars().filter(|digit| !digit.is_ascii_whitespace()).collect();
            STANDARD.decode(digits).map_err(|_| Refusal::terms("not_base64", payload))
        }
        _ => Err(Refusal::terms("unsupported_encoding", encoding.clone())),
    }
}

/// The length up to which bodies are wanted; a text that is cut within a character becomes base64, as RabbitMQ has it.
pub(super) fn truncation(value: Option<&Value>) -> Result<Option<usize>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let most = super::integer(value)?;
    usize::try_from(most).map(Some).map_err(|_| Refusal::terms("not_integer", value.clone()))
}
