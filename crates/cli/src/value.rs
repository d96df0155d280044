//! Values as RabbitMQ's tool prints them in columns.

use serde_json::Value;

/// A value in a column: texts as they are with control characters escaped, objects as lists of pairs.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            let texts: Vec<String> = values.iter().map(cell).collect();
            format!("[{}]", texts.join(", "))
        }
        other => term(other),
    }
}

/// A text as it is; anything else as in a column.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| cell(value), str::to_owned)
}

/// A value as an Erlang term.
fn term(value: &Value) -> String {
    match value {
        Value::Null => "undefined".to_owned(),
        Value::String(text) => format!("\"{}\"", escape(text).replace('"', "\\\"")),
        Value::Array(values) => format!("[{}]", values.iter().map(term).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let pairs: Vec<String> =
                fields.iter().map(|(name, value)| format!("{{\"{}\",{}}}", escape(name), term(value))).collect();
            format!("[{}]", pairs.join(","))
        }
        other => other.to_string(),
    }
}

/// Control characters in octal and backslashes doubled, so that a row stays a line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\0'..='\x1f' | '\x7f' => escaped.push_str(&format!("\\{:03o}", u32::from(character))),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_look_as_rabbitmqs() {
        for (value, shown) in [
            (json!("name"), "name"),
            (json!("a\tb\\c"), "a\\011b\\\\c"),
            (json!(null), ""),
            (json!(7), "7"),
            (json!(true), "true"),
            (json!([]), "[]"),
            (json!({}), "[]"),
            (json!(["administrator", "impersonator"]), "[administrator, impersonator]"),
            (
                json!({"product": "RabbitMQ", "capabilities": {"basic.nack": true}, "n": 1, "l": ["a", 2]}),
                r#"[{"product","RabbitMQ"},{"capabilities",[{"basic.nack",true}]},{"n",1},{"l",["a",2]}]"#,
            ),
        ] {
            assert_eq!(cell(&value), shown);
        }
    }
}
