//! What goes to the message log, and when it is there.
//!
//! Records are appended under the lock of the queue that they are about, so that the log has them in the order in which
//! they happened to it. Nothing waits: who needs a record on disk is on a list until the log has got that far.

use super::Core;
use super::item::{Item, own_due_ms};
use crate::connection::{Connection, Park};
use crate::link::ConnectionId;
use crate::topology::{QueueCell, QueueState};
use metadata::Token;
use queue::{ConsumerKey, Entry};
use std::collections::VecDeque;
use std::sync::Arc;
use store::{Append, Log, Lsn, Message, Owner, Place, SlotFlags, TransactionId};

/// Publishes that wait for the log.
struct PendingConfirm {
    lsn: Lsn,
    key: usize,
    id: ConnectionId,
    channel: u16,
    incarnation: u64,
    first: u64,
    last: u64,
}

/// Who waits for the log, or for a read.
#[derive(Default)]
pub(crate) struct Waiting {
    confirms: VecDeque<PendingConfirm>,
    pub(super) marks: VecDeque<Mark>,
    /// Connections whose basic.get waits for a queue.
    pub(crate) gets: Vec<(Arc<QueueCell>, usize, ConnectionId)>,
    /// The transaction that is being committed.
    pub(super) transaction: Option<Transaction>,
    /// Appended records that somebody waits for, since the last commit.
    commit_wanted: bool,
    /// How far the log, or the journal, was when it last told.
    pub(crate) seen: Token,
    /// Lists that are used again and again.
    pub(super) settled: Vec<(u64, u32)>,
    added: Vec<(u64, Place, u32, SlotFlags)>,
}

/// A mark on its way to disk.
pub(super) struct Mark {
    pub(super) lsn: Lsn,
    pub(super) level: u8,
    pub(super) below: u64,
    pub(super) cell: Arc<QueueCell>,
}

/// A transaction in the log.
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    /// True when anything of it went there that is to survive.
    pub(super) logged: bool,
    /// Bodies in files of their own that its settlements let go of. A crash before the commit brings them back.
    pub(super) blobs: Vec<u64>,
}

impl Core {
    pub(super) fn log(&self) -> Option<Arc<Log>> {
        self.broker.messages.as_ref().map(|messages| messages.store.log().clone())
    }

    /// Puts on disk what of a run is to survive, before it is delivered or pushed. `keys` are the consumers that the
    /// first of the items go to.
    pub(super) fn log_run(
        &mut self,
        cell: &QueueCell,
        state: &mut QueueState,
        items: &mut [Item],
        keys: &[ConsumerKey],
        buffer: &[u8],
    ) -> Option<Lsn> {
        let levels = Levels::of(state);
        if !cell.is_stored && !levels.may_be_paged(state) {
            return None;
        }
        let log = self.log()?;
        let mut any = false;
        for (at, item) in items.iter_mut().enumerate() {
            if goes_to_disk(cell, state, item, keys.get(at), levels) {
                any = true;
                if item.stored.is_none() {
                    item.stored =
                        Some(Message::store(&mut self.arena, item.parts(buffer, self.time_ms), item.body(buffer)));
                }
            }
        }
        if !any {
            return None;
        }
        let first_seq = state.queue.next_seq();
        let transaction = self.waiting.transaction.as_ref().map(|transaction| transaction.id);
        let mut added = std::mem::take(&mut self.waiting.added);
        let mut appender = log.append();
        let mut durable = false;
        for (at, item) in items.iter_mut().enumerate() {
            if !goes_to_disk(cell, state, item, keys.get(at), levels) {
                continue;
            }
            let Some(message) = &item.stored else { continue };
            let owner = Owner { quid: cell.group(item.level), seq: first_seq + at as u64 };
            let transient = !(cell.is_stored && item.persistent);
            let options = Append { delivered: at < keys.len(), transient, tx: transaction };
            let body_len = item.body_len as u32;
            let place = match item.logged {
                Some(place) => {
                    appender.route(owner, options, place, body_len);
                    place
                }
                None => appender.message(owner, options, message),
            };
            if cell.holds_delayed && !transient {
                appender.timer(owner, transaction, crate::delayed::due_ms(message));
            } else if item.expires
                && !transient
                && !self.broker.settings.expires_at_head_only
                && let Some(due_ms) = own_due_ms(message)
            {
                appender.timer(owner, transaction, due_ms);
            }
            item.logged = Some(place);
            item.durable |= !transient;
            durable |= !transient;
            let mut flags = blob_flag(&log, message);
            if options.delivered {
                flags |= SlotFlags::DELIVERED;
            }
            if transient {
                flags |= SlotFlags::TRANSIENT;
            }
            added.push((owner.seq, place, body_len, flags));
        }
        let end = appender.end();
        drop(appender);
        if levels.has_priorities {
            for (seq, place, body_len, flags) in added.drain(..) {
                let level = items[(seq - first_seq) as usize].level;
                state.queue.keep_on_disk(level).backlog.add(seq, place, body_len, flags);
            }
        } else {
            let backlog = &mut state.queue.keep_on_disk(0).backlog;
            added.drain(..).for_each(|(seq, place, body_len, flags)| backlog.add(seq, place, body_len, flags));
        }
        self.waiting.added = added;
        if let Some(transaction) = &mut self.waiting.transaction {
            transaction.logged |= durable;
        }
        durable.then_some(end)
    }

