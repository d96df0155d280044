//! What a queue has on disk, by priority.

use crate::entry::Entry;
use crate::queue::Queue;
use crate::storage::{Forgotten, Storage, Wants};
use crate::zone::Zone;
use store::{LoadedRun, Message, Place, SlotFlags};

impl<C> Queue<C> {
    /// What of a priority is on disk; `None` when nothing ever was.
    #[inline]
    pub fn storage(&mut self, level: u8) -> Option<&mut Storage> {
        self.find_zone(level)?.storage.as_deref_mut()
    }

    /// True when it has, or had, messages on disk.
    #[inline]
    pub fn is_stored(&self) -> bool {
        let is_stored = |(_, zone): (u8, &Zone)| zone.storage.is_some();
        self.zone.storage.is_some() || self.levels.as_ref().is_some_and(|levels| levels.iter().any(is_stored))
    }

    /// The priorities that have, or had, messages on disk.
    pub fn stored_levels(&self) -> Vec<u8> {
        let above = self.levels.iter().flat_map(|levels| levels.iter());
        let zones = std::iter::once((0, &self.zone)).chain(above);
        zones.filter(|(_, zone)| zone.storage.is_some()).map(|(level, _)| level).collect()
    }

    /// Makes it a queue that keeps messages of this priority on disk.
    #[inline]
    pub fn keep_on_disk(&mut self, level: u8) -> &mut Storage {
        self.zone_mut(level).keep_on_disk()
    }

    /// Takes what is on disk away, for a queue that is deleted.
    pub fn take_storage(&mut self) -> Vec<Box<Storage>> {
        self.zones_mut().filter_map(|(_, zone)| zone.storage.take()).collect()
    }

    /// True when messages of this priority that enter have to go to disk, whatever they are.
    #[inline]
    pub fn is_paged(&self, level: u8) -> bool {
        if level == 0 {
            return self.zone.is_paged();
        }
        self.levels.as_ref().and_then(|levels| levels.get(level)).is_some_and(Zone::is_paged)
    }

    /// Leaves ready messages to the disk, lowest priority first, from the last one on, until about `keep_bytes` are in
    /// memory; at most `most`.
    ///
    /// `log` puts a message on disk that is not there yet, if it can. What was in memory is handed to `sink`.
    pub fn page_out(
        &mut self,
        keep_bytes: u64,
        most: usize,
        sink: &mut Vec<Entry>,
        mut log: impl FnMut(u8, u64, &Message) -> Option<(Place, SlotFlags)>,
    ) {
        let mut resident_bytes = self.resident_bytes();
        let before = sink.len();
        for (level, zone) in self.zones_mut() {
            if resident_bytes <= keep_bytes {
                return;
            }
            let others = resident_bytes - zone.resident_bytes;
            let most = most.saturating_sub(sink.len() - before);
            zone.page_out(keep_bytes.saturating_sub(others), most, sink, |seq, message| log(level, seq, message));
            resident_bytes = others + zone.resident_bytes;
        }
    }

    /// Puts ready messages of a priority with a position below `below` on disk that are in memory only, at most `most`;
    /// they stay in memory. Returns true when there may be more.
    pub fn store_below(
        &mut self,
        level: u8,
        below: u64,
        most: usize,
        log: impl FnMut(u64, &Message) -> (Place, SlotFlags),
    ) -> bool {
        self.find_zone(level).is_some_and(|zone| zone.store_below(below, most, log))
    }

    /// Forgets the messages that are on disk only.
    pub fn forget_paged(&mut self) -> Vec<Forgotten> {
        let Some(last) = self.next_seq.checked_sub(1) else { return Vec::new() };
        self.zones_mut().filter_map(|(level, zone)| zone.forget_paged(level, last)).collect()
    }

    /// What has to come from or to the disk so that deliveries can go on. Asked when a consumer, or basic.get, wants a
    /// message; what is returned counts as under way.
    pub fn wants(&mut self) -> Wants {
        for (level, zone) in self.zones_mut().rev() {
            match zone.wants(level) {
                // What comes after messages that are on disk only need not be looked at.
                Wants::Nothing if zone.is_paged() => return Wants::Nothing,
                Wants::Nothing => {}
                wanted => return wanted,
            }
        }
        Wants::Nothing
    }

    /// What has to come from the disk so that it is known when the first message of each priority expires.
    pub fn wants_probe(&mut self) -> Wants {
        // Where one has expired the next may have, too.
        let ahead = self.rules.as_ref().is_some_and(|rules| rules.is_expiring);
        let read = self.zones_mut().rev().find_map(|(level, zone)| Some((level, zone.wants_read(!ahead)?)));
        read.map_or(Wants::Nothing, |(level, read)| Wants::Read { level, read })
    }

    /// The mark of a priority is on disk.
    pub fn marked(&mut self, level: u8, below: u64) {
        if let Some(zone) = self.find_zone(level) {
            zone.marked(below);
        }
    }

    /// Takes in what was read of a priority. Messages that could not be read are gone: their positions, the bytes of
    /// their bodies, and the files that they had.
    pub fn take_read(&mut self, level: u8, run: LoadedRun) -> Vec<(u64, u32, Option<u64>)> {
        let Some(zone) = self.find_zone(level) else { return Vec::new() };
        let lost = zone.take_read(level, run);
        if let Some(rules) = &mut self.rules {
            (rules.earliest_due_ms, rules.is_unordered) = (0, true);
        }
        let Some(zone) = self.find_zone(level) else { return lost };
        // When they expire is known now.
        zone.returned_due_ms = 0;
        let is_vacant = zone.is_empty();
        lost.iter().for_each(|(_, body_len, _)| self.counts.remove_ready(*body_len));
        if let Some(levels) = self.levels.as_mut().filter(|_| is_vacant) {
            levels.vacate(level);
        }
        lost
    }

    /// The mark of a priority as it has to be for a restart in good order: just above what was delivered and came back.
    pub fn exact_mark(&self, level: u8) -> u64 {
        if level == 0 {
            return self.zone.exact_mark();
        }
        self.levels.as_ref().and_then(|levels| levels.get(level)).map_or(0, Zone::exact_mark)
    }
}
