use super::{HashKey, MAX_WEIGHT, Ring, modulus, weight};
use crate::headers::BindError;
use amqp::field::{FieldTable, FieldValue, TableRef};
use proptest::prelude::*;

fn ring(weights: &[u32]) -> Ring<usize> {
    let mut ring = Ring::new();
    for (destination, weight) in weights.iter().enumerate() {
        ring.insert(destination, *weight);
    }
    ring
}

/// The bucket of a header's value, with 30 destinations of one bucket each.
fn bucket_of(value: FieldValue) -> Option<usize> {
    let bytes = FieldTable::from_iter([("h".to_owned(), value)]).to_bytes();
    let header = TableRef::new(&bytes).find("h").expect("the header");
    ring(&[1; 30]).find(HashKey::Header(header))
}

/// What `rabbit_exchange_type_consistent_hash:jump_consistent_hash/2` gave under Erlang/OTP 25.2.3.
#[test]
fn every_kind_of_value_has_the_plugins_bucket() {
    let thirty = ring(&[1; 30]);
    for (text, expected) in [("", 18), ("a", 15), ("order.17", 19), ("customer-1000", 19), ("1700000000", 13)] {
        assert_eq!(thirty.find(HashKey::Text(text.as_bytes())), Some(expected), "{text}");
        assert_eq!(bucket_of(FieldValue::LongString(text.as_bytes().to_vec())), Some(expected), "{text}");
    }
    assert_eq!(thirty.find(HashKey::Digits(1_700_000_000)), Some(13));
    assert_eq!(thirty.find(HashKey::Missing), Some(1));
    let named = FieldTable::from_iter([("k".to_owned(), FieldValue::LongString(b"v".to_vec()))]);
    for (value, expected) in [
        (FieldValue::Void, 1),
        (FieldValue::Bool(true), 28),
        (FieldValue::Bool(false), 12),
        (FieldValue::U8(7), 8),
        (FieldValue::I64(7), 8),
        (FieldValue::I8(-7), 17),
        (FieldValue::I32(-7), 17),
        (FieldValue::F64(1.5), 0),
        (FieldValue::F32(1.5), 0),
        (FieldValue::Decimal { scale: 1, value: 25 }, 10),
        (FieldValue::Timestamp(1_700_000_000), 23),
        (FieldValue::Array(Vec::new()), 28),
        (FieldValue::Array(vec![FieldValue::LongString(b"x".to_vec()), FieldValue::I8(1)]), 12),
        (FieldValue::Table(FieldTable::new()), 28),
        (FieldValue::Table(named), 3),
    ] {
        assert_eq!(bucket_of(value.clone()), Some(expected), "{value:?}");
    }
}

/// `erlang:phash2(Keys, 134217728) rem N` under Erlang/OTP 25.2.3.
#[test]
fn modulus_is_that_of_erlang() {
    for (keys, expected) in [
        (&[&b"a"[..]][..], [0, 0, 0, 1, 0]),
        (&[b"order.17"], [0, 0, 1, 0, 0]),
        (&[b""], [0, 1, 0, 3, 3]),
        (&[b"a", b"b", b"c"], [0, 1, 0, 2, 9]),
    ] {
        for (count, expected) in [1, 2, 3, 7, 10].into_iter().zip(expected) {
            assert_eq!(modulus(keys.iter().copied(), count), Some(expected), "{keys:?} among {count}");
        }
    }
    assert_eq!(modulus([&b"a"[..]], 0), None);
}

#[test]
fn weights_are_integers_as_erlang_reads_them() {
    for (key, expected) in [("1", 1), ("+5", 5), ("007", 7), ("10000", MAX_WEIGHT)] {
        assert_eq!(weight(key), Ok(expected), "{key}");
    }
    for key in ["", "abc", "1.0", " 1", "1 ", "+", "-", "0x1", "٣"] {
        assert_eq!(weight(key), Err(BindError::WeightNotInteger), "{key}");
    }
    for key in ["0", "-1", "-0", "+0", "-99999999999999999999"] {
        assert_eq!(weight(key), Err(BindError::WeightTooLow), "{key}");
    }
    for key in ["10001", "4294967296", "99999999999999999999"] {
        assert_eq!(weight(key), Err(BindError::WeightTooHigh), "{key}");
    }
}

#[test]
fn a_second_binding_of_a_destination_adds_no_buckets() {
    let mut ring = ring(&[2, 3]);
    ring.insert(0, 100);
    assert_eq!(ring.buckets(), 5);
    ring.remove(0);
    assert_eq!(ring.buckets(), 3);
    ring.remove(0);
    assert_eq!(ring.buckets(), 3);
}

/// The plugin's own data: a map from each bucket to its destination, renumbered when a destination goes.
#[derive(Default)]
struct Buckets(Vec<u8>);

impl Buckets {
    fn insert(&mut self, destination: u8, weight: u32) {
        if !self.0.contains(&destination) {
            self.0.extend(std::iter::repeat_n(destination, weight as usize));
        }
    }

    fn find(&self, key: &str) -> Option<u8> {
        let seed = HashKey::Text(key.as_bytes()).seed();
        self.0.get(crate::jump::bucket(seed, self.0.len() as u64) as usize).copied()
    }
}

proptest! {
    #[test]
    fn a_ring_is_the_plugins_map_of_buckets(
        steps in prop::collection::vec((any::<bool>(), 0_u8..8, 1_u32..40), 1..40),
        keys in prop::collection::vec("[a-z]{0,20}", 1..20),
    ) {
        let (mut ring, mut model) = (Ring::new(), Buckets::default());
        for (insert, destination, weight) in steps {
            if insert {
                ring.insert(destination, weight);
                model.insert(destination, weight);
            } else {
                ring.remove(destination);
                model.0.retain(|other| *other != destination);
            }
            for key in &keys {
                prop_assert_eq!(ring.find(HashKey::Text(key.as_bytes())), model.find(key));
            }
        }
    }

    #[test]
    fn a_new_destination_takes_messages_from_others_and_moves_none_between_them(
        weights in prop::collection::vec(1_u32..100, 1..12),
        added in 1_u32..100,
        keys in prop::collection::vec(".{0,30}", 1..60),
    ) {
        let mut ring = ring(&weights);
        let before: Vec<_> = keys.iter().map(|key| ring.find(HashKey::Text(key.as_bytes()))).collect();
        ring.insert(weights.len(), added);
        for (key, before) in keys.iter().zip(before) {
            prop_assert!(before.is_some_and(|place| place < weights.len()));
            let after = ring.find(HashKey::Text(key.as_bytes()));
            prop_assert!(after == before || after == Some(weights.len()));
        }
    }
}
