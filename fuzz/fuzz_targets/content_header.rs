//! Properties that decode encode to the bytes they came from, but for the two unused flags.
#![no_main]

use amqp::ContentHeader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let Ok(header) = ContentHeader::parse(payload) else { return };
    let Ok(properties) = header.properties.decode() else {
        let _ = (header.properties.delivery_mode(), header.properties.headers());
        return;
    };
    assert_eq!(header.properties.delivery_mode(), properties.delivery_mode);
    assert_eq!(header.properties.headers(), properties.headers);
    let mut encoded = Vec::new();
    properties.encode(&mut encoded);
    assert_eq!(encoded.get(2..), Some(header.properties.bytes));
});
