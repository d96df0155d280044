//! Whole sessions: a handshake, then the input, cut into reads as its first byte says, beside a client that must not
//! notice. The same driver as `crates/broker/tests/sessions.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use testkit::engine::Hostile;

fuzz_target!(|input: &[u8]| {
    let Some((&read_size, stream)) = input.split_first() else { return };
    Hostile::new(0).session(stream, usize::from(read_size) * 16 + 1);
});
