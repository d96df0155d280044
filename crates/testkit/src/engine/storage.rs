//! A message store under the engine, stepped by hand like everything else here.

use broker::Broker;
use metadata::{Change, Definitions, Journal, Snapshot, Token, decode_changes, encode_changes};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Arena, Disk, Log, LogWriter, Lsn, OpenError, Opened, Options, Store, StoreError};

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

/// What threads do beside the reactors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageStep {
    /// The log's thread writes what is staged.
    Write,
    /// It syncs what it has written.
    Sync,
    /// The reader does one read.
    Read,
    /// The store tidies up.
    Maintain,
}

impl StorageStep {
    /// All of them, in the order in which they get the most done.
    pub const ALL: [StorageStep; 4] = [StorageStep::Write, StorageStep::Sync, StorageStep::Read, StorageStep::Maintain];
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
    pub(super) fn open(disk: Arc<dyn Disk>, checkpoint: Checkpoint, options: Options) -> Result<Durable, OpenError> {
        let applied = checkpoint.lock().applied;
        let Opened { store, writer, backlogs, metadata, .. } = Store::open(disk, options, Lsn(applied.0))?;
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
        Ok(Durable { storage, journal, snapshot: Snapshot::from(definitions), backlogs })
    }

    /// Does one thing; true when there was something to do.
    pub(super) fn step(&mut self, step: StorageStep, broker: &Broker) -> Result<bool, StoreError> {
        match step {
            StorageStep::Write => self.writer.write(),
            StorageStep::Sync => self.sync(broker),
            StorageStep::Read => Ok(self.read(broker)),
            StorageStep::Maintain => self.store.maintain(broker),
        }
    }

    /// Syncs what is written, and tells the broker; true when that was more than before.
    fn sync(&mut self, broker: &Broker) -> Result<bool, StoreError> {
        self.writer.sync()?;
        let durable = self.store.log().durable();
        let advanced = durable > self.seen;
        if advanced {
            self.seen = durable;
            broker.journal_advanced(Token(durable.0));
        }
        Ok(advanced)
    }

    /// Ends in good order, as a shutdown does once the reactors have stopped.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn finish(mut self, broker: &Broker) -> Result<(), StoreError> {
        broker.mark_delivered_exactly();
        self.store.log().close();
        self.writer.finish()?;
        self.store.close();
        Ok(())
    }

    /// Does one of the reads that queues wait for; true when there was one.
    fn read(&mut self, broker: &Broker) -> bool {
        let arena = self.arena.get_or_insert_with(|| Arena::new(broker.message_chunks()));
        let read = broker.perform_read(arena, Duration::ZERO);
        // What is read must not keep the chunk of what was read before.
        arena.seal();
        read
    }
}
