//! The bytes inside a record: big-endian numbers, length-prefixed text and AMQP field tables.

use amqp::{FieldTable, FieldValue};

/// Appends fields to a record.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Writer {
        Writer::default()
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn flags(&mut self, flags: &[bool]) {
        self.byte(flags.iter().rev().fold(0, |bits, &flag| bits << 1 | u8::from(flag)));
    }

    pub(super) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub(super) fn list(&mut self, values: &[String]) {
        self.length(values.len());
        for value in values {
            self.text(value);
        }
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.0.extend_from_slice(value);
    }

    pub(super) fn length(&mut self, length: usize) {
        let length = u32::try_from(length).expect("a definition is far below 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
    }
}

impl Writer {
    pub(super) fn table(&mut self, table: &FieldTable) {
        self.bytes(&encoded_table(table));
    }
}

/// Takes fields from a record in the order in which they were written; `None` where the record is too short or wrong.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// True when nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` if the record has been read to its end.
    pub(super) fn finish<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn flags<const N: usize>(&mut self) -> Option<[bool; N]> {
        let bits = self.byte()?;
        (u32::from(bits) >> N == 0).then(|| std::array::from_fn(|at| bits >> at & 1 == 1))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        std::str::from_utf8(self.bytes()?).ok().map(str::to_owned)
    }

    pub(super) fn list(&mut self) -> Option<Vec<String>> {
        let length = self.length()?;
        let mut values = Vec::new(); // grown by what is there, not by the declared length
        for _ in 0..length {
            values.push(self.text()?);
        }
        Some(values)
    }

    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }

    pub(super) fn table(&mut self) -> Option<FieldTable> {
        decoded_table(self.bytes()?)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// A length or a count, as declared: nothing may be allocated by it.
    pub(super) fn length(&mut self) -> Option<usize> {
        self.array().map(u32::from_be_bytes).and_then(|length| usize::try_from(length).ok())
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

/// The fields of `table` in AMQP wire form, without the length in front.
pub(crate) fn encoded_table(table: &FieldTable) -> Vec<u8> {
    table.to_bytes()
}

/// The table whose fields are `bytes`.
pub(super) fn decoded_table(bytes: &[u8]) -> Option<FieldTable> {
    FieldTable::from_slice(bytes).ok()
}

/// Wraps a lone value, which AMQP can only write as a field of a table.
pub(super) fn table_of(value: &FieldValue) -> FieldTable {
    FieldTable::from_iter([("value".to_owned(), value.clone())])
}

/// The value that [`table_of`] wrapped.
pub(super) fn value_of(mut table: FieldTable) -> Option<FieldValue> {
    table.remove("value").filter(|_| table.is_empty())
}
