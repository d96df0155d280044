//! The engine's side of the message store: what it reads for queues, and what the store asks of queues.

use crate::broker::Broker;
use crate::core::MESSAGES_PER_LOCK;
use crate::core::persist::append_transient;
use crate::message::ShardMessage;
use crate::topology::QueueCell;
use metadata::{CommitError, Token};
use queue::{Queue, Storage};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Arena, Backlog, LoadedRun, Lsn, Owners, Read, ReadError, Store, StoreError};
use tracing::error;

/// How long the reader waits for the log to write what it is to read, and the store for reactors.
const PAUSE: Duration = Duration::from_micros(200);

/// The same after the disk failed to read.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Where messages are kept beside memory.
pub struct MessageStore {
    /// The store.
    pub store: Arc<Store>,
    /// What its queues had at the start, by queue id.
    pub backlogs: HashMap<u64, Backlog>,
    /// Memory that messages may take before they are left to the disk, in bytes.
    pub memory_bytes: usize,
}

/// The same in a broker.
pub(crate) struct Messages {
    pub(crate) store: Arc<Store>,
    pub(crate) reads: Reads,
    /// All queues by id, which is how the store names them. A queue leaves when its deletion is in the journal.
    queues: Mutex<HashMap<u64, Arc<QueueCell>>>,
    memory_bytes: AtomicUsize,
}

/// Reads to be done, in order.
#[derive(Default)]
pub(crate) struct Reads {
    jobs: Mutex<VecDeque<ReadJob>>,
    submitted: Condvar,
    /// Jobs in a row for which the log was not far enough.
    waiting: AtomicUsize,
}

struct ReadJob {
    cell: Arc<QueueCell>,
    read: Read,
    /// The reactor that is told when it is done.
    shard: usize,
}

impl Reads {
    fn jobs(&self) -> MutexGuard<'_, VecDeque<ReadJob>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a read to the thread that reads.
    pub(crate) fn submit(&self, cell: Arc<QueueCell>, read: Read, shard: usize) {
        self.jobs().push_back(ReadJob { cell, read, shard });
        self.submitted.notify_one();
    }
}

