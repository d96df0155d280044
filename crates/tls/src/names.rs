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
    use crate::certificate::Certificate;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use std::sync::OnceLock;

    /// Undoes the escapes, as RFC 4514 reads them.
    fn unescaped(text: &str) -> Vec<u8> {
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte != b'\\' {
                out.push(byte);
                continue;
            }
            let next = bytes.next().expect("something is escaped");
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            match digit(next) {
                Some(high) => {
                    let low = bytes.next().and_then(digit).expect("two digits");
                    out.push(high << 4 | low);
                }
                None => out.push(next),
            }
        }
        out
    }

    proptest! {
        /// So that no two values come to the same name, and none to more than one part of it.
        #[test]
        fn what_is_escaped_can_be_told_apart(value in vec(any::<u8>(), 0..40)) {
            let text = escaped(&value);
            prop_assert_eq!(unescaped(&text), value);
            prop_assert!(text.bytes().all(|byte| (b' '..b'~').contains(&byte)));
            let bare: Vec<&str> = text.split('\\').collect();
            for (at, part) in bare.iter().enumerate() {
                // The first letter behind a backslash is what that escapes.
                let part = if at == 0 { part } else { part.get(1..).unwrap_or_default() };
                prop_assert!(!part.contains([',', '+', '"', ';', '<', '>']), "{}", text);
            }
        }

        /// Certificates come from peers; those that make no sense are refused, and the parser does not panic.
        #[test]
        fn broken_certificates_are_read_or_refused(changes in vec((any::<Index>(), any::<u8>()), 1..4), cut in any::<Index>()) {
            let mut der = certificate();
            for (at, byte) in changes {
                let at = at.index(der.len());
                der[at] = byte;
            }
            let _ = Certificate::parse(&der);
            let _ = Certificate::parse(&der[..cut.index(der.len())]);
        }
    }

    /// One with every kind of name.
    fn certificate() -> Vec<u8> {
        static CERTIFICATE: OnceLock<Vec<u8>> = OnceLock::new();
        let make = || {
            let mut params =
                rcgen::CertificateParams::new(vec!["a.example".to_owned(), "::1".to_owned()]).expect("names");
            params.subject_alt_names.push(rcgen::SanType::OtherName((vec![1, 3, 6], "other".into())));
            for kind in [rcgen::DnType::OrganizationName, rcgen::DnType::CommonName, rcgen::DnType::CountryName] {
                params.distinguished_name.push(kind, " a,b #\u{fc}");
            }
            let key = rcgen::KeyPair::generate().expect("a key");
            params.self_signed(&key).expect("a certificate").der().to_vec()
        };
        CERTIFICATE.get_or_init(make).clone()
    }

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
