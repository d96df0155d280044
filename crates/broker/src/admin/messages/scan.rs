//! Going over the ready messages of a queue in the order of delivery, without changing anything.
//!
//! Where the next messages are is looked up on a reactor; what is on disk only is read here.

use super::MessageView;
use crate::admin::AdminError;
use crate::broker::Broker;
use crate::core::Core;
use crate::topology::QueueCell;
use queue::{Entry, Peek};
use std::sync::Arc;
use std::time::Duration;
use store::{Arena, Loaded, LoadedRun, Message, Read, ReadError};

/// Messages that are looked at under one hold of the queue's lock.
pub(super) const AT_ONCE: usize = 256;
/// Bytes of one read from disk.
const READ_BYTES: usize = 256 << 10;
/// How long a read waits for the log to write what it is to read, and how often.
const PAUSE: Duration = Duration::from_millis(2);
const MOST_PAUSES: usize = 500;

/// A position in a queue: a priority and a sequence number. Higher priorities come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The priority.
    pub level: u8,
    /// The first position there.
    pub seq: u64,
    /// The first position that counts in lower priorities.
    pub base: u64,
}

impl Cursor {
    /// From this sequence number on, in every priority.
    pub fn from_seq(seq: u64) -> Cursor {
        Cursor { level: u8::MAX, seq, base: seq }
    }
}

/// A message that a scan came by.
pub(crate) struct Seen {
    pub(crate) level: u8,
    pub(crate) seq: u64,
    pub(crate) message: Message,
    pub(crate) redelivered: bool,
    pub(crate) delivery_count: u32,
}

/// What a look found.
enum Look {
    Resident(u8, Vec<Entry>),
    Unread { level: u8, read: Box<Read>, except: Vec<u64>, redelivered_below: u64 },
    Nothing(Option<u8>),
}

/// A scan under way.
pub(super) struct Scan<'a> {
    broker: &'a Broker,
    cell: Arc<QueueCell>,
    /// Where it goes on.
    pub(super) at: Cursor,
    /// Messages that entered later than this position are passed over.
    pub(super) below: u64,
    arena: Arena,
}

