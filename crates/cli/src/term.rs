//! Results as Erlang terms.

use serde_json::Value;

/// Columns whose values are atoms in RabbitMQ, where others are binaries.
const ATOMS: [&str; 10] = [
    "type",
    "tags",
    "state",
    "source_kind",
    "destination_kind",
    "activity_status",
    "cluster_state",
    "stability",
    "protocol",
    "node",
];
/// What fits into a line.
const WIDTH: usize = 80;

/// A list of rows, each a list of pairs.
pub(crate) fn rows(columns: &[String], rows: &[Vec<Value>]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let pairs: Vec<String> = columns.iter().zip(row).map(|(name, value)| pair(name, value)).collect();
            let row = format!("[{}]", pairs.join(","));
            // Brackets of the list are around it.
            if row.len() + 2 <= WIDTH { row } else { format!("[{}]", pairs.join(",\n  ")) }
        })
        .collect();
    let one_line = format!("[{}]", rows.join(","));
    if one_line.len() <= WIDTH || rows.len() == 1 { one_line } else { format!("[{}]", rows.join(",\n ")) }
}

fn pair(name: &str, value: &Value) -> String {
    let value = if ATOMS.contains(&name) { atoms(value) } else { term(value) };
    format!("{{{},{value}}}", atom(name))
}

fn atoms(value: &Value) -> String {
    match value {
        Value::String(text) => atom(text),
        Value::Array(values) => format!("[{}]", values.iter().map(atoms).collect::<Vec<_>>().join(",")),
        other => term(other),
    }
}

/// A name, quoted where it has to be.
pub(crate) fn atom(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_' || character == '@');
    if is_plain { name.to_owned() } else { format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'")) }
}

/// A text as an Erlang string, with the escapes of one.
pub(crate) fn quoted(text: &str) -> String {
    let mut string = String::with_capacity(text.len() + 2);
    string.push('"');
    for character in text.chars() {
        match character {
            '\\' => string.push_str("\\\\"),
            '"' => string.push_str("\\\""),
            '\t' => string.push_str("\\t"),
            '\n' => string.push_str("\\n"),
            '\r' => string.push_str("\\r"),
            '\0'..='\x1f' | '\x7f' => string.push_str(&format!("\\{:03o}", u32::from(character))),
            other => string.push(other),
        }
    }
    string.push('"');
    string
}

/// A value, texts as binaries.
pub(crate) fn term(value: &Value) -> String {
    match value {
        Value::Null => "undefined".to_owned(),
        Value::String(text) if text.is_empty() => "<<>>".to_owned(),
        Value::String(text) => format!("<<{}>>", quoted(text)),
        Value::Array(values) => format!("[{}]", values.iter().map(term).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(name, value)| format!("{{<<{}>>,{}}}", quoted(name), term(value)));
            format!("[{}]", pairs.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn terms_are_rabbitmqs() {
        let columns = ["user", "tags"].map(str::to_owned);
        let guest = vec![json!("guest"), json!(["administrator"])];
        assert_eq!(rows(&columns, std::slice::from_ref(&guest)), "[[{user,<<\"guest\">>},{tags,[administrator]}]]");
        let many = rows(&columns, &[guest.clone(), guest]);
        assert_eq!(many.lines().count(), 2, "{many}");
        assert_eq!(rows(&columns, &[]), "[]");
        assert_eq!(atom("apply-to"), "'apply-to'");
        assert_eq!(quoted("t\tb\\c\"d\n\u{1}"), r#""t\tb\\c\"d\n\001""#);
        assert_eq!(term(&json!({"a": [1, "x", true, null]})), "[{<<\"a\">>,[1,<<\"x\">>,true,undefined]}]");
    }
}
