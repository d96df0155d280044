//! Erlang terms as text: RabbitMQ's error texts print binaries, tuples and field values the way Erlang's `~p` does,
//! and some client test suites compare them.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::field::FieldValue;

/// The width that `~p` breaks lines to.
const LINE_WIDTH: usize = 80;

/// A binary as `~tp` prints it: `<<"text">>` when all of it is printable, with `/utf8` behind text outside of ASCII that
/// is UTF-8 rather than Latin-1, else `<<1,2,3>>`. Nodes run with all of Unicode printable (`+pc unicode`).
pub fn binary(bytes: &[u8]) -> String {
    text_binary(bytes).unwrap_or_else(|| byte_list(bytes))
}

/// Appends a binary as `~tp` does at this place: a list of bytes that passes column 80 goes on in the next line, below
/// its first byte.
pub fn append_binary(text: &mut String, bytes: &[u8]) {
    if let Some(binary) = text_binary(bytes) {
        text.push_str(&binary);
        return;
    }
    let column = column(text) + 2;
    let width = LINE_WIDTH.saturating_sub(column + 1);
    let mut used = 0;
    text.push_str("<<");
    for (at, byte) in bytes.iter().enumerate() {
        let comma = if at + 1 == bytes.len() { "" } else { "," };
        let element = format!("{byte}{comma}");
        if used > 0 && used + element.len() > width {
            break_line(text, column);
            used = 0;
        }
        text.push_str(&element);
        used += element.len();
    }
    text.push_str(">>");
}

/// Appends terms in braces as `~tp` does at this place: a tuple that ends past column 78 is broken behind a comma, below
/// its first term. RabbitMQ's texts break so when a long queue name stands before `{value_negative,-1}`.
pub fn append_tuple<S: AsRef<str>>(text: &mut String, terms: impl IntoIterator<Item = S>) {
    let terms: Vec<S> = terms.into_iter().collect();
    let whole = tuple(&terms);
    if column(text) + whole.chars().count() + 1 < LINE_WIDTH {
        text.push_str(&whole);
        return;
    }
    let first = column(text) + 1;
    text.push('{');
    for (at, term) in terms.iter().enumerate() {
        if at > 0 && column(text) + term.as_ref().chars().count() + 2 >= LINE_WIDTH {
            break_line(text, first);
        }
        text.push_str(term.as_ref());
        text.push(if at + 1 == terms.len() { '}' } else { ',' });
    }
}

fn text_binary(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("<<>>".into());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let suffix = if text.is_ascii() { "" } else { "/utf8" };
            text.chars().all(printable).then(|| format!("<<{}{suffix}>>", string(text.chars())))
        }
        Err(_) => {
            let latin1 = bytes.iter().map(|&byte| char::from(byte));
            latin1.clone().all(printable).then(|| format!("<<{}>>", string(latin1)))
        }
    }
}

fn column(text: &str) -> usize {
    text.chars().rev().take_while(|&character| character != '\n').count()
}

fn break_line(text: &mut String, column: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', column));
}

/// A binary as `~w` prints it: always a list of bytes, in one line.
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

/// Whether Erlang prints the character of a string as itself or as an escape (`io_lib:printable_unicode_list`).
fn printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. | '\x08'..='\x0d' | '\x1b')
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

/// A value that came as JSON as RabbitMQ holds it and `~tp` prints it, in one line: a text is a binary, an object a map,
/// a list a list, null an atom.
pub fn json_value(value: &FieldValue) -> String {
    match value {
        FieldValue::Array(values) => list(values.iter().map(json_value)),
        FieldValue::Table(table) => {
            let fields: Vec<String> = table
                .iter()
                .map(|(name, value)| format!("{} => {}", binary(name.as_bytes()), json_value(value)))
                .collect();
            format!("#{}", tuple(fields))
        }
        FieldValue::Void => "null".into(),
        other => field_value(other),
    }
}

/// The fields of an object as `~tp` prints a list of pairs: `[{<<"name">>,1}]`.
pub fn json_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a FieldValue)>) -> String {
    list(fields.into_iter().map(|(name, value)| tuple([binary(name.as_bytes()), json_value(value)])))
}

/// A float as Erlang prints it: the shortest digits that read back, always with a point, and with an exponent where that
/// is shorter or the number is beyond 2^53.
pub fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    let scientific = format!("{digits}{point}e{exponent}");
    let mut plain = format!("{value}");
    if !plain.contains('.') {
        plain.push_str(".0");
    }
    const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;
    if scientific.len() < plain.len() || value.abs() >= EXACT_INTEGERS { scientific } else { plain }
}

/// A field's value between the quotes of an `inequivalent arg` text, where strings stand bare and everything else as
/// `~p` prints it (`rabbit_misc:val`).
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

/// Explanation of a 502 for a SASL response that its mechanism cannot read.
pub fn response_invalid(response: &[u8]) -> String {
    let mut text = String::from("response ");
    append_binary(&mut text, response);
    text.push_str(" invalid");
    text
}

/// Explanation of a 501 for a frame of unknown type, or with a payload that its type does not allow.
pub fn unknown_frame(kind: u8, payload: &[u8]) -> String {
    unexpected_frame(kind, payload) + ": unknown_frame"
}

/// Explanation of a 501 for a frame whose end octet is another.
pub fn invalid_frame_end_marker(kind: u8, payload: &[u8], marker: u8) -> String {
    let mut text = unexpected_frame(kind, payload) + ": ";
    append_tuple(&mut text, ["invalid_frame_end_marker", &marker.to_string()]);
    text
}

/// Explanation of a 501 for a frame larger than negotiated; `max_payload` is frame_max less 8.
pub fn frame_too_large(kind: u8, size: u32, max_payload: u32) -> String {
    let mut text = unexpected_frame(kind, &[]) + ": ";
    append_tuple(&mut text, ["frame_too_large", &size.to_string(), &max_payload.to_string()]);
    text
}

/// Explanation of a 505 for a frame that may not stand where it stands, such as a heartbeat on a channel.
pub fn unexpected_frame(kind: u8, payload: &[u8]) -> String {
    let (extent, octets) = match payload.first_chunk::<16>() {
        Some(first) if payload.len() > 16 => ("first 16", first.as_slice()),
        _ => ("all", payload),
    };
    let mut text = format!("type {kind}, {extent} octets = ");
    append_binary(&mut text, octets);
    text
}
