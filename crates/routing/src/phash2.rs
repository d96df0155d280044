//! The hash of Erlang terms that RabbitMQ's hashing exchanges are built on: `erlang:phash2/1`.
//!
//! It is Bob Jenkins' 96-bit mix over the parts of a term, one after the other, and the same on every release and
//! machine. Here are the terms that a message can put into it: strings, numbers, and what arrays and tables are made
//! of. The tests compare with values that Erlang/OTP 25 gave.

use amqp::FieldTable;
use amqp::field::{ArrayRef, FieldRef, TableRef};

#[cfg(test)]
mod tests;

/// `phash2` gives the lowest 27 bits.
const MASK: u32 = (1 << 27) - 1;

/// 2^32 divided by the golden ratio. Every sort of term is mixed with a multiple of its own.
const GOLDEN: u32 = 0x9e37_79b9;

/// What an empty list has when nothing came before it.
const FIRST_NIL: u32 = 3_468_870_702;

/// The number by which the emulator tells an empty list from other terms.
const NIL: u32 = 2;

/// The hash of a binary.
pub(crate) fn of_binary(bytes: &[u8]) -> u32 {
    let mut hash = Hash(0);
    hash.binary(bytes);
    hash.0 & MASK
}

/// The hash of a list of binaries.
pub(crate) fn of_binaries<'a>(list: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut hash = Hash(0);
    list.into_iter().for_each(|item| hash.binary(item));
    hash.nil();
    hash.0 & MASK
}

/// The hash of an atom, which is that of its text alone.
pub(crate) fn of_atom(text: &str) -> u32 {
    let mut hash = Hash(0);
    hash.atom(text);
    hash.0 & MASK
}

/// The hash of a float.
pub(crate) fn of_float(value: f64) -> u32 {
    let mut hash = Hash(0);
    hash.float(value);
    hash.0 & MASK
}

/// The hash of an empty list.
pub(crate) fn of_nil() -> u32 {
    FIRST_NIL & MASK
}

/// The hash of a decimal as RabbitMQ keeps it: a pair of the scale and the unscaled value.
pub(crate) fn of_decimal(scale: u8, value: u32) -> u32 {
    let mut hash = Hash(0);
    hash.decimal(scale, value);
    hash.0 & MASK
}

/// The hash of an item of an array: `{Type, Value}`.
pub(crate) fn of_item(item: FieldRef<'_>) -> u32 {
    let mut hash = Hash(0);
    hash.tuple(2);
    hash.typed(item);
    hash.0 & MASK
}

/// The hash of a field of a table: `{Name, Type, Value}`.
pub(crate) fn of_field(name: &str, value: FieldRef<'_>) -> u32 {
    let mut hash = Hash(0);
    hash.field(name, value);
    hash.0 & MASK
}

/// The hash of a table, in 32 bits: `erlang:phash2(Table, 1 bsl 32)`, by which RabbitMQ's HTTP API tells bindings apart.
pub fn of_table(table: &FieldTable) -> u32 {
    let mut hash = Hash(0);
    hash.table(TableRef::new(&table.to_bytes()));
    hash.0
}

/// The hash of the terms seen so far.
struct Hash(u32);

impl Hash {
    fn binary(&mut self, bytes: &[u8]) {
        let seed = multiple(13).wrapping_add(self.0);
        self.0 = if bytes.is_empty() { seed } else { block(bytes, seed) };
    }

    fn atom(&mut self, text: &str) {
        let value = atom_value(text);
        if self.0 == 0 { self.0 = value } else { self.word(value, 3) }
    }

    fn nil(&mut self) {
        if self.0 == 0 { self.0 = FIRST_NIL } else { self.word(NIL, 2) }
    }

    fn tuple(&mut self, arity: u32) {
        self.word(arity, 9);
    }

    fn float(&mut self, value: f64) {
        // Both zeros are one.
        let bits = if value == 0.0 { 0 } else { value.to_bits() };
        self.words((bits >> 32) as u32, bits as u32, 12);
    }

    fn integer(&mut self, value: i128) {
        if (-(1 << 27)..1 << 27).contains(&value) {
            let small = value as i32;
            if small < 0 {
                self.word(small.unsigned_abs(), 1);
            }
            self.word(small as u32, 1);
        } else {
            // A digit of 64 bits holds every integer that AMQP has.
            let digit = value.unsigned_abs() as u64;
            self.words(digit as u32, (digit >> 32) as u32, if value < 0 { 10 } else { 11 });
        }
    }

    fn decimal(&mut self, scale: u8, value: u32) {
        self.tuple(2);
        self.integer(scale.into());
        self.integer(value.into());
    }

    fn field(&mut self, name: &str, value: FieldRef<'_>) {
        self.tuple(3);
        self.binary(name.as_bytes());
        self.typed(value);
    }

