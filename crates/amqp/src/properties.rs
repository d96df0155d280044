//! Content headers and the basic class's properties (AMQP 0-9-1 section 4.2.6.1).
//!
//! A header is kept as it arrived: [`PropertiesRef`] holds the flags and the bytes, and reads a property only when asked.

mod rewrite;
#[cfg(test)]
mod tests;

pub use rewrite::{CutProperties, with_header};

use crate::field::TableRef;
use crate::wire::{Reader, Writer};

/// Flag of content-type.
pub const CONTENT_TYPE: u16 = 1 << 15;
/// Flag of content-encoding.
pub const CONTENT_ENCODING: u16 = 1 << 14;
/// Flag of headers.
pub const HEADERS: u16 = 1 << 13;
/// Flag of delivery-mode.
pub const DELIVERY_MODE: u16 = 1 << 12;
/// Flag of priority.
pub const PRIORITY: u16 = 1 << 11;
/// Flag of correlation-id.
pub const CORRELATION_ID: u16 = 1 << 10;
/// Flag of reply-to.
pub const REPLY_TO: u16 = 1 << 9;
/// Flag of expiration.
pub const EXPIRATION: u16 = 1 << 8;
/// Flag of message-id.
pub const MESSAGE_ID: u16 = 1 << 7;
/// Flag of timestamp.
pub const TIMESTAMP: u16 = 1 << 6;
/// Flag of type.
pub const KIND: u16 = 1 << 5;
/// Flag of user-id.
pub const USER_ID: u16 = 1 << 4;
/// Flag of app-id.
pub const APP_ID: u16 = 1 << 3;
/// Flag of cluster-id.
pub const CLUSTER_ID: u16 = 1 << 2;

/// The class that carries content.
pub const CLASS_BASIC: u16 = 60;
/// Bytes of a content header's payload before its properties' values: class, weight, body size, flags.
pub const CONTENT_HEADER_MIN_SIZE: usize = 14;

/// Why bytes are no content header or no properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// Too short for class, weight and body size: RabbitMQ calls it an unknown frame (501).
    #[error("content header is cut short")]
    HeaderTruncated,
    /// A weight other than zero: RabbitMQ takes it for something that is no content header (505).
    #[error("content header has weight {0}")]
    Weight(u16),
    /// A property runs past the end, or bytes are left over.
    #[error("properties do not fit their flags")]
    Malformed,
    /// A string property is not UTF-8.
    #[error("property is not UTF-8")]
    NotUtf8,
}

/// The payload of a content header frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The class of the method before it.
    pub class_id: u16,
    /// Bytes of the body that follows.
    pub body_size: u64,
    /// The properties as they arrived.
    pub properties: PropertiesRef<'a>,
}

impl<'a> ContentHeader<'a> {
    /// Splits a payload; the properties are not looked into, as RabbitMQ does not before it routes. A payload without
    /// flags has none.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<ContentHeader<'a>, PropertiesError> {
        let mut reader = Reader::new(payload);
        let (Some(class_id), Some(weight), Some(body_size)) = (reader.u16(), reader.u16(), reader.u64()) else {
            return Err(PropertiesError::HeaderTruncated);
        };
        if weight != 0 {
            return Err(PropertiesError::Weight(weight));
        }
        let flags = reader.u16().ok_or(PropertiesError::Malformed)?;
        Ok(ContentHeader { class_id, body_size, properties: PropertiesRef { flags, bytes: reader.rest() } })
    }
}

/// Property flags and the bytes of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertiesRef<'a> {
    /// Which properties are there, from bit 15 down. RabbitMQ ignores the two lowest bits, continuation among them.
    pub flags: u16,
    /// The values in the order of the flags.
    pub bytes: &'a [u8],
}

