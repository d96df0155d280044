//! The part of a queue that is on disk.
//!
//! ```text
//!   returned     ready            paged out
//!  |--------|---------------|------------------------------>
//!    memory      memory       on disk only        new messages
//! ```
//!
//! Messages on disk have their places in the [`Backlog`]. As long as everything fits, all ready messages are in memory
//! too. When memory is short, the end of `ready` is **paged out**: its messages are on disk only, and so is everything
//! that enters behind them, until the paged part has been read back and is empty.
//!
//! Messages that leave out of turn while they are on disk stay on the books until they are settled; which those are is
//! remembered until then.
//!
//! A crash must not let a message that may have been delivered look new. Messages are therefore delivered only below a
//! **mark** that is on disk, and the mark is moved ahead in steps.

use crate::Entry;
use crate::peek::Peek;
use crate::zone::Zone;
use std::collections::{BTreeMap, BTreeSet};
use store::{Backlog, LoadedRun, Message, Place, Read, SlotFlags};

/// Memory of ready messages below which the next are read ahead, in bytes.
const READ_AHEAD_BELOW: u64 = 512 << 10;
/// Bytes of one read.
const READ_BYTES: usize = 256 << 10;
/// Returned messages read at once.
const READ_RETURNED: usize = 256;
/// How far ahead of a delivery the mark goes at least, and at most.
const LEAST_LEAD: u64 = 4096;
const MOST_LEAD: u64 = 65_536;

/// What a queue has on disk, of one priority.
pub struct Storage {
    /// Where its messages are.
    pub backlog: Backlog,
    paged: Option<Paged>,
    /// Messages that left out of turn and are still in the backlog.
    taken: BTreeSet<u64>,
    /// The position that somebody reads from on for it; 0 for a read of messages that came back.
    reading: Option<u64>,
    /// Messages below it may have been delivered before the last restart.
    recovered_below: u64,
    /// The mark that is on disk: messages below it can be delivered.
    pub(crate) deliverable_below: u64,
    lead: u64,
}

/// The part that is on disk only: `count` messages, all that the backlog has from position `next` on.
struct Paged {
    next: u64,
    count: u64,
}

/// What a queue needs before it can deliver its first message, or soon will.
pub enum Wants {
    /// Nothing.
    Nothing,
    /// This to be read; the answer goes to [`Queue::take_read`](crate::Queue::take_read).
    Read {
        /// The priority whose messages are read.
        level: u8,
        /// What is read.
        read: Box<Read>,
    },
    /// The mark to be at `below` on disk; then [`Queue::marked`](crate::Queue::marked) is called.
    Mark {
        /// The priority whose mark it is.
        level: u8,
        /// The first position that is surely not delivered.
        below: u64,
    },
}

/// Messages that were on disk only and are gone, of one priority.
pub struct Forgotten {
    /// The priority.
    pub level: u8,
    /// The positions that they were at: from the first to the last.
    pub range: (u64, u64),
    /// Those of the range that had left before, and are still on the books.
    pub except: Vec<u64>,
    /// The files of their large bodies.
    pub blobs: Vec<u64>,
}

impl Storage {
    /// For a queue whose messages on disk are those of `backlog`.
    pub fn new(backlog: Backlog) -> Storage {
        let delivered_below = backlog.delivered_below();
        let paged = backlog.first_seq().map(|next| Paged { next, count: backlog.len() });
        Storage {
            backlog,
            paged,
            taken: BTreeSet::new(),
            reading: None,
            recovered_below: delivered_below,
            deliverable_below: delivered_below,
            lead: LEAST_LEAD,
        }
    }

    #[inline]
    pub(crate) fn is_paged(&self) -> bool {
        self.paged.is_some()
    }

    fn forget_empty(&mut self) {
        if self.paged.as_ref().is_some_and(|paged| paged.count == 0) {
            self.paged = None;
        }
    }

    #[inline]
    pub(crate) fn paged_out(&mut self, count: u64) {
        if let Some(paged) = &mut self.paged {
            paged.count += count;
        }
    }
}

impl Storage {
    /// Messages that are on disk only.
    pub(crate) fn paged_count(&self) -> u64 {
        self.paged.as_ref().map_or(0, |paged| paged.count)
    }

    /// Takes the first message that is on disk only, unread.
    pub(crate) fn take_first_paged(&mut self) -> Option<Entry> {
        self.pass_taken();
        let paged = self.paged.as_mut()?;
        let (seq, body_len) = self.backlog.first_from(paged.next)?;
        paged.next = seq + 1;
        paged.count -= 1;
        self.forget_empty();
        Some(Entry::unread(seq, body_len, seq < self.recovered_below))
    }

