//! Delayed messages: listing and cancelling them.

use super::{AdminError, AdminReply, DelayedSnapshot, Missing};
use crate::broker::Broker;
use crate::delayed;
use crate::topology::QueueCell;
use metadata::Token;
use queue::Peek;
use std::sync::Arc;
use std::time::Duration;
use store::{Arena, Due, Message, Read, ReadError};

/// Messages that are looked at under one hold of the queue's lock.
const AT_ONCE: usize = 512;
/// Bytes of one read from disk.
const READ_BYTES: usize = 256 << 10;
/// Messages that one command looks at, at most, however few of them are wanted.
const MOST_LOOKED_AT: usize = 100_000;
/// How long a read waits for the log to write what it is to read, and how often.
const PAUSE: Duration = Duration::from_millis(2);
const MOST_PAUSES: usize = 500;

impl Broker {
    /// Those that are in memory come first: what is on disk only has a higher id than all of them.
    pub(super) fn list_delayed(
        &self,
        vhost: &str,
        exchange: Option<&str>,
        from: u64,
        most: usize,
    ) -> Result<AdminReply, AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        let mut listing = Listing { exchange, most, found: Vec::new(), from, looked_at: 0 };
        let Some(cell) = vhost.delayed_queue() else { return Ok(AdminReply::Delayed(Vec::new(), None)) };
        let mut arena = Arena::new(self.message_chunks());
        while listing.has_room() {
            let resident = resident_from(cell, listing.from);
            let is_end_of_memory = resident.len() < AT_ONCE;
            resident.iter().for_each(|(seq, message)| listing.take(*seq, message));
            if !listing.has_room() {
                // There may be more in memory.
                break;
            }
            if is_end_of_memory && !self.list_some_on_disk(cell, &mut listing, &mut arena)? {
                return Ok(AdminReply::Delayed(listing.found, None));
            }
        }
        Ok(AdminReply::Delayed(listing.found, Some(listing.from)))
    }

    /// False when there is nothing more.
    fn list_some_on_disk(
        &self,
        cell: &QueueCell,
        listing: &mut Listing<'_>,
        arena: &mut Arena,
    ) -> Result<bool, AdminError> {
        let Some(messages) = &self.messages else { return Ok(false) };
        for _ in 0..MOST_PAUSES {
            let Some(read) = read_from(cell, listing.from) else { return Ok(false) };
            match messages.store.read(&read, arena) {
                Ok(run) => {
                    let mut state = cell.lock();
                    let Some(storage) = state.queue.storage(0) else { return Ok(false) };
                    let is_there = |seq: u64| storage.backlog.contains(seq);
                    let loaded: Vec<_> = run.loaded.into_iter().filter(|loaded| is_there(loaded.seq)).collect();
                    storage.backlog.passed(run.hint);
                    drop(state);
                    if let Some(lost) = run.lost.iter().map(|lost| lost.seq).max() {
                        listing.from = listing.from.max(lost + 1);
                    }
                    loaded.iter().for_each(|loaded| listing.take(loaded.seq, &loaded.message));
                    return Ok(true);
                }
                Err(ReadError::NotWritten) => {
                    messages.store.log().commit();
                    std::thread::park_timeout(PAUSE);
                }
                // They are somewhere else by now.
                Err(ReadError::Moved) => {}
                Err(failure) => {
                    return Err(AdminError::Unavailable(format!("cannot read delayed messages: {failure}")));
                }
            }
        }
        Err(AdminError::Unavailable("the log is not written".to_owned()))
    }

    pub(super) fn cancel_delayed(&self, vhost: &str, id: u64) -> Result<AdminReply, AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        let missing = || Missing::DelayedMessage.called(&id.to_string());
        let cell = vhost.delayed_queue().ok_or_else(missing)?;
        let mut state = cell.lock();
        let entry = state.queue.take(0, id).ok_or_else(missing)?;
        let mut token = None;
        if let (true, Some(messages)) = (entry.stored, &self.messages) {
            let blob = state.queue.storage(0).and_then(|storage| storage.remove(entry.seq, entry.body_len));
            let mut appender = messages.store.log().append();
            appender.settle(cell.group(0), None, &[(entry.seq, entry.body_len)]);
            blob.into_iter().for_each(|blob| appender.release_blob(blob));
            token = Some(Token(appender.end().0));
            drop(appender);
            messages.store.log().commit();
        }
        cell.publish_gauges(&state);
        drop(state);
        // The entry of one that was not in memory is passed over when it is due.
        if let Some(message) = &entry.message {
            self.calendar().forget(&Due { due_ms: delayed::due_ms(message), group: cell.group(0), seq: id });
        }
        self.wait_for(token)?;
        Ok(AdminReply::Done)
    }

    /// Drops the delayed messages of a virtual host that is deleted.
    pub(super) fn drop_delayed(&self, cell: &Arc<QueueCell>) {
        let mut gone = Vec::new();
        let mut state = cell.lock();
        cell.mark_dead();
        state.queue.purge(&mut gone);
        cell.publish_gauges(&state);
        drop(state);
        self.propose(vec![metadata::Change::DeleteQueue {
            vhost: cell.vhost.to_string(),
            name: cell.name.to_string(),
        }]);
        self.remove_queue(cell);
    }
}

/// What a list has found so far.
struct Listing<'a> {
    exchange: Option<&'a str>,
    most: usize,
    found: Vec<DelayedSnapshot>,
    /// Where to go on.
    from: u64,
    looked_at: usize,
}

impl Listing<'_> {
    fn has_room(&self) -> bool {
        self.found.len() < self.most && self.looked_at < MOST_LOOKED_AT
    }

    fn take(&mut self, seq: u64, message: &Message) {
        if !self.has_room() || seq < self.from {
            return;
        }
        self.from = seq + 1;
        self.looked_at += 1;
        let parts = message.parts();
        if self.exchange.is_some_and(|exchange| exchange.as_bytes() != parts.exchange()) {
            return;
        }
        self.found.push(DelayedSnapshot {
            id: seq,
            due_ms: delayed::due_ms(message),
            exchange: String::from_utf8_lossy(parts.exchange()).into_owned(),
            routing_key: String::from_utf8_lossy(parts.routing_key()).into_owned(),
            body_bytes: message.body_len(),
            persistent: message.is_persistent(),
        });
    }
}

/// Some messages in memory, in order.
fn resident_from(cell: &QueueCell, from: u64) -> Vec<(u64, Message)> {
    let state = cell.lock();
    match state.queue.peek(0, from, AT_ONCE, READ_BYTES) {
        Peek::Resident(entries) => entries.into_iter().filter_map(|entry| Some((entry.seq, entry.message?))).collect(),
        Peek::Unread { .. } | Peek::Nothing => Vec::new(),
    }
}

fn read_from(cell: &QueueCell, from: u64) -> Option<Read> {
    cell.lock().queue.storage(0)?.backlog.read_from(from, READ_BYTES)
}
