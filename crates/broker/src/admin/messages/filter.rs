//! Which messages are meant.

use super::view::body_of;
use crate::key_pattern::KeyPattern;
use amqp::{FieldRef, Properties, PropertiesRef, TableRef};
use regex::bytes::{Regex, RegexBuilder};
use store::{Body, Message};

/// Most memory of a compiled pattern, in bytes.
const PATTERN_BYTES: usize = 1 << 20;
/// Bytes of a body that a pattern is looked for in.
const BODY_BYTES: usize = 1 << 20;

/// What a message has to be; the default is anything.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Headers that it has, with these values where there is one; numbers and truths as they are written in JSON.
    pub headers: Vec<(String, Option<String>)>,
    /// Properties that it has, by their names in JSON.
    pub properties: Vec<(String, String)>,
    /// Its routing key, as a binding of a topic exchange would name it.
    pub routing_key: Option<KeyPattern>,
    /// The exchange that it was published to.
    pub exchange: Option<String>,
    /// Bytes that are somewhere in its body.
    pub text: Option<Vec<u8>>,
    /// A pattern that is somewhere in the first MiB of its body.
    pub pattern: Option<Regex>,
    /// It entered its queue at this time or later, in ms since 1970.
    pub entered_from_ms: Option<u64>,
    /// It entered its queue before this time, in ms since 1970.
    pub entered_before_ms: Option<u64>,
    /// Bytes of its body, at least.
    pub least_bytes: Option<usize>,
    /// Bytes of its body, at most.
    pub most_bytes: Option<usize>,
}

impl MessageFilter {
    /// A pattern for bodies.
    ///
    /// # Errors
    /// When it is none, or too large; the text says why.
    pub fn pattern(text: &str) -> Result<Regex, String> {
        RegexBuilder::new(text).size_limit(PATTERN_BYTES).build().map_err(|error| error.to_string())
    }

    /// True when every message is meant.
    pub fn is_empty(&self) -> bool {
        let MessageFilter { headers, properties, routing_key, exchange, text, pattern, .. } = self;
        let MessageFilter { entered_from_ms, entered_before_ms, least_bytes, most_bytes, .. } = self;
        headers.is_empty()
            && properties.is_empty()
            && routing_key.is_none()
            && exchange.is_none()
            && text.is_none()
            && pattern.is_none()
            && entered_from_ms.or(*entered_before_ms).is_none()
            && least_bytes.or(*most_bytes).is_none()
    }

    /// True for a message that is meant.
    pub(crate) fn admits(&self, message: &Message) -> bool {
        let parts = message.parts();
        let (entered_ms, bytes) = (message.entered_ms(), message.body_len());
        self.entered_from_ms.is_none_or(|from_ms| entered_ms >= from_ms)
            && self.entered_before_ms.is_none_or(|before_ms| entered_ms < before_ms)
            && self.least_bytes.is_none_or(|least| bytes >= least)
            && self.most_bytes.is_none_or(|most| bytes <= most)
            && self.exchange.as_ref().is_none_or(|exchange| exchange.as_bytes() == parts.exchange())
            && self.routing_key.as_ref().is_none_or(|pattern| pattern.is_match(parts.routing_key()))
            && self.admits_properties(parts.header)
            && self.admits_body(message)
    }

    fn admits_properties(&self, header: &[u8]) -> bool {
        if self.headers.is_empty() && self.properties.is_empty() {
            return true;
        }
        let Some(properties) = PropertiesRef::of_payload(header).and_then(|properties| properties.decode().ok()) else {
            return false;
        };
        let headers = properties.headers.unwrap_or_default();
        self.headers.iter().all(|(name, value)| has_header(headers, name, value.as_deref()))
            && self.properties.iter().all(|(name, value)| property(&properties, name).is_some_and(|own| own == *value))
    }

    fn admits_body(&self, message: &Message) -> bool {
        if self.text.is_none() && self.pattern.is_none() {
            return true;
        }
        let joined;
        let body = match message.body() {
            Body::Whole(bytes) => bytes,
            Body::Pieces(_) => {
                joined = body_of(message, usize::MAX);
                &joined
            }
        };
        self.text.as_ref().is_none_or(|text| contains(body, text))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(&body[..body.len().min(BODY_BYTES)]))
    }
}

/// True when `part` is somewhere in `whole`.
fn contains(whole: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else { return true };
    let mut rest = whole;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(part) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

fn has_header(headers: TableRef<'_>, name: &str, wanted: Option<&str>) -> bool {
    let (Some(value), Some(wanted)) = (headers.find(name), wanted) else {
        return wanted.is_none() && headers.find(name).is_some();
    };
    match value {
        FieldRef::Bool(value) => wanted == if value { "true" } else { "false" },
        FieldRef::F32(value) => wanted.parse() == Ok(value),
        FieldRef::F64(value) => wanted.parse() == Ok(value),
        value => match (value.as_i64(), value.as_bytes()) {
            (Some(number), _) => wanted.parse() == Ok(number),
            (_, Some(bytes)) => bytes == wanted.as_bytes(),
            _ => false,
        },
    }
}

/// A property as text.
fn property(properties: &Properties<'_>, name: &str) -> Option<String> {
    let text = match name {
        "content_type" => properties.content_type,
        "content_encoding" => properties.content_encoding,
        "correlation_id" => properties.correlation_id,
        "reply_to" => properties.reply_to,
        "expiration" => properties.expiration,
        "message_id" => properties.message_id,
        "type" => properties.kind,
        "user_id" => properties.user_id,
        "app_id" => properties.app_id,
        "cluster_id" => properties.cluster_id,
        "delivery_mode" => return properties.delivery_mode.map(|mode| mode.to_string()),
        "priority" => return properties.priority.map(|priority| priority.to_string()),
        "timestamp" => return properties.timestamp.map(|seconds| seconds.to_string()),
        _ => None,
    };
    text.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_is() {
        for (whole, part, expected) in
            [("aab", "ab", true), ("aab", "", true), ("", "a", false), ("abc", "abcd", false), ("xxabab", "abab", true)]
        {
            assert_eq!(contains(whole.as_bytes(), part.as_bytes()), expected, "{part} in {whole}");
        }
    }
}
