//! Distinguished names as RabbitMQ prints them: RFC 4514, with its own names of types and its own escapes.

use crate::der;
use x509_parser::oid_registry::Oid;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The types that have a name, by their object identifiers.
const TYPES: [(&str, &str); 17] = [
    ("2.5.4.4", "SN"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATIONQUALIFIER"),
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "TITLE"),
    ("2.5.4.6", "C"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.65", "PSEUDONYM"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAILADDRESS"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// The name, its last part first.
pub(crate) fn distinguished(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> =
        name.iter().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",")
}

/// Its common names, as they are.
pub(crate) fn common(name: &X509Name<'_>) -> Vec<String> {
    name.iter_common_name().map(value).collect()
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    format!("{}={}", type_name(attribute.attr_type()), escaped(value(attribute).as_bytes()))
}

fn type_name(oid: &Oid<'_>) -> String {
    let dotted = oid.to_id_string();
    TYPES.iter().find(|(known, _)| *known == dotted).map_or(dotted.clone(), |(_, name)| (*name).to_owned())
}

/// Anything that is no string as Erlang prints its bytes.
fn value(attribute: &AttributeTypeAndValue<'_>) -> String {
    let any = attribute.attr_value();
    let tag = u8::try_from(any.tag().0).unwrap_or(0);
    der::text(tag, any.data).unwrap_or_else(|| {
        let bytes: Vec<String> = any.data.iter().map(u8::to_string).collect();
        format!("<<{}>>", bytes.join(","))
    })
}

fn escaped(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, &byte) in text.iter().enumerate() {
        let is_edge_space = byte == b' ' && (at == 0 || at + 1 == text.len());
        match byte {
            _ if is_edge_space => out.push_str("\\ "),
            b'#' if at == 0 => out.push_str("\\#"),
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            // What is not ASCII is escaped octet by octet.
            0..32 | 126.. => out.push_str(&format!("\\{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped_as_rabbitmq_does() {
        for (text, expected) in [
            ("plain name", "plain name"),
            (" a ", "\\ a\\ "),
            ("#a#", "\\#a#"),
            ("a,b+c\"d\\e<f>g;h", "a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h"),
            ("ü~\n", "\\C3\\BC\\7E\\0A"),
        ] {
            assert_eq!(escaped(text.as_bytes()), expected);
        }
    }
}
