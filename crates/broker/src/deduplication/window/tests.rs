use super::{Claim, KeyRecord, Window};
use crate::errors::Resource;
use crate::topology::{Behaviour, Exchange, ExchangeKind};
use amqp::{FieldTable, FieldValue};
use proptest::prelude::*;
use std::sync::Arc;

/// An exchange with a window of `size` keys.
fn exchange(size: i64, ttl_ms: Option<i64>) -> Arc<Exchange> {
    let size = ("x-cache-size".to_owned(), FieldValue::I64(size));
    let ttl = ttl_ms.map(|ttl_ms| ("x-cache-ttl".to_owned(), FieldValue::I64(ttl_ms)));
    let arguments: FieldTable = std::iter::once(size).chain(ttl).collect();
    let kind = ExchangeKind::MessageDeduplication;
    let behaviour = Behaviour::of(kind, &arguments, &Resource::exchange("/", "x")).expect("the arguments are valid");
    Arc::new(Exchange { behaviour, ..Exchange::new(&"/".into(), 1, "x", kind) })
}

fn window(exchange: &Exchange) -> &Window {
    exchange.window().expect("it deduplicates")
}

/// True when the message is no duplicate; it stays known.
fn passes(exchange: &Arc<Exchange>, key: u128, ttl_ms: Option<u64>, now_ms: u64) -> bool {
    window(exchange).claim(exchange, key, ttl_ms, now_ms).inspect(Claim::keep).is_some()
}

#[test]
fn a_key_is_a_duplicate_until_it_expires() {
    let exchange = exchange(10, Some(100));
    assert!(passes(&exchange, 1, None, 0));
    assert!(!passes(&exchange, 1, None, 99));
    assert!(passes(&exchange, 1, None, 100));
    // A message's own time counts instead, a duplicate's changes nothing.
    assert!(passes(&exchange, 2, Some(500), 100));
    assert!(!passes(&exchange, 2, Some(5000), 599));
    assert!(passes(&exchange, 2, Some(0), 600));
    assert!(passes(&exchange, 2, None, 600));
}

#[test]
fn the_oldest_makes_room() {
    let exchange = exchange(2, None);
    assert!(passes(&exchange, 1, None, 0) && passes(&exchange, 2, None, 0) && passes(&exchange, 3, None, 0));
    assert!(!passes(&exchange, 2, None, 0) && !passes(&exchange, 3, None, 0));
    assert!(passes(&exchange, 1, None, 0));
}

#[test]
fn what_was_not_kept_is_forgotten() {
    let exchange = exchange(2, None);
    let claim = window(&exchange).claim(&exchange, 1, None, 0).expect("it is new");
    assert!(!passes(&exchange, 1, None, 0));
    drop(claim);
    assert!(passes(&exchange, 1, None, 0));
}

#[test]
fn records_are_read_back() {
    let record = KeyRecord { key: 7 << 100 | 9, due_ms: 1 << 50 };
    assert_eq!(KeyRecord::from_bytes(&record.to_bytes()), Some(record));
    for bytes in [&[][..], &[0; 23], &[0; 25]] {
        assert_eq!(KeyRecord::from_bytes(bytes), None);
    }
}

/// Keys in order, searched from end to end: key, when it is due.
#[derive(Default)]
struct Model(Vec<(u128, u64)>);

impl Model {
    fn passes(&mut self, key: u128, due_ms: u64, now_ms: u64, size: usize) -> bool {
        if self.0.iter().any(|(other, due_ms)| *other == key && *due_ms > now_ms) {
            return false;
        }
        self.0.retain(|(other, _)| *other != key);
        while self.0.first().is_some_and(|(_, due_ms)| *due_ms <= now_ms) || self.0.len() >= size {
            self.0.remove(0);
        }
        self.0.push((key, due_ms));
        true
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish { key: u128, ttl_ms: Option<u64>, kept: bool },
    Wait(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_u128..12, prop::option::of(0_u64..60), prop::bool::weighted(0.9))
            .prop_map(|(key, ttl_ms, kept)| Step::Publish { key, ttl_ms, kept }),
        3 => (0_u64..40).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    /// The records, which are a queue that keys are added to and stale ones removed from, make the same window again.
    #[test]
    fn a_window_is_the_model_over_restarts(
        size in 1_usize..8,
        ttl_ms in prop::option::of(1_i64..80),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut exchange_now = exchange(size as i64, ttl_ms);
        let (mut model, mut now_ms) = (Model::default(), 1);
        let mut records: std::collections::BTreeMap<u64, KeyRecord> = Default::default();
        let mut next_seq = 0;
        for step in steps {
            match step {
                Step::Wait(ms) => now_ms += ms,
                Step::Publish { key, ttl_ms: own, kept } => {
                    let due_ms = own.or(ttl_ms.map(|ttl| ttl as u64)).map_or(u64::MAX, |ttl| now_ms + ttl);
                    let claim = window(&exchange_now).claim(&exchange_now, key, own, now_ms);
                    prop_assert_eq!(claim.is_some(), model.passes(key, due_ms, now_ms, size));
                    match claim {
                        Some(claim) if kept => {
                            claim.keep();
                            records.insert(next_seq, claim.record());
                            window(&exchange_now).recorded(&claim, next_seq);
                            next_seq += 1;
                        }
                        Some(_) => model.0.retain(|(other, _)| *other != key),
                        None => {}
                    }
                    for seq in window(&exchange_now).take_stale() {
                        prop_assert!(records.remove(&seq).is_some(), "record {} is removed once", seq);
                    }
                    prop_assert!(records.len() <= size);
                }
                Step::Restart => {
                    exchange_now = exchange(size as i64, ttl_ms);
                    for (seq, record) in &records {
                        window(&exchange_now).restore(*record, *seq);
                    }
                }
            }
        }
    }
}