impl Messages {
    pub(crate) fn new(store: Arc<Store>, memory_bytes: usize) -> Messages {
        let memory_bytes = AtomicUsize::new(memory_bytes);
        Messages { store, reads: Reads::default(), queues: Mutex::default(), memory_bytes }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<u64, Arc<QueueCell>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker {
    /// True when messages take more memory than they may, so that some are left to the disk.
    #[inline]
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.messages
            .as_ref()
            .is_some_and(|messages| self.chunks.bytes_in_use() > messages.memory_bytes.load(Ordering::Relaxed))
    }

    /// Bytes of memory that messages may take before some are left to the disk.
    pub(crate) fn memory_for_messages(&self) -> u64 {
        self.messages.as_ref().map_or(u64::MAX, |messages| messages.memory_bytes.load(Ordering::Relaxed) as u64)
    }

    /// Does one read for a queue, waiting for one up to `timeout`; false when there was none.
    pub fn perform_read(&self, arena: &mut Arena, timeout: Duration) -> bool {
        let Some(messages) = &self.messages else { return false };
        let mut jobs = messages.reads.jobs();
        if jobs.is_empty() && !timeout.is_zero() {
            let waited = messages.reads.submitted.wait_timeout(jobs, timeout);
            jobs = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let Some(job) = jobs.pop_front() else { return false };
        drop(jobs);
        let run = match messages.store.read(&job.read, arena) {
            Ok(run) => run,
            Err(ReadError::NotWritten) => {
                messages.store.log().commit();
                let mut jobs = messages.reads.jobs();
                jobs.push_back(job);
                let jobs = jobs.len();
                // When all of them wait for the log, so does the thread.
                let waiting = messages.reads.waiting.fetch_add(1, Ordering::Relaxed) + 1;
                if waiting >= jobs && !timeout.is_zero() {
                    messages.reads.waiting.store(0, Ordering::Relaxed);
                    std::thread::park_timeout(PAUSE);
                }
                return true;
            }
            // They are somewhere else by now, where the queue will find them.
            Err(ReadError::Moved) => LoadedRun::default(),
            Err(failure) => {
                error!("cannot read messages of queue '{}' in vhost '{}': {failure}", job.cell.name, job.cell.vhost);
                // Whoever asks again at once would fail again; this holds up other queues, but their disk is the same.
                if !timeout.is_zero() {
                    std::thread::park_timeout(PAUSE_AFTER_FAILURE);
                }
                LoadedRun::default()
            }
        };
        let mut state = job.cell.lock();
        let lost = state.queue.take_read(run);
        if !lost.is_empty() {
            self.settle_lost(messages, &job.cell, &lost);
        }
        job.cell.publish_gauges(&state);
        let waiting = std::mem::take(&mut state.waited_for);
        drop(state);
        self.deliver_on(&job.cell, waiting.into_iter().filter(|shard| *shard != job.shard));
        self.post(job.shard, ShardMessage::Deliver(job.cell));
        true
    }

    /// Takes messages off the books that could not be read, so that they are lost once and not at every start.
    fn settle_lost(&self, messages: &Messages, cell: &QueueCell, lost: &[(u64, u32, Option<u64>)]) {
        let mut appender = messages.store.log().append();
        for (seq, body_len, blob) in lost {
            appender.settle(cell.quid, None, &[(*seq, *body_len)]);
            blob.iter().for_each(|blob| appender.release_blob(*blob));
        }
        drop(appender);
        for (seq, ..) in lost {
            error!("message {seq} of queue '{}' in vhost '{}' is damaged on disk and lost", cell.name, cell.vhost);
        }
    }

    /// Has reactors look at a queue that may have its first message now.
    pub(crate) fn deliver_on(&self, cell: &Arc<QueueCell>, shards: impl Iterator<Item = usize>) {
        shards.for_each(|shard| self.post(shard, ShardMessage::Deliver(cell.clone())));
    }

    /// Takes the ready messages of a queue off the books; returns how many there were, and what to wait for.
    pub(crate) fn purge_queue(&self, cell: &QueueCell) -> (u64, Option<Token>) {
        let mut gone = Vec::new();
        let mut state = cell.lock();
        let count = state.queue.purge(&mut gone);
        let mut token = None;
        if let Some(messages) = &self.messages
            && state.queue.storage().is_some()
        {
            let stored: Vec<(u64, u32)> =
                gone.iter().filter(|entry| entry.stored).map(|entry| (entry.seq, entry.body_len)).collect();
            let paged = state.queue.forget_paged();
            let mut blobs = Vec::new();
            if let Some(storage) = state.queue.storage() {
                let removed = stored.iter().filter_map(|(seq, len)| storage.backlog.remove(*seq, *len));
                blobs.extend(removed.filter_map(|removed| removed.blob));
            }
            let log = messages.store.log();
            // A piece at a time, because everybody who publishes or acknowledges waits for the log meanwhile.
            stored.chunks(4096).for_each(|piece| log.append().settle(cell.quid, None, piece));
            if !stored.is_empty() || paged.is_some() {
                let mut appender = log.append();
                if let Some((first, last, more)) = paged {
                    appender.settle_range(cell.quid, first, last, &[]);
                    blobs.extend(more);
                }
                blobs.into_iter().for_each(|blob| appender.release_blob(blob));
                token = Some(Token(appender.end().0));
                drop(appender);
                log.commit();
            }
        }
        cell.publish_gauges(&state);
        drop(state);
        (count, token)
    }

    /// Makes a queue known to the store; called before anything of it can be in the log.
    pub(crate) fn add_queue(&self, cell: &Arc<QueueCell>) {
        if let Some(messages) = &self.messages {
            messages.queues().insert(cell.quid, cell.clone());
        }
    }

    /// Lets go of what a deleted queue had on disk, once its deletion is in the journal.
    pub(crate) fn remove_queue(&self, cell: &QueueCell) {
        let Some(messages) = &self.messages else { return };
        messages.queues().remove(&cell.quid);
        let Some(storage) = cell.lock().queue.take_storage() else { return };
        self.release_blobs(storage.backlog.blobs());
    }

    /// Lets go of what a restart found of queues that had been deleted before.
    pub(crate) fn drop_backlogs(&self, backlogs: HashMap<u64, Backlog>) {
        self.release_blobs(backlogs.values().flat_map(Backlog::blobs));
    }

    fn release_blobs(&self, blobs: impl Iterator<Item = u64>) {
        let Some(messages) = &self.messages else { return };
        let mut blobs = blobs.peekable();
        if blobs.peek().is_some() {
            let mut appender = messages.store.log().append();
            blobs.for_each(|blob| appender.release_blob(blob));
        }
    }

    /// The queue with this id, also while it is being deleted.
    fn queue_by_id(&self, quid: u64) -> Option<Arc<QueueCell>> {
        self.messages.as_ref()?.queues().get(&quid).cloned()
    }

    /// Puts definitions that are durable in the log where a start finds them without it, when there are at least `least`.
    pub fn checkpoint_definitions(&self, least: usize) -> Result<(), StoreError> {
        if self.journal.pending() < least.max(1) {
            return Ok(());
        }
        self.checkpoint_metadata(Lsn(self.journal.durable().0))
    }

    /// Notes for every queue exactly what may have been delivered; for the end of a run in good order, when nothing is
    /// delivered any more.
    pub fn mark_delivered_exactly(&self) {
        let Some(messages) = &self.messages else { return };
        for cell in self.vhosts().iter().flat_map(|vhost| vhost.queues()) {
            let mut state = cell.lock();
            let mark = state.queue.exact_mark();
            if let Some(storage) = state.queue.storage()
                && storage.backlog.delivered_below() != mark
            {
                storage.backlog.set_delivered_below(mark);
                messages.store.log().append().delivered(cell.quid, mark);
            }
        }
    }
}

impl Owners for Broker {
    fn with(&self, quid: u64, visit: &mut dyn FnMut(&mut Backlog)) -> bool {
        let Some(cell) = self.queue_by_id(quid) else { return false };
        let mut state = cell.lock();
        match state.queue.storage() {
            Some(storage) => visit(&mut storage.backlog),
            None => return false,
        }
        true
    }

    fn page_out(&self, quid: u64, below: u64) {
        let (Some(messages), Some(cell)) = (&self.messages, self.queue_by_id(quid)) else { return };
        let log = messages.store.log();
        // A few at a time, so that nobody waits long for the queue.
        while cell
            .lock()
            .queue
            .store_below(below, MESSAGES_PER_LOCK, |seq, message| append_transient(log, quid, seq, message))
        {}
    }

    fn quiesce(&self) {
        for shard in 0..self.shards() {
            let began = self.turns(shard);
            // Odd: a turn is under way.
            while began % 2 == 1 && self.turns(shard) == began {
                std::thread::park_timeout(PAUSE);
            }
        }
    }

    fn checkpoint_metadata(&self, below: Lsn) -> Result<(), StoreError> {
        self.journal.checkpoint(Token(below.0)).map_err(|failure| match failure {
            CommitError::NoSpace(_) => StoreError::NoSpace { file: "metadata.redb".to_owned() },
            CommitError::Failed(_) => {
                StoreError::Io { file: "metadata.redb".to_owned(), source: std::io::Error::other(failure) }
            }
        })
    }
}

/// A queue's messages as a restart finds them.
pub(crate) fn restored<C>(backlog: Option<Backlog>) -> Queue<C> {
    backlog.map_or_else(Queue::default, |backlog| Queue::restored(Storage::new(backlog)))
}