    /// Puts a message on disk that was to go to a consumer who acknowledges nothing, so that there was nothing to keep,
    /// and whose channel went on another reactor at that moment.
    #[cold]
    pub(super) fn log_undelivered(
        &mut self,
        cell: &QueueCell,
        state: &mut QueueState,
        item: &mut Item,
        entry: &mut Entry,
    ) -> Option<Lsn> {
        if entry.stored || !cell.is_stored || !item.persistent {
            return None;
        }
        let (log, message) = (self.log()?, entry.message.as_ref()?);
        let owner = Owner { quid: cell.group(entry.level), seq: entry.seq };
        let tx = self.waiting.transaction.as_ref().map(|transaction| transaction.id);
        let options = Append { delivered: false, transient: false, tx };
        let mut appender = log.append();
        let place = match item.logged {
            Some(place) => {
                appender.route(owner, options, place, entry.body_len);
                place
            }
            None => appender.message(owner, options, message),
        };
        let end = appender.end();
        drop(appender);
        state.queue.keep_on_disk(entry.level).backlog.add(entry.seq, place, entry.body_len, blob_flag(&log, message));
        (item.logged, item.durable, entry.stored) = (Some(place), true, true);
        if let Some(transaction) = &mut self.waiting.transaction {
            transaction.logged = true;
        }
        Some(end)
    }

    /// Confirms the publishes of a run: at once what is safe already, later what waits for the log to be at `lsn`.
    pub(super) fn confirm_items(
        &mut self,
        conn: &mut Connection,
        number: u16,
        first_tag: u64,
        items: &[Item],
        lsn: Option<Lsn>,
    ) {
        let last = first_tag + items.len() as u64 - 1;
        if lsn.is_none() && !self.run.rejected {
            return self.confirm(conn, number, first_tag, last);
        }
        let Some(incarnation) = conn.channels.find(number).map(|channel| channel.incarnation) else { return };
        let mut at = 0;
        while at < items.len() {
            let Item { durable, rejected, .. } = items[at];
            let is_alike = |item: &&Item| item.durable == durable && item.rejected == rejected;
            let len = items[at..].iter().take_while(is_alike).count();
            let (first, last) = (first_tag + at as u64, first_tag + (at + len) as u64 - 1);
            at += len;
            if rejected {
                self.reject_publishes(conn, number, first, last);
                continue;
            }
            let Some(lsn) = lsn.filter(|_| durable) else {
                self.confirm(conn, number, first, last);
                continue;
            };
            let (key, id, channel) = (conn.link.key, conn.link.id, number);
            self.waiting.confirms.push_back(PendingConfirm { lsn, key, id, channel, incarnation, first, last });
            self.want_commit();
        }
    }

    /// Something appended is waited for: the log is to be written and synced at the end of this turn.
    pub(crate) fn want_commit(&mut self) {
        self.waiting.commit_wanted = true;
    }

    /// The end of a turn: what somebody waits for is written and synced now.
    pub(crate) fn commit(&mut self) {
        if !std::mem::take(&mut self.waiting.commit_wanted) {
            return;
        }
        if let Some(log) = self.log() {
            log.commit();
        }
        self.await_durable();
    }

    /// Asks to be told when the log, or the journal, has advanced.
    pub(crate) fn await_durable(&mut self) {
        if self.waits_for_log() {
            self.broker.await_durable(self.shard, self.waiting.seen);
        }
    }

    /// The log has got this far: queues deliver below their new marks. Those that basic.get may wait for are added to
    /// `gets`.
    pub(crate) fn log_advanced(&mut self, durable: Lsn, gets: &mut Vec<Arc<QueueCell>>) {
        while let Some(mark) = pop_front_if(&mut self.waiting.marks, |mark| mark.lsn <= durable) {
            let Mark { level, below, cell, .. } = mark;
            let mut state = cell.lock();
            state.queue.marked(level, below);
            self.deliver_ready_locked(&cell, &mut state);
            let waiting = std::mem::take(&mut state.waited_for);
            drop(state);
            self.broker.deliver_on(&cell, waiting.into_iter().filter(|shard| *shard != self.shard));
            self.scratch.done.clear();
            if !self.waiting.gets.is_empty() {
                gets.push(cell);
            }
        }
    }

    /// The connections whose basic.get waits for a queue, which they no longer do.
    pub(crate) fn take_gets(&mut self, cell: &Arc<QueueCell>) -> Vec<(usize, ConnectionId)> {
        if self.waiting.gets.is_empty() {
            return Vec::new();
        }
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        for (waited_for, key, id) in std::mem::take(&mut self.waiting.gets) {
            if Arc::ptr_eq(&waited_for, cell) {
                taken.push((key, id));
            } else {
                rest.push((waited_for, key, id));
            }
        }
        self.waiting.gets = rest;
        taken
    }

