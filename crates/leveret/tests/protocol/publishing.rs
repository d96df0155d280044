//! Publishing: returns, routing headers, properties and bodies.

use testkit::{ConnectOptions, Consume, Properties, Publish, RawClient, Value, field, publish_frames, table};

use crate::ours_only;
use crate::support::{address, bind, connect, connect_with, delete_exchange, exchange, own_broker, queue};

/// Every property set.
fn all_properties() -> Properties {
    Properties {
        content_type: Some("text/plain".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        headers: Some(table([
            ("bool", Value::Bool(true)),
            ("byte", Value::Byte(-1)),
            ("unsigned byte", Value::UnsignedByte(255)),
            ("short", Value::Short(-2)),
            ("unsigned short", Value::UnsignedShort(65_535)),
            ("int", Value::SignedInt(-3)),
            ("unsigned int", Value::UnsignedInt(u32::MAX)),
            ("long", Value::Long(i64::MIN)),
            ("float", Value::Float(1.25)),
            ("double", Value::Double(-2.5)),
            ("decimal", Value::Decimal(2, 314)),
            ("string", Value::from("text")),
            ("binary", Value::Binary(vec![0, 1, 255])),
            ("array", Value::Array(vec![Value::from("a"), Value::Long(1), Value::Void])),
            ("timestamp", Value::Timestamp(1_700_000_000)),
            ("table", Value::Table(table([("inner", Value::Bool(false))]))),
            ("void", Value::Void),
        ])),
        delivery_mode: Some(2),
        priority: Some(9),
        correlation_id: Some("correlation".to_owned()),
        reply_to: Some("reply".to_owned()),
        expiration: Some("60000".to_owned()),
        message_id: Some("id".to_owned()),
        timestamp: Some(1_700_000_001),
        message_type: Some("type".to_owned()),
        user_id: Some("guest".to_owned()),
        app_id: Some("app".to_owned()),
        cluster_id: Some("cluster".to_owned()),
    }
}

#[test]
fn every_property_arrives_as_it_was_sent() {
    let mut client = connect();
    let queue = queue(&mut client, "properties");
    client.publish_with(1, Publish::new("", &queue), &all_properties(), "x");
    assert_eq!(client.get(1, &queue, true).expect("a message").properties, all_properties());
}

#[test]
fn no_properties_stay_none() {
    let mut client = connect();
    let queue = queue(&mut client, "none");
    client.publish(1, "", &queue, "x");
    assert_eq!(client.get(1, &queue, true).expect("a message").properties, Properties::default());
}

#[test]
fn an_empty_body_is_a_message() {
    let mut client = connect();
    let queue = queue(&mut client, "empty");
    client.consume(1, Consume::new(&queue, ""));
    client.publish_with(1, Publish::new("", &queue), &all_properties(), "");
    let delivery = client.expect_delivery(1);
    assert!(delivery.body.is_empty());
    assert_eq!(delivery.properties, all_properties());
    assert_eq!(client.body_frames(), 0, "no frame for no bytes");
}

#[test]
fn an_empty_body_frame_changes_nothing() {
    let mut client = connect();
    let queue = queue(&mut client, "empty_frame");
    client.send(1, Publish::new("", &queue));
    client.send_header(1, 4, &Properties::default());
    for part in [&b""[..], b"ab", b"", b"cd"] {
        client.send_frame(testkit::FRAME_BODY, 1, part);
    }
    assert_eq!(client.get(1, &queue, true).expect("a message").text(), "abcd");
}

fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn bodies_around_the_frame_size() {
    let mut client = connect();
    let queue = queue(&mut client, "edges");
    for length in [1, 7, 8, 131_063, 131_064, 131_065, 262_128, 262_129, 300_000] {
        let body = pattern(length);
        client.publish(1, "", &queue, &body);
        let taken = client.get(1, &queue, true).expect("a message");
        assert!(taken.body == body, "{length} bytes came back as {} others", taken.body.len());
    }
}

#[test]
fn a_body_of_20_mib_crosses_frame_sizes() {
    let mut publisher = connect();
    let mut small = connect_with(address(), &ConnectOptions::default().frame_max(4096));
    let queue = queue(&mut small, "large");
    bind(&mut small, &queue, "amq.direct", &queue);
    let body = pattern(20 * 1024 * 1024);
    publisher.publish(1, "amq.direct", &queue, &body);
    small.consume(1, Consume::new(&queue, "").no_ack());
    let delivery = small.expect_delivery(1);
    assert!(delivery.body == body, "another body of {} bytes", delivery.body.len());
    assert_eq!(small.body_frames(), body.len().div_ceil(4088));
}

#[test]
fn many_small_bodies_in_tiny_pieces() {
    let mut client = connect();
    let queue = queue(&mut client, "pieces");
    client.consume(1, Consume::new(&queue, "").no_ack());
    let mut bytes = Vec::new();
    for number in 0..20 {
        let body = format!("body {number}");
        let publish = Publish::new("", &queue);
        bytes.extend(publish_frames(1, publish, &Properties::default(), body.as_bytes(), 0));
    }
    for piece in bytes.chunks(3) {
        client.send_raw(piece);
    }
    for number in 0..20 {
        assert_eq!(client.expect_delivery(1).text(), format!("body {number}"));
    }
}

#[test]
fn an_unroutable_mandatory_message_is_returned_whole() {
    let mut client = connect();
    client.publish_with(1, Publish::new("amq.direct", "nowhere").mandatory(), &all_properties(), "body");
    let returned = client.expect_return(1);
    assert_eq!((returned.code, returned.text.as_str()), (312, "NO_ROUTE"));
    assert_eq!((returned.exchange.as_str(), returned.routing_key.as_str()), ("amq.direct", "nowhere"));
    assert_eq!((returned.properties, returned.body.as_slice()), (all_properties(), &b"body"[..]));
}

#[test]
fn a_routable_mandatory_message_is_not_returned() {
    let mut client = connect();
    let queue = queue(&mut client, "mandatory");
    client.publish_with(1, Publish::new("", &queue).mandatory(), &Properties::default(), "x");
    client.publish(1, "", "nowhere", "dropped without mandatory");
    assert_eq!(client.drain(1, &queue), ["x"]);
    client.expect_nothing(1, RawClient::SILENCE);
}

#[test]
fn cc_and_bcc_route_too_and_bcc_is_removed() {
    let mut client = connect();
    let queues: Vec<String> = ["to", "cc1", "cc2", "bcc"].iter().map(|what| queue(&mut client, what)).collect();
    let properties = Properties::default()
        .header("CC", Value::strings(&[&queues[1], &queues[2]]))
        .header("BCC", Value::strings(&[&queues[3]]))
        .header("kept", 1);
    client.publish_with(1, Publish::new("", &queues[0]), &properties, "x");
    for name in &queues {
        let taken = client.get(1, name, true).expect("a copy");
        assert_eq!(taken.routing_key, queues[0], "the original key");
        let headers = taken.properties.headers.expect("headers");
        assert!(field(&headers, "BCC").is_none(), "{headers:?}");
        assert_eq!(field(&headers, "CC"), Some(&Value::strings(&[&queues[1], &queues[2]])));
        assert_eq!(field(&headers, "kept"), Some(&Value::SignedInt(1)));
    }
}

#[test]
fn cc_to_the_same_queue_delivers_once() {
    let mut client = connect();
    let queue = queue(&mut client, "cc");
    let properties = Properties::default().header("CC", Value::strings(&[&queue, &queue]));
    client.publish_with(1, Publish::new("", &queue), &properties, "x");
    assert_eq!(client.drain(1, &queue).len(), 1);
}

#[test]
fn cc_keys_match_topic_patterns() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "topic"));
    bind(&mut client, &queue, &exchange, "a.*");
    let properties = Properties::default().header("CC", Value::strings(&["x", "a.b"]));
    client.publish_with(1, Publish::new(&exchange, "nothing"), &properties, "x");
    assert_eq!(client.drain(1, &queue), ["x"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn the_own_user_id_is_accepted() {
    let mut client = connect();
    let queue = queue(&mut client, "user");
    client.publish_with(1, Publish::new("", &queue), &Properties::default().user_id("guest"), "x");
    let taken = client.get(1, &queue, true).expect("a message");
    assert_eq!(taken.properties.user_id.as_deref(), Some("guest"));
}

#[test]
fn expirations_in_range_are_accepted() {
    let mut client = connect();
    let queue = queue(&mut client, "expiration");
    for text in ["10000", "+50000", "315360000000", "000090000"] {
        client.publish_with(1, Publish::new("", &queue), &Properties::default().expiration(text), text);
        assert_eq!(client.get(1, &queue, true).expect("a message").properties.expiration.as_deref(), Some(text));
    }
}

#[test]
fn publishes_to_several_queues_keep_their_order_in_each() {
    let mut client = connect();
    let (one, two) = (queue(&mut client, "one"), queue(&mut client, "two"));
    let exchange = exchange(&mut client, "topic");
    bind(&mut client, &one, &exchange, "all.#");
    bind(&mut client, &two, &exchange, "all.some");
    client.in_one_write(|client| {
        for number in 0..200 {
            let key = if number % 3 == 0 { "all.some" } else { "all.other" };
            client.publish(1, &exchange, key, number.to_string());
        }
    });
    let numbers = |step| (0..200).step_by(step).map(|number: i32| number.to_string()).collect::<Vec<_>>();
    assert_eq!(client.drain(1, &one), numbers(1));
    assert_eq!(client.drain(1, &two), numbers(3));
    delete_exchange(&mut client, &exchange);
}

#[test]
fn a_fanout_to_consumers_of_other_frame_sizes() {
    let mut publisher = connect();
    let exchange = exchange(&mut publisher, "fanout");
    let mut consumers: Vec<RawClient> =
        [4096, 8192, 131_072].map(|size| connect_with(address(), &ConnectOptions::default().frame_max(size))).into();
    for consumer in &mut consumers {
        let queue = queue(consumer, "fanout");
        bind(consumer, &queue, &exchange, "");
        consumer.consume(1, Consume::new(&queue, "").no_ack());
    }
    let body = pattern(100_000);
    publisher.publish_with(1, Publish::new(&exchange, ""), &all_properties(), &body);
    for consumer in &mut consumers {
        let delivery = consumer.expect_delivery(1);
        assert!(delivery.body == body);
        assert_eq!(delivery.properties, all_properties());
    }
    delete_exchange(&mut publisher, &exchange);
}

/// 3.x's default, which accepts more than 4.x's 16 MiB.
#[test]
fn a_body_above_128_mib_is_refused_by_its_size() {
    ours_only!("128 MiB through RabbitMQ take too long");
    let mut client = connect();
    client.send(1, Publish::new("", "nowhere"));
    client.send_header(1, 134_217_729, &Properties::default());
    let part = vec![0; 131_064];
    let mut left = 134_217_729_usize;
    while left > 0 {
        let size = left.min(part.len());
        client.send_frame(testkit::FRAME_BODY, 1, &part[..size]);
        left -= size;
    }
    assert_eq!(
        client.expect_close(1).text,
        "PRECONDITION_FAILED - message size 134217729 is larger than configured max size 134217728"
    );
}

#[test]
fn a_declared_size_allocates_nothing() {
    let Some(broker) = own_broker(&[]) else { return };
    let before = broker.resident_bytes();
    let mut clients: Vec<RawClient> = (0..20).map(|_| crate::support::connect_to(broker.address())).collect();
    for client in &mut clients {
        client.send(1, Publish::new("", "nowhere"));
        client.send_header(1, 130_000_000, &Properties::default());
        client.send_frame(testkit::FRAME_BODY, 1, b"only this");
        client.open_channel(2);
    }
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "20 declared bodies of 130 MB grew the broker by {grown} bytes");
}
