//! Delayed messages: what the header x-delay says, and what a message becomes when its time has come.
//!
//! A publish that is to wait goes to a queue of its virtual host that clients do not see, whole as it was published, and
//! an entry of the store's calendar says when it is due. Then it is routed by the exchange that it was published to, as
//! that is by then. See `core/delay.rs` for how.

use crate::channel::properties::routing_keys;
use amqp::properties::CutProperties;
use amqp::{FieldRef, PropertiesRef, TableRef};
use store::{Arena, Message, MessageParts};

/// The header with the delay in ms.
const HEADER: &str = "x-delay";
/// Longer delays are none: a hundred years in ms. The plugin's end at 2^32 - 1 ms, nearly 50 days.
const LONGEST_MS: i64 = 100 * 365 * 24 * 3_600_000;

/// How long a message with these headers waits in ms; `None` when it does not.
///
/// As the plugin `rabbitmq_delayed_message_exchange`: floats are cut off, strings read as numbers; what is no number, 0,
/// negative or too long delays nothing.
pub(crate) fn delay_ms(headers: TableRef<'_>) -> Option<u64> {
    header_value(headers).filter(|delay_ms| (1..=LONGEST_MS).contains(delay_ms)).map(i64::unsigned_abs)
}

fn header_value(headers: TableRef<'_>) -> Option<i64> {
    let value = headers.find(HEADER)?;
    match value {
        FieldRef::LongString(text) | FieldRef::Bytes(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        FieldRef::F32(delay) => whole(delay.into()),
        FieldRef::F64(delay) => whole(delay),
        _ => value.as_i64(),
    }
}

fn whole(delay: f64) -> Option<i64> {
    (delay.abs() <= LONGEST_MS as f64).then_some(delay as i64)
}

/// When a message that waits is due, in ms since 1970.
pub(crate) fn due_ms(message: &Message) -> u64 {
    let headers = PropertiesRef::of_payload(message.parts().header).and_then(|properties| properties.headers());
    message.entered_ms().saturating_add(headers.and_then(delay_ms).unwrap_or(0))
}

/// What is routed when the time of a message has come.
pub(crate) struct Released {
    header: Vec<u8>,
    /// Routing keys of CC and BCC.
    pub(crate) more_keys: Vec<Vec<u8>>,
}

impl Released {
    /// The delay in the header is negated, so that who gets it sees that it was delayed, and no other exchange delays it
    /// again. BCC goes, as it does at a publish that does not wait.
    pub(crate) fn of(message: &Message) -> Released {
        let parts = message.parts();
        let properties = PropertiesRef::of_payload(parts.header).and_then(CutProperties::of).unwrap_or_default();
        let keys = |name| routing_keys(properties.headers, name).unwrap_or_default();
        let more_keys = [keys("CC"), keys("BCC")].concat();
        let delay = header_value(properties.headers).unwrap_or(0);
        let mut header = Vec::with_capacity(parts.header.len() + HEADER.len() + 10);
        properties.encode_header(message.body_len() as u64, &mut header, |out| {
            let stays = |name: &str| name != HEADER && name != "BCC";
            for (_, _, raw) in properties.headers.raw_fields().filter(|(name, ..)| stays(name)) {
                out.extend_from_slice(raw);
            }
            out.push(HEADER.len() as u8);
            out.extend_from_slice(HEADER.as_bytes());
            out.push(b'l');
            out.extend_from_slice(&delay.wrapping_neg().to_be_bytes());
        });
        Released { header, more_keys }
    }

    /// The properties that it is routed by, headers among them.
    pub(crate) fn properties(&self) -> PropertiesRef<'_> {
        PropertiesRef::of_payload(&self.header).unwrap_or_default()
    }

    /// Stores it as the message that its queues get, entering them at `entered_ms`.
    pub(crate) fn store(&self, message: &Message, arena: &mut Arena, entered_ms: u64) -> Message {
        let parts = message.parts();
        message.rewrite(arena, MessageParts { header: &self.header, entered_ms, ..parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amqp::{FieldTable, FieldValue};

    fn delay_of(value: FieldValue) -> Option<u64> {
        let mut table = FieldTable::new();
        table.insert(HEADER, value);
        delay_ms(TableRef::new(&table.to_bytes()))
    }

    #[test]
    fn delays_are_read_as_the_plugin_reads_them() {
        for (value, expected) in [
            (FieldValue::I32(5000), Some(5000)),
            (FieldValue::I64(1), Some(1)),
            (FieldValue::U8(200), Some(200)),
            (FieldValue::I16(300), Some(300)),
            (FieldValue::U32(u32::MAX), Some(u64::from(u32::MAX))),
            (FieldValue::I64(LONGEST_MS), Some(LONGEST_MS as u64)),
            (FieldValue::I64(LONGEST_MS + 1), None),
            (FieldValue::I64(i64::MIN), None),
            (FieldValue::I32(0), None),
            (FieldValue::I32(-5000), None),
            (FieldValue::F64(10.9), Some(10)),
            (FieldValue::F64(0.9), None),
            (FieldValue::F64(f64::NAN), None),
            (FieldValue::F64(f64::INFINITY), None),
            (FieldValue::LongString(b"1500".to_vec()), Some(1500)),
            (FieldValue::LongString(b"+15".to_vec()), Some(15)),
            (FieldValue::LongString(b"soon".to_vec()), None),
            (FieldValue::LongString(Vec::new()), None),
            (FieldValue::Bool(true), None),
            (FieldValue::Timestamp(5000), None),
            (FieldValue::Void, None),
        ] {
            assert_eq!(delay_of(value.clone()), expected, "{value:?}");
        }
        assert_eq!(delay_ms(TableRef::new(&[])), None);
    }
}
