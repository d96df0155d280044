//! What the queues contain, from the manifest and the log.
//!
//! The manifest is a state at some moment; the log is replayed over it from the segment that the manifest names. The
//! manifest may already contain what part of the log says, because the states of the queues are taken when a segment is
//! retired and not when it was filled. That does no harm: numbers are never given twice, a message below what was
//! retired is not added again, and what is gone can be removed again.

use crate::backlog::{Backlog, SlotFlags};
use crate::calendar::Due;
use crate::error::{OpenError, StoreError};
use crate::log::{self, Damage, ScannedRecord, Visitor};
use crate::place::{Lsn, Place, TransactionId};
use crate::record::{self, DELIVERED, Header, Kind, TRANSIENT};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Replays the log over the backlogs.
pub(super) struct Recovery {
    pub(super) backlogs: HashMap<u64, Backlog>,
    pub(super) metadata: Vec<(Lsn, Vec<u8>)>,
    /// The times that the log has, also of messages that are gone.
    timers: Vec<Due>,
    metadata_applied: Lsn,
    segment_bytes: u64,
    /// Bodies above this are in files of their own.
    blob_bytes: u64,
    /// What transactions would do, until their end is found. Where there is none they never happened.
    transactions: HashMap<TransactionId, Vec<Deferred>>,
    /// What others did to messages of such transactions, by queue and number. A consumer can be ahead of the commit:
    /// messages enter their queues one by one, and the commit is logged after the last.
    ahead: BTreeMap<(u64, u64), Ahead>,
    /// Segments in which queues have anything.
    pub(super) dirty: BTreeSet<(u32, u64)>,
    /// The last segment and queue of `dirty`, which is mostly the next as well.
    last_dirty: (u32, u64),
    pub(super) records: u64,
}

/// A record of a transaction; a message without its bytes.
enum Deferred {
    Add(Added),
    Other { lsn: Lsn, header: Header, payload: Vec<u8> },
}

/// What happened to a message before the transaction that it is of was committed.
#[derive(Clone, Copy, Default)]
struct Ahead {
    is_gone: bool,
    delivery_count: Option<u16>,
}

/// A message that entered a queue.
#[derive(Clone, Copy)]
struct Added {
    header: Header,
    place: Place,
    body_len: u32,
}

impl Recovery {
    /// Recovery over what the manifest says.
    pub(super) fn new(backlogs: HashMap<u64, Backlog>, segment_bytes: u64, metadata_applied: Lsn) -> Recovery {
        Recovery {
            backlogs,
            metadata: Vec::new(),
            timers: Vec::new(),
            metadata_applied,
            segment_bytes,
            blob_bytes: (segment_bytes / 8).min(1 << 20),
            transactions: HashMap::new(),
            ahead: BTreeMap::new(),
            dirty: BTreeSet::new(),
            last_dirty: (0, 0),
            records: 0,
        }
    }
}

impl Visitor for Recovery {
    fn record(&mut self, record: &ScannedRecord<'_>) -> Result<(), OpenError> {
        self.records += 1;
        let (lsn, header) = (record.lsn, record.header);
        let kind = Kind::from_number(header.kind);
        let added = match kind {
            Some(Kind::Message) => Some(added_by_message(record)?),
            Some(Kind::Route) => Some(added_by_route(record)?),
            _ => None,
        };
        if header.group != 0 {
            self.note_dirty(lsn, header.group);
        }
        if let Some(added) = added.filter(|added| added.place.lsn != lsn) {
            // The segment with the body may not go before this queue was asked, whichever segment the route is in.
            self.note_dirty(added.place.lsn, header.group);
        }
        match (record.tx, added) {
            (Some(tx), Some(added)) => {
                self.ahead.insert((header.group, header.index), Ahead::default());
                self.defer(tx, Deferred::Add(added));
            }
            (Some(tx), None) => self.defer(tx, Deferred::Other { lsn, header, payload: record.payload.to_vec() }),
            (None, Some(added)) => self.add(added),
            (None, None) => return self.apply(lsn, header, record.payload),
        }
        Ok(())
    }

    fn damage(&mut self, damage: Damage) {
        let Damage { segment, offset, bytes } = damage;
        tracing::error!("segment {segment} of the message log is damaged at byte {offset}: {bytes} bytes are lost");
    }
}

impl Recovery {
    /// The times in the log of messages that are there.
    pub(super) fn take_timers(&mut self) -> impl Iterator<Item = Due> {
        let timers = std::mem::take(&mut self.timers);
        timers.into_iter().filter(|due| self.backlogs.get(&due.group).is_some_and(|backlog| backlog.contains(due.seq)))
    }

    fn defer(&mut self, tx: TransactionId, deferred: Deferred) {
        self.transactions.entry(tx).or_default().push(deferred);
    }

    fn note_dirty(&mut self, lsn: Lsn, quid: u64) {
        let dirty = ((lsn.0 / self.segment_bytes) as u32, quid);
        if dirty != self.last_dirty {
            self.dirty.insert(dirty);
            self.last_dirty = dirty;
        }
    }

