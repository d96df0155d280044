//! Field tables and values as bytes.

use super::{FieldTable, FieldValue};
use crate::wire::{Writer, length_prefixed};

impl FieldTable {
    /// Appends the table with its length prefix; a name over 255 bytes is cut on a character boundary.
    pub fn encode(&self, out: &mut Vec<u8>) {
        length_prefixed(out, |out| self.encode_fields(out));
    }

    /// The bytes of the table without the length prefix, as [`TableRef`](super::TableRef) takes them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_fields(&mut out);
        out
    }

    fn encode_fields(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            Writer::new(out).shortstr(name);
            value.encode(out);
        }
    }
}

impl FieldValue {
    /// Appends the type letter and the value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.letter());
        match self {
            FieldValue::Bool(value) => out.push(u8::from(*value)),
            FieldValue::I8(value) => out.extend_from_slice(&value.to_be_bytes()),
            FieldValue::U8(value) => out.push(*value),
            FieldValue::I16(value) => out.extend_from_slice(&value.to_be_bytes()),
            FieldValue::U16(value) => out.extend_from_slice(&value.to_be_bytes()),
            FieldValue::I32(value) => out.extend_from_slice(&value.to_be_bytes()),
            FieldValue::U32(value) => out.extend_from_slice(&value.to_be_bytes()),
            FieldValue::I64(value) => out.extend_from_slice(&value.to_be_bytes()),
            FieldValue::F32(value) => out.extend_from_slice(&value.to_be_bytes()),
            FieldValue::F64(value) => out.extend_from_slice(&value.to_be_bytes()),
            FieldValue::Decimal { scale, value } => {
                out.push(*scale);
                out.extend_from_slice(&value.to_be_bytes());
            }
            FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => Writer::new(out).longstr(bytes),
            FieldValue::Array(values) => length_prefixed(out, |out| {
                for value in values {
                    value.encode(out);
                }
            }),
            FieldValue::Timestamp(seconds) => out.extend_from_slice(&seconds.to_be_bytes()),
            FieldValue::Table(table) => table.encode(out),
            FieldValue::Void => {}
        }
    }

    fn letter(&self) -> u8 {
        match self {
            FieldValue::Bool(_) => b't',
            FieldValue::I8(_) => b'b',
            FieldValue::U8(_) => b'B',
            FieldValue::I16(_) => b's',
            FieldValue::U16(_) => b'u',
            FieldValue::I32(_) => b'I',
            FieldValue::U32(_) => b'i',
            FieldValue::I64(_) => b'l',
            FieldValue::F32(_) => b'f',
            FieldValue::F64(_) => b'd',
            FieldValue::Decimal { .. } => b'D',
            FieldValue::LongString(_) => b'S',
            FieldValue::Bytes(_) => b'x',
            FieldValue::Array(_) => b'A',
            FieldValue::Timestamp(_) => b'T',
            FieldValue::Table(_) => b'F',
            FieldValue::Void => b'V',
        }
    }
}
