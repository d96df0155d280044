//! What is encoded decodes to itself, for arbitrary tables, properties and methods.

use amqp::method::{basic, connection, exchange, queue};
use amqp::{ContentHeader, FieldRef, FieldTable, FieldValue, Method, Properties, TableRef};
use proptest::collection::vec;
use proptest::prelude::*;

fn scalar() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        any::<bool>().prop_map(FieldValue::Bool),
        any::<i8>().prop_map(FieldValue::I8),
        any::<u8>().prop_map(FieldValue::U8),
        any::<i16>().prop_map(FieldValue::I16),
        any::<u16>().prop_map(FieldValue::U16),
        any::<i32>().prop_map(FieldValue::I32),
        any::<u32>().prop_map(FieldValue::U32),
        any::<i64>().prop_map(FieldValue::I64),
        (-1e30f32..1e30).prop_map(FieldValue::F32),
        (-1e300f64..1e300).prop_map(FieldValue::F64),
        any::<(u8, u32)>().prop_map(|(scale, value)| FieldValue::Decimal { scale, value }),
        vec(any::<u8>(), 0..40).prop_map(FieldValue::LongString),
        vec(any::<u8>(), 0..40).prop_map(FieldValue::Bytes),
        any::<u64>().prop_map(FieldValue::Timestamp),
        Just(FieldValue::Void),
    ]
}

fn fields(value: impl Strategy<Value = FieldValue>) -> impl Strategy<Value = FieldTable> {
    vec((short_text(), value), 0..6).prop_map(FieldTable::from_iter)
}

fn table() -> impl Strategy<Value = FieldTable> {
    let value = scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![vec(inner.clone(), 0..5).prop_map(FieldValue::Array), fields(inner).prop_map(FieldValue::Table)]
    });
    fields(value)
}

/// Text of at most 255 bytes, any characters.
fn short_text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..60).prop_map(String::from_iter)
}

fn check(method: Method<'_>) -> Result<(), TestCaseError> {
    let mut payload = Vec::new();
    method.encode(&mut payload);
    prop_assert_eq!(Method::decode(&payload), Ok(method));
    for len in 4..payload.len() {
        prop_assert!(Method::decode(&payload[..len]).is_err(), "{} bytes of {}", len, payload.len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn tables(table in table()) {
        let bytes = table.to_bytes();
        prop_assert!(TableRef::parse(&bytes).is_ok());
        prop_assert_eq!(FieldTable::from_slice(&bytes), Ok(table.clone()));
        let mut prefixed = Vec::new();
        table.encode(&mut prefixed);
        prop_assert_eq!(&prefixed[..4], &(bytes.len() as u32).to_be_bytes()[..]);
        prop_assert_eq!(&prefixed[4..], &bytes[..]);
        for (name, _) in table.iter() {
            let found = TableRef::new(&bytes).find(name).map(FieldRef::to_owned);
            prop_assert_eq!(found, table.get(name).cloned().map(Ok));
        }
    }

    #[test]
    fn properties(
        texts in vec(proptest::option::of(short_text()), 10),
        headers in proptest::option::of(table()),
        delivery_mode: Option<u8>, priority: Option<u8>, timestamp: Option<u64>, body_size: u64,
    ) {
        let headers = headers.map(|table| table.to_bytes());
        let text = |at: usize| texts[at].as_deref();
        let properties = Properties {
            content_type: text(0), content_encoding: text(1), headers: headers.as_deref().map(TableRef::new),
            delivery_mode, priority, correlation_id: text(2), reply_to: text(3), expiration: text(4),
            message_id: text(5), timestamp, kind: text(6), user_id: text(7), app_id: text(8), cluster_id: text(9),
        };
        let mut payload = Vec::new();
        properties.encode_header(body_size, &mut payload);
        let header = ContentHeader::parse(&payload).expect("encoded here");
        prop_assert_eq!(header.body_size, body_size);
        prop_assert_eq!(header.properties.decode(), Ok(properties));
        prop_assert_eq!(header.properties.delivery_mode(), delivery_mode);
        prop_assert_eq!(header.properties.headers(), properties.headers);
    }

    #[test]
    fn methods(
        a in short_text(), b in short_text(), c in short_text(), bits: [bool; 5],
        long in vec(any::<u8>(), 0..300), table in table(), number: u64,
    ) {
        let (bytes, [b0, b1, b2, b3, b4]) = (table.to_bytes(), bits);
        let (exchange, routing_key, arguments) = (a.as_str(), b.as_str(), TableRef::new(&bytes));
        check(basic::Publish { exchange: exchange.into(), routing_key: routing_key.into(), mandatory: b0, immediate: b1 }.into())?;
        check(basic::Deliver { consumer_tag: &c, delivery_tag: number, redelivered: b0, exchange, routing_key }.into())?;
        check(basic::Nack { delivery_tag: number, multiple: b0, requeue: b1 }.into())?;
        check(basic::Consume {
            queue: &a, consumer_tag: &b, no_local: b0, no_ack: b1, exclusive: b2, nowait: b3, arguments,
        }.into())?;
        check(queue::Declare {
            queue: &a, passive: b0, durable: b1, exclusive: b2, auto_delete: b3, nowait: b4, arguments,
        }.into())?;
        check(exchange::Bind { destination: &a, source: &b, routing_key: &c, nowait: b0, arguments }.into())?;
        check(connection::StartOk { client_properties: arguments, mechanism: &a, response: &long, locale: &b }.into())?;
        check(connection::Open { virtual_host: &a }.into())?;
    }
}
