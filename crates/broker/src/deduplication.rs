//! Deduplication as the community plugin rabbitmq-message-deduplication has it: what makes two messages the same, and
//! what is known of those that were seen.
//!
//! Values of the header `x-deduplication-header` are kept as fingerprints of 128 bits. An exchange remembers them in a
//! [`Window`] for a while, a queue in its [`Present`] as long as their messages are in it.

mod fingerprint;
mod present;
mod window;

pub(crate) use present::Present;
pub(crate) use window::{Claim, KeyRecord, Window};

use amqp::{FieldRef, TableRef};
use fingerprint::fingerprint;

/// The header that says which messages are the same.
const HEADER: &str = "x-deduplication-header";
/// The header with the time in ms for which an exchange remembers the message.
const TTL_HEADER: &str = "x-cache-ttl";

/// The fingerprint of what makes a message the same as others; `None` for one that is never a duplicate.
///
/// As in the plugin the value counts and not its width: 1 as a byte is 1 as a long, and neither is `"1"` or 1.0. Without a
/// value it is a value too. Arrays and tables are not looked at, which end the plugin's channel.
pub(crate) fn key_of(headers: Option<TableRef<'_>>) -> Option<u128> {
    const TEXT: u8 = 0;
    const INTEGER: u8 = 1;
    const FLOAT: u8 = 2;
    const BOOLEAN: u8 = 3;
    const NOTHING: u8 = 4;
    let integer = |value: i128| fingerprint(INTEGER, &value.to_le_bytes());
    let float = |value: f64| fingerprint(FLOAT, &value.to_bits().to_le_bytes());
    let value = headers?.find(HEADER)?;
    if let Some(value) = value.as_i64() {
        return Some(integer(value.into()));
    }
    let key = match value {
        FieldRef::LongString(bytes) | FieldRef::Bytes(bytes) => fingerprint(TEXT, bytes),
        // In ms, as RabbitMQ has timestamps since 3.13.
        FieldRef::Timestamp(seconds) => integer(i128::from(seconds) * 1000),
        FieldRef::F32(value) => float(value.into()),
        FieldRef::F64(value) => float(value),
        FieldRef::Bool(value) => fingerprint(BOOLEAN, &[u8::from(value)]),
        FieldRef::Void => fingerprint(NOTHING, &[]),
        // Integers were before.
        _ => return None,
    };
    Some(key)
}

/// For how long an exchange is to remember the message, in ms, if the message says so.
pub(crate) fn ttl_of(headers: Option<TableRef<'_>>) -> Option<u64> {
    let ttl_ms = headers?.find(TTL_HEADER)?.as_i64()?;
    Some(u64::try_from(ttl_ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use amqp::{FieldTable, FieldValue};

    fn key(value: FieldValue) -> Option<u128> {
        let headers = FieldTable::from_iter([(HEADER.to_owned(), value)]).to_bytes();
        key_of(Some(TableRef::new(&headers)))
    }

    #[test]
    fn values_count_and_not_their_width() {
        let text = |text: &str| FieldValue::LongString(text.as_bytes().to_vec());
        let same = [FieldValue::I8(1), FieldValue::U32(1), FieldValue::I64(1)];
        assert!(same.iter().all(|value| key(value.clone()) == key(FieldValue::I32(1))));
        assert_eq!(key(text("a")), key(FieldValue::Bytes(b"a".to_vec())));
        assert_eq!(key(FieldValue::F32(1.5)), key(FieldValue::F64(1.5)));
        let different = [
            text("1"),
            text(""),
            FieldValue::I32(1),
            FieldValue::I32(-1),
            FieldValue::F64(1.0),
            FieldValue::Bool(true),
            FieldValue::Bool(false),
            FieldValue::Void,
        ];
        let keys: std::collections::HashSet<_> = different.iter().filter_map(|value| key(value.clone())).collect();
        assert_eq!(keys.len(), different.len());
        assert_eq!(key(FieldValue::Array(vec![FieldValue::I8(1)])), None);
        assert_eq!(key_of(None), None);
    }
}
