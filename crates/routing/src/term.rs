//! Field values printed as Erlang terms, as RabbitMQ's error texts show them (`~tp`).

use amqp::field::{FieldTable, FieldValue};

/// The value as `~tp` prints what `rabbit_binary_parser` makes of it.
pub(crate) fn term(value: &FieldValue) -> String {
    match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::I8(value) => value.to_string(),
        FieldValue::U8(value) => value.to_string(),
        FieldValue::I16(value) => value.to_string(),
        FieldValue::U16(value) => value.to_string(),
        FieldValue::I32(value) => value.to_string(),
        FieldValue::U32(value) => value.to_string(),
        FieldValue::I64(value) => value.to_string(),
        FieldValue::Timestamp(value) => value.to_string(),
        FieldValue::F32(value) => format!("{:?}", f64::from(*value)),
        FieldValue::F64(value) => format!("{value:?}"),
        FieldValue::Decimal { scale, value } => format!("{{{scale},{value}}}"),
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => binary(bytes),
        FieldValue::Array(values) => {
            list(values.iter().map(|value| format!("{{{},{}}}", value.type_name(), term(value))))
        }
        FieldValue::Table(table) => fields(table),
        FieldValue::Void => "undefined".to_owned(),
    }
}

fn fields(table: &FieldTable) -> String {
    list(
        table
            .iter()
            .map(|(name, value)| format!("{{{},{},{}}}", binary(name.as_bytes()), value.type_name(), term(value))),
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Text in quotes where it is printable, else the bytes in decimal.
fn binary(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok("") => "<<>>".to_owned(),
        Ok(text) if !text.chars().any(char::is_control) => {
            let encoding = if text.is_ascii() { "" } else { "/utf8" };
            format!("<<\"{}\"{encoding}>>", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        _ => format!("<<{}>>", bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",")),
    }
}
