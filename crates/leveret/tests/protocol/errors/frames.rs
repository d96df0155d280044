//! Frames that break the rules: framing, undecodable arguments and content out of place.

use broker::errors::*;
use testkit::method::*;
use testkit::{
    FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, Method, Properties, Publish, Writer, encode_frame, id,
};

use super::{Case, Scene, case, newer};

const NONE: (u16, u16) = (0, 0);

pub const CASES: &[Case] = &[
    // Arguments that do not parse.
    case(CANNOT_DECODE, id::QUEUE_DECLARE, "cannot decode <<0>>", |s| raw_method(s, id::QUEUE_DECLARE, &[0])),
    case(CANNOT_DECODE, id::BASIC_QOS, "cannot decode <<>>", |s| raw_method(s, id::BASIC_QOS, &[])),
    case(CANNOT_DECODE, id::BASIC_CANCEL, "cannot decode <<5,97,98>>", |s| {
        raw_method(s, id::BASIC_CANCEL, b"\x05ab");
    }),
    case(CANNOT_DECODE, id::CHANNEL_OPEN, "cannot decode <<0,0>>", |s| {
        s.client.send(2, Method { id: id::CHANNEL_OPEN, arguments: vec![0, 0] });
    }),
    case(MALFORMED_UTF8, NONE, "Malformed UTF-8 in shortstr", |s| {
        raw_method(s, id::QUEUE_DECLARE, &[0, 0, 2, 0xff, 0xfe, 0, 0, 0, 0, 0]);
    }),
    newer(
        UNKNOWN_METHOD,
        (60, 999),
        "unknown method 999 of class 60",
        "up to 4.3 the connection is reset without a word",
        |s| raw_method(s, (60, 999), &[]),
    ),
    newer(
        UNKNOWN_METHOD,
        (99, 10),
        "unknown method 10 of class 99",
        "up to 4.3 the connection is reset without a word",
        |s| raw_method(s, (99, 10), &[]),
    ),
    // Framing.
    case(UNKNOWN_FRAME, NONE, "type 9, all octets = <<\"abc\">>: unknown_frame", |s| s.client.send_frame(9, 1, b"abc")),
    case(UNKNOWN_FRAME, NONE, "type 9, all octets = <<\"abc\">>: unknown_frame", |s| s.client.send_frame(9, 0, b"abc")),
    case(UNKNOWN_FRAME, NONE, "type 9, first 16 octets = <<\"abcdefghijklmnop\">>: unknown_frame", |s| {
        s.client.send_frame(9, 1, b"abcdefghijklmnopq");
    }),
    case(
        UNKNOWN_FRAME,
        NONE,
        "type 9, first 16 octets = <<128,129,130,131,132,133,134,135,136,137,138,139,\n                            140,141,142,143>>: unknown_frame",
        |s| s.client.send_frame(9, 1, &(128..150).collect::<Vec<u8>>()),
    ),
    case(UNKNOWN_FRAME, NONE, "type 1, all octets = <<0,60>>: unknown_frame", |s| {
        s.client.send_frame(FRAME_METHOD, 1, &[0, 60]);
    }),
    case(UNKNOWN_FRAME, NONE, "type 2, all octets = <<0,60,0,0>>: unknown_frame", |s| {
        s.client.send_frame(FRAME_HEADER, 1, &[0, 60, 0, 0]);
    }),
    case(UNKNOWN_FRAME, NONE, "type 8, all octets = <<\"x\">>: unknown_frame", |s| {
        s.client.send_frame(FRAME_HEARTBEAT, 0, b"x");
    }),
    case(BAD_FRAME_END, NONE, "type 1, all octets = <<0,60,0,10>>: {invalid_frame_end_marker,0}", |s| {
        s.client.send_raw(&encode_frame(FRAME_METHOD, 1, &[0, 60, 0, 10], 0));
    }),
    case(FRAME_TOO_LARGE, NONE, "type 3, all octets = <<>>: {frame_too_large,200000,131064}", |s| {
        let mut header = Writer::default();
        header.octet(FRAME_BODY).short(1).long(200_000);
        s.client.send_raw(&header.finish());
    }),
    case(FRAME_TOO_LARGE, NONE, "type 1, all octets = <<>>: {frame_too_large,131073,131064}", |s| {
        let mut header = Writer::default();
        header.octet(FRAME_METHOD).short(0).long(131_073);
        s.client.send_raw(&header.finish());
    }),
    case(UNEXPECTED_FRAME, NONE, "type 8, all octets = <<>>", |s| s.client.send_frame(FRAME_HEARTBEAT, 1, &[])),
    case(UNEXPECTED_FRAME, NONE, "type 3, all octets = <<\"abc\">>", |s| s.client.send_frame(FRAME_BODY, 0, b"abc")),
    // Content out of place.
    case(EXPECTED_METHOD, NONE, "expected method frame, got non method frame instead", |s| {
        s.client.send_header(1, 3, &Properties::default());
    }),
    case(EXPECTED_METHOD, NONE, "expected method frame, got non method frame instead", |s| {
        s.client.send_frame(FRAME_BODY, 1, b"abc");
    }),
    case(
        EXPECTED_HEADER,
        id::BASIC_PUBLISH,
        "expected content header for class 60, got non content header frame instead",
        |s| {
            s.client.send(1, Publish::new("", "nowhere"));
            s.client.send(1, qos(1, false));
        },
    ),
    case(
        EXPECTED_HEADER,
        id::BASIC_PUBLISH,
        "expected content header for class 60, got non content header frame instead",
        |s| {
            s.client.send(1, Publish::new("", "nowhere"));
            s.client.send_frame(FRAME_BODY, 1, b"abc");
        },
    ),
    case(
        HEADER_OF_OTHER_CLASS,
        id::BASIC_PUBLISH,
        "expected content header for class 60, got one for class 50 instead",
        |s| {
            s.client.send(1, Publish::new("", "nowhere"));
            let mut header = Writer::default();
            header.short(50).short(0).longlong(3).short(0);
            s.client.send_frame(FRAME_HEADER, 1, &header.finish());
        },
    ),
    case(EXPECTED_BODY, id::BASIC_PUBLISH, "expected content body, got non content body frame instead", |s| {
        s.client.send(1, Publish::new("", "nowhere"));
        s.client.send_header(1, 3, &Properties::default());
        s.client.send(1, qos(1, false));
    }),
    newer(
        BODY_OVERFLOW,
        id::BASIC_PUBLISH,
        "content body frame exceeds remaining content size",
        "not checked in 3.10",
        |s| {
            s.client.send(1, Publish::new("", "nowhere"));
            s.client.send_header(1, 3, &Properties::default());
            s.client.send_frame(FRAME_BODY, 1, b"abcd");
        },
    ),
    newer(
        BODY_SIZE_CAP,
        id::BASIC_PUBLISH,
        "content body size 536870913 exceeds maximum allowed size 536870912",
        "not checked in 3.10",
        |s| {
            s.client.send(1, Publish::new("", "nowhere"));
            s.client.send_header(1, 536_870_913, &Properties::default());
        },
    ),
];

fn raw_method(scene: &mut Scene, id: (u16, u16), arguments: &[u8]) {
    scene.client.send(1, Method { id, arguments: arguments.to_vec() });
}