    /// The connection whose confirms are due next.
    pub(crate) fn next_confirmed(&self, durable: Lsn) -> Option<(usize, ConnectionId)> {
        self.waiting.confirms.front().filter(|pending| pending.lsn <= durable).map(|pending| (pending.key, pending.id))
    }

    /// Forgets the confirms at the front that are due to this connection, which is gone.
    pub(crate) fn drop_confirms(&mut self, durable: Lsn, id: ConnectionId) {
        let is_due = |pending: &PendingConfirm| pending.lsn <= durable && pending.id == id;
        while pop_front_if(&mut self.waiting.confirms, is_due).is_some() {}
    }

    /// Tells this connection the confirms at the front that are due to it.
    pub(crate) fn confirm_durable(&mut self, conn: &mut Connection, durable: Lsn) {
        let id = conn.link.id;
        while let Some(pending) =
            pop_front_if(&mut self.waiting.confirms, |pending| pending.lsn <= durable && pending.id == id)
        {
            let channel = conn.channels.find(pending.channel);
            if channel.is_some_and(|channel| channel.incarnation == pending.incarnation) {
                self.confirm(conn, pending.channel, pending.first, pending.last);
            }
        }
        self.tell_confirms(conn);
    }

    /// True while anything here waits for the log.
    pub(crate) fn waits_for_log(&self) -> bool {
        !self.waiting.confirms.is_empty() || !self.waiting.marks.is_empty() || !self.awaiting_journal.is_empty()
    }

    /// True when the log takes a message with a body of this length.
    pub(crate) fn log_has_room_for(&self, body_len: u64) -> bool {
        self.broker.messages.as_ref().is_none_or(|messages| messages.store.log().has_room_for(body_len))
    }

    /// Parks a connection that publishes while the log has no room.
    pub(crate) fn park_if_log_is_full(&mut self, conn: &mut Connection, body_len: u64) {
        if conn.park.is_none() && !self.log_has_room_for(body_len) {
            conn.park = Some(Park::Log { body_len });
        }
    }

    /// Opens a transaction in the log.
    pub(crate) fn begin_transaction(&mut self) {
        let begin = |log: Arc<Log>| Transaction { id: log.begin_transaction(), logged: false, blobs: Vec::new() };
        self.waiting.transaction = self.log().map(begin);
    }

    /// Ends the transaction; where the log has to be for it to have happened, unless it left nothing there.
    pub(crate) fn end_transaction(&mut self) -> Option<Lsn> {
        let Transaction { id, logged, blobs } = self.waiting.transaction.take()?;
        let log = self.log().filter(|_| logged)?;
        let mut appender = log.append();
        appender.tx_commit(id);
        blobs.into_iter().for_each(|blob| appender.release_blob(blob));
        let end = appender.end();
        drop(appender);
        self.want_commit();
        Some(end)
    }
}

fn pop_front_if<T>(list: &mut VecDeque<T>, is_due: impl FnOnce(&T) -> bool) -> Option<T> {
    if list.front().is_some_and(is_due) { list.pop_front() } else { None }
}

/// How a queue tells the messages of a run apart.
#[derive(Clone, Copy)]
pub(super) struct Levels {
    has_priorities: bool,
    is_paged: bool,
}

impl Levels {
    #[inline]
    pub(super) fn of(state: &QueueState) -> Levels {
        Levels { has_priorities: state.queue.has_priorities(), is_paged: state.queue.is_paged(0) }
    }

    /// True when messages that enter there have to go to disk.
    #[inline]
    pub(super) fn is_paged(self, state: &QueueState, item: &Item) -> bool {
        if self.has_priorities { state.queue.is_paged(item.level) } else { self.is_paged }
    }

    #[inline]
    fn may_be_paged(self, state: &QueueState) -> bool {
        self.is_paged || (self.has_priorities && state.queue.is_stored())
    }
}

/// True for an item that goes to the log for this queue; `key` is the consumer it goes to straight away.
#[inline]
fn goes_to_disk(cell: &QueueCell, state: &QueueState, item: &Item, key: Option<&ConsumerKey>, levels: Levels) -> bool {
    match key {
        // Who gets it without acknowledging has it: there is nothing to keep.
        Some(key) => {
            cell.is_stored
                && item.persistent
                && state.queue.consumers.handle(*key).is_some_and(|consumer| !consumer.no_ack)
        }
        None => levels.is_paged(state, item) || (cell.is_stored && item.persistent),
    }
}

/// Puts a message on disk that does not survive a restart.
pub(crate) fn append_transient(log: &Log, group: u64, seq: u64, message: &Message) -> (Place, SlotFlags) {
    let options = Append { delivered: false, transient: true, tx: None };
    let place = log.append().message(Owner { quid: group, seq }, options, message);
    (place, blob_flag(log, message))
}

#[inline]
pub(super) fn blob_flag(log: &Log, message: &Message) -> SlotFlags {
    if log.is_blob(message.body_len() as u64) { SlotFlags::BLOB } else { SlotFlags::default() }
}