impl<'a> Scan<'a> {
    pub(super) fn new(broker: &'a Broker, cell: &Arc<QueueCell>, at: Cursor) -> Scan<'a> {
        Scan { broker, cell: cell.clone(), at, below: u64::MAX, arena: Arena::new(broker.message_chunks()) }
    }

    /// The next messages, some hundreds at most; none at the end. What was read may have left the queue since.
    pub(super) fn next(&mut self) -> Result<Vec<Seen>, AdminError> {
        let mut pauses = 0;
        loop {
            let (from, cell) = (self.at, self.cell.clone());
            let found = match self.broker.on_reactor_of(&self.cell, move |_: &mut Core| look(&cell, from))? {
                Look::Nothing(None) => return Ok(Vec::new()),
                Look::Nothing(Some(level)) => {
                    self.at = Cursor { level, seq: self.at.base, ..self.at };
                    continue;
                }
                Look::Resident(level, entries) => {
                    self.go_on(level, entries.last().map(|entry| entry.seq));
                    entries.into_iter().filter_map(seen).collect()
                }
                Look::Unread { level, read, except, redelivered_below } => match self.read(&read)? {
                    Some(run) if !run.loaded.is_empty() || !run.lost.is_empty() => {
                        let lost = run.lost.iter().map(|lost| lost.seq);
                        self.go_on(level, run.loaded.iter().map(|loaded| loaded.seq).chain(lost).max());
                        let is_there = |loaded: &Loaded| except.binary_search(&loaded.seq).is_err();
                        let loaded = run.loaded.into_iter().filter(is_there);
                        loaded.map(|loaded| seen_on_disk(level, loaded, redelivered_below)).collect()
                    }
                    _ if pauses == MOST_PAUSES => {
                        return Err(AdminError::Unavailable("the log is not written".to_owned()));
                    }
                    _ => {
                        pauses += 1;
                        Vec::new()
                    }
                },
            };
            let found: Vec<Seen> = found.into_iter().filter(|seen: &Seen| seen.seq < self.below).collect();
            if !found.is_empty() {
                return Ok(found);
            }
            // Those of a priority ascend: there are only later ones.
            if self.at.seq >= self.below {
                match self.at.level.checked_sub(1) {
                    Some(level) => self.at = Cursor { level, seq: self.at.base, ..self.at },
                    None => return Ok(Vec::new()),
                }
            }
        }
    }

    /// Passes over `count` messages; how many of them were there.
    pub(super) fn skip(&mut self, count: u64) -> Result<u64, AdminError> {
        let mut passed = 0;
        while passed < count {
            let (from, cell, left) = (self.at, self.cell.clone(), count - passed);
            let (at, some) = self.broker.on_reactor_of(&self.cell, move |_: &mut Core| skip(&cell, from, left))?;
            passed += some;
            match at {
                Some(at) => self.at = at,
                None => break,
            }
        }
        Ok(passed)
    }

    fn go_on(&mut self, level: u8, last: Option<u64>) {
        let seq = last.map_or(self.at.seq, |last| last + 1);
        self.at = Cursor { level, seq, ..self.at };
    }

    /// `None` when it is to be looked up again.
    fn read(&mut self, read: &Read) -> Result<Option<LoadedRun>, AdminError> {
        let unavailable = || AdminError::Unavailable("messages are not kept on disk".to_owned());
        let store = &self.broker.messages.as_ref().ok_or_else(unavailable)?.store;
        match store.read(read, &mut self.arena) {
            Ok(run) => Ok(Some(run)),
            Err(ReadError::NotWritten) => {
                store.log().commit();
                std::thread::park_timeout(PAUSE);
                Ok(None)
            }
            // They are somewhere else by now.
            Err(ReadError::Moved) => Ok(None),
            Err(failure) => Err(AdminError::Unavailable(format!("cannot read messages: {failure}"))),
        }
    }

    /// A message that is with a consumer, which may be on disk only; `None` when it has gone.
    pub(super) fn read_one(&mut self, level: u8, seq: u64) -> Result<Option<Message>, AdminError> {
        for _ in 0..MOST_PAUSES {
            let cell = self.cell.clone();
            let reads = self.broker.on_reactor_of(&self.cell, move |_: &mut Core| {
                let mut state = cell.lock();
                state.queue.storage(level).map(|storage| storage.backlog.read_of(&[seq])).unwrap_or_default()
            })?;
            let Some(read) = reads.first() else { return Ok(None) };
            if let Some(run) = self.read(read)? {
                return Ok(run.loaded.into_iter().next().map(|loaded| loaded.message));
            }
        }
        Err(AdminError::Unavailable("the log is not written".to_owned()))
    }
}

fn look(cell: &QueueCell, from: Cursor) -> Look {
    let state = cell.lock();
    let Some(level) = state.queue.occupied_level(from.level) else { return Look::Nothing(None) };
    let seq = if level == from.level { from.seq } else { from.base };
    match state.queue.peek(level, seq, AT_ONCE, READ_BYTES) {
        Peek::Resident(entries) => Look::Resident(level, entries),
        Peek::Unread { read, except, redelivered_below } => Look::Unread { level, read, except, redelivered_below },
        Peek::Nothing => Look::Nothing(level.checked_sub(1)),
    }
}

/// Where to go on, and how many were passed over; nowhere at the end.
fn skip(cell: &QueueCell, from: Cursor, count: u64) -> (Option<Cursor>, u64) {
    let state = cell.lock();
    let Some(level) = state.queue.occupied_level(from.level) else { return (None, 0) };
    let seq = if level == from.level { from.seq } else { from.base };
    match state.queue.skip(level, seq, count) {
        (0, next) if next == seq => {
            let lower = level.checked_sub(1).map(|level| Cursor { level, seq: from.base, ..from });
            (lower, 0)
        }
        (passed, next) => (Some(Cursor { level, seq: next, ..from }), passed),
    }
}

fn seen(entry: Entry) -> Option<Seen> {
    let Entry { level, seq, redelivered, delivery_count, message, .. } = entry;
    Some(Seen { level, seq, message: message?, redelivered, delivery_count })
}

fn seen_on_disk(level: u8, loaded: Loaded, redelivered_below: u64) -> Seen {
    let Loaded { seq, message, delivery_count, redelivered } = loaded;
    Seen { level, seq, message, redelivered: redelivered || seq < redelivered_below, delivery_count }
}

impl Seen {
    pub(super) fn view(&self, truncate: Option<usize>) -> MessageView {
        let Seen { level, seq, redelivered, delivery_count, .. } = *self;
        MessageView { level, seq, redelivered, delivery_count, ..MessageView::of(&self.message, truncate) }
    }
}
