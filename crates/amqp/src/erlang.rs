//! Erlang terms as text: RabbitMQ's error texts print binaries, tuples and field values the way Erlang's `~p` does,
//! and some client test suites compare them.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::field::FieldValue;

/// A binary as `~tp` prints it: `<<"text">>` when all of it is printable Latin-1, `<<"text"/utf8>>` when it is UTF-8 of
/// printable Latin-1, else `<<1,2,3>>`.
pub fn binary(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "<<>>".into();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(printable) => {
            let suffix = if text.is_ascii() { "" } else { "/utf8" };
            return format!("<<{}{suffix}>>", string(text.chars()));
        }
        _ => {}
    }
    if bytes.iter().all(|&byte| printable(char::from(byte))) {
        return format!("<<{}>>", string(bytes.iter().map(|&byte| char::from(byte))));
    }
    byte_list(bytes)
}

/// A binary as `~w` prints it: always a list of bytes.
pub fn byte_list(bytes: &[u8]) -> String {
    let mut text = String::from("<<");
    for (at, byte) in bytes.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{byte}");
    }
    text.push_str(">>");
    text
}

/// Characters in double quotes with Erlang's escapes.
pub fn string(characters: impl IntoIterator<Item = char>) -> String {
    let mut text = String::from("\"");
    for character in characters {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\x08' => text.push_str("\\b"),
            '\x0b' => text.push_str("\\v"),
            '\x0c' => text.push_str("\\f"),
            '\x1b' => text.push_str("\\e"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// Terms in braces.
pub fn tuple<S: AsRef<str>>(terms: impl IntoIterator<Item = S>) -> String {
    bracketed('{', terms, '}')
}

/// Terms in brackets.
pub fn list<S: AsRef<str>>(terms: impl IntoIterator<Item = S>) -> String {
    bracketed('[', terms, ']')
}

fn bracketed<S: AsRef<str>>(open: char, terms: impl IntoIterator<Item = S>, close: char) -> String {
    let mut text = String::from(open);
    for (at, term) in terms.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(term.as_ref());
    }
    text.push(close);
    text
}

/// Whether Erlang prints the character of a Latin-1 string as itself or as an escape.
fn printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a0}'..='\u{ff}' | '\x08'..='\x0d' | '\x1b')
}

/// A field's value as RabbitMQ holds it and `~p` prints it: a string is a binary, a table a list of `{Name,Type,Value}`,
/// an array a list of `{Type,Value}`.
pub fn field_value(value: &FieldValue) -> String {
    match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::I8(value) => value.to_string(),
        FieldValue::U8(value) => value.to_string(),
        FieldValue::I16(value) => value.to_string(),
        FieldValue::U16(value) => value.to_string(),
        FieldValue::I32(value) => value.to_string(),
        FieldValue::U32(value) => value.to_string(),
        FieldValue::I64(value) => value.to_string(),
        FieldValue::F32(value) => float(f64::from(*value)),
        FieldValue::F64(value) => float(*value),
        FieldValue::Decimal { scale, value } => format!("{{{scale},{value}}}"),
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => binary(bytes),
        FieldValue::Array(values) => list(values.iter().map(|value| tuple([value.type_name(), &field_value(value)]))),
        FieldValue::Timestamp(seconds) => seconds.to_string(),
        FieldValue::Table(table) => list(
            table.iter().map(|(name, value)| tuple([&binary(name.as_bytes()), value.type_name(), &field_value(value)])),
        ),
        FieldValue::Void => "undefined".into(),
    }
}

/// A float as Erlang prints it: the shortest digits that read back, always with a point.
pub fn float(value: f64) -> String {
    format!("{value:?}")
}

/// The text of `term` inside of quotes where RabbitMQ prints strings bare (`~s`) and everything else as `~p`.
pub fn field_value_bare(value: &FieldValue) -> String {
    match value.as_bytes() {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => field_value(value),
    }
}

/// Explanation of a 501 for arguments that do not fit their method (`rabbit_misc:frame_error`).
pub fn cannot_decode(arguments: &[u8]) -> String {
    format!("cannot decode {}", byte_list(arguments))
}

/// Explanation of a 501 for a frame of unknown type, or with a payload that its type does not allow.
pub fn unknown_frame(kind: u8, payload: &[u8]) -> String {
    frame_error(kind, payload, "unknown_frame")
}

/// Explanation of a 501 for a frame whose end octet is another.
pub fn invalid_frame_end_marker(kind: u8, payload: &[u8], marker: u8) -> String {
    frame_error(kind, payload, &format!("{{invalid_frame_end_marker,{marker}}}"))
}

/// Explanation of a 501 for a frame larger than negotiated; `max_payload` is frame_max less 8.
pub fn frame_too_large(kind: u8, size: u32, max_payload: u32) -> String {
    frame_error(kind, &[], &format!("{{frame_too_large,{size},{max_payload}}}"))
}

/// Explanation of a 505 for a frame that may not stand where it stands, such as a heartbeat on a channel.
pub fn unexpected_frame(kind: u8, payload: &[u8]) -> String {
    let (extent, octets) = snippet(payload);
    format!("type {kind}, {extent} octets = {}", binary(octets))
}

fn frame_error(kind: u8, payload: &[u8], error: &str) -> String {
    format!("{}: {error}", unexpected_frame(kind, payload))
}

fn snippet(payload: &[u8]) -> (&'static str, &[u8]) {
    match payload.first_chunk::<16>() {
        Some(first) if payload.len() > 16 => ("first 16", first),
        _ => ("all", payload),
    }
}
