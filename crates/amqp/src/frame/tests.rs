use super::*;
use crate::method::{basic, channel};

#[test]
fn a_method_frame_is_written_in_place() {
    let mut out = b"before".to_vec();
    write_method(&mut out, 0x0102, &Method::BasicAck(basic::Ack { delivery_tag: 7, multiple: true }));
    assert_eq!(out, b"before\x01\x01\x02\x00\x00\x00\x0d\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x00\x07\x01\xce");
}

#[test]
fn a_frame_around_a_payload() {
    let mut out = Vec::new();
    write_frame(&mut out, FRAME_BODY, 1, b"hello");
    assert_eq!(out, b"\x03\x00\x01\x00\x00\x00\x05hello\xce");
    let mut with = Vec::new();
    write_frame_with(&mut with, FRAME_BODY, 1, |out| out.extend_from_slice(b"hello"));
    assert_eq!(with, out);
    assert_eq!(out.len(), 5 + FRAME_OVERHEAD);
}

#[test]
fn the_heartbeat_is_an_empty_frame() {
    let mut out = Vec::new();
    write_frame(&mut out, FRAME_HEARTBEAT, 0, &[]);
    assert_eq!(out, HEARTBEAT_FRAME);
}

#[test]
fn a_frame_header_comes_back() {
    let header = FrameHeader { kind: 3, channel: 513, size: 0x0102_0304 };
    assert_eq!(FrameHeader::parse(&header.to_bytes()), header);
    assert_eq!(header.to_bytes(), [3, 2, 1, 1, 2, 3, 4]);
}

#[test]
fn close_ok_has_no_arguments() {
    let mut out = Vec::new();
    write_method(&mut out, 1, &channel::CloseOk {}.into());
    assert_eq!(out, b"\x01\x00\x01\x00\x00\x00\x04\x00\x14\x00\x29\xce");
}

#[test]
fn protocol_headers_and_their_answers() {
    #[track_caller]
    fn check(bytes: &[u8], expected: ProtocolHeader, answer: Option<&[u8; 8]>) {
        let header = ProtocolHeader::classify(bytes).expect("eight bytes");
        assert_eq!(header, expected);
        assert_eq!(header.refusal().as_ref(), answer);
    }
    let offer_0_9_1 = Some(b"AMQP\0\0\x09\x01");
    let offer_1_0 = Some(b"AMQP\x03\x01\0\0");
    check(b"AMQP\0\0\x09\x01", ProtocolHeader::Amqp091, None);
    check(b"AMQP\0\0\x09\x01\x01\x00", ProtocolHeader::Amqp091, None);
    check(b"AMQP\x01\x01\0\x09", ProtocolHeader::Amqp09, None);
    check(b"AMQP\x03\x01\0\0", ProtocolHeader::Amqp10Sasl, offer_0_9_1);
    check(b"AMQP\0\x01\0\0", ProtocolHeader::Amqp10, offer_1_0);
    check(b"AMQP\0\0\x09\x02", ProtocolHeader::OtherVersion, offer_0_9_1);
    check(b"AMQP\0\0\x08\x00", ProtocolHeader::Other, offer_1_0);
    check(b"GET / HT", ProtocolHeader::Http, offer_1_0);
    check(b"\x16\x03\x01\x02\x00\x01\x00\x01", ProtocolHeader::Tls, offer_1_0);
    check(b"XXXXXXXX", ProtocolHeader::Other, offer_1_0);
    assert_eq!(ProtocolHeader::classify(b"AMQP\0\0\x09"), None);
}
