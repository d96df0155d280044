//! Order, grouping, notification and failure of commits.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Sender};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::super::tests::store_over;
use super::*;
use crate::{QueueDefinition, VhostDefinition};

/// A disk in memory whose syncs can be held up and made to fail.
#[derive(Debug, Default)]
struct Disk {
    memory: InMemoryBackend,
    broken: Arc<AtomicBool>,
    /// Held by a test that holds up every sync.
    gate: Arc<Mutex<()>>,
    /// Told of every sync that begins.
    syncing: Option<Sender<()>>,
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if let Some(syncing) = &self.syncing {
            syncing.send(()).ok(); // the test may have stopped listening
        }
        drop(self.gate.lock());
        if self.broken.load(Ordering::Relaxed) { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.memory.write(offset, data)
    }
}

fn store_on(disk: Disk) -> Store {
    let disk = Mutex::new(Some(disk));
    store_over(move || disk.lock().unwrap().take().expect("opened once"))
}

fn store() -> Store {
    store_on(Disk::default())
}

fn put_vhost(name: &str) -> Change {
    Change::PutVhost(VhostDefinition { name: name.to_owned(), ..VhostDefinition::default() })
}

#[test]
fn every_proposal_becomes_durable_in_order_and_is_announced() {
    let (sender, durable) = mpsc::channel();
    let journal = store().start(move |token| sender.send(token).unwrap(), |e| panic!("{e}")).unwrap();
    let tokens: Vec<_> = (0..500).map(|at| journal.propose(vec![put_vhost(&at.to_string())])).collect();
    assert!(tokens.is_sorted_by(|a, b| a < b));
    journal.shutdown();
    assert_eq!(journal.durable(), *tokens.last().unwrap());
    let announced: Vec<_> = durable.iter().collect();
    assert!(announced.is_sorted_by(|a, b| a < b), "{announced:?}");
    assert_eq!(announced.last(), tokens.last());
}

#[test]
fn an_idle_journal_commits_at_once_and_can_be_dropped() {
    let (sender, durable) = mpsc::channel();
    let journal = store().start(move |token| sender.send(token).unwrap(), |e| panic!("{e}")).unwrap();
    for _ in 0..50 {
        let token = journal.propose(vec![put_vhost("v")]);
        assert_eq!(durable.recv().unwrap(), token);
        assert_eq!(journal.durable(), token);
    }
    drop(journal);
    assert!(durable.recv().is_err(), "the thread has ended");
}

#[test]
fn an_empty_proposal_is_a_barrier() {
    let journal = store().start(|_| {}, |e| panic!("{e}")).unwrap();
    journal.propose(vec![put_vhost("v")]);
    let barrier = journal.propose(vec![]);
    journal.shutdown();
    assert_eq!(journal.durable(), barrier);
}

#[test]
fn proposals_during_a_commit_share_the_next_one() {
    let (syncing, syncs) = mpsc::channel();
    let gate = Arc::new(Mutex::new(()));
    let store = store_on(Disk { gate: Arc::clone(&gate), syncing: Some(syncing), ..Disk::default() });
    while syncs.try_recv().is_ok() {} // those of setting up
    let (sender, durable) = mpsc::channel();
    let journal = store.start(move |token| sender.send(token).unwrap(), |e| panic!("{e}")).unwrap();

    let held = gate.lock().unwrap();
    let first = journal.propose(vec![put_vhost("first")]);
    syncs.recv().unwrap();
    let tokens: Vec<_> = (0..1000).map(|at| journal.propose(vec![put_vhost(&at.to_string())])).collect();
    assert_eq!(journal.durable(), Token(0), "nothing is durable before its sync");
    drop(held);
    journal.shutdown();
    let announced: Vec<_> = durable.iter().collect();
    assert_eq!(announced, [first, *tokens.last().unwrap()]);
}

#[test]
fn a_failed_sync_fences_the_journal_for_good() {
    let broken = Arc::new(AtomicBool::new(false));
    let (sender, durable) = mpsc::channel();
    let (failed, failure) = mpsc::channel();
    let journal = store_on(Disk { broken: Arc::clone(&broken), ..Disk::default() })
        .start(move |token| sender.send(token).unwrap(), move |error| failed.send(error.to_string()).unwrap())
        .unwrap();
    let good = journal.propose(vec![put_vhost("good")]);
    assert_eq!(durable.recv().unwrap(), good);

    broken.store(true, Ordering::Relaxed);
    journal.propose(vec![put_vhost("lost")]);
    assert_eq!(failure.recv().unwrap(), "metadata could not be committed: I/O error: the disk is gone");

    broken.store(false, Ordering::Relaxed);
    let late = journal.propose(vec![put_vhost("late")]);
    assert!(late > good);
    journal.shutdown();
    assert_eq!(journal.durable(), good, "a disk that came back proves nothing");
    assert!(durable.recv().is_err());
}

#[test]
fn proposals_after_the_shutdown_are_never_durable() {
    let journal = store().start(|_| {}, |e| panic!("{e}")).unwrap();
    let before = journal.propose(vec![put_vhost("before")]);
    journal.shutdown();
    assert!(journal.propose(vec![put_vhost("after")]) > before);
    journal.shutdown();
    assert_eq!(journal.durable(), before);
}

#[test]
#[should_panic(expected = "cannot be read back")]
fn what_could_not_be_read_back_is_not_taken() {
    let journal = store().start(|_| {}, |_| {}).unwrap();
    let arguments = [("n".repeat(256), amqp::FieldValue::Void)].into_iter().collect();
    journal.propose(vec![Change::PutQueue(QueueDefinition { arguments, ..QueueDefinition::default() })]);
}
