//! Bytes that RabbitMQ 3.10.8's own encoder (`rabbit_framing_amqp_0_9_1`, `rabbit_binary_generator`) gives for known
//! values, decoded and encoded here.

use amqp::method::{access, basic, channel, confirm, connection, exchange, queue, tx};
use amqp::{FieldTable, FieldValue, Method, Properties, PropertiesRef, TableRef};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

#[track_caller]
fn check<'a>(method: impl Into<Method<'a>>, hex: &str) {
    let (method, expected) = (method.into(), bytes(hex));
    let mut encoded = Vec::new();
    method.encode(&mut encoded);
    assert_eq!(encoded, expected, "{}", method.name());
    assert_eq!(Method::decode(&expected), Ok(method));
}

/// `k` is the long string `v`, `n` the signed int 5.
const ARGUMENTS: TableRef<'static> = TableRef::new(b"\x01kS\0\0\0\x01v\x01nI\0\0\0\x05");

#[test]
fn connection_methods() {
    let (mechanism, locale) = ("PLAIN", "en_US");
    check(
        connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: ARGUMENTS,
            mechanisms: b"PLAIN AMQPLAIN",
            locales: b"en_US",
        },
        "000a000a00090000000f016b530000000176016e49000000050000000e504c41494e20414d51504c41494e00000005656e5f5553",
    );
    check(
        connection::StartOk { client_properties: ARGUMENTS, mechanism, response: b"\0g\0p", locale },
        "000a000b0000000f016b530000000176016e490000000505504c41494e000000040067007005656e5f5553",
    );
    check(connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 }, "000a001e07ff00020000003c");
    check(connection::Open { virtual_host: "/" }, "000a0028012f0000");
    check(connection::OpenOk {}, "000a002900");
    check(
        connection::Close { reply_code: 320, reply_text: "bye", class_id: 60, method_id: 40 },
        "000a0032014003627965003c0028",
    );
    check(connection::Blocked { reason: "low on memory" }, "000a003c0d6c6f77206f6e206d656d6f7279");
    check(connection::UpdateSecret { new_secret: b"s", reason: "r" }, "000a004600000001730172");
}

#[test]
fn channel_and_access_methods() {
    check(channel::Open {}, "0014000a00");
    check(channel::OpenOk {}, "0014000b00000000");
    check(channel::Flow { active: true }, "0014001401");
    check(
        channel::Close { reply_code: 404, reply_text: "no", class_id: 50, method_id: 10 },
        "001400280194026e6f0032000a",
    );
    check(channel::CloseOk {}, "00140029");
    check(
        access::Request { realm: "/data", exclusive: false, passive: true, active: true, write: false, read: true },
        "001e000a052f6461746116",
    );
    check(access::RequestOk { ticket: 1 }, "001e000b0001");
}

#[test]
fn exchange_methods() {
    check(
        exchange::Declare {
            exchange: "x",
            kind: "topic",
            passive: false,
            durable: true,
            auto_delete: true,
            internal: false,
            nowait: true,
            arguments: ARGUMENTS,
        },
        "0028000a0000017805746f706963160000000f016b530000000176016e4900000005",
    );
    check(exchange::Delete { exchange: "x", if_unused: true, nowait: false }, "002800140000017801");
    let (destination, source, routing_key) = ("d", "s", "rk");
    check(
        exchange::Bind { destination, source, routing_key, nowait: true, arguments: TableRef::default() },
        "0028001e00000164017302726b0100000000",
    );
    check(
        exchange::Unbind { destination, source, routing_key, nowait: false, arguments: ARGUMENTS },
        "0028002800000164017302726b000000000f016b530000000176016e4900000005",
    );
    check(exchange::UnbindOk {}, "00280033");
}

#[test]
fn queue_methods() {
    let (queue, exchange, routing_key, arguments) = ("q", "x", "rk", ARGUMENTS);
    check(
        queue::Declare {
            queue,
            passive: false,
            durable: true,
            exclusive: false,
            auto_delete: true,
            nowait: true,
            arguments,
        },
        "0032000a000001711a0000000f016b530000000176016e4900000005",
    );
    check(queue::DeclareOk { queue, message_count: 3, consumer_count: 4 }, "0032000b01710000000300000004");
    check(
        queue::Bind { queue, exchange, routing_key, nowait: false, arguments },
        "0032001400000171017802726b000000000f016b530000000176016e4900000005",
    );
    check(
        queue::Unbind { queue, exchange, routing_key, arguments },
        "0032003200000171017802726b0000000f016b530000000176016e4900000005",
    );
    check(queue::Purge { queue, nowait: true }, "0032001e0000017101");
    check(queue::PurgeOk { message_count: 5 }, "0032001f00000005");
    check(queue::Delete { queue, if_unused: true, if_empty: true, nowait: false }, "003200280000017103");
    check(queue::DeleteOk { message_count: 6 }, "0032002900000006");
}