    /// Has what is on disk only begin with a message that has not left, so that each read finds one at least.
    fn pass_taken(&mut self) {
        let Some(paged) = self.paged.as_mut().filter(|_| !self.taken.is_empty()) else { return };
        while let Some((seq, _)) = self.backlog.first_from(paged.next).filter(|(seq, _)| self.taken.contains(seq)) {
            paged.next = seq + 1;
        }
    }

    /// Takes the message at this position, unread, if it is one that is on disk only.
    pub(crate) fn take_paged(&mut self, seq: u64) -> Option<Entry> {
        let paged = self.paged.as_mut().filter(|paged| seq >= paged.next)?;
        let (_, body_len) = self.backlog.first_from(seq).filter(|(found, _)| *found == seq)?;
        if !self.taken.insert(seq) {
            return None;
        }
        paged.count -= 1;
        self.forget_empty();
        Some(Entry::unread(seq, body_len, seq < self.recovered_below))
    }

    /// Looks at what is on disk only, from position `from` on.
    pub(crate) fn peek_paged(&self, from: u64, most_bytes: usize) -> Peek {
        let Some(paged) = &self.paged else { return Peek::Nothing };
        let Some(read) = self.backlog.read_from(from.max(paged.next), most_bytes) else { return Peek::Nothing };
        let (first, last) = read.range();
        let except = self.taken.range(first..=last).copied().collect();
        Peek::Unread { read: Box::new(read), except, redelivered_below: self.recovered_below }
    }

    /// Passes over messages that are on disk only.
    pub(crate) fn skip_paged(&self, from: u64, count: u64) -> (u64, u64) {
        self.paged.as_ref().map_or((0, from), |paged| self.backlog.skip(from.max(paged.next), count))
    }

    /// True when what stands around this position is on disk only, and a message there can be added to it.
    pub(crate) fn has_paged_before(&self, seq: u64) -> bool {
        self.paged.as_ref().is_some_and(|paged| paged.next <= seq) && self.backlog.takes(seq)
    }

    /// A message is on disk now that stands among others that were there before.
    pub(crate) fn add_between(&mut self, seq: u64, place: Place, body_len: u32, flags: SlotFlags) {
        self.backlog.add_late(vec![(seq, place, body_len, flags)]);
        // A read that is under way passes over it: what it brings has to be read again.
        if let Some(from) = &mut self.reading {
            *from = u64::MAX;
        }
    }

    /// Takes a message back among those that are on disk only, if that is where it stood: false when it is not.
    pub(crate) fn untake_paged(&mut self, seq: u64) -> bool {
        self.taken.remove(&seq);
        let Some(paged) = self.paged.as_mut().filter(|paged| seq >= paged.next) else { return false };
        paged.count += 1;
        true
    }

    /// True when the message at this position is on disk only, and ready.
    pub(crate) fn has_paged(&self, seq: u64) -> bool {
        self.paged.as_ref().is_some_and(|paged| seq >= paged.next)
            && self.backlog.contains(seq)
            && !self.taken.contains(&seq)
    }

    /// A message that is on disk left while others before it stay.
    pub(crate) fn leaves_out_of_turn(&mut self, seq: u64) {
        self.taken.insert(seq);
    }

    /// Takes a message off the books; the file of its large body goes with it.
    #[inline]
    pub fn remove(&mut self, seq: u64, body_len: u32) -> Option<u64> {
        if !self.taken.is_empty() {
            self.taken.remove(&seq);
        }
        self.backlog.remove(seq, body_len).and_then(|removed| removed.blob)
    }
}

impl Zone {
    /// Makes it a zone that keeps messages on disk.
    pub(crate) fn keep_on_disk(&mut self) -> &mut Storage {
        self.storage.get_or_insert_with(|| Box::new(Storage::new(Backlog::new())))
    }

