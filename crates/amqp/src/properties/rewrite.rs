//! Content headers written anew with few changes, everything else byte for byte.

use super::{
    CONTENT_ENCODING, CONTENT_HEADER_MIN_SIZE, CONTENT_TYPE, CORRELATION_ID, DELIVERY_MODE, EXPIRATION, HEADERS,
    PRIORITY, PropertiesRef, REPLY_TO,
};
use crate::field::TableRef;
use crate::wire::{Reader, Writer, length_prefixed};

/// Properties cut at those that the broker changes in what it passes on: the headers table and the expiration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutProperties<'a> {
    flags: u16,
    before_headers: &'a [u8],
    /// The headers table; an empty one where there is none.
    pub headers: TableRef<'a>,
    between: &'a [u8],
    /// The expiration as it was written.
    pub expiration: Option<&'a [u8]>,
    after: &'a [u8],
}

impl<'a> CutProperties<'a> {
    /// Cuts `properties`; `None` when their values up to the expiration do not fit their flags.
    pub fn of(properties: PropertiesRef<'a>) -> Option<CutProperties<'a>> {
        let mut reader = Reader::new(properties.bytes);
        for flag in [CONTENT_TYPE, CONTENT_ENCODING] {
            if properties.has(flag) {
                reader.shortstr()?;
            }
        }
        let before_headers = consumed(properties.bytes, &reader);
        let headers = if properties.has(HEADERS) { reader.longstr()? } else { &[] };
        let behind_headers = reader.rest();
        for flag in [DELIVERY_MODE, PRIORITY] {
            if properties.has(flag) {
                reader.u8()?;
            }
        }
        for flag in [CORRELATION_ID, REPLY_TO] {
            if properties.has(flag) {
                reader.shortstr()?;
            }
        }
        let between = consumed(behind_headers, &reader);
        let expiration = if properties.has(EXPIRATION) { Some(reader.shortstr()?) } else { None };
        let (flags, headers, after) = (properties.flags, TableRef::new(headers), reader.rest());
        Some(CutProperties { flags, before_headers, headers, between, expiration, after })
    }

    /// The expiration in ms.
    pub fn expiration_ms(&self) -> Option<u64> {
        super::expiration_ms(self.expiration?)
    }

    /// The same properties without an expiration.
    pub fn without_expiration(self) -> CutProperties<'a> {
        CutProperties { flags: self.flags & !EXPIRATION, expiration: None, ..self }
    }

    /// Appends the payload of a content header with these properties, with the fields that `write` appends in place of
    /// the headers.
    pub fn encode_header(&self, body_size: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        super::write_header_start(body_size, out);
        out.extend_from_slice(&(self.flags | HEADERS).to_be_bytes());
        out.extend_from_slice(self.before_headers);
        length_prefixed(out, write);
        out.extend_from_slice(self.between);
        if let Some(expiration) = self.expiration {
            Writer::new(out).shortbytes(expiration);
        }
        out.extend_from_slice(self.after);
    }
}

/// What `reader` has read of `bytes`.
fn consumed<'a>(bytes: &'a [u8], reader: &Reader<'a>) -> &'a [u8] {
    bytes.get(..bytes.len() - reader.rest().len()).unwrap_or_default()
}

/// The payload of a content header with the header `name` set to `value`, a 64-bit integer; everything else stays as it
/// is. `None` when `payload` is no content header.
pub fn with_header(payload: &[u8], name: &str, value: i64) -> Option<Vec<u8>> {
    let (start, _) = payload.split_first_chunk::<CONTENT_HEADER_MIN_SIZE>()?;
    let body_size = u64::from_be_bytes(*start.get(4..12)?.first_chunk()?);
    let properties = CutProperties::of(PropertiesRef::of_payload(payload)?)?;
    let mut out = Vec::with_capacity(payload.len() + name.len() + 14);
    properties.encode_header(body_size, &mut out, |out| {
        for (_, _, raw) in properties.headers.raw_fields().filter(|(other, ..)| *other != name) {
            out.extend_from_slice(raw);
        }
        Writer::new(out).shortstr(name);
        out.push(b'l');
        out.extend_from_slice(&value.to_be_bytes());
    });
    Some(out)
}