    fn add(&mut self, added: Added) {
        let Added { header, place, body_len } = added;
        let backlog = self.backlogs.entry(header.group).or_default();
        // Its number is taken, even if the message does not survive.
        backlog.seen(header.index);
        if header.flags & TRANSIENT != 0 {
            return;
        }
        let mut flags = SlotFlags::default();
        if header.flags & DELIVERED != 0 {
            flags |= SlotFlags::DELIVERED;
        }
        if u64::from(body_len) > self.blob_bytes {
            flags |= SlotFlags::BLOB;
        }
        backlog.add(header.index, place, body_len, flags);
        if header.delivery_count > 0 {
            backlog.requeued(header.index, u32::from(header.delivery_count));
        }
    }

    fn apply(&mut self, lsn: Lsn, header: Header, payload: &[u8]) -> Result<(), OpenError> {
        let (quid, seq) = (header.group, header.index);
        let segment_bytes = self.segment_bytes;
        let unreadable = || unreadable(lsn, segment_bytes);
        match Kind::from_number(header.kind) {
            Some(Kind::Settle) => {
                let Recovery { backlogs, ahead, .. } = self;
                let backlog = backlogs.entry(quid).or_default();
                let remove = |seq, body_len| {
                    if backlog.remove(seq, body_len).is_none()
                        && let Some(ahead) = ahead.get_mut(&(quid, seq))
                    {
                        ahead.is_gone = true;
                    }
                };
                log::read_settle(seq, payload, remove).ok_or_else(unreadable)?;
            }
            Some(Kind::SettleRange) => {
                let (last, except) = log::read_settle_range(seq, payload).ok_or_else(unreadable)?;
                let backlog = self.backlogs.entry(quid).or_default();
                backlog.seen(last);
                backlog.remove_range(seq, last, &except);
                for ((_, at), ahead) in self.ahead.range_mut((quid, seq)..=(quid, last.max(seq))) {
                    ahead.is_gone |= except.binary_search(at).is_err();
                }
            }
            Some(Kind::Requeue) => {
                self.backlogs.entry(quid).or_default().requeued(seq, u32::from(header.delivery_count));
                if let Some(ahead) = self.ahead.get_mut(&(quid, seq)) {
                    ahead.delivery_count = Some(header.delivery_count);
                }
            }
            Some(Kind::Delivered) => {
                let backlog = self.backlogs.entry(quid).or_default();
                backlog.set_delivered_below(seq);
            }
            Some(Kind::Timer) => {
                let due_ms = payload.first_chunk::<8>().ok_or_else(unreadable)?;
                self.timers.push(Due { due_ms: u64::from_le_bytes(*due_ms), group: quid, seq });
            }
            Some(Kind::Metadata) => {
                let end = Lsn(lsn.0 + record::padded(header.payload_len as usize) as u64);
                if end > self.metadata_applied {
                    self.metadata.push((end, payload.to_vec()));
                }
            }
            Some(Kind::TxCommit) => {
                let id = payload.first_chunk::<8>().ok_or_else(unreadable)?;
                self.commit(TransactionId(u64::from_le_bytes(*id)))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Without a record the transaction has been retired: what it did is in the manifest.
    fn commit(&mut self, tx: TransactionId) -> Result<(), OpenError> {
        for deferred in self.transactions.remove(&tx).unwrap_or_default() {
            match deferred {
                Deferred::Add(added) => self.add_committed(added),
                Deferred::Other { lsn, header, payload } => self.apply(lsn, header, &payload)?,
            }
        }
        Ok(())
    }
}

impl Recovery {
    /// Adds a message of a transaction, unless it has left the queue before the commit.
    fn add_committed(&mut self, mut added: Added) {
        let (quid, seq) = (added.header.group, added.header.index);
        let ahead = self.ahead.remove(&(quid, seq)).unwrap_or_default();
        if ahead.is_gone {
            self.backlogs.entry(quid).or_default().seen(seq);
            return;
        }
        added.header.delivery_count = ahead.delivery_count.unwrap_or(added.header.delivery_count);
        self.add(added);
    }
}

fn added_by_message(record: &ScannedRecord<'_>) -> Result<Added, OpenError> {
    let body_len = record.payload.get(16..20).and_then(|len| len.try_into().ok()).map(u32::from_le_bytes);
    let body_len = body_len.ok_or_else(|| unreadable(record.lsn, u64::MAX))?;
    Ok(Added { header: record.header, place: record.place(), body_len })
}

fn added_by_route(record: &ScannedRecord<'_>) -> Result<Added, OpenError> {
    let route = log::read_route(record.payload).ok_or_else(|| unreadable(record.lsn, u64::MAX))?;
    Ok(Added { header: record.header, place: route.body, body_len: route.body_len })
}

/// A record whose checksum holds and that still makes no sense: written wrongly, and not to be guessed at.
fn unreadable(lsn: Lsn, segment_bytes: u64) -> OpenError {
    let what = "a record cannot be understood";
    let file = format!("segment {} of the log", lsn.0 / segment_bytes);
    OpenError::Store(StoreError::Damaged { file, offset: lsn.0 % segment_bytes, what })
}
