//! Field values as Rust values, their type names, and when two of them count as the same argument.

use super::{FieldTable, FieldValue};

impl FieldValue {
    /// The text of a long string or byte array that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The bytes of a long string or byte array.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value of any of the integer types `b B s u I i l`.
    pub fn as_i64(&self) -> Option<i64> {
        Some(match *self {
            FieldValue::I8(value) => i64::from(value),
            FieldValue::U8(value) => i64::from(value),
            FieldValue::I16(value) => i64::from(value),
            FieldValue::U16(value) => i64::from(value),
            FieldValue::I32(value) => i64::from(value),
            FieldValue::U32(value) => i64::from(value),
            FieldValue::I64(value) => value,
            _ => return None,
        })
    }

    /// The value of a float or double.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            FieldValue::F32(value) => Some(f64::from(value)),
            FieldValue::F64(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            FieldValue::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The nested table.
    pub fn as_table(&self) -> Option<&FieldTable> {
        match self {
            FieldValue::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[FieldValue]> {
        match self {
            FieldValue::Array(values) => Some(values),
            _ => None,
        }
    }

    /// RabbitMQ's name of the type, as its error texts show it (`rabbit_binary_parser`).
    pub fn type_name(&self) -> &'static str {
        match self {
            FieldValue::Bool(_) => "bool",
            FieldValue::I8(_) => "byte",
            FieldValue::U8(_) => "unsignedbyte",
            FieldValue::I16(_) => "short",
            FieldValue::U16(_) => "unsignedshort",
            FieldValue::I32(_) => "signedint",
            FieldValue::U32(_) => "unsignedint",
            FieldValue::I64(_) => "long",
            FieldValue::F32(_) => "float",
            FieldValue::F64(_) => "double",
            FieldValue::Decimal { .. } => "decimal",
            FieldValue::LongString(_) => "longstr",
            FieldValue::Bytes(_) => "binary",
            FieldValue::Array(_) => "array",
            FieldValue::Timestamp(_) => "timestamp",
            FieldValue::Table(_) => "table",
            FieldValue::Void => "void",
        }
    }

    /// The class of types whose values compare with each other: `int` for all integers and the decimal, `float` for
    /// both floats, else the type's own name (`rabbit_misc:type_class`).
    pub fn type_class(&self) -> &'static str {
        match self {
            FieldValue::I8(_)
            | FieldValue::U8(_)
            | FieldValue::I16(_)
            | FieldValue::U16(_)
            | FieldValue::I32(_)
            | FieldValue::U32(_)
            | FieldValue::I64(_)
            | FieldValue::Decimal { .. } => "int",
            FieldValue::F32(_) | FieldValue::F64(_) => "float",
            other => other.type_name(),
        }
    }

    /// True when both are the same argument of a declaration: equal values, whatever the width or letter at the top
    /// (`I` 5 is `l` 5, `S` "a" is `x` "a"); values inside of tables and arrays must agree in type too. This is what
    /// `rabbit_misc:assert_args_equivalence` does.
    pub fn equivalent(&self, other: &FieldValue) -> bool {
        if let (Some(left), Some(right)) = (self.whole_number(), other.whole_number()) {
            return left == right;
        }
        if let (Some(left), Some(right)) = (self.as_bytes(), other.as_bytes()) {
            return left == right;
        }
        if let (Some(left), Some(right)) = (self.as_f64(), other.as_f64()) {
            return left == right;
        }
        match (self, other) {
            // Both are the empty list to RabbitMQ.
            (FieldValue::Table(table), FieldValue::Array(array))
            | (FieldValue::Array(array), FieldValue::Table(table)) => table.is_empty() && array.is_empty(),
            _ => self == other,
        }
    }

    /// Integers and timestamps, which RabbitMQ holds as plain numbers.
    fn whole_number(&self) -> Option<i128> {
        match *self {
            FieldValue::Timestamp(value) => Some(i128::from(value)),
            _ => self.as_i64().map(i128::from),
        }
    }
}

impl From<bool> for FieldValue {
    fn from(value: bool) -> FieldValue {
        FieldValue::Bool(value)
    }
}

impl From<i32> for FieldValue {
    fn from(value: i32) -> FieldValue {
        FieldValue::I32(value)
    }
}

impl From<i64> for FieldValue {
    fn from(value: i64) -> FieldValue {
        FieldValue::I64(value)
    }
}

impl From<&str> for FieldValue {
    fn from(value: &str) -> FieldValue {
        FieldValue::LongString(value.as_bytes().to_vec())
    }
}

impl From<String> for FieldValue {
    fn from(value: String) -> FieldValue {
        FieldValue::LongString(value.into_bytes())
    }
}

impl From<FieldTable> for FieldValue {
    fn from(value: FieldTable) -> FieldValue {
        FieldValue::Table(value)
    }
}

impl From<Vec<FieldValue>> for FieldValue {
    fn from(values: Vec<FieldValue>) -> FieldValue {
        FieldValue::Array(values)
    }
}
