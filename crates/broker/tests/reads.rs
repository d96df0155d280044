//! What a read brings is chance: the same bytes, cut anywhere, mean the same.

use amqp::frame::{FRAME_BODY, FRAME_HEADER, write_frame, write_method};
use amqp::method::{basic, channel};
use amqp::{Method, Properties};
use broker::Settings;
use testkit::engine::{Arrival, Engine, publish, write_publish};

const QUEUE: &str = "reads";

/// Content frames that are not those of one publish behind the other: bodies in several frames, channels interleaved.
fn interleaved(out: &mut Vec<u8>) {
    let header = |size: u64| {
        let mut payload = Vec::new();
        Properties::default().encode_header(size, &mut payload);
        payload
    };
    write_method(out, 1, &Method::BasicPublish(publish("", QUEUE)));
    write_method(out, 2, &Method::BasicPublish(publish("", QUEUE)));
    write_frame(out, FRAME_HEADER, 1, &header(10));
    write_frame(out, FRAME_HEADER, 2, &header(6));
    write_frame(out, FRAME_BODY, 1, b"first");
    write_frame(out, FRAME_BODY, 2, b"");
    write_frame(out, FRAME_BODY, 2, b"second");
    write_frame(out, FRAME_BODY, 1, b"-ends");
}

/// A stream of publishes of every kind, and the bodies in the order in which they are complete.
fn stream() -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut bytes, mut bodies) = (Vec::new(), Vec::new());
    let properties = Properties { content_type: Some("text/plain"), message_id: Some("m"), ..Properties::default() };
    for (at, len) in [16, 0, 1, 128, 5000, 20_000, 0, 300, 40_000, 16].into_iter().enumerate() {
        let body = vec![b'a' + at as u8; len];
        write_publish(&mut bytes, 1, 4096, publish("", QUEUE), &properties, &body);
        bodies.push(body);
        if at % 3 == 0 {
            interleaved(&mut bytes);
            bodies.extend([b"second".to_vec(), b"first-ends".to_vec()]);
        }
    }
    (bytes, bodies)
}

fn bodies(arrivals: impl Iterator<Item = Arrival>) -> Vec<Vec<u8>> {
    let deliveries = arrivals.filter(|arrival| matches!(arrival.method(), Method::BasicDeliver(_)));
    deliveries.map(|arrival| arrival.body).collect()
}

#[test]
fn a_stream_of_publishes_means_the_same_however_it_is_cut() {
    let (stream, expected) = stream();
    for read_size in [1, 2, 3, 7, 8, 9, 13, 50, 100, 1000, 4096, 5000, 1 << 20] {
        let mut engine = Engine::new(Settings::default(), 1, read_size as u64);
        let mut publisher = engine.connect_with_channel(0);
        let mut consumer = engine.connect_with_channel(0);
        engine.call(&mut publisher, 2, &Method::ChannelOpen(channel::Open {}));
        engine.declare(&mut publisher, 1, QUEUE);
        engine.consume(&mut consumer, 1, QUEUE, "reader", true);
        engine.reactor(0).set_read_size(read_size);
        publisher.wire.send(&stream);
        engine.settle();
        assert_eq!(bodies(consumer.arrivals()), expected, "reads of {read_size} bytes");
    }
}

#[test]
fn an_error_in_a_header_is_told_before_the_body_comes() {
    let mut engine = Engine::new(Settings::default(), 1, 0);
    let mut client = engine.connect_with_channel(0);
    let mut bytes = Vec::new();
    write_method(&mut bytes, 1, &Method::BasicPublish(publish("", QUEUE)));
    // Class 50 where a content header of class 60 is due; the body of 3 bytes never comes.
    write_frame(&mut bytes, FRAME_HEADER, 1, &[0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0]);
    client.wire.send(&bytes);
    engine.settle();
    let answer = client.expect(0);
    let Method::ConnectionClose(close) = answer.method() else { panic!("the connection is closed: {answer:?}") };
    assert_eq!((close.reply_code, close.class_id, close.method_id), (505, 60, 40), "{}", close.reply_text);
}

#[test]
fn a_frame_on_another_channel_does_not_wait_for_cut_content() {
    let mut engine = Engine::new(Settings::default(), 1, 0);
    let mut client = engine.connect_with_channel(0);
    engine.call(&mut client, 2, &Method::ChannelOpen(channel::Open {}));
    let mut cut = Vec::new();
    write_publish(&mut cut, 1, 4096, publish("", QUEUE), &Properties::default(), b"0123456789");
    let body_at = cut.len() - 18;
    for end in [body_at, body_at - 5] {
        client.wire.send(&cut[..end]);
        engine.settle();
        if end == body_at {
            let qos = basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false };
            let answer = engine.call(&mut client, 2, &Method::BasicQos(qos));
            assert!(matches!(answer.method(), Method::BasicQosOk(_)), "channel 2 answers while channel 1 waits");
        }
        client.wire.send(&cut[end..]);
        engine.settle();
    }
}