impl<'a> PropertiesRef<'a> {
    /// The properties in the payload of a content header, unchecked; `None` when it is too short to have flags.
    #[inline]
    pub fn of_payload(payload: &'a [u8]) -> Option<PropertiesRef<'a>> {
        let (start, bytes) = payload.split_first_chunk::<CONTENT_HEADER_MIN_SIZE>()?;
        Some(PropertiesRef { flags: u16::from_be_bytes([start[12], start[13]]), bytes })
    }

    /// True when any of `flags` is set.
    #[inline]
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    /// True when there is nothing in it but perhaps a delivery mode and a priority, so that there is nothing to look into.
    #[inline]
    pub fn is_plain(&self) -> bool {
        if self.flags == 0 {
            return self.bytes.is_empty();
        }
        let octets = usize::from(self.has(DELIVERY_MODE)) + usize::from(self.has(PRIORITY));
        !self.has(!(DELIVERY_MODE | PRIORITY)) && self.bytes.len() == octets
    }

    /// Reads every property; the headers table stays to be read on demand.
    pub fn decode(&self) -> Result<Properties<'a>, PropertiesError> {
        let mut values = Values { flags: self.flags, reader: Reader::new(self.bytes) };
        let properties = Properties {
            content_type: values.shortstr(CONTENT_TYPE)?,
            content_encoding: values.shortstr(CONTENT_ENCODING)?,
            headers: values.value(HEADERS, Reader::longstr)?.map(TableRef::new),
            delivery_mode: values.value(DELIVERY_MODE, Reader::u8)?,
            priority: values.value(PRIORITY, Reader::u8)?,
            correlation_id: values.shortstr(CORRELATION_ID)?,
            reply_to: values.shortstr(REPLY_TO)?,
            expiration: values.shortstr(EXPIRATION)?,
            message_id: values.shortstr(MESSAGE_ID)?,
            timestamp: values.value(TIMESTAMP, Reader::u64)?,
            kind: values.shortstr(KIND)?,
            user_id: values.shortstr(USER_ID)?,
            app_id: values.shortstr(APP_ID)?,
            cluster_id: values.shortstr(CLUSTER_ID)?,
        };
        if !values.reader.rest().is_empty() {
            return Err(PropertiesError::Malformed);
        }
        Ok(properties)
    }

    /// The delivery mode, reading over what stands before it; `None` too when that does not fit its flags.
    #[inline]
    pub fn delivery_mode(&self) -> Option<u8> {
        self.seek(DELIVERY_MODE)?.u8()
    }

    /// The headers table, reading over what stands before it; `None` too when that does not fit its flags.
    #[inline]
    pub fn headers(&self) -> Option<TableRef<'a>> {
        self.seek(HEADERS)?.longstr().map(TableRef::new)
    }

    /// The priority, reading over what stands before it; `None` too when that does not fit its flags.
    #[inline]
    pub fn priority(&self) -> Option<u8> {
        self.seek(PRIORITY)?.u8()
    }

    /// The expiration in ms, reading over what stands before it; `None` too when it is no number below 2^64. A sign may
    /// stand before it, as RabbitMQ accepts it.
    #[inline]
    pub fn expiration_ms(&self) -> Option<u64> {
        expiration_ms(self.seek(EXPIRATION)?.shortstr()?)
    }

    /// At the value of the property `flag`, one of those up to expiration, where that is there.
    ///
    /// The comparisons are of constants where this is used, which leaves the properties that stand before.
    #[inline(always)]
    fn seek(&self, flag: u16) -> Option<Reader<'a>> {
        if !self.has(flag) {
            return None;
        }
        let mut reader = Reader::new(self.bytes);
        if flag < CONTENT_TYPE && self.has(CONTENT_TYPE) {
            reader.shortstr()?;
        }
        if flag < CONTENT_ENCODING && self.has(CONTENT_ENCODING) {
            reader.shortstr()?;
        }
        if flag < HEADERS && self.has(HEADERS) {
            reader.longstr()?;
        }
        if flag < DELIVERY_MODE && self.has(DELIVERY_MODE) {
            reader.u8()?;
        }
        if flag < PRIORITY && self.has(PRIORITY) {
            reader.u8()?;
        }
        if flag < CORRELATION_ID && self.has(CORRELATION_ID) {
            reader.shortstr()?;
        }
        if flag < REPLY_TO && self.has(REPLY_TO) {
            reader.shortstr()?;
        }
        Some(reader)
    }

    /// Appends the payload of a content header with these properties: class 60, weight 0.
    #[inline]
    pub fn encode_header(&self, body_size: u64, out: &mut Vec<u8>) {
        out.reserve(CONTENT_HEADER_MIN_SIZE + self.bytes.len());
        write_header_start(body_size, out);
        out.extend_from_slice(&self.flags.to_be_bytes());
        out.extend_from_slice(self.bytes);
    }
}