    /// The type's name and the value, as RabbitMQ's parser writes them one behind the other.
    fn typed(&mut self, value: FieldRef<'_>) {
        self.atom(type_atom(value));
        match value {
            FieldRef::Bool(value) => self.atom(if value { "true" } else { "false" }),
            FieldRef::I8(value) => self.integer(value.into()),
            FieldRef::U8(value) => self.integer(value.into()),
            FieldRef::I16(value) => self.integer(value.into()),
            FieldRef::U16(value) => self.integer(value.into()),
            FieldRef::I32(value) => self.integer(value.into()),
            FieldRef::U32(value) => self.integer(value.into()),
            FieldRef::I64(value) => self.integer(value.into()),
            FieldRef::Timestamp(value) => self.integer(value.into()),
            FieldRef::F32(value) => self.float(value.into()),
            FieldRef::F64(value) => self.float(value),
            FieldRef::Decimal { scale, value } => self.decimal(scale, value),
            FieldRef::LongString(bytes) | FieldRef::Bytes(bytes) => self.binary(bytes),
            FieldRef::Array(array) => self.array(array),
            FieldRef::Table(table) => self.table(table),
            FieldRef::Void => self.atom("undefined"),
        }
    }

    /// What can be read of an array; an error in it ends it there. The parser has bounded how deep it goes.
    fn array(&mut self, array: ArrayRef<'_>) {
        for item in array.iter().map_while(Result::ok) {
            self.tuple(2);
            self.typed(item);
        }
        self.nil();
    }

    fn table(&mut self, table: TableRef<'_>) {
        for (name, value) in table.iter().map_while(Result::ok) {
            self.field(name, value);
        }
        self.nil();
    }

    fn word(&mut self, value: u32, sort: u32) {
        self.words(value, 0, sort);
    }

    fn words(&mut self, first: u32, second: u32, sort: u32) {
        let constant = multiple(sort);
        self.0 = mix(constant.wrapping_add(first), constant.wrapping_add(second), self.0).2;
    }
}

/// The constant of a sort of term.
const fn multiple(sort: u32) -> u32 {
    GOLDEN.wrapping_mul(sort)
}

/// The name under which RabbitMQ knows the type of a field.
fn type_atom(value: FieldRef<'_>) -> &'static str {
    match value {
        FieldRef::Bool(_) => "bool",
        FieldRef::I8(_) => "byte",
        FieldRef::U8(_) => "unsignedbyte",
        FieldRef::I16(_) => "short",
        FieldRef::U16(_) => "unsignedshort",
        FieldRef::I32(_) => "signedint",
        FieldRef::U32(_) => "unsignedint",
        FieldRef::I64(_) => "long",
        FieldRef::F32(_) => "float",
        FieldRef::F64(_) => "double",
        FieldRef::Decimal { .. } => "decimal",
        FieldRef::LongString(_) => "longstr",
        FieldRef::Bytes(_) => "binary",
        FieldRef::Array(_) => "array",
        FieldRef::Timestamp(_) => "timestamp",
        FieldRef::Table(_) => "table",
        FieldRef::Void => "void",
    }
}

/// The hash of the emulator's table of atoms (PJW), for the ASCII atoms that are needed here.
fn atom_value(text: &str) -> u32 {
    text.bytes().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let top = hash & 0xf000_0000;
        hash ^ (top >> 24) ^ top
    })
}

/// Jenkins' hash of a run of bytes, twelve at a time.
fn block(bytes: &[u8], seed: u32) -> u32 {
    let (mut a, mut b, mut c) = (GOLDEN, GOLDEN, seed);
    let mut blocks = bytes.chunks_exact(12);
    for block in &mut blocks {
        let [first, second, third] = words_of(block);
        (a, b, c) = mix(a.wrapping_add(first), b.wrapping_add(second), c.wrapping_add(third));
    }
    let [first, second, third] = words_of(blocks.remainder());
    // The lowest byte of the last word is that of the length; what is left over moves up by one.
    let third = (third << 8).wrapping_add(bytes.len() as u32);
    mix(a.wrapping_add(first), b.wrapping_add(second), c.wrapping_add(third)).2
}

/// Up to twelve bytes as three little-endian words, with zeros behind the end.
fn words_of(bytes: &[u8]) -> [u32; 3] {
    let mut words = [0; 3];
    for (at, byte) in bytes.iter().enumerate() {
        words[at / 4] |= u32::from(*byte) << (at % 4 * 8);
    }
    words
}

fn mix(a: u32, b: u32, c: u32) -> (u32, u32, u32) {
    let (mut a, mut b, mut c) = (a, b, c);
    for (first, second, third) in [(13, 8, 13), (12, 16, 5), (3, 10, 15)] {
        a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> first);
        b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << second);
        c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> third);
    }
    (a, b, c)
}
