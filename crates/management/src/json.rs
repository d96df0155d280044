//! AMQP values as JSON and back, as RabbitMQ's HTTP API has them.

use amqp::{FieldTable, FieldValue};
use serde_json::{Map, Number, Value};

/// A table as a JSON object.
pub(crate) fn table(table: &FieldTable) -> Value {
    Value::Object(table.iter().map(|(name, value)| (name.to_owned(), field(value))).collect())
}

/// A value as JSON; bytes that are not UTF-8 lose what does not fit.
pub(crate) fn field(value: &FieldValue) -> Value {
    if let Some(integer) = value.as_i64() {
        return integer.into();
    }
    match value {
        FieldValue::Bool(flag) => (*flag).into(),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
        FieldValue::Decimal { scale, value } => {
            Number::from_f64(f64::from(*value) / 10f64.powi(i32::from(*scale))).map_or(Value::Null, Value::Number)
        }
        FieldValue::Table(inner) => table(inner),
        FieldValue::Array(values) => values.iter().map(field).collect(),
        other => match (other.as_f64(), other.as_bytes()) {
            (Some(number), _) => Number::from_f64(number).map_or(Value::Null, Value::Number),
            (_, Some(bytes)) => String::from_utf8_lossy(bytes).into(),
            _ => Value::Null,
        },
    }
}

/// A JSON object as a table: numbers are longs or doubles, texts are long strings.
pub(crate) fn to_table(object: &Map<String, Value>) -> FieldTable {
    object.iter().map(|(name, value)| (name.clone(), to_field(value))).collect()
}

/// Any JSON value.
pub(crate) fn to_field(value: &Value) -> FieldValue {
    match value {
        Value::Null => FieldValue::Void,
        Value::Bool(flag) => FieldValue::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => FieldValue::I64(integer),
            None => FieldValue::F64(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => FieldValue::LongString(text.as_bytes().to_vec()),
        Value::Array(values) => FieldValue::Array(values.iter().map(to_field).collect()),
        Value::Object(object) => FieldValue::Table(to_table(object)),
    }
}