    /// Leaves ready messages to the disk, from the last one on, until about `keep_bytes` are in memory; at most `most`.
    ///
    /// `log` puts a message on disk that is not there yet, if it can. What was in memory is handed to `sink`.
    pub(crate) fn page_out(
        &mut self,
        keep_bytes: u64,
        most: usize,
        sink: &mut Vec<Entry>,
        mut log: impl FnMut(u64, &Message) -> Option<(Place, SlotFlags)>,
    ) {
        if self.resident_bytes <= keep_bytes {
            return;
        }
        self.keep_on_disk();
        let mut late = Vec::new();
        for _ in 0..most {
            if self.resident_bytes <= keep_bytes {
                break;
            }
            let Some(entry) = self.take_last() else { break };
            let Some(storage) = &mut self.storage else { break };
            if !entry.stored {
                // What is not logged stays: the log is full, or the neighbours went to a cold segment.
                let message = entry.message.as_ref().filter(|_| storage.backlog.takes(entry.seq));
                let Some((place, flags)) = message.and_then(|message| log(entry.seq, message)) else {
                    self.push_resident(entry);
                    break;
                };
                late.push((entry.seq, place, entry.body_len, flags));
            }
            let count = storage.paged.as_ref().map_or(0, |paged| paged.count) + 1;
            storage.paged = Some(Paged { next: entry.seq, count });
            sink.push(entry);
        }
        late.reverse();
        if let Some(storage) = &mut self.storage {
            storage.backlog.add_late(late);
        }
    }

    /// Puts ready messages with a position below `below` on disk that are in memory only, at most `most`; they stay in
    /// memory. Returns true when there may be more.
    pub(crate) fn store_below(
        &mut self,
        below: u64,
        most: usize,
        mut log: impl FnMut(u64, &Message) -> (Place, SlotFlags),
    ) -> bool {
        let Some(storage) = &mut self.storage else { return false };
        let mut late = Vec::new();
        for entry in self.ready.iter_mut().take_while(|entry| entry.seq < below) {
            if let Some(message) = entry.message.as_ref().filter(|_| !entry.stored && storage.backlog.takes(entry.seq))
            {
                if late.len() == most {
                    storage.backlog.add_late(late);
                    return true;
                }
                let (place, flags) = log(entry.seq, message);
                late.push((entry.seq, place, entry.body_len, flags));
                entry.stored = true;
            }
        }
        storage.backlog.add_late(late);
        false
    }

    /// Forgets the messages that are on disk only, up to the position `last`.
    pub(crate) fn forget_paged(&mut self, level: u8, last: u64) -> Option<Forgotten> {
        let storage = self.storage.as_mut()?;
        let paged = storage.paged.take()?;
        let except: Vec<u64> = storage.taken.range(paged.next..).copied().collect();
        let blobs = storage.backlog.remove_from(paged.next, &except);
        Some(Forgotten { level, range: (paged.next, last), except, blobs })
    }

    /// What has to come from or to the disk so that deliveries can go on. Asked when a consumer, or basic.get, wants a
    /// message; what is returned counts as under way.
    pub(crate) fn wants(&mut self, level: u8) -> Wants {
        if let Some(read) = self.wants_read(false) {
            return Wants::Read { level, read };
        }
        let len = self.len();
        let first = self.returned.values().next().or_else(|| self.ready.front());
        let Some(storage) = &mut self.storage else { return Wants::Nothing };
        let Some(first) = first.filter(|first| first.stored && !first.redelivered) else { return Wants::Nothing };
        storage.next_mark(level, first.seq, len)
    }

    /// What has to be read next. With `probe` only the first message is wanted, to see when it expires.
    pub(crate) fn wants_read(&mut self, probe: bool) -> Option<Box<Read>> {
        let storage = self.storage.as_mut()?;
        let first = self.returned.values().next().or_else(|| self.ready.front());
        storage.next_read(first, &self.returned, self.resident_bytes, probe).map(Box::new)
    }

    /// The mark is on disk.
    pub(crate) fn marked(&mut self, below: u64) {
        if let Some(storage) = &mut self.storage {
            storage.deliverable_below = storage.deliverable_below.max(below);
        }
    }

