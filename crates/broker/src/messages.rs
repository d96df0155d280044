//! The engine's side of the message store: what it reads for queues, and what the store asks of queues.

use crate::broker::Broker;
use crate::core::MESSAGES_PER_LOCK;
use crate::core::leave::Letter;
use crate::core::persist::append_transient;
use crate::message::ShardMessage;
use crate::topology::{QueueCell, QueueState};
use metadata::{CommitError, Token};
use queue::{Entry, Queue, Storage};
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
    level: u8,
    read: Read,
    /// Dead letters that are read, which have left the queue.
    letters: Vec<Letter>,
    /// The reactor that is told when it is done.
    shard: usize,
}

impl Reads {
    fn jobs(&self) -> MutexGuard<'_, VecDeque<ReadJob>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a read to the thread that reads.
    pub(crate) fn submit(&self, cell: Arc<QueueCell>, level: u8, read: Read, shard: usize) {
        self.jobs().push_back(ReadJob { cell, level, read, letters: Vec::new(), shard });
        self.submitted.notify_one();
    }
}

impl Messages {
    pub(crate) fn new(store: Arc<Store>, memory_bytes: usize) -> Messages {
        let memory_bytes = AtomicUsize::new(memory_bytes);
        Messages { store, reads: Reads::default(), memory_bytes }
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
        if !job.letters.is_empty() {
            self.take_read_letters(messages, job, run);
            return true;
        }
        let mut state = job.cell.lock();
        let lost = state.queue.take_read(job.level, run);
        if !lost.is_empty() {
            self.settle_lost(messages, &job.cell, job.level, &lost);
        }
        job.cell.publish_gauges(&state);
        let waiting = std::mem::take(&mut state.waited_for);
        drop(state);
        self.deliver_on(&job.cell, waiting.into_iter().filter(|shard| *shard != job.shard));
        self.post(job.shard, ShardMessage::Deliver(job.cell));
        true
    }

    /// Has dead letters of one queue and priority read, and given to `shard` then.
    ///
    /// Returns in how many parts they come.
    pub(crate) fn read_letters(
        &self,
        cell: &Arc<QueueCell>,
        level: u8,
        mut letters: Vec<Letter>,
        shard: usize,
    ) -> usize {
        let Some(messages) = &self.messages else { return 0 };
        letters.sort_unstable_by_key(Letter::seq);
        let seqs: Vec<u64> = letters.iter().map(Letter::seq).collect();
        let mut reads = {
            let mut state = cell.lock();
            let Some(storage) = state.queue.storage(level) else { return 0 };
            // What is not there any more, which is what a deleted queue had, nobody can read.
            letters.retain(|letter| storage.backlog.contains(letter.seq()));
            storage.backlog.read_of(&seqs)
        };
        let mut jobs = messages.reads.jobs();
        let Some(last) = reads.pop() else { return 0 };
        let parts = reads.len() + 1;
        for read in reads {
            let (first, end) = read.range();
            let from = letters.partition_point(|letter| letter.seq() < first);
            let to = letters.partition_point(|letter| letter.seq() <= end);
            let letters: Vec<Letter> = letters.drain(from..to).collect();
            jobs.push_back(ReadJob { cell: cell.clone(), level, read, letters, shard });
        }
        jobs.push_back(ReadJob { cell: cell.clone(), level, read: last, letters, shard });
        drop(jobs);
        messages.reads.submitted.notify_one();
        parts
    }

