//! Taking messages off the books in the log, and noting that they came back.

use super::Core;
use super::persist::blob_flag;
use crate::messages::keys_group;
use crate::topology::{QueueCell, QueueState};
use queue::Entry;
use store::{Append, Lsn, Message, Owner};

impl Core {
    /// Removes messages that left a queue for good.
    fn remove_stored(&mut self, cell: &QueueCell, state: &mut QueueState, level: u8, gone: &[(u64, u32)]) {
        if gone.is_empty() {
            return;
        }
        let Some(log) = self.log() else { return };
        let Some(storage) = state.queue.storage(level) else { return };
        let transaction = &mut self.waiting.transaction;
        log.append().settle(cell.group(level), transaction.as_ref().map(|transaction| transaction.id), gone);
        for (seq, body_len) in gone {
            let Some(blob) = storage.remove(*seq, *body_len) else { continue };
            match transaction {
                Some(transaction) => transaction.blobs.push(blob),
                None => log.append().release_blob(blob),
            }
        }
        if let Some(transaction) = transaction {
            transaction.logged = true;
        }
    }

    /// Removes those of `entries` that are stored, which have left the queue for good.
    pub(crate) fn remove_entries<'a>(
        &mut self,
        cell: &QueueCell,
        state: &mut QueueState,
        entries: impl Iterator<Item = &'a Entry> + Clone,
    ) {
        if state.present.is_some() {
            self.remove_keys(cell, state, entries.clone());
        }
        if !state.queue.is_stored() {
            return;
        }
        let mut settled = std::mem::take(&mut self.waiting.settled);
        if state.queue.has_priorities() {
            let mut next = entries.clone().map(|entry| entry.level).min();
            while let Some(level) = next {
                next = entries.clone().map(|entry| entry.level).filter(|above| *above > level).min();
                settled.clear();
                let of_level = entries.clone().filter(|entry| entry.stored && entry.level == level);
                settled.extend(of_level.map(|entry| (entry.seq, entry.body_len)));
                self.remove_stored(cell, state, level, &settled);
            }
        } else {
            settled.clear();
            settled.extend(entries.filter(|entry| entry.stored).map(|entry| (entry.seq, entry.body_len)));
            self.remove_stored(cell, state, 0, &settled);
        }
        self.waiting.settled = settled;
    }

    /// The keys of messages that have left go with them.
    fn remove_keys<'a>(&mut self, cell: &QueueCell, state: &mut QueueState, entries: impl Iterator<Item = &'a Entry>) {
        let Some(present) = &mut state.present else { return };
        let mut records = Vec::new();
        present.remove_all(entries.map(|entry| entry.seq), &mut records);
        let Some(log) = self.log().filter(|_| !records.is_empty()) else { return };
        let transaction = self.waiting.transaction.as_ref().map(|transaction| transaction.id);
        log.append().settle(keys_group(cell.quid), transaction, &records);
    }

    /// Puts the key of the message at `seq` on disk, where the message is.
    pub(super) fn log_key(
        &mut self,
        cell: &QueueCell,
        state: &mut QueueState,
        seq: u64,
        record: &Message,
    ) -> Option<Lsn> {
        let (log, present) = (self.log()?, state.present.as_mut()?);
        let tx = self.waiting.transaction.as_ref().map(|transaction| transaction.id);
        let options = Append { delivered: false, transient: false, tx };
        let mut appender = log.append();
        let place = appender.message(Owner { quid: keys_group(cell.quid), seq }, options, record);
        let end = appender.end();
        drop(appender);
        present.backlog.add(seq, place, record.body_len() as u32, blob_flag(&log, record));
        Some(end)
    }

    /// Where the log has to be for everything that was appended so far to be safe; `None` when it is.
    pub(super) fn end_of_log(&self) -> Option<Lsn> {
        let log = self.log()?;
        let end = log.append().end();
        (log.durable() < end).then_some(end)
    }

    /// Removes those of the messages delivered just now that nobody will acknowledge.
    pub(super) fn remove_done(&mut self, cell: &QueueCell, state: &mut QueueState) {
        if state.queue.is_stored() || state.present.is_some() {
            let done = std::mem::take(&mut self.scratch.done);
            self.remove_entries(cell, state, done.iter());
            self.scratch.done = done;
        }
        if cell.taps.any() {
            let done = std::mem::take(&mut self.scratch.done);
            self.note_left(cell, "deliver_no_ack", done.iter());
            self.scratch.done = done;
        }
    }

    /// Notes that messages came back: their priorities, positions, and how often they did.
    pub(super) fn log_requeues(&mut self, cell: &QueueCell, state: &mut QueueState, returned: &[(u8, u64, u32)]) {
        if returned.is_empty() {
            return;
        }
        let Some(log) = self.log() else { return };
        for (level, seq, delivery_count) in returned {
            if let Some(storage) = state.queue.storage(*level) {
                storage.backlog.requeued(*seq, *delivery_count);
            }
        }
        let mut appender = log.append();
        for (level, seq, delivery_count) in returned {
            appender.requeue(Owner { quid: cell.group(*level), seq: *seq }, *delivery_count);
        }
    }
}
