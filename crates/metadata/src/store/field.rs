//! Field tables in AMQP wire form.

use amqp::{FieldTable, FieldValue};

/// Nesting above this is refused, so that a damaged record cannot exhaust the stack.
const MAX_DEPTH: usize = 128;

pub(super) fn encode(table: &FieldTable) -> Vec<u8> {
    let mut out = Vec::new();
    put_fields(&mut out, table);
    out
}

pub(super) fn decode(bytes: &[u8]) -> Option<FieldTable> {
    Input(bytes).fields(0)
}

fn put_fields(out: &mut Vec<u8>, table: &FieldTable) {
    for (name, value) in table.iter() {
        out.push(u8::try_from(name.len()).expect("a field name is a short string"));
        out.extend_from_slice(name.as_bytes());
        put_value(out, value);
    }
}

fn put_value(out: &mut Vec<u8>, value: &FieldValue) {
    match value {
        FieldValue::Bool(value) => put(out, b't', &[u8::from(*value)]),
        FieldValue::I8(value) => put(out, b'b', &value.to_be_bytes()),
        FieldValue::U8(value) => put(out, b'B', &[*value]),
        FieldValue::I16(value) => put(out, b's', &value.to_be_bytes()),
        FieldValue::U16(value) => put(out, b'u', &value.to_be_bytes()),
        FieldValue::I32(value) => put(out, b'I', &value.to_be_bytes()),
        FieldValue::U32(value) => put(out, b'i', &value.to_be_bytes()),
        FieldValue::I64(value) => put(out, b'l', &value.to_be_bytes()),
        FieldValue::F32(value) => put(out, b'f', &value.to_be_bytes()),
        FieldValue::F64(value) => put(out, b'd', &value.to_be_bytes()),
        FieldValue::Decimal { scale, value } => {
            put(out, b'D', &[*scale]);
            out.extend_from_slice(&value.to_be_bytes());
        }
        FieldValue::LongString(bytes) => put_sized(out, b'S', |out| out.extend_from_slice(bytes)),
        FieldValue::Bytes(bytes) => put_sized(out, b'x', |out| out.extend_from_slice(bytes)),
        FieldValue::Array(values) => put_sized(out, b'A', |out| values.iter().for_each(|value| put_value(out, value))),
        FieldValue::Timestamp(seconds) => put(out, b'T', &seconds.to_be_bytes()),
        FieldValue::Table(table) => put_sized(out, b'F', |out| put_fields(out, table)),
        FieldValue::Void => out.push(b'V'),
    }
}

fn put(out: &mut Vec<u8>, letter: u8, bytes: &[u8]) {
    out.push(letter);
    out.extend_from_slice(bytes);
}

fn put_sized(out: &mut Vec<u8>, letter: u8, body: impl FnOnce(&mut Vec<u8>)) {
    put(out, letter, &[0; 4]);
    let start = out.len();
    body(out);
    let length = u32::try_from(out.len() - start).expect("a definition is far below 4 GiB");
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn fields(mut self, depth: usize) -> Option<FieldTable> {
        let mut fields = Vec::new();
        while !self.0.is_empty() {
            let length = usize::from(self.array::<1>()?[0]);
            let name = std::str::from_utf8(self.take(length)?).ok()?.to_owned();
            fields.push((name, self.value(depth)?));
        }
        Some(fields.into_iter().collect())
    }

    fn values(mut self, depth: usize) -> Option<Vec<FieldValue>> {
        let mut values = Vec::new();
        while !self.0.is_empty() {
            values.push(self.value(depth)?);
        }
        Some(values)
    }

    fn value(&mut self, depth: usize) -> Option<FieldValue> {
        if depth > MAX_DEPTH {
            return None;
        }
        let [letter] = self.array()?;
        Some(match letter {
            b't' => FieldValue::Bool(self.array::<1>()?[0] != 0),
            b'b' => FieldValue::I8(i8::from_be_bytes(self.array()?)),
            b'B' => FieldValue::U8(u8::from_be_bytes(self.array()?)),
            b's' => FieldValue::I16(i16::from_be_bytes(self.array()?)),
            b'u' => FieldValue::U16(u16::from_be_bytes(self.array()?)),
            b'I' => FieldValue::I32(i32::from_be_bytes(self.array()?)),
            b'i' => FieldValue::U32(u32::from_be_bytes(self.array()?)),
            b'l' => FieldValue::I64(i64::from_be_bytes(self.array()?)),
            b'f' => FieldValue::F32(f32::from_be_bytes(self.array()?)),
            b'd' => FieldValue::F64(f64::from_be_bytes(self.array()?)),
            b'D' => FieldValue::Decimal { scale: self.array::<1>()?[0], value: u32::from_be_bytes(self.array()?) },
            b'S' => FieldValue::LongString(self.sized()?.to_vec()),
            b'x' => FieldValue::Bytes(self.sized()?.to_vec()),
            b'A' => FieldValue::Array(Input(self.sized()?).values(depth + 1)?),
            b'T' => FieldValue::Timestamp(u64::from_be_bytes(self.array()?)),
            b'F' => FieldValue::Table(Input(self.sized()?).fields(depth + 1)?),
            b'V' => FieldValue::Void,
            _ => return None,
        })
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).ok()?)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}
