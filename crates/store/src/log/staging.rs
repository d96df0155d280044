//! Where records wait for the log thread.
//!
//! Their positions are decided here, under the lock, so that an appender knows them at once. Only record headers and
//! small payloads are copied; a message is kept as slices of its arena, which the log thread gathers.

use super::batch::{BATCH_BYTES, BATCH_HEADER, PAGE};
use super::blob::{Blobs, StagedBlob};
use super::dirty::Dirty;
use super::payload::{Route, put_settle, put_settle_range};
use super::{Append, Log};
use crate::arena::Slice;
use crate::message::Message;
use crate::place::{Lsn, Owner, Place, TransactionId};
use crate::record::{self, BLOB, DELIVERED, HEADER, Header, Kind, TRANSIENT, TX};
use std::collections::VecDeque;
use std::sync::MutexGuard;

/// Messages in one settle record, so that no record outgrows a batch.
const SETTLED_AT_ONCE: usize = 4096;

/// Memory that is kept for what is staged next, for headers and for slices each.
const KEPT_BYTES: usize = 512 << 10;

/// A batch that is complete or was taken as it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Where its header goes.
    pub(super) first: u64,
    /// Where its records end.
    pub(super) end: u64,
    pub(super) records: u32,
}

/// Records in batches, in order.
///
/// `bytes` has, for each record, its header with the number of its slices in the place of the checksum, and what of the
/// payload is not in slices: what stands before them (the transaction's id) and what stands behind (the blob's id).
#[derive(Default)]
pub(super) struct Staged {
    pub(super) batches: Vec<Mark>,
    pub(super) bytes: Vec<u8>,
    /// Taken off as they are written, so that what is written is not kept in memory by what is not.
    pub(super) slices: VecDeque<Slice>,
    pub(super) blobs: Vec<StagedBlob>,
}

impl Staged {
    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.bytes.clear();
        self.slices.clear();
        self.blobs.clear();
        // A burst of short messages takes many times as much as what comes usually.
        self.bytes.shrink_to(KEPT_BYTES);
        self.slices.shrink_to(KEPT_BYTES / size_of::<Slice>());
    }
}

#[cfg(test)]
impl Staged {
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.slices.capacity() * size_of::<Slice>()
    }
}

/// What is behind the staging lock.
pub(super) struct Staging {
    staged: Staged,
    segment_bytes: u64,
    /// The batch that records are being added to; none of them: there is no batch.
    open: Mark,
    end: u64,
    pub(super) dirty: Dirty,
    pub(super) blobs: Blobs,
}

impl Staging {
    pub(super) fn new(segment_bytes: u64, end: Lsn) -> Staging {
        Staging {
            staged: Staged::default(),
            segment_bytes,
            open: Mark { first: 0, end: 0, records: 0 },
            end: end.0,
            dirty: Dirty::new(),
            blobs: Blobs::default(),
        }
    }

    /// Hands over everything staged for `empty`, which is kept for what comes next. The next batch begins at a page.
    pub(super) fn take(&mut self, empty: &mut Staged) {
        self.close_batch();
        std::mem::swap(&mut self.staged, empty);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.records == 0 && self.staged.batches.is_empty()
    }

    /// Gives the memory back that nothing is staged in.
    pub(super) fn trim(&mut self) {
        if self.is_empty() {
            self.staged = Staged::default();
        }
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.staged.memory_bytes()
    }

    fn close_batch(&mut self) {
        if self.open.records > 0 {
            self.open.end = self.end;
            self.staged.batches.push(self.open);
            self.open.records = 0;
        }
    }

    /// Decides where a record of this length goes.
    #[inline]
    fn place(&mut self, padded: usize) -> u64 {
        let padded = padded as u64;
        if self.open.records == 0 || self.end + padded > self.room_end() {
            self.open_batch(padded);
        }
        let lsn = self.end;
        self.end += padded;
        self.open.records += 1;
        lsn
    }

    #[inline]
    fn room_end(&self) -> u64 {
        let segment_end = (self.open.first | (self.segment_bytes - 1)) + 1;
        segment_end.min(self.open.first + BATCH_BYTES)
    }

    fn open_batch(&mut self, padded: u64) {
        self.close_batch();
        let needed = BATCH_HEADER as u64 + padded;
        assert!(needed <= self.segment_bytes - PAGE, "a record of {padded} bytes is longer than a segment");
        let mut first = self.end.next_multiple_of(PAGE);
        let in_segment = first & (self.segment_bytes - 1);
        if in_segment == 0 {
            first += PAGE; // The file header.
        } else if in_segment + needed > self.segment_bytes {
            first = first - in_segment + self.segment_bytes + PAGE;
        }
        self.open = Mark { first, end: first, records: 0 };
        self.end = first + BATCH_HEADER as u64;
    }
}

