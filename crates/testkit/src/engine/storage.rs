//! A message store under the engine, stepped by hand like everything else here.

use broker::Broker;
use metadata::{Change, Definitions, Journal, Snapshot, Token, decode_changes, encode_changes};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Arena, Disk, Log, LogWriter, Lsn, Opened, Options, Store};

/// The definitions that a checkpoint has taken out of the log. They survive what happens to the log's disk.
#[derive(Clone, Default)]
pub struct Checkpoint(Arc<Mutex<Contained>>);

#[derive(Default)]
struct Contained {
    changes: Vec<Change>,
    applied: Token,
}

impl Checkpoint {
    fn lock(&self) -> MutexGuard<'_, Contained> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A journal in the log of the store.
pub struct LoggedJournal {
    log: Arc<Log>,
    pending: Mutex<Vec<(Token, Vec<Change>)>>,
    checkpoint: Checkpoint,
}

impl Journal for LoggedJournal {
    fn propose(&self, changes: Vec<Change>) -> Token {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut appender = self.log.append();
        appender.metadata(&encode_changes(&changes));
        let token = Token(appender.end().0);
        pending.push((token, changes));
        token
    }

    fn durable(&self) -> Token {
        Token(self.log.durable().0)
    }

    fn checkpoint(&self, up_to: Token) -> Result<(), metadata::CommitError> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut contained = self.checkpoint.lock();
        let (ready, rest) = std::mem::take(&mut *pending).into_iter().partition(|(token, _)| *token <= up_to);
        *pending = rest;
        let ready: Vec<(Token, Vec<Change>)> = ready;
        for (token, changes) in ready {
            contained.changes.extend(changes);
            contained.applied = token;
        }
        Ok(())
    }
}

/// The store of an engine, with everything that threads would do.
pub struct Storage {
    /// The store.
    pub store: Arc<Store>,
    writer: LogWriter,
    arena: Option<Arena>,
    seen: Lsn,
}

/// What a broker is made of that uses a store.
pub(super) struct Durable {
    pub(super) storage: Storage,
    pub(super) journal: Arc<LoggedJournal>,
    pub(super) snapshot: Snapshot,
    pub(super) backlogs: std::collections::HashMap<u64, store::Backlog>,
}

impl Storage {
    /// Opens what is on `disk`.
    pub(super) fn open(disk: Arc<dyn Disk>, checkpoint: Checkpoint, options: Options) -> Durable {
        let applied = checkpoint.lock().applied;
        let opened = Store::open(disk, options, Lsn(applied.0)).expect("the store opens");
        let Opened { store, writer, backlogs, metadata, .. } = opened;
        let mut definitions = Definitions::default();
        checkpoint.lock().changes.iter().for_each(|change| definitions.apply(change.clone()));
        let mut pending = Vec::new();
        for (lsn, bytes) in metadata {
            let changes = decode_changes(&bytes).expect("changes are read as they were written");
            changes.iter().for_each(|change| definitions.apply(change.clone()));
            pending.push((Token(lsn.0), changes));
        }
        let journal = Arc::new(LoggedJournal { log: store.log().clone(), pending: Mutex::new(pending), checkpoint });
        let storage = Storage { store, writer, arena: None, seen: Lsn::default() };
        Durable { storage, journal, snapshot: Snapshot::from(definitions), backlogs }
    }

    /// Writes and syncs the log, reads for queues, and tidies up; true when anything happened.
    pub(super) fn step(&mut self, broker: &Broker) -> bool {
        let written = self.write() && self.sync(broker);
        let read = self.read(broker);
        let tidied = self.store.maintain(broker).expect("the store tidies up");
        written | read | tidied
    }

    /// Writes what is staged; true when there was something.
    pub fn write(&mut self) -> bool {
        self.writer.write().expect("the log is written")
    }

    /// Syncs what is written, and tells the broker; true when that was more than before.
    pub fn sync(&mut self, broker: &Broker) -> bool {
        self.writer.sync().expect("the log is synced");
        let durable = self.store.log().durable();
        let advanced = durable > self.seen;
        if advanced {
            self.seen = durable;
            broker.journal_advanced(Token(durable.0));
        }
        advanced
    }

    /// Does the reads that queues wait for; true when there were some.
    pub fn read(&mut self, broker: &Broker) -> bool {
        let arena = self.arena.get_or_insert_with(|| Arena::new(broker.message_chunks()));
        let read = broker.perform_read(arena, Duration::ZERO);
        // What is read must not keep the chunk of what was read before.
        arena.seal();
        read
    }
}
