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
//! A crash must not let a message that may have been delivered look new. Messages are therefore delivered only below a
//! **mark** that is on disk, and the mark is moved ahead in steps.

use crate::Entry;
use crate::queue::{Queue, memory};
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

/// What a queue has on disk.
pub struct Storage {
    /// Where its messages are.
    pub backlog: Backlog,
    paged: Option<Paged>,
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
    /// This to be read; the answer goes to [`Queue::take_read`].
    Read(Box<Read>),
    /// The mark to be at `below` on disk; then [`Queue::marked`] is called.
    Mark {
        /// The first position that is surely not delivered.
        below: u64,
    },
}

impl Storage {
    /// For a queue whose messages on disk are those of `backlog`.
    pub fn new(backlog: Backlog) -> Storage {
        let delivered_below = backlog.delivered_below();
        let paged = backlog.first_seq().map(|next| Paged { next, count: backlog.len() });
        Storage {
            backlog,
            paged,
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

impl<C> Queue<C> {
    /// What is on disk; `None` for a queue that has nothing there.
    #[inline]
    pub fn storage(&mut self) -> Option<&mut Storage> {
        self.storage.as_deref_mut()
    }

    /// Makes it a queue that keeps messages on disk.
    pub fn keep_on_disk(&mut self) -> &mut Storage {
        self.storage.get_or_insert_with(|| Box::new(Storage::new(Backlog::new())))
    }

    /// Takes what is on disk away, for a queue that is deleted.
    pub fn take_storage(&mut self) -> Option<Box<Storage>> {
        self.storage.take()
    }

    /// True when messages that enter have to go to disk, whatever they are.
    #[inline]
    pub fn is_paged(&self) -> bool {
        self.storage.as_ref().is_some_and(|storage| storage.is_paged())
    }

    /// Leaves ready messages to the disk, from the last one on, until about `keep_bytes` are in memory; at most `most`.
    ///
    /// `log` puts a message on disk that is not there yet, if it can. What was in memory is handed to `sink`.
    pub fn page_out(
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
        let Some(storage) = &mut self.storage else { return };
        let mut late = Vec::new();
        for _ in 0..most {
            if self.resident_bytes <= keep_bytes {
                break;
            }
            let Some(entry) = self.ready.pop_back() else { break };
            if !entry.stored {
                // What is not logged stays: the log is full, or the neighbours went to a cold segment.
                let message = entry.message.as_ref().filter(|_| storage.backlog.takes(entry.seq));
                let Some((place, flags)) = message.and_then(|message| log(entry.seq, message)) else {
                    self.ready.push_back(entry);
                    break;
                };
                late.push((entry.seq, place, entry.body_len, flags));
            }
            self.resident_bytes -= memory(&entry);
            let count = storage.paged.as_ref().map_or(0, |paged| paged.count) + 1;
            storage.paged = Some(Paged { next: entry.seq, count });
            sink.push(entry);
        }
        late.reverse();
        storage.backlog.add_late(late);
    }

    /// Puts ready messages with a position below `below` on disk that are in memory only, at most `most`; they stay in
    /// memory. Returns true when there may be more.
    pub fn store_below(
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

    /// Forgets the messages that are on disk only; returns the range of positions that they were in, and the files of
    /// their large bodies.
    pub fn forget_paged(&mut self) -> Option<(u64, u64, Vec<u64>)> {
        let last = self.next_seq().checked_sub(1)?;
        let storage = self.storage.as_mut()?;
        let paged = storage.paged.take()?;
        let blobs = storage.backlog.remove_from(paged.next, &[]);
        Some((paged.next, last, blobs))
    }

    /// What has to come from or to the disk so that deliveries can go on. Asked when a consumer, or basic.get, wants a
    /// message; what is returned counts as under way.
    pub fn wants(&mut self) -> Wants {
        let Some(storage) = &mut self.storage else { return Wants::Nothing };
        let first = self.returned.values().next().or_else(|| self.ready.front());
        if let Some(read) = storage.next_read(first, &self.returned, self.resident_bytes) {
            return Wants::Read(Box::new(read));
        }
        let Some(first) = first.filter(|first| first.stored && !first.redelivered) else { return Wants::Nothing };
        storage.next_mark(first.seq, self.counts.ready)
    }

    /// The mark is on disk.
    pub fn marked(&mut self, below: u64) {
        if let Some(storage) = &mut self.storage {
            storage.deliverable_below = storage.deliverable_below.max(below);
        }
    }

    /// Takes in what was read. Messages that could not be read are gone: their positions, the bytes of their bodies, and
    /// the files that they had.
    pub fn take_read(&mut self, run: LoadedRun) -> Vec<(u64, u32, Option<u64>)> {
        let mut lost = Vec::new();
        for gone in &run.lost {
            lost.extend(self.lose(gone.seq, gone.body_len));
        }
        let Some(storage) = &mut self.storage else { return lost };
        // What has been paged out while the read was under way comes before what was read.
        let from = storage.reading.take().unwrap_or(0);
        let is_overtaken = storage.paged.as_ref().is_some_and(|paged| paged.next < from);
        for loaded in run.loaded {
            if let Some(entry) = self.returned.get_mut(&loaded.seq) {
                entry.message = Some(loaded.message);
                continue;
            }
            let Some(paged) = storage.paged.as_mut().filter(|paged| loaded.seq >= paged.next) else { continue };
            if is_overtaken || !storage.backlog.contains(loaded.seq) {
                continue;
            }
            paged.count -= 1;
            paged.next = loaded.seq + 1;
            let entry = Entry {
                body_len: loaded.message.body_len() as u32,
                message: Some(loaded.message),
                delivery_count: loaded.delivery_count,
                seq: loaded.seq,
                redelivered: loaded.redelivered || loaded.seq < storage.recovered_below,
                stored: true,
            };
            self.resident_bytes += memory(&entry);
            self.ready.push_back(entry);
        }
        storage.backlog.passed(run.hint);
        storage.forget_empty();
        lost
    }

    /// A ready message on disk cannot be read.
    fn lose(&mut self, seq: u64, body_len: u32) -> Option<(u64, u32, Option<u64>)> {
        let storage = self.storage.as_mut()?;
        let returned = self.returned.remove(&seq);
        match &mut storage.paged {
            _ if returned.is_some() => {}
            Some(paged) if seq >= paged.next && storage.backlog.contains(seq) => paged.count -= 1,
            // It was settled, or purged, while it was read.
            _ => return None,
        }
        let body_len = returned.map_or(body_len, |entry| entry.body_len);
        let removed = storage.backlog.remove(seq, body_len);
        storage.forget_empty();
        self.counts.remove_ready(body_len);
        Some((seq, body_len, removed.and_then(|removed| removed.blob)))
    }

    /// The mark as it has to be for a restart in good order: just above what was delivered and came back.
    pub fn exact_mark(&self) -> u64 {
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
        returned: &std::collections::BTreeMap<u64, Entry>,
        resident_bytes: u64,
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
            let paged = self.paged.as_ref().filter(|_| resident_bytes < READ_AHEAD_BELOW)?;
            (paged.next, self.backlog.read_from(paged.next, READ_BYTES))
        };
        self.reading = read.is_some().then_some(from);
        read
    }

    /// A mark ahead of `seq`, when it is due: now for a delivery that waits, or soon.
    fn next_mark(&mut self, seq: u64, ready: u64) -> Wants {
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
        Wants::Mark { below }
    }
}
