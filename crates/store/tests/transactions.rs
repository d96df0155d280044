//! Transactions after a crash: what others do to messages of a transaction before it is committed counts with it.

#![allow(clippy::unwrap_used, reason = "tests, in functions where clippy does not see it")]

mod broker;

use broker::*;
use store::simulation::SimulatedDisk;
use store::*;

const QUID: u64 = 1;

/// Messages 0 to 9 are published in a transaction; something else is logged; the transaction is committed. What is there
/// after the process was killed.
fn after(meanwhile: impl FnOnce(&Log)) -> Backlog {
    let disk = SimulatedDisk::new();
    let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
    let log = broker.store.log().clone();
    let tx = log.begin_transaction();
    for seq in 0..10 {
        let message = message(&mut broker.arena, seq);
        let options = Append { tx: Some(tx), ..Append::default() };
        log.append().message(Owner { quid: QUID, seq }, options, &message);
    }
    meanwhile(&log);
    log.append().tx_commit(tx);
    broker.writer.write().unwrap();
    Store::open(disk.kill(), options(None), Lsn(0)).unwrap().backlogs.remove(&QUID).unwrap()
}

fn there(backlog: &Backlog) -> Vec<u64> {
    (0..10).filter(|seq| backlog.contains(*seq)).collect()
}

#[test]
fn an_acknowledged_message_of_a_transaction_does_not_return() {
    let backlog = after(|log| log.append().settle(QUID, None, &[(3, 8), (5, 8)]));
    assert_eq!(there(&backlog), [0, 1, 2, 4, 6, 7, 8, 9]);
}

#[test]
fn a_purged_message_of_a_transaction_does_not_return() {
    let backlog = after(|log| log.append().settle_range(QUID, 0, 12, &[2, 7]));
    assert_eq!(there(&backlog), [2, 7]);
    assert!(backlog.next_seq_after_recovery() > 12);
    let emptied = after(|log| log.append().settle_range(QUID, 0, 9, &[]));
    assert_eq!((emptied.len(), emptied.body_bytes()), (0, 0));
    assert!(emptied.next_seq_after_recovery() > 9);
}

#[test]
fn a_settlement_by_another_transaction_counts_when_that_is_committed() {
    let settle = |log: &Log, is_committed: bool| {
        let other = log.begin_transaction();
        log.append().settle(QUID, Some(other), &[(0, 8), (1, 8)]);
        if is_committed {
            log.append().tx_commit(other);
        }
    };
    assert_eq!(there(&after(|log| settle(log, true))), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(there(&after(|log| settle(log, false))).len(), 10);
}

#[test]
fn a_message_of_a_transaction_that_came_back_is_redelivered() {
    let disk = SimulatedDisk::new();
    let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
    let log = broker.store.log().clone();
    let tx = log.begin_transaction();
    let message = message(&mut broker.arena, 7);
    log.append().message(Owner { quid: QUID, seq: 0 }, Append { tx: Some(tx), ..Append::default() }, &message);
    log.append().requeue(Owner { quid: QUID, seq: 0 }, 3);
    log.append().tx_commit(tx);
    broker.writer.write().unwrap();
    let opened = Store::open(disk.kill(), options(None), Lsn(0)).unwrap();
    let read = opened.backlogs[&QUID].read_from(0, 1000).unwrap();
    let run = opened.store.read(&read, &mut broker.arena).unwrap();
    assert_eq!((run.loaded[0].delivery_count, run.loaded[0].redelivered), (3, true));
}