    /// Gives dead letters what was read of them.
    fn take_read_letters(&self, messages: &Messages, job: ReadJob, run: LoadedRun) {
        let ReadJob { cell, level, mut letters, shard, .. } = job;
        let mut state = cell.lock();
        let mut lost = Vec::new();
        for gone in &run.lost {
            if let Ok(at) = letters.binary_search_by_key(&gone.seq, Letter::seq) {
                let letter = letters.remove(at);
                if letter.is_replay() {
                    // It is its queue's to lose.
                    continue;
                }
                let body_len = letter.body_len();
                let blob = state.queue.storage(level).and_then(|storage| storage.remove(gone.seq, body_len));
                lost.push((gone.seq, body_len, blob));
            }
        }
        self.settle_lost(messages, &cell, level, &lost);
        drop(state);
        for loaded in run.loaded {
            if let Ok(at) = letters.binary_search_by_key(&loaded.seq, Letter::seq) {
                letters[at].take_message(loaded.message);
            }
        }
        // Those without a message were somewhere else by now: they are asked for again.
        self.post(shard, ShardMessage::DeadLetters(cell, letters));
    }

    /// Takes messages off the books that could not be read, so that they are lost once and not at every start.
    fn settle_lost(&self, messages: &Messages, cell: &QueueCell, level: u8, lost: &[(u64, u32, Option<u64>)]) {
        let mut appender = messages.store.log().append();
        for (seq, body_len, blob) in lost {
            appender.settle(cell.group(level), None, &[(*seq, *body_len)]);
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
        // Those that wait before they are ready again go too; nobody has them.
        for entry in std::mem::take(&mut state.waits).into_values() {
            state.queue.settled(entry.body_len);
            gone.push(entry);
        }
        if let (None, Some(present)) = (&self.messages, &mut state.present) {
            present.remove_all(gone.iter().map(|entry| entry.seq), &mut Vec::new());
        }
        let token = self.messages.as_ref().and_then(|messages| purge_stored(messages, cell, &mut state, &gone));
        cell.publish_gauges(&state);
        drop(state);
        (count, token)
    }

    /// Makes a queue known to the store; called before anything of it can be in the log.
    pub(crate) fn add_queue(&self, cell: &Arc<QueueCell>) {
        self.queues().insert(cell.quid, cell.clone());
    }

    /// Lets go of what a deleted queue had on disk, once its deletion is in the journal.
    pub(crate) fn remove_queue(&self, cell: &QueueCell) {
        self.queues().remove(&cell.quid);
        let stored = cell.lock().queue.take_storage();
        self.release_blobs(stored.iter().flat_map(|storage| storage.backlog.blobs()));
    }

    /// Lets go of what a restart found of queues that had been deleted before.
    pub(crate) fn drop_backlogs<'a>(&self, backlogs: impl Iterator<Item = &'a Backlog>) {
        self.release_blobs(backlogs.flat_map(Backlog::blobs));
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
    pub(crate) fn queue_by_id(&self, quid: u64) -> Option<Arc<QueueCell>> {
        self.queues().get(&quid).cloned()
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<u64, Arc<QueueCell>>> {
        self.queues_by_id.lock().unwrap_or_else(PoisonError::into_inner)
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
            for level in state.queue.stored_levels() {
                let mark = state.queue.exact_mark(level);
                if let Some(storage) = state.queue.storage(level)
                    && storage.backlog.delivered_below() != mark
                {
                    storage.backlog.set_delivered_below(mark);
                    messages.store.log().append().delivered(cell.group(level), mark);
                }
            }
        }
    }
}

impl Owners for Broker {
    fn with(&self, group: u64, visit: &mut dyn FnMut(&mut Backlog)) -> bool {
        let (quid, part) = split_group(group);
        let Some(cell) = self.queue_by_id(quid) else { return false };
        let mut state = cell.lock();
        if let (KEYS_PART, Some(present)) = (part, &mut state.present) {
            visit(&mut present.backlog);
            return true;
        }
        let storage = u8::try_from(part).ok().and_then(|level| state.queue.storage(level));
        match storage {
            Some(storage) => visit(&mut storage.backlog),
            None => return false,
        }
        true
    }