#[test]
fn basic_methods() {
    let (exchange, routing_key) = ("x", "rk");
    check(basic::Qos { prefetch_size: 70_000, prefetch_count: 300, global: true }, "003c000a00011170012c01");
    check(
        basic::Consume {
            queue: "q",
            consumer_tag: "tag",
            no_local: true,
            no_ack: false,
            exclusive: true,
            nowait: false,
            arguments: ARGUMENTS,
        },
        "003c00140000017103746167050000000f016b530000000176016e4900000005",
    );
    check(basic::Cancel { consumer_tag: "tag", nowait: true }, "003c001e0374616701");
    check(
        basic::Publish { exchange: exchange.into(), routing_key: "a.b".into(), mandatory: true, immediate: false },
        "003c00280000017803612e6201",
    );
    check(
        basic::Return { reply_code: 312, reply_text: "NO_ROUTE", exchange, routing_key },
        "003c00320138084e4f5f524f555445017802726b",
    );
    check(
        basic::Deliver { consumer_tag: "tag", delivery_tag: 258, redelivered: true, exchange, routing_key },
        "003c003c03746167000000000000010201017802726b",
    );
    check(basic::Get { queue: "q", no_ack: true }, "003c00460000017101");
    check(
        basic::GetOk { delivery_tag: 7, redelivered: false, exchange, routing_key, message_count: 9 },
        "003c0047000000000000000700017802726b00000009",
    );
    check(basic::GetEmpty {}, "003c004800");
    check(basic::Ack { delivery_tag: 7, multiple: true }, "003c0050000000000000000701");
    check(basic::Reject { delivery_tag: 7, requeue: true }, "003c005a000000000000000701");
    check(basic::Nack { delivery_tag: 7, multiple: false, requeue: true }, "003c0078000000000000000702");
    check(basic::RecoverAsync { requeue: true }, "003c006401");
    check(basic::Recover { requeue: false }, "003c006e00");
}

#[test]
fn confirm_and_tx_methods() {
    check(confirm::Select { nowait: true }, "0055000a01");
    check(tx::CommitOk {}, "005a0015");
}

#[test]
fn a_table_of_every_type() {
    let mut inner = FieldTable::new();
    inner.insert("x", true);
    let mut table = FieldTable::new();
    for (name, value) in [
        ("a", FieldValue::from("s")),
        ("b", FieldValue::I32(-2)),
        ("c", FieldValue::Decimal { scale: 2, value: 314 }),
        ("d", FieldValue::Timestamp(1_700_000_000)),
        ("e", FieldValue::Table(inner)),
        ("f", FieldValue::Array(vec![FieldValue::I64(-1), FieldValue::Void])),
        ("g", FieldValue::I8(-1)),
        ("h", FieldValue::F64(1.5)),
        ("i", FieldValue::F32(0.5)),
        ("j", FieldValue::I16(-3)),
        ("k", FieldValue::Bytes(vec![1, 2])),
        ("l", FieldValue::U8(255)),
        ("m", FieldValue::U16(65_535)),
        ("n", FieldValue::U32(u32::MAX)),
        ("o", FieldValue::Bool(false)),
        ("p", FieldValue::Void),
    ] {
        table.insert(name, value);
    }
    let expected = bytes(
        "0161530000000173016249fffffffe016344020000013a016454000000006553f10001654600000004017874010166410000000a6cffff\
         ffffffffffff56016762ff0168643ff80000000000000169663f000000016a73fffd016b78000000020102016c42ff016d75ffff016e69\
         ffffffff016f7400017056",
    );
    assert_eq!(table.to_bytes(), expected);
    assert_eq!(FieldTable::from_slice(&expected), Ok(table));
}

#[test]
fn all_properties() {
    let properties = Properties {
        content_type: Some("text/plain"),
        content_encoding: Some("gzip"),
        headers: Some(ARGUMENTS),
        delivery_mode: Some(2),
        priority: Some(9),
        correlation_id: Some("c"),
        reply_to: Some("r"),
        expiration: Some("60000"),
        message_id: Some("m"),
        timestamp: Some(1_700_000_000),
        kind: Some("t"),
        user_id: Some("u"),
        app_id: Some("app"),
        cluster_id: Some("cl"),
    };
    let expected = bytes(
        "fffc0a746578742f706c61696e04677a69700000000f016b530000000176016e4900000005020901630172053630303030016d00000000\
         6553f100017401750361707002636c",
    );
    let mut encoded = Vec::new();
    properties.encode(&mut encoded);
    assert_eq!(encoded, expected);
    assert_eq!(PropertiesRef { flags: 0xfffc, bytes: &expected[2..] }.decode(), Ok(properties));
}