    /// Takes in what was read. Messages that could not be read are gone: their positions, the bytes of their bodies, and
    /// the files that they had.
    pub(crate) fn take_read(&mut self, level: u8, run: LoadedRun) -> Vec<(u64, u32, Option<u64>)> {
        let mut lost = Vec::new();
        for gone in &run.lost {
            lost.extend(self.lose(gone.seq, gone.body_len));
        }
        let Some(storage) = &mut self.storage else { return lost };
        // What has been paged out while the read was under way comes before what was read.
        let from = storage.reading.take().unwrap_or(0);
        let mut read = Vec::with_capacity(run.loaded.len());
        let is_overtaken = storage.paged.as_ref().is_some_and(|paged| paged.next < from);
        for loaded in run.loaded {
            if let Some(entry) = self.returned.get_mut(&loaded.seq) {
                entry.message = Some(loaded.message);
                // It may have been taken out, unread, before anything was known of it.
                entry.redelivered |= loaded.redelivered;
                entry.delivery_count = entry.delivery_count.max(loaded.delivery_count);
                continue;
            }
            let Some(paged) = storage.paged.as_mut().filter(|paged| loaded.seq >= paged.next) else { continue };
            if is_overtaken || !storage.backlog.contains(loaded.seq) || storage.taken.contains(&loaded.seq) {
                continue;
            }
            paged.count -= 1;
            paged.next = loaded.seq + 1;
            let entry = Entry {
                body_len: loaded.message.body_len() as u32,
                message: Some(loaded.message),
                delivery_count: loaded.delivery_count,
                failures: loaded.delivery_count,
                seq: loaded.seq,
                redelivered: loaded.redelivered || loaded.seq < storage.recovered_below,
                stored: true,
                level,
                is_gone: false,
            };
            read.push(entry);
        }
        storage.backlog.passed(run.hint);
        storage.forget_empty();
        read.into_iter().for_each(|entry| self.push_resident(entry));
        lost
    }

    /// A ready message on disk cannot be read.
    fn lose(&mut self, seq: u64, body_len: u32) -> Option<(u64, u32, Option<u64>)> {
        let storage = self.storage.as_mut()?;
        if self.returned.get(&seq).is_some_and(|entry| entry.message.is_some()) {
            // It came back while it was read, and is in memory.
            return None;
        }
        let returned = self.returned.remove(&seq);
        match &mut storage.paged {
            _ if returned.is_some() => {}
            Some(paged) if seq >= paged.next && storage.backlog.contains(seq) && !storage.taken.contains(&seq) => {
                paged.count -= 1;
            }
            // It was settled, or purged, while it was read.
            _ => return None,
        }
        let body_len = returned.map_or(body_len, |entry| entry.body_len);
        let blob = storage.remove(seq, body_len);
        storage.forget_empty();
        Some((seq, body_len, blob))
    }

    /// The mark as it has to be for a restart in good order: just above what was delivered and came back.
    pub(crate) fn exact_mark(&self) -> u64 {
        let recovered = self.storage.as_ref().map_or(0, |storage| {
            let still_there = storage.paged.as_ref().is_some_and(|paged| paged.next < storage.recovered_below);
            if still_there { storage.recovered_below } else { 0 }
        });
        let came_back = self.iter().filter(|entry| entry.redelivered).map(|entry| entry.seq + 1).max();
        came_back.unwrap_or(0).max(recovered)
    }
}

impl Storage {
    /// The next read: returned messages that are on disk only when one of them is `first`, else what comes next.
    fn next_read(
        &mut self,
        first: Option<&Entry>,
        returned: &BTreeMap<u64, Entry>,
        resident_bytes: u64,
        probe: bool,
    ) -> Option<Read> {
        if self.reading.is_some() {
            return None;
        }
        let (from, read) = if first.is_some_and(|entry| entry.message.is_none()) {
            let mut bytes = 0;
            let seqs: Vec<u64> = returned
                .values()
                .take(READ_RETURNED)
                .filter(|entry| entry.message.is_none())
                .take_while(|entry| {
                    let fits = bytes < READ_BYTES;
                    bytes += entry.body_len as usize;
                    fits
                })
                .map(|entry| entry.seq)
                .collect();
            (0, self.backlog.read_of(&seqs).into_iter().next())
        } else {
            self.pass_taken();
            let enough = if probe { 1 } else { READ_AHEAD_BELOW };
            let paged = self.paged.as_ref().filter(|_| resident_bytes < enough)?;
            (paged.next, self.backlog.read_from(paged.next, if probe { 1 } else { READ_BYTES }))
        };
        self.reading = read.is_some().then_some(from);
        read
    }

    /// A mark ahead of `seq`, when it is due: now for a delivery that waits, or soon.
    fn next_mark(&mut self, level: u8, seq: u64, ready: u64) -> Wants {
        if seq + self.lead / 2 < self.backlog.delivered_below() {
            return Wants::Nothing;
        }
        // Steps grow while a backlog is drained, so that marks cost nothing there, and shrink again, so that a crash of
        // a queue that is nearly empty flags few messages that were not delivered.
        if ready > self.lead {
            self.lead = (self.lead * 2).min(MOST_LEAD);
        } else if ready < self.lead / 4 {
            self.lead = (self.lead / 2).max(LEAST_LEAD);
        }
        let below = seq + self.lead;
        self.backlog.set_delivered_below(below);
        Wants::Mark { level, below }
    }
}
