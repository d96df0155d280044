//! The ready messages of one priority; a queue without priorities has one zone.

use crate::Entry;
use crate::entry::Figures;
use crate::storage::Storage;
use std::collections::{BTreeMap, VecDeque};
use store::{Message, Place, SlotFlags};

/// What a message in memory takes beside its body, in bytes; about right is enough for deciding what goes to disk.
const OVERHEAD: u64 = 128;

/// Places that were left and are kept, unless they are more than half.
const MOST_HOLES: usize = 64;

/// Ready messages in the order of their positions: first those that came back, then those in memory that never left,
/// then those that are [paged out](crate::storage).
#[derive(Default)]
pub(crate) struct Zone {
    /// Messages in memory, before all that are paged out. The first and the last are never places that were left.
    pub(crate) ready: VecDeque<Entry>,
    /// How many places in `ready` were left.
    holes: usize,
    /// Messages that came back, from before `ready`.
    pub(crate) returned: BTreeMap<u64, Entry>,
    /// Memory of the messages in `ready`.
    pub(crate) resident_bytes: u64,
    /// When the message expires that is the last to do so of all in `ready` and paged out, as far as is known; in ms.
    pub(crate) latest_due_ms: u64,
    /// No message in `returned` that is in memory expires before; in ms. Those come back in any order of their expiry.
    pub(crate) returned_due_ms: u64,
    /// All in `returned` are not looked at again before, in ms.
    pub(crate) returned_look_ms: u64,
    /// What of it is on disk; only for zones that have something there, or that are to survive a restart.
    pub(crate) storage: Option<Box<Storage>>,
}

