//! Looking at ready messages without taking them.

use crate::entry::Entry;
use crate::queue::Queue;
use crate::zone::Zone;
use store::{Message, Place, Read, SlotFlags};

/// What was found from a position on.
pub enum Peek {
    /// Messages in memory, in order; more may follow.
    Resident(Vec<Entry>),
    /// They have to be read; those in `except` have left, though the books have them still.
    Unread {
        /// What to read.
        read: Box<Read>,
        /// Positions, ascending.
        except: Vec<u64>,
        /// Messages below may have been delivered before.
        redelivered_below: u64,
    },
    /// Nothing from there on.
    Nothing,
}

impl<C> Queue<C> {
    /// The highest priority up to `level` that has messages.
    pub fn occupied_level(&self, level: u8) -> Option<u8> {
        let above = self.levels.iter().flat_map(|levels| levels.iter().rev());
        let mut zones = above.chain(std::iter::once((0, &self.zone)));
        zones.find(|(of, zone)| *of <= level && !zone.is_empty()).map(|(of, _)| of)
    }

    /// The priority in which a message at this position would be found, if it is ready.
    pub fn level_of(&self, seq: u64) -> Option<u8> {
        let above = self.levels.iter().flat_map(|levels| levels.iter());
        let mut zones = std::iter::once((0, &self.zone)).chain(above);
        zones.find(|(_, zone)| zone.has(seq)).map(|(level, _)| level)
    }

    /// Looks at the messages of a priority from position `from` on, in the order of delivery: at most `most` of those in
    /// memory, or about `most_bytes` of those that are not.
    pub fn peek(&self, level: u8, from: u64, most: usize, most_bytes: usize) -> Peek {
        let zone = match (level, &self.levels) {
            (0, _) => &self.zone,
            (_, Some(levels)) => match levels.get(level) {
                Some(zone) => zone,
                None => return Peek::Nothing,
            },
            (_, None) => return Peek::Nothing,
        };
        zone.peek(level, from, most, most_bytes)
    }

    /// Passes over up to `count` messages of a priority from position `from` on, or fewer: how many, and where to go on;
    /// none where there are none.
    pub fn skip(&self, level: u8, from: u64, count: u64) -> (u64, u64) {
        let zone =
            if level == 0 { Some(&self.zone) } else { self.levels.as_ref().and_then(|levels| levels.get(level)) };
        zone.map_or((0, from), |zone| zone.skip(from, count))
    }

    /// Puts a message back that was [taken](Queue::take) out of turn, to where it stood.
    ///
    /// `log` puts it on disk, if it can, where it is not and those around it have been left to the disk meanwhile; else it
    /// comes before those.
    pub fn untake(&mut self, entry: Entry, log: impl FnOnce(&Message) -> Option<(Place, SlotFlags)>) {
        self.counts.add_ready(entry.body_len);
        if let Some(rules) = &mut self.rules {
            // When it expires is looked up again.
            (rules.earliest_due_ms, rules.is_unordered) = (0, true);
        }
        let level = entry.level;
        let zone = self.zone_mut(level);
        zone.returned_due_ms = 0;
        zone.untake(entry, log);
        if let Some(levels) = &mut self.levels {
            levels.occupy(level);
        }
    }
}

/// Messages in memory that are passed over at once where they have to be counted.
const COUNTED: u64 = 4096;

impl Zone {
    fn peek(&self, level: u8, from: u64, most: usize, most_bytes: usize) -> Peek {
        let first_ready = self.ready.partition_point(|entry| entry.seq < from);
        let ready = self.ready.range(first_ready..).filter(|entry| !entry.is_gone);
        let mut entries = self.returned.range(from..).map(|(_, entry)| entry).chain(ready).take(most).peekable();
        match entries.peek() {
            Some(entry) if entry.message.is_some() => {
                let resident = entries.take_while(|entry| entry.message.is_some());
                Peek::Resident(resident.map(|entry| Entry { level, ..entry.clone() }).collect())
            }
            Some(_) => {
                let unread = entries.take_while(|entry| entry.message.is_none()).map(|entry| entry.seq);
                let seqs: Vec<u64> = unread.collect();
                let reads = self.storage.as_ref().map(|storage| storage.backlog.read_of(&seqs)).unwrap_or_default();
                let first = reads.into_iter().next();
                // All of them came back.
                let (except, redelivered_below) = (Vec::new(), u64::MAX);
                first.map_or(Peek::Nothing, |read| Peek::Unread { read: Box::new(read), except, redelivered_below })
            }
            None => self.storage.as_ref().map_or(Peek::Nothing, |storage| storage.peek_paged(from, most_bytes)),
        }
    }

    fn skip(&self, from: u64, count: u64) -> (u64, u64) {
        let returned = self.returned.range(from..).take(usize::try_from(count.min(COUNTED)).unwrap_or_default());
        let passed = returned.fold((0, from), |(passed, _), (seq, _)| (passed + 1, seq + 1));
        if passed.0 > 0 {
            return passed;
        }
        let ready = self.ready.iter().skip(self.ready.partition_point(|entry| entry.seq < from));
        let ready = ready.take(usize::try_from(count.min(COUNTED)).unwrap_or_default());
        // Places that were left are passed over, too, and not counted.
        let (passed, next) =
            ready.fold((0, from), |(passed, _), entry| (passed + u64::from(!entry.is_gone), entry.seq + 1));
        if next > from {
            return (passed, next);
        }
        self.storage.as_ref().map_or((0, from), |storage| storage.skip_paged(from, count))
    }

    fn has(&self, seq: u64) -> bool {
        let resident = || {
            let at = self.ready.partition_point(|entry| entry.seq < seq);
            self.ready.get(at).is_some_and(|entry| entry.seq == seq && !entry.is_gone)
        };
        self.returned.contains_key(&seq)
            || resident()
            || self.storage.as_ref().is_some_and(|storage| storage.has_paged(seq))
    }
}
