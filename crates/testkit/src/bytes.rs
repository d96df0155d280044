//! The basic data types of AMQP 0-9-1 (section 4.2.5), written and read apart from the broker's own codec, so that a
//! mistake there cannot hide behind the same mistake here.

use crate::value::{Table, Value};

/// Appends data types to a buffer; each method returns the writer for the next.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// The bytes written.
    pub fn finish(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// 8 bits.
    pub fn octet(&mut self, value: u8) -> &mut Writer {
        self.raw(&[value])
    }

    /// 16 bits.
    pub fn short(&mut self, value: u16) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// 32 bits.
    pub fn long(&mut self, value: u32) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// 64 bits.
    pub fn longlong(&mut self, value: u64) -> &mut Writer {
        self.raw(&value.to_be_bytes())
    }

    /// A short string; panics above 255 bytes.
    pub fn short_string(&mut self, text: &str) -> &mut Writer {
        let length = u8::try_from(text.len()).unwrap_or_else(|_| panic!("{} bytes in a short string", text.len()));
        self.octet(length).raw(text.as_bytes())
    }

    /// A long string.
    pub fn long_string(&mut self, bytes: &[u8]) -> &mut Writer {
        self.long(u32_length(bytes)).raw(bytes)
    }

    /// Flags packed into one octet, the first in the lowest bit.
    pub fn bits(&mut self, flags: &[bool]) -> &mut Writer {
        let packed = flags.iter().enumerate().fold(0, |octet, (at, flag)| octet | (u8::from(*flag) << at));
        self.octet(packed)
    }

    /// A field table.
    pub fn table(&mut self, table: &Table) -> &mut Writer {
        let mut inner = Writer::default();
        for (name, value) in table {
            inner.short_string(name);
            value.write(&mut inner);
        }
        self.long_string(&inner.bytes)
    }
}

fn u32_length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or_else(|_| panic!("{} bytes do not fit a length", bytes.len()))
}

/// Reads data types; panics where the bytes end early, since a broker that sends such bytes has failed its test.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// True when all is read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `length` bytes.
    #[track_caller]
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            panic!("{length} bytes wanted where {} are left", self.bytes.len());
        };
        self.bytes = rest;
        taken
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N));
        array
    }

    /// 8 bits.
    pub fn octet(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }

    /// 16 bits.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// 32 bits.
    pub fn long(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// 64 bits.
    pub fn longlong(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// A short string.
    pub fn short_string(&mut self) -> String {
        let length = self.octet().into();
        let bytes = self.take(length);
        String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| panic!("a short string that is not UTF-8: {bytes:?}"))
    }

    /// A long string.
    pub fn long_string(&mut self) -> Vec<u8> {
        let length = self.long() as usize;
        self.take(length).to_vec()
    }

    /// A field table.
    pub fn table(&mut self) -> Table {
        let bytes = self.long_string();
        let mut inner = Reader::new(&bytes);
        let mut table = Table::new();
        while !inner.is_empty() {
            let name = inner.short_string();
            table.push((name, Value::read(&mut inner)));
        }
        table
    }
}
