//! A table that parses is one to every reader, and survives being owned and encoded.
#![no_main]

use amqp::{FieldTable, TableRef};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let owned = FieldTable::from_slice(bytes);
    assert_eq!(TableRef::parse(bytes).map(|_| ()), owned.as_ref().map(|_| ()).map_err(|error| *error));
    if let Ok(table) = owned {
        assert_eq!(FieldTable::from_slice(&table.to_bytes()).as_ref(), Ok(&table));
        for (name, value) in table.iter() {
            assert!(TableRef::new(bytes).find(name).is_some());
            let _ = (amqp::erlang::field_value(value), value.as_i64(), value.as_str());
        }
    }
});
