//! A method that decodes encodes to bytes that decode to the same method.
#![no_main]

use amqp::Method;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    if let Ok(method) = Method::decode(payload) {
        let mut encoded = Vec::new();
        method.encode(&mut encoded);
        assert_eq!(Method::decode(&encoded), Ok(method));
    }
});
