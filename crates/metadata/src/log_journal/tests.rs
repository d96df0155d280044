//! Order, full disks, damaged records and logs that were lost.

mod pieces;

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::VhostDefinition;
use crate::store::{FullDisk, found};

/// Positions without a disk: every record takes ten.
#[derive(Default)]
struct Positions {
    end: AtomicU64,
    durable: AtomicU64,
}

impl Positions {
    fn at(end: u64) -> Arc<Positions> {
        Arc::new(Positions { end: AtomicU64::new(end), durable: AtomicU64::new(end) })
    }

    fn sync(&self) {
        self.durable.store(self.end.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl ChangeLog for Positions {
    fn append(&self, _bytes: &[u8]) -> Token {
        Token(self.end.fetch_add(10, Ordering::Relaxed) + 10)
    }

    fn durable(&self) -> Token {
        Token(self.durable.load(Ordering::Relaxed))
    }
}

fn put(name: &str) -> Change {
    Change::PutVhost(VhostDefinition { name: name.to_owned(), ..VhostDefinition::default() })
}

fn journal(disk: &FullDisk, log: &Arc<Positions>) -> LogJournal {
    LogJournal::start(disk.store(), log.clone(), Vec::new()).unwrap()
}

#[test]
fn a_checkpoint_takes_what_is_up_to_its_position() {
    let (disk, log) = (FullDisk::new(), Positions::at(0));
    let journal = journal(&disk, &log);
    let first = journal.propose(vec![put("a"), put("b")]);
    let second = journal.propose(vec![put("c")]);
    assert_eq!((first, second, journal.durable()), (Token(10), Token(20), Token(0)));
    assert_eq!(journal.pending(), 3);
    journal.checkpoint(Token(19)).unwrap();
    assert_eq!(journal.pending(), 1);
    journal.checkpoint(Token(9)).unwrap();
    drop(journal);
    assert_eq!(found(&disk), (vec!["a".into(), "b".into()], 10));
}

#[test]
fn a_shutdown_checkpoints_what_is_durable_and_frees_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = Store::open(directory.path()).unwrap();
    let log = Positions::at(0);
    let journal = LogJournal::start(store, log.clone(), Vec::new()).unwrap();
    journal.propose(vec![put("durable")]);
    log.sync();
    journal.propose(vec![put("not")]);
    assert!(matches!(Store::open(directory.path()), Err(OpenError::Locked { .. })));
    journal.shutdown().unwrap();
    let (_store, snapshot, applied) = Store::open(directory.path()).unwrap();
    assert_eq!((snapshot.vhosts.len(), applied), (1, 10));
    journal.propose(vec![put("late")]);
    journal.checkpoint(Token(30)).unwrap();
    journal.shutdown().unwrap();
}

#[test]
fn after_a_full_disk_the_changes_are_pending_still_and_in_order() {
    let (disk, log) = (FullDisk::new(), Positions::at(0));
    let journal = journal(&disk, &log);
    journal.propose(vec![put("a")]);
    disk.full_after(0);
    assert!(matches!(journal.checkpoint(Token(10)), Err(CommitError::NoSpace(_))));
    journal.propose(vec![Change::DeleteVhost { name: "a".into() }, put("b")]);
    assert!(matches!(journal.checkpoint(Token(20)), Err(CommitError::NoSpace(_))));
    assert_eq!(journal.pending(), 3);
    disk.free();
    journal.checkpoint(Token(20)).unwrap();
    assert_eq!(journal.pending(), 0);
    drop(journal);
    assert_eq!(found(&disk), (vec!["b".into()], 20));
}

#[test]
fn after_a_failed_sync_no_checkpoint_is_tried_and_the_log_has_everything() {
    let (disk, log) = (FullDisk::new(), Positions::at(0));
    let journal = journal(&disk, &log);
    journal.propose(vec![put("a")]);
    journal.checkpoint(Token(10)).unwrap();
    journal.propose(vec![put("b")]);
    disk.fail_sync();
    assert!(matches!(journal.checkpoint(Token(20)), Err(CommitError::Failed(_))));
    assert_eq!(journal.propose(vec![put("c")]), Token(30));
    log.sync();
    assert_eq!((journal.durable(), journal.pending()), (Token(30), 2));
    let again = "metadata could not be committed: an earlier commit has failed";
    assert_eq!(journal.checkpoint(Token(30)).unwrap_err().to_string(), again, "a disk that came back proves nothing");
    assert_eq!(journal.shutdown().unwrap_err().to_string(), again);
    assert!(found(&disk).1 < 30, "the next start reads the rest from the log");
}

#[test]
fn proposals_do_not_wait_for_a_checkpoint() {
    let (disk, log) = (FullDisk::new(), Positions::at(0));
    let journal = journal(&disk, &log);
    journal.propose(vec![put("first")]);
    let sync = disk.hold_next_sync();
    std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| journal.checkpoint(Token(10)));
        sync.wait();
        let tokens: Vec<_> = (0..100).map(|at| journal.propose(vec![put(&at.to_string())])).collect();
        assert!(tokens.is_sorted_by(|a, b| a < b));
        assert_eq!(journal.pending(), 101, "what a checkpoint has taken is pending until it is done");
        sync.wait();
        checkpoint.join().unwrap().unwrap();
    });
    assert_eq!(journal.pending(), 100);
    drop(journal);
    assert_eq!(found(&disk), (vec!["first".into()], 10));
}

