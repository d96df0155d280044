//! Groups that are larger than a record may be.

use amqp::FieldValue;
use proptest::prelude::*;

use super::*;
use crate::QueueDefinition;

/// A log that keeps its records; a position is the number of the record.
#[derive(Default)]
struct Kept(Mutex<Vec<(Token, Vec<u8>)>>);

impl ChangeLog for Kept {
    fn append(&self, bytes: &[u8]) -> Token {
        let mut records = self.0.lock().unwrap();
        let token = Token(records.len() as u64 + 1);
        records.push((token, bytes.to_vec()));
        token
    }

    fn durable(&self) -> Token {
        Token(0)
    }
}

/// Proposes one group; answers its token and its records, whose changes are those of the group.
fn propose(changes: &[Change]) -> (Token, Vec<(Token, Vec<u8>)>) {
    let log = Arc::new(Kept::default());
    let journal = LogJournal::start(FullDisk::new().store(), log.clone(), Vec::new()).unwrap();
    let token = journal.propose(changes.to_vec());
    assert_eq!(journal.pending(), changes.len());
    let records = log.0.lock().unwrap().clone();
    let read: Vec<_> = records.iter().flat_map(|(_, bytes)| decode_changes(bytes).unwrap()).collect();
    assert!(read == changes, "the records are the group, in its order");
    (token, records)
}

/// Queues whose names are in the order of their numbers.
fn queues(count: u64) -> Vec<Change> {
    (0..count).map(|quid| queue(quid, "")).collect()
}

fn queue(quid: u64, argument: &str) -> Change {
    let argument = FieldValue::LongString(argument.into());
    Change::PutQueue(QueueDefinition {
        quid,
        vhost: "/".into(),
        name: format!("queue {quid:05}"),
        durable: true,
        arguments: [("x".to_owned(), argument)].into_iter().collect(),
        ..QueueDefinition::default()
    })
}

#[test]
fn a_group_of_10_000_queues_is_several_records_and_its_token_the_last() {
    let (token, records) = propose(&queues(10_000));
    assert!(records.len() > 1);
    assert!(records.iter().all(|(_, bytes)| bytes.len() <= MOST_BYTES));
    assert_eq!(Some(token), records.last().map(|(token, _)| *token));
}

#[test]
fn a_prefix_of_the_records_is_a_prefix_of_the_group() {
    let group = queues(10_000);
    let (_, records) = propose(&group);
    let mut before = 0;
    for count in 1..=records.len() {
        let (snapshot, pending) = LogJournal::replay(Snapshot::default(), records[..count].to_vec(), 0).unwrap();
        let found: Vec<_> = snapshot.queues.into_iter().map(Change::PutQueue).collect();
        assert!(group.starts_with(&found) && found.len() > before, "{count} records hold {} queues", found.len());
        assert_eq!(pending.len(), count);
        before = found.len();
    }
    assert_eq!(before, group.len());
}

#[test]
fn a_huge_change_stays_one_and_shares_its_record_with_no_other() {
    let huge = queue(5, &"x".repeat(3 * MOST_BYTES / 2));
    assert_eq!(propose(std::slice::from_ref(&huge)).1.len(), 1);
    let mut group = queues(10);
    group[5] = huge.clone();
    let (_, records) = propose(&group);
    let large: Vec<_> = records.iter().filter(|(_, bytes)| bytes.len() > MOST_BYTES).collect();
    assert_eq!(large.len(), 1);
    assert!(decode_changes(&large[0].1).unwrap() == [huge]);
}

#[test]
fn a_checkpoint_between_the_records_of_a_group_leaves_the_rest_pending() {
    let directory = tempfile::tempdir().unwrap();
    let group = queues(10_000);
    let (store, _, _) = Store::open(directory.path()).unwrap();
    let log = Arc::new(Kept::default());
    let journal = LogJournal::start(store, log.clone(), Vec::new()).unwrap();
    let token = journal.propose(group.clone());
    assert!(token > Token(2));
    journal.checkpoint(Token(2)).unwrap();
    let pending = journal.pending();
    drop(journal);

    let (_store, snapshot, applied) = Store::open(directory.path()).unwrap();
    assert_eq!((snapshot.queues.len() + pending, applied), (group.len(), 2));
    let records = log.0.lock().unwrap().clone();
    let (snapshot, _) = LogJournal::replay(snapshot, records, applied).unwrap();
    assert!(snapshot.queues.into_iter().map(Change::PutQueue).eq(group));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A group is split only where it must be: what fits into a record is on disk wholly or not at all.
    #[test]
    fn a_group_is_one_record_where_it_fits(sizes in prop::collection::vec(0..MOST_BYTES / 2, 0..8)) {
        let group: Vec<_> = (0..).zip(sizes).map(|(quid, size)| queue(quid, &"x".repeat(size))).collect();
        let (_, records) = propose(&group);
        prop_assert!(records.iter().all(|(_, bytes)| bytes.len() <= MOST_BYTES));
        prop_assert_eq!(records.len() == 1, encode_changes(&group).len() <= MOST_BYTES);
    }
}
