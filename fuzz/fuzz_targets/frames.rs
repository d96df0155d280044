//! A byte stream cut into frames as a reader would, each payload given to its decoder.
#![no_main]

use amqp::frame::{FRAME_END, FRAME_HEADER, FRAME_METHOD};
use amqp::{ContentHeader, FrameHeader, Method, ProtocolHeader, erlang};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let _ = ProtocolHeader::classify(stream);
    let mut rest = stream;
    while let Some((header, after)) = rest.split_first_chunk::<7>() {
        let header = FrameHeader::parse(header);
        let size = header.size as usize;
        let Some((payload, after)) = after.split_at_checked(size) else {
            let _ = erlang::frame_too_large(header.kind, header.size, 131_064);
            return;
        };
        let Some((&end, after)) = after.split_first() else { return };
        if end != FRAME_END {
            let _ = erlang::invalid_frame_end_marker(header.kind, payload, end);
            return;
        }
        match header.kind {
            FRAME_METHOD if Method::decode(payload).is_err() => drop(erlang::cannot_decode(payload)),
            FRAME_HEADER => drop(ContentHeader::parse(payload).map(|header| header.properties.decode())),
            kind => drop(erlang::unknown_frame(kind, payload)),
        }
        rest = after;
    }
});
