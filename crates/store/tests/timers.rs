//! Times of messages through the whole store: with their messages, over crashes, retirement and transactions.

#![allow(clippy::unwrap_used, reason = "tests, in functions where clippy does not see it")]

mod broker;

use broker::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::simulation::{Random, SimulatedDisk};
use store::{Append, Due, Owner, SlotFlags, TransactionId, check, dump};

/// Publishes a message with a time, as a reactor does: both records under one hold.
fn publish(broker: &mut Broker, seq: u64, due_ms: u64, tx: Option<TransactionId>) -> Due {
    let message = message(&mut broker.arena, seq);
    let owner = Owner { quid: 1, seq };
    let mut appender = broker.shared.log.append();
    let place = appender.message(owner, Append { tx, ..Append::default() }, &message);
    appender.timer(owner, tx, due_ms);
    drop(appender);
    let mut queues = broker.shared.queues.lock().unwrap();
    let queue = queues.entry(1).or_default();
    queue.backlog.add(seq, place, message.body_len() as u32, SlotFlags::default());
    queue.next_seq = seq + 1;
    let due = Due { due_ms, group: 1, seq };
    broker.store.calendar().add(due);
    due
}

fn remove(broker: &mut Broker, seq: u64) {
    let mut queues = broker.shared.queues.lock().unwrap();
    queues.get_mut(&1).unwrap().backlog.remove(seq, 0);
    broker.shared.log.append().settle(1, None, &[(seq, 0)]);
}

fn commit(broker: &mut Broker) {
    broker.writer.write().unwrap();
    broker.writer.sync().unwrap();
}

/// What the calendar has of messages that are there.
fn found(broker: &mut Broker) -> BTreeSet<Due> {
    let mut all = Vec::new();
    loop {
        broker.settle_down().unwrap();
        let before = all.len();
        broker.store.calendar().take_due(u64::MAX - 1, 512, &mut all);
        if all.len() == before {
            break;
        }
    }
    let queues = broker.shared.queues.lock().unwrap();
    all.into_iter().filter(|due| queues.get(&1).is_some_and(|queue| queue.backlog.contains(due.seq))).collect()
}

fn new() -> (Arc<SimulatedDisk>, Broker, Checkpoint) {
    let disk = SimulatedDisk::new();
    let broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
    let mut checkpoint = Checkpoint::default();
    checkpoint.apply(&definition(1, true));
    (disk, broker, checkpoint)
}

#[test]
fn times_survive_a_crash_wherever_their_messages_are() {
    for seed in 0..6 {
        let (disk, mut broker, checkpoint) = new();
        let mut random = Random::new(seed);
        let mut expected = BTreeSet::new();
        for seq in 1..1500 {
            let magnitude = random.below(44);
            let due = publish(&mut broker, seq, random.below(1 << magnitude), None);
            expected.insert(due);
            if random.chance(1, 4)
                && let Some(gone) = expected.iter().nth(random.below(expected.len() as u64) as usize).copied()
            {
                expected.remove(&gone);
                remove(&mut broker, gone.seq);
            }
            if random.chance(1, 20) {
                commit(&mut broker);
                broker.store.maintain(&broker.shared).unwrap();
            }
        }
        commit(&mut broker);
        assert!(broker.shared.log.first_segment() > 1, "something was retired");
        let disk = disk.crash(&mut random);
        let mut broker = Broker::open(&disk, checkpoint.clone(), None).unwrap();
        assert_eq!(found(&mut broker), expected, "seed {seed}");
        // Taken and not finished, all of it: as if nothing had happened.
        let disk = disk.crash(&mut random);
        let mut broker = Broker::open(&disk, checkpoint, None).unwrap();
        assert_eq!(found(&mut broker), expected, "seed {seed}, again");
    }
}

#[test]
fn a_time_of_a_transaction_counts_when_that_is_committed() {
    let (disk, mut broker, checkpoint) = new();
    let log = broker.shared.log.clone();
    let (kept, lost) = (log.begin_transaction(), log.begin_transaction());
    let due = publish(&mut broker, 1, 1000, Some(kept));
    publish(&mut broker, 2, 2000, Some(lost));
    log.append().tx_commit(kept);
    commit(&mut broker);
    let mut broker = Broker::open(&disk.kill(), checkpoint, None).unwrap();
    assert_eq!(broker.store.calendar().next_due_ms(), Some(1000));
    assert_eq!(found(&mut broker), BTreeSet::from([due]));
}

#[test]
fn check_and_dump_know_times() {
    let (disk, mut broker, _) = new();
    for seq in 1..2000 {
        publish(&mut broker, seq, 5_000_000 + seq, None);
        commit(&mut broker);
        broker.store.maintain(&broker.shared).unwrap();
    }
    broker.settle_down().unwrap();
    let disk: Arc<dyn store::Disk> = disk.kill();
    let report = check(&disk).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert!(report.calendar_files > 0 && report.calendar_entries > 0);
    let mut out = Vec::new();
    dump(&disk, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.lines().any(|line| line.starts_with("calendar-0")), "{out}");
    assert!(out.lines().any(|line| line.contains("timer queue 1 ") && line.contains(" due 500")), "{out}");
}