/// The right to append; what is appended through one is contiguous in the log. The lock is a leaf: nothing else is
/// locked or waited for while an appender lives.
pub struct Appender<'a> {
    log: &'a Log,
    staging: Option<MutexGuard<'a, Staging>>,
    before: u64,
    blob_bytes: usize,
    /// A blob has no owner any more.
    has_unowned: bool,
}

impl<'a> Appender<'a> {
    pub(super) fn new(log: &'a Log, staging: MutexGuard<'a, Staging>) -> Appender<'a> {
        let before = staging.end;
        Appender { log, staging: Some(staging), before, blob_bytes: 0, has_unowned: false }
    }

    #[inline]
    fn staging(&mut self) -> &mut Staging {
        self.staging.as_mut().expect("the lock is held until the appender is dropped")
    }

    /// A message enters a queue.
    pub fn message(&mut self, owner: Owner, options: Append, message: &Message) -> Place {
        if message.body_len() as u64 > self.log.blob_bytes {
            return self.message_with_blob(owner, options, message);
        }
        let mut header = header_of(Kind::Message, owner, options);
        header.payload_len = (message.stored_len() + prefix_len(options.tx)) as u32;
        let staging = self.staging();
        let lsn = staging.place(record::padded(header.payload_len as usize));
        let slices = staging.staged.slices.len();
        staging.staged.slices.extend(message.stored_slices());
        header.crc = (staging.staged.slices.len() - slices) as u32;
        staging.staged.bytes.extend_from_slice(&header.to_bytes());
        put_tx(&mut staging.staged.bytes, options.tx);
        self.appended(lsn, owner.quid);
        Place { lsn: Lsn(lsn), len: HEADER as u32 + header.payload_len }
    }

    /// A message whose body goes to a file of its own; it is named after the record.
    #[cold]
    fn message_with_blob(&mut self, owner: Owner, options: Append, message: &Message) -> Place {
        let mut parts = message.stored_slices();
        let head = parts.next().expect("the first slice is the head of the record");
        assert_eq!(
            message.stored_len() - head.len(),
            message.body_len(),
            "a body of this length is in slices of its own"
        );
        let body: Vec<Slice> = parts.collect();
        let mut header = header_of(Kind::Message, owner, options);
        header.flags |= BLOB;
        header.payload_len = (prefix_len(options.tx) + head.len() + 12) as u32;
        header.crc = 1;
        let staging = self.staging();
        let lsn = staging.place(record::padded(header.payload_len as usize));
        staging.staged.bytes.extend_from_slice(&header.to_bytes());
        put_tx(&mut staging.staged.bytes, options.tx);
        staging.staged.bytes.extend_from_slice(&lsn.to_le_bytes());
        staging.staged.bytes.extend_from_slice(&[0; 4]); // The body's checksum; the log thread knows it.
        staging.staged.slices.push_back(head);
        staging.blobs.created(lsn, message.body_len() as u64);
        staging.staged.blobs.push(StagedBlob { id: lsn, body });
        self.blob_bytes += message.body_len();
        self.appended(lsn, owner.quid);
        Place { lsn: Lsn(lsn), len: HEADER as u32 + header.payload_len }
    }

    /// A message that is in the log enters a further queue.
    pub fn route(&mut self, owner: Owner, options: Append, body: Place, body_len: u32) {
        let header = header_of(Kind::Route, owner, options);
        let lsn = self.inline(header, options.tx, |out| out.extend_from_slice(&Route { body, body_len }.to_bytes()));
        let (body_segment, segment) = (self.log.segment_of(body.lsn), self.log.segment_of(lsn));
        let staging = self.staging();
        if body_segment != segment {
            // The queue must be asked before the segment with the body may go.
            staging.dirty.note(body_segment, owner.quid);
        }
        staging.blobs.shared(body.lsn.0);
    }

    /// Messages (seq, bytes of the body) left a queue.
    pub fn settle(&mut self, quid: u64, tx: Option<TransactionId>, messages: &[(u64, u32)]) {
        for messages in messages.chunks(SETTLED_AT_ONCE) {
            let owner = Owner { quid, seq: messages[0].0 };
            let header = header_of(Kind::Settle, owner, Append { tx, ..Append::default() });
            self.inline(header, tx, |out| put_settle(out, messages));
        }
    }

    /// All from `first` to `last` left a queue, but for those in `except`, which ascend and lie between.
    pub fn settle_range(&mut self, quid: u64, first: u64, last: u64, except: &[u64]) {
        let (mut first, mut except) = (first, except);
        loop {
            let (here, rest) = except.split_at(except.len().min(SETTLED_AT_ONCE));
            let last_here = rest.first().map_or(last, |next| next - 1);
            let header = Header::new(Kind::SettleRange, quid, first);
            self.inline(header, None, |out| put_settle_range(out, first, last_here, here));
            let Some(next) = rest.first() else { return };
            (first, except) = (*next, rest);
        }
    }

    /// A message came back after a delivery.
    pub fn requeue(&mut self, owner: Owner, delivery_count: u32) {
        let mut header = header_of(Kind::Requeue, owner, Append::default());
        header.delivery_count = u16::try_from(delivery_count).unwrap_or(u16::MAX);
        self.inline(header, None, |_| {});
    }

    /// No message of the queue at or after `below` was delivered.
    pub fn delivered(&mut self, quid: u64, below: u64) {
        self.inline(Header::new(Kind::Delivered, quid, below), None, |_| {});
    }

    /// Something is to happen to a message at `due_ms`, in ms since 1970; what is not said.
    pub fn timer(&mut self, owner: Owner, tx: Option<TransactionId>, due_ms: u64) {
        let header = header_of(Kind::Timer, owner, Append { tx, ..Append::default() });
        self.inline(header, tx, |out| out.extend_from_slice(&due_ms.to_le_bytes()));
    }

    /// A change of the definitions.
    ///
    /// # Panics
    /// When it is longer than half of a segment.
    pub fn metadata(&mut self, bytes: &[u8]) {
        assert!(bytes.len() as u64 <= self.log.segment_bytes() / 2, "a change of the definitions fits a segment");
        self.inline(Header::new(Kind::Metadata, 0, 0), None, |out| out.extend_from_slice(bytes));
    }

    /// The records of the transaction take effect.
    pub fn tx_commit(&mut self, tx: TransactionId) {
        self.inline(Header::new(Kind::TxCommit, 0, 0), None, |out| out.extend_from_slice(&tx.0.to_le_bytes()));
    }

    pub(super) fn clean_end(&mut self) {
        self.inline(Header::new(Kind::CleanEnd, 0, 0), None, |_| {});
    }

    /// A record that this version does not know.
    #[cfg(test)]
    pub(super) fn later_kind(&mut self, kind: u8) {
        self.inline(Header { kind, ..Header::new(Kind::Delivered, 1, 1) }, None, |_| {});
    }

    /// A blob has one owner fewer; its file goes when none is left and what has been appended so far is durable.
    pub fn release_blob(&mut self, id: u64) {
        let staging = self.staging();
        let is_unowned = staging.blobs.released(id, staging.end);
        self.has_unowned |= is_unowned;
    }

    /// When [`Log::durable`] has reached this, everything appended so far is synced.
    pub fn end(&self) -> Lsn {
        Lsn(self.staging.as_ref().map_or(0, |staging| staging.end))
    }

    /// Appends a record whose payload is copied.
    fn inline(&mut self, mut header: Header, tx: Option<TransactionId>, put: impl FnOnce(&mut Vec<u8>)) -> Lsn {
        let staging = self.staging();
        let bytes = &mut staging.staged.bytes;
        let at = bytes.len();
        bytes.extend_from_slice(&[0; HEADER]);
        put_tx(bytes, tx);
        put(bytes);
        header.payload_len = (bytes.len() - at - HEADER) as u32;
        bytes[at..at + HEADER].copy_from_slice(&header.to_bytes());
        let lsn = staging.place(record::padded(header.payload_len as usize));
        self.appended(lsn, header.group);
        Lsn(lsn)
    }

    #[inline]
    fn appended(&mut self, lsn: u64, quid: u64) {
        let segment = self.log.segment_of(Lsn(lsn));
        self.staging().dirty.note(segment, quid);
    }
}

impl Drop for Appender<'_> {
    fn drop(&mut self) {
        let Some(staging) = self.staging.take() else { return };
        let added = staging.end - self.before;
        if added > 0 {
            // Still under the lock, so that the thread cannot subtract before this has been added.
            self.log.note_staged(added as usize, self.blob_bytes, staging.end);
        }
        drop(staging);
        if added > 0 || self.has_unowned {
            self.log.bell.appended();
        }
    }
}

fn header_of(kind: Kind, owner: Owner, options: Append) -> Header {
    let mut header = Header::new(kind, owner.quid, owner.seq);
    header.flags = if options.tx.is_some() { TX } else { 0 }
        | if options.delivered { DELIVERED } else { 0 }
        | if options.transient { TRANSIENT } else { 0 };
    header
}

fn prefix_len(tx: Option<TransactionId>) -> usize {
    if tx.is_some() { 8 } else { 0 }
}

fn put_tx(out: &mut Vec<u8>, tx: Option<TransactionId>) {
    if let Some(TransactionId(id)) = tx {
        out.extend_from_slice(&id.to_le_bytes());
    }
}