#[test]
fn an_empty_proposal_is_a_barrier() {
    let (disk, log) = (FullDisk::new(), Positions::at(0));
    let journal = journal(&disk, &log);
    let change = journal.propose(vec![put("a")]);
    let barrier = journal.propose(vec![]);
    assert!(barrier > change);
    log.sync();
    assert_eq!(journal.durable(), barrier);
    journal.checkpoint(barrier).unwrap();
    drop(journal);
    assert_eq!(found(&disk), (vec!["a".into()], barrier.0));
}

#[test]
fn a_log_shorter_than_the_store_goes_on_and_loses_nothing_new() {
    let disk = FullDisk::new();
    {
        let log = Positions::at(0);
        let journal = journal(&disk, &log);
        for at in 0..5 {
            journal.propose(vec![put(&at.to_string())]);
        }
        journal.checkpoint(Token(50)).unwrap();
    }
    let log = Positions::at(20);
    let journal = journal(&disk, &log);
    assert_eq!(journal.propose(vec![put("new")]), Token(30), "a position that the store contained before");
    journal.checkpoint(Token(30)).unwrap();
    drop(journal);
    let (vhosts, applied) = found(&disk);
    assert_eq!((vhosts.len(), applied), (6, 30));
}

#[test]
fn a_damaged_record_is_named_and_old_ones_are_not_read() {
    let good = encode_changes(&[put("a")]);
    let records =
        |bytes: &[u8]| vec![(Token(10), b"old".to_vec()), (Token(20), good.clone()), (Token(30), bytes.to_vec())];
    let (snapshot, pending) = LogJournal::replay(Snapshot::default(), records(&good), 10).unwrap();
    assert_eq!((snapshot.vhosts.len(), pending.len()), (1, 2));
    let error = LogJournal::replay(Snapshot::default(), records(&good[1..]), 10).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metadata record at position 30 of the message log is damaged or of a later version"
    );
}

#[test]
#[should_panic(expected = "the log gave position 10 after 10")]
fn a_position_given_twice_is_not_taken() {
    struct Stuck;
    impl ChangeLog for Stuck {
        fn append(&self, _bytes: &[u8]) -> Token {
            Token(10)
        }
        fn durable(&self) -> Token {
            Token(0)
        }
    }
    let journal = LogJournal::start(FullDisk::new().store(), Arc::new(Stuck), Vec::new()).unwrap();
    journal.propose(vec![]);
    journal.propose(vec![]);
}

#[test]
#[should_panic(expected = "cannot be read back")]
fn what_could_not_be_read_back_is_not_taken() {
    let journal = journal(&FullDisk::new(), &Positions::at(0));
    let arguments = [("n".repeat(256), amqp::FieldValue::Void)].into_iter().collect();
    journal.propose(vec![Change::PutQueue(crate::QueueDefinition { arguments, ..Default::default() })]);
}

/// Threads that propose while another checkpoints: what is found is what the log's order says.
#[test]
fn proposals_during_checkpoints_keep_the_order_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let (last, total) = race(directory.path());
    let (_store, snapshot, applied) = Store::open(directory.path()).unwrap();
    assert_eq!(applied, total);
    assert_eq!(snapshot.vhosts.iter().map(|vhost| &*vhost.description).collect::<Vec<_>>(), [last]);
}

/// Each proposal overwrites the one virtual host; answers the last one's text in the log's order, and its position.
fn race(directory: &Path) -> (String, u64) {
    const THREADS: usize = 3;
    let (store, _, _) = Store::open(directory).unwrap();
    let log = Positions::at(0);
    let journal = LogJournal::start(store, log.clone(), Vec::new()).unwrap();
    let (begin, last) = (Barrier::new(THREADS + 1), Mutex::new((Token(0), String::new())));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (journal, begin, last) = (&journal, &begin, &last);
            scope.spawn(move || {
                begin.wait();
                for at in 0..300 {
                    let description = format!("{thread} {at}");
                    let vhost = VhostDefinition { description: description.clone(), ..VhostDefinition::default() };
                    let token = journal.propose(vec![Change::PutVhost(vhost)]);
                    let mut last = last.lock().unwrap();
                    if token > last.0 {
                        *last = (token, description);
                    }
                }
            });
        }
        begin.wait();
        for _ in 0..10 {
            log.sync();
            journal.checkpoint(journal.durable()).unwrap();
        }
    });
    log.sync();
    journal.shutdown().unwrap();
    assert_eq!(journal.pending(), 0);
    let (token, description) = last.into_inner().unwrap();
    (description, token.0)
}