/// The priority in the payload of a content header.
#[inline]
pub fn priority_of(payload: &[u8]) -> Option<u8> {
    PropertiesRef::of_payload(payload)?.priority()
}

/// The expiration in the payload of a content header, in ms.
#[inline]
pub fn expiration_of(payload: &[u8]) -> Option<u64> {
    PropertiesRef::of_payload(payload)?.expiration_ms()
}

#[inline]
fn expiration_ms(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text.split_first()? {
        (b'+', digits) => (false, digits),
        (b'-', digits) => (true, digits),
        _ => (false, text),
    };
    let ms = digits.iter().try_fold(0, |value: u64, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })?;
    (!digits.is_empty() && (!negative || ms == 0)).then_some(ms)
}

struct Values<'a> {
    flags: u16,
    reader: Reader<'a>,
}

impl<'a> Values<'a> {
    #[inline]
    fn value<T>(
        &mut self,
        flag: u16,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Result<Option<T>, PropertiesError> {
        if self.flags & flag == 0 {
            return Ok(None);
        }
        read(&mut self.reader).ok_or(PropertiesError::Malformed).map(Some)
    }

    #[inline]
    fn shortstr(&mut self, flag: u16) -> Result<Option<&'a str>, PropertiesError> {
        let Some(bytes) = self.value(flag, Reader::shortstr)? else { return Ok(None) };
        std::str::from_utf8(bytes).map(Some).map_err(|_| PropertiesError::NotUtf8)
    }
}

/// The properties of the basic class, borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields carry the specification's names; kind is the property type")]
pub struct Properties<'a> {
    pub content_type: Option<&'a str>,
    pub content_encoding: Option<&'a str>,
    pub headers: Option<TableRef<'a>>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<&'a str>,
    pub reply_to: Option<&'a str>,
    pub expiration: Option<&'a str>,
    pub message_id: Option<&'a str>,
    pub timestamp: Option<u64>,
    pub kind: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub app_id: Option<&'a str>,
    pub cluster_id: Option<&'a str>,
}

impl Properties<'_> {
    /// Which properties are there.
    pub fn flags(&self) -> u16 {
        let flag = |present: bool, flag: u16| if present { flag } else { 0 };
        flag(self.content_type.is_some(), CONTENT_TYPE)
            | flag(self.content_encoding.is_some(), CONTENT_ENCODING)
            | flag(self.headers.is_some(), HEADERS)
            | flag(self.delivery_mode.is_some(), DELIVERY_MODE)
            | flag(self.priority.is_some(), PRIORITY)
            | flag(self.correlation_id.is_some(), CORRELATION_ID)
            | flag(self.reply_to.is_some(), REPLY_TO)
            | flag(self.expiration.is_some(), EXPIRATION)
            | flag(self.message_id.is_some(), MESSAGE_ID)
            | flag(self.timestamp.is_some(), TIMESTAMP)
            | flag(self.kind.is_some(), KIND)
            | flag(self.user_id.is_some(), USER_ID)
            | flag(self.app_id.is_some(), APP_ID)
            | flag(self.cluster_id.is_some(), CLUSTER_ID)
    }

    /// Appends flags and values.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.bytes(&self.flags().to_be_bytes());
        for text in [self.content_type, self.content_encoding].into_iter().flatten() {
            writer.shortstr(text);
        }
        if let Some(headers) = self.headers {
            writer.longstr(headers.bytes());
        }
        for octet in [self.delivery_mode, self.priority].into_iter().flatten() {
            writer.bytes(&[octet]);
        }
        for text in [self.correlation_id, self.reply_to, self.expiration, self.message_id].into_iter().flatten() {
            writer.shortstr(text);
        }
        if let Some(timestamp) = self.timestamp {
            writer.bytes(&timestamp.to_be_bytes());
        }
        for text in [self.kind, self.user_id, self.app_id, self.cluster_id].into_iter().flatten() {
            writer.shortstr(text);
        }
    }

    /// Appends the payload of a content header: class 60, weight 0, body size, flags and values.
    pub fn encode_header(&self, body_size: u64, out: &mut Vec<u8>) {
        write_header_start(body_size, out);
        self.encode(out);
    }
}

#[inline]
fn write_header_start(body_size: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&CLASS_BASIC.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&body_size.to_be_bytes());
}
