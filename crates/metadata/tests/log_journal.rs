//! The journal over a log against one in memory: proposals, checkpoints, and restarts at any step, however the log ends.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use metadata::{Change, ChangeGroup, ChangeLog, Journal, LogJournal, MemoryJournal, Snapshot, Store, Token};
use proptest::collection::vec;
use proptest::prelude::*;

/// A log in memory; like the real one it gives the end of a record as its position, and has other records in between.
#[derive(Default)]
struct Log(Mutex<Records>);

#[derive(Clone, Default)]
struct Records {
    records: Vec<(Token, Vec<u8>)>,
    end: u64,
    durable: u64,
}

impl ChangeLog for Log {
    fn append(&self, bytes: &[u8]) -> Token {
        let mut log = self.0.lock().unwrap();
        log.end += (32 + bytes.len() as u64).next_multiple_of(8);
        let token = Token(log.end);
        log.records.push((token, bytes.to_vec()));
        token
    }

    fn durable(&self) -> Token {
        Token(self.0.lock().unwrap().durable)
    }
}

impl Log {
    /// A record that is not metadata.
    fn append_other(&self) {
        self.0.lock().unwrap().end += 64;
    }

    fn sync(&self) {
        let mut log = self.0.lock().unwrap();
        log.durable = log.end;
    }

    /// The log that a start finds when it ends at `end`.
    fn cut(&self, end: u64) -> Log {
        let mut records = self.0.lock().unwrap().clone();
        records.records.retain(|(token, _)| token.0 <= end);
        (records.end, records.durable) = (end, end);
        Log(Mutex::new(records))
    }

    /// Forgets the records up to `applied`, as the log does with segments that the checkpoint contains.
    fn forget(&self, applied: u64) {
        self.0.lock().unwrap().records.retain(|(token, _)| token.0 > applied);
    }

    fn records(&self) -> Vec<(Token, Vec<u8>)> {
        self.0.lock().unwrap().records.clone()
    }

    fn bounds(&self) -> (u64, u64) {
        let log = self.0.lock().unwrap();
        (log.durable, log.end)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Propose(Vec<Change>),
    Other,
    Sync,
    /// Up to this share of what is durable, of 255.
    Checkpoint(u8),
    /// As segments are given back.
    Forget,
    /// A clean end.
    Shutdown,
    /// This share of what was not synced survives, of 255.
    Crash(u8),
    /// A log whose syncs promise nothing: this share of all of it survives, also where the checkpoint has more.
    LoseTail(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => vec(support::change(), 0..6).prop_map(Step::Propose),
        3 => Just(Step::Other),
        6 => Just(Step::Sync),
        6 => any::<u8>().prop_map(Step::Checkpoint),
        2 => Just(Step::Forget),
        1 => Just(Step::Shutdown),
        2 => any::<u8>().prop_map(Step::Crash),
        1 => any::<u8>().prop_map(Step::LoseTail),
    ]
}

/// A node: its journal, and every group that a restart should still find, with its position.
struct Node<'a> {
    directory: &'a Path,
    log: Arc<Log>,
    journal: LogJournal,
    applied: u64,
    groups: Vec<ChangeGroup>,
}

impl Node<'_> {
    fn start(directory: &Path, log: Log, groups: Vec<ChangeGroup>) -> Node<'_> {
        let (store, snapshot, applied) = Store::open(directory).unwrap();
        let (snapshot, pending) = LogJournal::replay(snapshot, log.records(), applied).unwrap();
        assert_eq!(snapshot, expected(&groups), "what a start finds");
        let log = Arc::new(log);
        let count = pending.iter().map(|(_, changes)| changes.len()).sum::<usize>();
        let journal = LogJournal::start(store, log.clone(), pending).unwrap();
        assert_eq!(journal.pending(), count);
        let applied = applied.min(log.bounds().1);
        Node { directory, log, journal, applied, groups }
    }

    fn step(mut self, step: Step) -> Self {
        let (durable, end) = self.log.bounds();
        match step {
            Step::Propose(changes) => self.groups.push((self.journal.propose(changes.clone()), changes)),
            Step::Other => self.log.append_other(),
            Step::Sync => self.log.sync(),
            Step::Checkpoint(share) => self.checkpoint(part(durable, share)),
            Step::Forget => self.log.forget(self.applied),
            Step::Shutdown => {
                self.journal.shutdown().unwrap();
                self.checkpointed(durable);
                return self.restart(end);
            }
            Step::Crash(share) => return self.restart(durable + part(end - durable, share)),
            Step::LoseTail(share) => return self.restart(part(end, share)),
        }
        self
    }

    fn checkpoint(&mut self, up_to: u64) {
        self.journal.checkpoint(Token(up_to)).unwrap();
        self.checkpointed(up_to);
        let pending = self.groups.iter().filter(|(token, _)| token.0 > self.applied);
        assert_eq!(self.journal.pending(), pending.map(|(_, changes)| changes.len()).sum::<usize>());
    }

    fn checkpointed(&mut self, up_to: u64) {
        let contained = self.groups.iter().map(|(token, _)| token.0).filter(|token| *token <= up_to).max();
        self.applied = self.applied.max(contained.unwrap_or(0));
    }

    /// Ends without a word and starts with the log up to `end`.
    fn restart(self, end: u64) -> Self {
        let Node { directory, log, journal, applied, mut groups } = self;
        drop(journal); // and with it the lock of the directory
        groups.retain(|(token, _)| token.0 <= end.max(applied));
        for (token, _) in &mut groups {
            token.0 = token.0.min(end); // contained already: only its place among the others matters
        }
        Node::start(directory, log.cut(end), groups)
    }
}

fn part(of: u64, share: u8) -> u64 {
    // Rounded to where records may end.
    of * u64::from(share) / 255 / 8 * 8
}

fn expected(groups: &[ChangeGroup]) -> Snapshot {
    let model = MemoryJournal::new();
    for (_, changes) in groups {
        model.propose(changes.clone());
    }
    model.snapshot()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_restart_at_any_step_finds_what_was_proposed(steps in vec(step(), 0..40)) {
        let directory = tempfile::tempdir().unwrap();
        let mut node = Node::start(directory.path(), Log::default(), Vec::new());
        for step in steps {
            node = node.step(step);
        }
        let end = node.log.bounds().1;
        node.restart(end);
    }
}
