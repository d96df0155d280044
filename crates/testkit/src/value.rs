//! Field table values as the test client writes and reads them.

use crate::bytes::{Reader, Writer};

/// One value of a field table; its variants are named after RabbitMQ's names of the types.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `t`
    Bool(bool),
    /// `b`
    Byte(i8),
    /// `B`
    UnsignedByte(u8),
    /// `s`
    Short(i16),
    /// `u`
    UnsignedShort(u16),
    /// `I`
    SignedInt(i32),
    /// `i`
    UnsignedInt(u32),
    /// `l`
    Long(i64),
    /// `f`
    Float(f32),
    /// `d`
    Double(f64),
    /// `D`: scale and unscaled value.
    Decimal(u8, u32),
    /// `S`
    LongString(Vec<u8>),
    /// `x`
    Binary(Vec<u8>),
    /// `A`
    Array(Vec<Value>),
    /// `T`
    Timestamp(u64),
    /// `F`
    Table(Table),
    /// `V`
    Void,
}

/// A field table in wire order.
pub type Table = Vec<(String, Value)>;

/// A table from pairs.
pub fn table<const N: usize>(fields: [(&str, Value); N]) -> Table {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The value called `name` in `table`.
pub fn field<'a>(table: &'a Table, name: &str) -> Option<&'a Value> {
    table.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::LongString(text.as_bytes().to_vec())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::SignedInt(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Bool(flag)
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Value {
        Value::Table(table)
    }
}

impl Value {
    /// An array of long strings.
    pub fn strings(texts: &[&str]) -> Value {
        Value::Array(texts.iter().map(|text| Value::from(*text)).collect())
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        match self {
            Value::Bool(v) => out.octet(b't').octet(u8::from(*v)),
            Value::Byte(v) => out.octet(b'b').raw(&v.to_be_bytes()),
            Value::UnsignedByte(v) => out.octet(b'B').octet(*v),
            Value::Short(v) => out.octet(b's').raw(&v.to_be_bytes()),
            Value::UnsignedShort(v) => out.octet(b'u').short(*v),
            Value::SignedInt(v) => out.octet(b'I').raw(&v.to_be_bytes()),
            Value::UnsignedInt(v) => out.octet(b'i').long(*v),
            Value::Long(v) => out.octet(b'l').raw(&v.to_be_bytes()),
            Value::Float(v) => out.octet(b'f').raw(&v.to_be_bytes()),
            Value::Double(v) => out.octet(b'd').raw(&v.to_be_bytes()),
            Value::Decimal(scale, v) => out.octet(b'D').octet(*scale).long(*v),
            Value::LongString(v) => out.octet(b'S').long_string(v),
            Value::Binary(v) => out.octet(b'x').long_string(v),
            Value::Timestamp(v) => out.octet(b'T').longlong(*v),
            Value::Table(v) => out.octet(b'F').table(v),
            Value::Void => out.octet(b'V'),
            Value::Array(values) => {
                let mut inner = Writer::default();
                for value in values {
                    value.write(&mut inner);
                }
                out.octet(b'A').long_string(&inner.finish())
            }
        };
    }

    pub(crate) fn read(input: &mut Reader<'_>) -> Value {
        match input.octet() {
            b't' => Value::Bool(input.octet() != 0),
            b'b' => Value::Byte(i8::from_be_bytes(input.array())),
            b'B' => Value::UnsignedByte(input.octet()),
            b's' => Value::Short(i16::from_be_bytes(input.array())),
            b'u' => Value::UnsignedShort(input.short()),
            b'I' => Value::SignedInt(i32::from_be_bytes(input.array())),
            b'i' => Value::UnsignedInt(input.long()),
            b'l' | b'L' => Value::Long(i64::from_be_bytes(input.array())),
            b'f' => Value::Float(f32::from_be_bytes(input.array())),
            b'd' => Value::Double(f64::from_be_bytes(input.array())),
            b'D' => Value::Decimal(input.octet(), input.long()),
            b'S' => Value::LongString(input.long_string()),
            b'x' => Value::Binary(input.long_string()),
            b'T' => Value::Timestamp(input.longlong()),
            b'F' => Value::Table(input.table()),
            b'V' => Value::Void,
            b'A' => {
                let bytes = input.long_string();
                let mut inner = Reader::new(&bytes);
                let mut values = Vec::new();
                while !inner.is_empty() {
                    values.push(Value::read(&mut inner));
                }
                Value::Array(values)
            }
            letter => panic!("the broker sent a field of unknown type {letter:#04x}"),
        }
    }
}
