//! A group of changes that is read can be proposed again, and is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metadata::{Change, decode_changes, encode_changes};

fuzz_target!(|bytes: &[u8]| {
    if let Some(changes) = decode_changes(bytes) {
        assert!(changes.iter().all(Change::is_storable));
        assert_eq!(decode_changes(&encode_changes(&changes)), Some(changes));
    }
});