    fn page_out(&self, group: u64, below: u64) {
        let (quid, part) = split_group(group);
        let (Some(messages), Some(cell), Ok(level)) = (&self.messages, self.queue_by_id(quid), u8::try_from(part))
        else {
            return;
        };
        let log = messages.store.log();
        // A few at a time, so that nobody waits long for the queue.
        while cell
            .lock()
            .queue
            .store_below(level, below, MESSAGES_PER_LOCK, |seq, message| append_transient(log, group, seq, message))
        {
        }
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

    fn now_ms(&self) -> u64 {
        // Of the last turn, since the engine reads no clock. That of an idle reactor may be long ago; but as long as
        // nothing is due nothing has to be loaded, and then it has one.
        self.noted_time_ms()
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

/// Takes ready messages off the books: `gone` were in memory, the others are on disk only. Returns what to wait for.
fn purge_stored(messages: &Messages, cell: &QueueCell, state: &mut QueueState, gone: &[Entry]) -> Option<Token> {
    let log = messages.store.log();
    let mut blobs = Vec::new();
    let mut any = false;
    let mut purged: Vec<u64> = Vec::new();
    for level in state.queue.stored_levels() {
        let of_level = gone.iter().filter(|entry| entry.stored && entry.level == level);
        let stored: Vec<(u64, u32)> = of_level.map(|entry| (entry.seq, entry.body_len)).collect();
        if let Some(storage) = state.queue.storage(level) {
            blobs.extend(stored.iter().filter_map(|(seq, body_len)| storage.remove(*seq, *body_len)));
        }
        // A piece at a time, because everybody who publishes or acknowledges waits for the log meanwhile.
        stored.chunks(4096).for_each(|piece| log.append().settle(cell.group(level), None, piece));
        any |= !stored.is_empty();
    }
    for forgotten in state.queue.forget_paged() {
        let (first, last) = forgotten.range;
        if let Some(present) = &state.present {
            purged.extend(present.positions(first, last).filter(|seq| !forgotten.except.contains(seq)));
        }
        log.append().settle_range(cell.group(forgotten.level), first, last, &forgotten.except);
        blobs.extend(forgotten.blobs);
        any = true;
    }
    if let Some(present) = &mut state.present {
        let mut records = Vec::new();
        present.remove_all(purged.into_iter().chain(gone.iter().map(|entry| entry.seq)), &mut records);
        records.chunks(4096).for_each(|piece| log.append().settle(keys_group(cell.quid), None, piece));
    }
    if !any {
        return None;
    }
    let mut appender = log.append();
    blobs.into_iter().for_each(|blob| appender.release_blob(blob));
    let token = Token(appender.end().0);
    drop(appender);
    log.commit();
    Some(token)
}

/// Bits of a group that are the queue's id; those above say which part of the queue it is.
const QUID_BITS: u32 = 48;

impl QueueCell {
    /// The name under which the store knows the messages of a priority.
    #[inline]
    pub(crate) fn group(&self, level: u8) -> u64 {
        self.quid | u64::from(level) << QUID_BITS
    }
}

/// The part of a queue that is the keys of its messages.
pub(crate) const KEYS_PART: u16 = 256;

/// The name under which the store knows the keys of a queue's messages.
pub(crate) fn keys_group(quid: u64) -> u64 {
    quid | u64::from(KEYS_PART) << QUID_BITS
}

/// The queue's id and the part, which is a priority below 256.
pub(crate) fn split_group(group: u64) -> (u64, u16) {
    (group & ((1 << QUID_BITS) - 1), (group >> QUID_BITS) as u16)
}

/// What a restart found on disk, by queue.
pub(crate) fn by_queue(backlogs: HashMap<u64, Backlog>) -> HashMap<u64, Vec<(u16, Backlog)>> {
    let mut queues: HashMap<u64, Vec<(u16, Backlog)>> = HashMap::new();
    for (group, backlog) in backlogs {
        let (quid, part) = split_group(group);
        queues.entry(quid).or_default().push((part, backlog));
    }
    queues
}

/// A queue's messages as a restart finds them.
pub(crate) fn restored<C>(parts: Vec<(u16, Backlog)>) -> Queue<C> {
    let levels =
        parts.into_iter().filter_map(|(part, backlog)| Some((u8::try_from(part).ok()?, Storage::new(backlog))));
    Queue::restored(levels)
}
