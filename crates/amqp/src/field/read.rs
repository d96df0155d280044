//! Field tables and arrays read where they lie.

use super::{FieldTable, FieldValue};
use crate::wire::Reader;

/// How deep tables and arrays may nest; RabbitMQ has no limit but its memory.
pub const MAX_DEPTH: usize = 64;

/// Why bytes are not a field table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A name or value runs past the end.
    #[error("field table is cut short")]
    Truncated,
    /// No type has this letter.
    #[error("unknown field type {0:#04x}")]
    UnknownType(u8),
    /// A field name that is not UTF-8.
    #[error("field name is not UTF-8")]
    NameNotUtf8,
    /// A float that is infinite or not a number, which RabbitMQ cannot read either.
    #[error("float is not finite")]
    NotFinite,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("field table is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// The bytes of a field table without its length prefix, read on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableRef<'a> {
    bytes: &'a [u8],
}

/// The bytes of a field array without its length prefix, read on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrayRef<'a> {
    bytes: &'a [u8],
}

/// One value of a field table, borrowed; see [`FieldValue`] for the types.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are those of FieldValue")]
pub enum FieldRef<'a> {
    Bool(bool),
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    F32(f32),
    F64(f64),
    Decimal { scale: u8, value: u32 },
    LongString(&'a [u8]),
    Bytes(&'a [u8]),
    Array(ArrayRef<'a>),
    Timestamp(u64),
    Table(TableRef<'a>),
    Void,
}

impl<'a> TableRef<'a> {
    /// Takes bytes as they are; what is wrong with them shows when they are read.
    pub const fn new(bytes: &'a [u8]) -> TableRef<'a> {
        TableRef { bytes }
    }

    /// Takes bytes that are a table throughout, nested values included.
    pub fn parse(bytes: &'a [u8]) -> Result<TableRef<'a>, FieldError> {
        let table = TableRef { bytes };
        table.validate(MAX_DEPTH)?;
        Ok(table)
    }

    /// The bytes behind the length prefix.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// True without fields.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// The fields in order, ending after the first error.
    pub fn iter(&self) -> TableIter<'a> {
        TableIter { reader: Reader::new(self.bytes) }
    }

    /// The fields in order with the bytes of each, name and type letter included, ending before the first error: for
    /// passing on what is not looked into.
    pub fn raw_fields(self) -> impl Iterator<Item = (&'a str, FieldRef<'a>, &'a [u8])> {
        let mut fields = self.iter();
        std::iter::from_fn(move || {
            let before = fields.reader.rest();
            let (name, value) = fields.next()?.ok()?;
            Some((name, value, before.get(..before.len() - fields.reader.rest().len())?))
        })
    }

    /// The value of the first field called `name`; `None` too when the bytes before it are no table.
    pub fn find(&self, name: &str) -> Option<FieldRef<'a>> {
        self.iter().map_while(Result::ok).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The table with everything in it owned.
    pub fn to_owned(self) -> Result<FieldTable, FieldError> {
        self.to_owned_within(MAX_DEPTH)
    }

    fn validate(self, depth: usize) -> Result<(), FieldError> {
        let depth = depth.checked_sub(1).ok_or(FieldError::TooDeep)?;
        self.iter().try_for_each(|field| field?.1.validate(depth))
    }

    fn to_owned_within(self, depth: usize) -> Result<FieldTable, FieldError> {
        let depth = depth.checked_sub(1).ok_or(FieldError::TooDeep)?;
        self.iter()
            .map(|field| field.and_then(|(key, value)| Ok((key.into(), value.to_owned_within(depth)?))))
            .collect()
    }
}

impl<'a> IntoIterator for TableRef<'a> {
    type Item = Result<(&'a str, FieldRef<'a>), FieldError>;
    type IntoIter = TableIter<'a>;

    fn into_iter(self) -> TableIter<'a> {
        self.iter()
    }
}

impl<'a> ArrayRef<'a> {
    /// Takes bytes as they are; what is wrong with them shows when they are read.
    pub const fn new(bytes: &'a [u8]) -> ArrayRef<'a> {
        ArrayRef { bytes }
    }

    /// The bytes behind the length prefix.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The values in order, ending after the first error.
    pub fn iter(&self) -> ArrayIter<'a> {
        ArrayIter { reader: Reader::new(self.bytes) }
    }

    /// The values in order with the bytes of each, type letter included, ending before the first error.
    pub fn raw_values(self) -> impl Iterator<Item = (FieldRef<'a>, &'a [u8])> {
        let mut values = self.iter();
        std::iter::from_fn(move || {
            let before = values.reader.rest();
            let value = values.next()?.ok()?;
            Some((value, before.get(..before.len() - values.reader.rest().len())?))
        })
    }

    fn validate(self, depth: usize) -> Result<(), FieldError> {
        let depth = depth.checked_sub(1).ok_or(FieldError::TooDeep)?;
        self.iter().try_for_each(|value| value?.validate(depth))
    }

    fn to_owned_within(self, depth: usize) -> Result<Vec<FieldValue>, FieldError> {
        let depth = depth.checked_sub(1).ok_or(FieldError::TooDeep)?;
        self.iter().map(|value| value?.to_owned_within(depth)).collect()
    }
}

impl<'a> IntoIterator for ArrayRef<'a> {
    type Item = Result<FieldRef<'a>, FieldError>;
    type IntoIter = ArrayIter<'a>;

    fn into_iter(self) -> ArrayIter<'a> {
        self.iter()
    }
}

impl<'a> FieldRef<'a> {
    /// The value with everything in it owned.
    pub fn to_owned(self) -> Result<FieldValue, FieldError> {
        self.to_owned_within(MAX_DEPTH)
    }

    /// The bytes of a long string or byte array.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            FieldRef::LongString(bytes) | FieldRef::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value of an integer of any width.
    pub fn as_i64(self) -> Option<i64> {
        Some(match self {
            FieldRef::I8(value) => value.into(),
            FieldRef::U8(value) => value.into(),
            FieldRef::I16(value) => value.into(),
            FieldRef::U16(value) => value.into(),
            FieldRef::I32(value) => value.into(),
            FieldRef::U32(value) => value.into(),
            FieldRef::I64(value) => value,
            _ => return None,
        })
    }

    /// The text of a long string or byte array that is UTF-8.
    pub fn as_str(self) -> Option<&'a str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    fn validate(self, depth: usize) -> Result<(), FieldError> {
        match self {
            FieldRef::Table(table) => table.validate(depth),
            FieldRef::Array(array) => array.validate(depth),
            _ => Ok(()),
        }
    }

    fn to_owned_within(self, depth: usize) -> Result<FieldValue, FieldError> {
        Ok(match self {
            FieldRef::Bool(value) => FieldValue::Bool(value),
            FieldRef::I8(value) => FieldValue::I8(value),
            FieldRef::U8(value) => FieldValue::U8(value),
            FieldRef::I16(value) => FieldValue::I16(value),
            FieldRef::U16(value) => FieldValue::U16(value),
            FieldRef::I32(value) => FieldValue::I32(value),
            FieldRef::U32(value) => FieldValue::U32(value),
            FieldRef::I64(value) => FieldValue::I64(value),
            FieldRef::F32(value) => FieldValue::F32(value),
            FieldRef::F64(value) => FieldValue::F64(value),
            FieldRef::Decimal { scale, value } => FieldValue::Decimal { scale, value },
            FieldRef::LongString(bytes) => FieldValue::LongString(bytes.to_vec()),
            FieldRef::Bytes(bytes) => FieldValue::Bytes(bytes.to_vec()),
            FieldRef::Array(array) => FieldValue::Array(array.to_owned_within(depth)?),
            FieldRef::Timestamp(seconds) => FieldValue::Timestamp(seconds),
            FieldRef::Table(table) => FieldValue::Table(table.to_owned_within(depth)?),
            FieldRef::Void => FieldValue::Void,
        })
    }

    fn read(reader: &mut Reader<'a>) -> Result<FieldRef<'a>, FieldError> {
        let letter = reader.u8().ok_or(FieldError::Truncated)?;
        let value = match letter {
            b't' => reader.u8().map(|octet| FieldRef::Bool(octet != 0)),
            b'b' => reader.array().map(|octets| FieldRef::I8(i8::from_be_bytes(octets))),
            b'B' => reader.u8().map(FieldRef::U8),
            b's' => reader.array().map(|octets| FieldRef::I16(i16::from_be_bytes(octets))),
            b'u' => reader.u16().map(FieldRef::U16),
            b'I' => reader.array().map(|octets| FieldRef::I32(i32::from_be_bytes(octets))),
            b'i' => reader.u32().map(FieldRef::U32),
            b'l' | b'L' => reader.array().map(|octets| FieldRef::I64(i64::from_be_bytes(octets))),
            b'f' => reader.array().map(|octets| FieldRef::F32(f32::from_be_bytes(octets))),
            b'd' => reader.array().map(|octets| FieldRef::F64(f64::from_be_bytes(octets))),
            b'D' => reader
                .array()
                .map(|[scale, value @ ..]: [u8; 5]| FieldRef::Decimal { scale, value: u32::from_be_bytes(value) }),
            b'S' => reader.longstr().map(FieldRef::LongString),
            b'x' => reader.longstr().map(FieldRef::Bytes),
            b'A' => reader.longstr().map(|bytes| FieldRef::Array(ArrayRef { bytes })),
            b'T' => reader.u64().map(FieldRef::Timestamp),
            b'F' => reader.longstr().map(|bytes| FieldRef::Table(TableRef { bytes })),
            b'V' => Some(FieldRef::Void),
            _ => return Err(FieldError::UnknownType(letter)),
        };
        match value.ok_or(FieldError::Truncated)? {
            FieldRef::F32(value) if !value.is_finite() => Err(FieldError::NotFinite),
            FieldRef::F64(value) if !value.is_finite() => Err(FieldError::NotFinite),
            value => Ok(value),
        }
    }
}

/// Iterator over the fields of a [`TableRef`].
#[derive(Clone, Debug)]
pub struct TableIter<'a> {
    reader: Reader<'a>,
}

impl<'a> TableIter<'a> {
    fn field(&mut self) -> Result<(&'a str, FieldRef<'a>), FieldError> {
        let name = self.reader.shortstr().ok_or(FieldError::Truncated)?;
        let name = std::str::from_utf8(name).map_err(|_| FieldError::NameNotUtf8)?;
        Ok((name, FieldRef::read(&mut self.reader)?))
    }
}

impl<'a> Iterator for TableIter<'a> {
    type Item = Result<(&'a str, FieldRef<'a>), FieldError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(field)
    }
}

/// Iterator over the values of an [`ArrayRef`].
#[derive(Clone, Debug)]
pub struct ArrayIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for ArrayIter<'a> {
    type Item = Result<FieldRef<'a>, FieldError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        let value = FieldRef::read(&mut self.reader);
        if value.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(value)
    }
}
