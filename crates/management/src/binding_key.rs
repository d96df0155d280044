//! How paths name a binding between two objects: RabbitMQ's `properties_key` (`rabbit_mgmt_format:pack_binding_props`).
//!
//! It is the routing key, percent-encoded, and for a binding with arguments `~` and a hash of them; `~` alone is an empty
//! key. Within a path it is percent-encoded once more.

use amqp::FieldTable;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// An empty routing key.
const EMPTY: &str = "~";

/// The key of a binding with this routing key and these arguments.
pub(crate) fn pack(routing_key: &str, arguments: &FieldTable) -> String {
    match (routing_key.is_empty(), arguments.is_empty()) {
        (true, true) => EMPTY.to_owned(),
        (_, true) => quote_key(routing_key),
        (_, false) => format!("{}~{}", quote_key(routing_key), hash(arguments)),
    }
}

fn hash(arguments: &FieldTable) -> String {
    URL_SAFE_NO_PAD.encode(routing::of_table(arguments).to_be_bytes())
}

/// What a key in a path says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unpacked {
    routing_key: Vec<u8>,
    hash: Option<String>,
}

impl Unpacked {
    /// Reads a key; `None` for one with too many parts.
    pub(crate) fn parse(key: &str) -> Option<Unpacked> {
        if key == EMPTY {
            return Some(Unpacked { routing_key: Vec::new(), hash: None });
        }
        let mut parts = key.split('~');
        let routing_key = unquote(parts.next()?);
        let hash = parts.next().map(|part| String::from_utf8_lossy(&unquote(part)).into_owned());
        parts.next().is_none().then_some(Unpacked { routing_key, hash })
    }

    /// True for the binding with this routing key and these arguments.
    pub(crate) fn means(&self, routing_key: &str, arguments: &FieldTable) -> bool {
        self.routing_key == routing_key.as_bytes()
            && match &self.hash {
                None => arguments.is_empty(),
                Some(wanted) => !arguments.is_empty() && hash(arguments) == *wanted,
            }
    }
}

fn quote_key(text: &str) -> String {
    quote_plus(text).replace('~', "%7E")
}

/// Percent-encoding with `+` for a space, as `rabbit_http_util:quote_plus` does it.
pub(crate) fn quote_plus(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => quoted.push(char::from(byte)),
            b' ' => quoted.push('+'),
            other => quoted += &format!("%{other:02X}"),
        }
    }
    quoted
}

/// The other way; what is no encoding stands for itself.
fn unquote(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let encoded = match (first, after) {
            (b'%', [high, low, ..]) => digits(*high, *low),
            _ => None,
        };
        match (encoded, first) {
            (Some(byte), _) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (None, b'+') => bytes.push(b' '),
            (None, other) => bytes.push(*other),
        }
        rest = after;
    }
    bytes
}

fn digits(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The path `to` as seen from the path `from`, as RabbitMQ's `relativise` has it: segment by segment.
pub(crate) fn relativise(from: &str, to: &str) -> String {
    let segments = |path: &str| path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
    let (mut from, mut to): (Vec<String>, Vec<String>) = (segments(from), segments(to));
    from.reverse();
    to.reverse();
    // The last segment of `from` stays: it is what the other path is relative to.
    while from.len() > 1 && !to.is_empty() && from.last() == to.last() {
        from.pop();
        to.pop();
    }
    if from.last() != to.last() {
        let ups = if to.is_empty() { from.len() } else { from.len().saturating_sub(1) };
        to.extend(std::iter::repeat_n("..".to_owned(), ups));
    }
    to.reverse();
    to.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use amqp::FieldValue;

    fn one() -> FieldTable {
        [("a".to_owned(), FieldValue::I64(1))].into_iter().collect()
    }

    /// As RabbitMQ 3.10.8 has them.
    #[test]
    fn keys_are_those_of_rabbitmq() {
        let none = FieldTable::new();
        for (routing_key, arguments, key) in [
            ("", &none, "~"),
            ("k", &none, "k"),
            ("k", &one(), "k~Ajat_Q"),
            ("", &one(), "~Ajat_Q"),
            ("~", &none, "%7E"),
            ("a.b/c #", &none, "a.b%2Fc+%23"),
            ("üñ/~", &none, "%C3%BC%C3%B1%2F%7E"),
        ] {
            assert_eq!(pack(routing_key, arguments), key);
            let unpacked = Unpacked::parse(key).unwrap();
            assert!(unpacked.means(routing_key, arguments), "{key}");
            assert!(!unpacked.means("other", arguments), "{key}");
        }
        assert!(!Unpacked::parse("k~nope").unwrap().means("k", &one()));
        assert!(!Unpacked::parse("k").unwrap().means("k", &one()));
        assert_eq!(Unpacked::parse("a~b~c"), None);
    }

    #[test]
    fn broken_encodings_stand_for_themselves() {
        for (text, bytes) in [("%", &b"%"[..]), ("%4", b"%4"), ("%zz", b"%zz"), ("a%41+%ff", b"aA \xff")] {
            assert_eq!(unquote(text), bytes, "{text}");
        }
    }

    #[test]
    fn locations_are_relative() {
        let path = "/api/bindings/%2F/e/x1/q/q1";
        for (from, to, relative) in [
            (path, "/api/bindings/%2F/e/x1/q/q1/k", "q1/k"),
            ("/api/bindings/%2f/e/x1/q/q1", "/api/bindings/%2F/e/x1/q/q1/k", "../../../../%2F/e/x1/q/q1/k"),
        ] {
            assert_eq!(relativise(from, to), relative);
        }
    }
}
