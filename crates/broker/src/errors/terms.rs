//! Values inside reply texts, printed as RabbitMQ prints them: resources, declare arguments and Erlang binaries.

use std::fmt;

/// A queue or exchange, printed `queue 'q' in vhost '/'`.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    kind: &'static str,
    name: &'a str,
    vhost: &'a str,
}

impl<'a> Resource<'a> {
    /// The queue `name` of `vhost`.
    pub fn queue(vhost: &'a str, name: &'a str) -> Resource<'a> {
        Resource { kind: "queue", name, vhost }
    }

    /// The exchange `name` of `vhost`.
    pub fn exchange(vhost: &'a str, name: &'a str) -> Resource<'a> {
        Resource { kind: "exchange", name, vhost }
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}' in vhost '{}'", self.kind, self.name, self.vhost)
    }
}

/// One side of an "inequivalent arg" comparison.
#[derive(Clone, Copy)]
pub enum ArgumentValue<'a> {
    /// The argument is not there: `none`.
    Missing,
    /// Both sides have the argument (and always so for properties): `'v'`.
    Value(&'a dyn fmt::Display),
    /// Only this side has it: `the value 'v' of type 'signedint'`.
    Typed {
        /// The value.
        value: &'a dyn fmt::Display,
        /// RabbitMQ's name of its field type.
        field_type: &'a str,
    },
}

impl fmt::Display for ArgumentValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArgumentValue::Missing => f.write_str("none"),
            ArgumentValue::Value(value) => write!(f, "'{value}'"),
            ArgumentValue::Typed { value, field_type } => write!(f, "the value '{value}' of type '{field_type}'"),
        }
    }
}

/// Bytes as Erlang's `~w` prints a binary: always numbers, `<<97,98>>`.
#[derive(Clone, Copy, Debug)]
pub struct Octets<'a>(pub &'a [u8]);

impl fmt::Display for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<<")?;
        for (index, byte) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{byte}")?;
        }
        f.write_str(">>")
    }
}

/// Bytes as Erlang's `~tp` prints a binary: `<<"text">>` where every byte is a printable
/// Latin 1 character, else numbers broken into lines of 80 columns.
#[derive(Clone, Copy, Debug)]
pub struct Binary<'a> {
    bytes: &'a [u8],
    /// How many columns the text before it takes: lines break by that and are indented to it.
    column: usize,
}

/// Where Erlang's printer breaks a line.
const LINE_WIDTH: usize = 80;

impl<'a> Binary<'a> {
    /// `bytes`, where `column` columns of the explanation come before them.
    pub fn new(bytes: &'a [u8], column: usize) -> Binary<'a> {
        Binary { bytes, column }
    }

    fn write_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<<\"")?;
        for &byte in self.bytes {
            match escape(byte) {
                Some(letter) => write!(f, "\\{letter}")?,
                None => write!(f, "{}", char::from(byte))?,
            }
        }
        f.write_str("\">>")
    }

    fn write_numbers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<<")?;
        let indent = self.column + 2;
        let mut column = indent;
        for (index, byte) in self.bytes.iter().enumerate() {
            let last = index + 1 == self.bytes.len();
            let token = if last { byte.to_string() } else { format!("{byte},") };
            if index > 0 && column + token.len() >= LINE_WIDTH {
                write!(f, "\n{:indent$}", "")?;
                column = indent;
            }
            f.write_str(&token)?;
            column += token.len();
        }
        f.write_str(">>")
    }
}

impl fmt::Display for Binary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.bytes.is_empty() && self.bytes.iter().all(|byte| printable(*byte)) {
            self.write_text(f)
        } else {
            self.write_numbers(f)
        }
    }
}

/// What Erlang's printer calls printable: Latin 1 without its control characters, but with those that have an escape.
fn printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | 0xa0..) || escape(byte).is_some()
}

/// The letter after a backslash in an Erlang string.
fn escape(byte: u8) -> Option<char> {
    Some(match byte {
        b'\n' => 'n',
        b'\r' => 'r',
        b'\t' => 't',
        0x0b => 'v',
        0x08 => 'b',
        0x0c => 'f',
        0x1b => 'e',
        b'"' => '"',
        b'\\' => '\\',
        _ => return None,
    })
}

/// A frame in a framing error: its type and first 16 octets, `9, all octets = <<"abc">>`.
#[derive(Clone, Copy, Debug)]
pub struct Snippet<'a> {
    frame_type: u8,
    payload: &'a [u8],
}

impl<'a> Snippet<'a> {
    /// A frame of `frame_type` carrying `payload`.
    pub fn new(frame_type: u8, payload: &'a [u8]) -> Snippet<'a> {
        Snippet { frame_type, payload }
    }
}

impl fmt::Display for Snippet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (which, bytes) = match self.payload.first_chunk::<16>() {
            Some(first) if self.payload.len() > 16 => ("first 16", first.as_slice()),
            _ => ("all", self.payload),
        };
        let before = format!("{}, {which} octets = ", self.frame_type);
        write!(f, "{before}{}", Binary::new(bytes, "type ".len() + before.len()))
    }
}