impl Zone {
    /// True without ready messages.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.has_only_returned()
    }

    /// True when messages that enter have to go to disk, whatever they are.
    #[inline]
    pub(crate) fn is_paged(&self) -> bool {
        self.storage.as_ref().is_some_and(|storage| storage.is_paged())
    }

    /// True when all ready messages are ones that came back.
    #[inline]
    pub(crate) fn has_only_returned(&self) -> bool {
        self.ready.is_empty() && !self.is_paged()
    }

    /// The first message, when it is one that is known in memory, at least by its position.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Entry> {
        match self.returned.first_key_value() {
            Some((_, entry)) => Some(entry),
            None => self.ready.front(),
        }
    }

    /// True when the first message can be delivered at once.
    #[inline]
    pub(crate) fn has_deliverable(&self) -> bool {
        self.first().is_some_and(|entry| entry.message.is_some() && self.is_marked(entry))
    }

    /// True when a crash right after the delivery of this message would find it marked.
    #[inline]
    fn is_marked(&self, entry: &Entry) -> bool {
        !entry.stored
            || entry.redelivered
            || self.storage.as_ref().is_none_or(|storage| entry.seq < storage.deliverable_below)
    }

    /// Adds a message at the end. One that is on disk is not kept in memory behind others that are not.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        if let Some(storage) = &mut self.storage
            && storage.is_paged()
        {
            assert!(entry.stored, "what enters behind messages that are on disk only is on disk itself");
            storage.paged_out(1);
            return;
        }
        self.push_resident(entry);
    }

    /// Adds a message in memory behind the others there.
    #[inline]
    pub(crate) fn push_resident(&mut self, entry: Entry) {
        self.resident_bytes += memory(&entry);
        self.ready.push_back(entry);
    }

    /// Takes the first message that is known in memory.
    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<Entry> {
        if let Some((_, entry)) = self.returned.pop_first() {
            return Some(entry);
        }
        self.take_first_ready()
    }

    /// Takes the first message in memory that never left.
    #[inline]
    pub(crate) fn take_first_ready(&mut self) -> Option<Entry> {
        let entry = self.ready.pop_front()?;
        self.resident_bytes -= memory(&entry);
        if self.holes > 0 {
            self.trim();
        }
        Some(entry)
    }

    /// Takes the last message in memory that never left.
    pub(crate) fn take_last(&mut self) -> Option<Entry> {
        let entry = self.ready.pop_back()?;
        self.resident_bytes -= memory(&entry);
        if self.holes > 0 {
            self.trim();
        }
        Some(entry)
    }

    /// Takes the first message, read or not.
    pub(crate) fn drop_first(&mut self) -> Option<Entry> {
        self.take_first().or_else(|| self.storage.as_mut()?.take_first_paged())
    }

    /// Takes the message at this position, if it is ready here.
    pub(crate) fn take(&mut self, seq: u64) -> Option<Entry> {
        let entry = self.returned.remove(&seq).or_else(|| self.take_resident(seq));
        match (entry, &mut self.storage) {
            (None, None) => None,
            (None, Some(storage)) => storage.take_paged(seq),
            (Some(entry), Some(storage)) if entry.stored => {
                // What is around it may be paged out before it is off the books.
                storage.leaves_out_of_turn(seq);
                Some(entry)
            }
            (Some(entry), _) => Some(entry),
        }
    }

    /// Puts a message back that was [taken](Zone::take), to where it stood.
    pub(crate) fn untake(&mut self, mut entry: Entry, log: impl FnOnce(&Message) -> Option<(Place, SlotFlags)>) {
        if let (false, Some(storage), Some(message)) = (entry.stored, &mut self.storage, &entry.message)
            && storage.has_paged_before(entry.seq)
            && let Some((place, flags)) = log(message)
        {
            storage.add_between(entry.seq, place, entry.body_len, flags);
            entry.stored = true;
        }
        if entry.stored && self.storage.as_mut().is_some_and(|storage| storage.untake_paged(entry.seq)) {
            return;
        }
        let at = self.ready.partition_point(|other| other.seq < entry.seq);
        // What was not read can wait for that among those that came back only, and what is before all others is there.
        if at == 0 || entry.message.is_none() {
            return self.put_back(entry);
        }
        self.resident_bytes += memory(&entry);
        match self.ready.get_mut(at).filter(|place| place.seq == entry.seq && place.is_gone) {
            Some(place) => {
                *place = entry;
                self.holes -= 1;
            }
            None => self.ready.insert(at, entry),
        }
    }

    fn take_resident(&mut self, seq: u64) -> Option<Entry> {
        let at = self.ready.partition_point(|entry| entry.seq < seq);
        let place = self.ready.get_mut(at).filter(|entry| entry.seq == seq && !entry.is_gone)?;
        let message = place.message.take();
        place.is_gone = true;
        let entry = Entry { message, is_gone: false, ..place.clone() };
        self.holes += 1;
        self.resident_bytes -= memory(&entry);
        self.trim();
        // One that stays for years at the front must not keep the places of all that come and go behind it.
        if self.holes > MOST_HOLES && self.holes > self.ready.len() / 2 {
            self.ready.retain(|entry| !entry.is_gone);
            self.holes = 0;
        }
        Some(entry)
    }

    /// Sees to it that the first and the last are messages.
    fn trim(&mut self) {
        while self.ready.front().is_some_and(|entry| entry.is_gone) {
            self.ready.pop_front();
            self.holes -= 1;
        }
        while self.ready.back().is_some_and(|entry| entry.is_gone) {
            self.ready.pop_back();
            self.holes -= 1;
        }
    }

    /// Puts a message back to its position.
    pub(crate) fn put_back(&mut self, entry: Entry) {
        let old = self.returned.insert(entry.seq, entry);
        debug_assert!(old.is_none(), "a position is taken once");
    }

    /// Removes everything in memory.
    pub(crate) fn purge(&mut self, sink: &mut Vec<Entry>) {
        sink.extend(std::mem::take(&mut self.returned).into_values());
        sink.extend(std::mem::take(&mut self.ready).into_iter().filter(|entry| !entry.is_gone));
        self.holes = 0;
        self.resident_bytes = 0;
    }

    /// Messages in memory from the first on.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.returned.values().chain(self.ready.iter().filter(|entry| !entry.is_gone))
    }

    pub(crate) fn add_figures(&self, figures: &mut Figures) {
        let ready = (self.ready.len() - self.holes) as u64;
        figures.resident += self.returned.len() as u64 + ready;
        figures.resident_bytes += self.resident_bytes.saturating_sub(ready * OVERHEAD);
        if let Some(storage) = &self.storage {
            figures.paged_out += storage.paged_count();
            figures.on_disk += storage.backlog.len();
            figures.on_disk_bytes += storage.backlog.body_bytes();
        }
    }

    /// About how many messages are here.
    pub(crate) fn len(&self) -> u64 {
        let paged = self.storage.as_ref().map_or(0, |storage| storage.paged_count());
        (self.ready.len() - self.holes + self.returned.len()) as u64 + paged
    }
}

/// Memory that an entry takes, in bytes.
#[inline]
fn memory(entry: &Entry) -> u64 {
    u64::from(entry.body_len) + OVERHEAD
}
