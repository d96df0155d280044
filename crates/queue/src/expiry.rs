//! Taking messages out of a queue that have expired, or that it has no room for.

use crate::Entry;
use crate::queue::Queue;
use crate::rules::{NEVER, Rules};
use crate::zone::Zone;

/// Messages that came back that are looked at for each ms that passes: all of them are for each that expires, of which
/// there may be one in every ms.
const LOOKED_AT_PER_MS: usize = 1024;

impl<C> Queue<C> {
    /// What takes messages out other than consumers; `None` for a queue where nothing does.
    #[inline]
    pub fn rules(&self) -> Option<&Rules> {
        self.rules.as_deref()
    }

    /// True for a message in memory that has expired at `now_ms`.
    #[inline]
    pub fn is_expired(&self, entry: &Entry, now_ms: u64) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.is_expired(entry, now_ms))
    }

    /// Sets the rules. They hold for the messages that are there, too.
    pub fn set_rules(&mut self, rules: Option<Rules>) {
        let expired = self.rules.take().map(|old| old.expired).unwrap_or_default();
        self.rules = rules.map(|rules| Box::new(Rules { expired, ..rules }));
        // The order in which messages expire may be another now.
        let above = self.levels.iter_mut().flat_map(|levels| levels.iter_mut().map(|(_, zone)| zone));
        for zone in std::iter::once(&mut self.zone).chain(above) {
            (zone.latest_due_ms, zone.returned_due_ms) = (NEVER, 0);
        }
    }

    /// Takes first messages that have expired out of the queue, at most `left`, for [`Queue::take_expired`]. False when
    /// the first has expired all the same, because nothing is left of `left`.
    pub(crate) fn expire_first(&mut self, now_ms: u64, left: &mut usize) -> bool {
        loop {
            let Some(rules) = self.rules.as_mut().filter(|rules| rules.earliest_due_ms <= now_ms) else { return true };
            let first = match &self.levels {
                None => self.zone.first(),
                Some(levels) => levels.get(levels.highest()).unwrap_or(&self.zone).first(),
            };
            let Some(first) = first else { return true };
            rules.is_expiring = rules.is_expired(first, now_ms);
            if !rules.is_expiring {
                return true;
            }
            if *left == 0 {
                return false;
            }
            *left -= 1;
            let entry = self.take_first();
            if let Some(rules) = &mut self.rules {
                rules.expired.extend(entry);
            }
        }
    }

    /// Takes messages out that have expired at `now_ms`, at most `most`: at the head of each priority, among those that
    /// came back, and all that were found when they were to be delivered. Returns when to look again, in ms, or `None`
    /// when nothing here expires by the head; now, when there is more to do at once.
    pub fn take_expired(&mut self, now_ms: u64, most: usize, sink: &mut Vec<Entry>) -> Option<u64> {
        let rules = self.rules.as_mut()?;
        sink.append(&mut rules.expired);
        let mut next_ms = NEVER;
        if !rules.is_unordered && rules.earliest_due_ms > now_ms && self.counts.ready > 0 {
            next_ms = rules.earliest_due_ms;
        } else {
            if self.levels.is_none() {
                next_ms = self.expire_level(0, now_ms, most, sink);
            } else {
                for level in self.levels_with_messages() {
                    next_ms = next_ms.min(self.expire_level(level, now_ms, most, sink));
                }
            }
            // Those that came back may be looked at later than they expire.
            let above = self.levels.iter().flat_map(|levels| levels.iter().map(|(_, zone)| zone));
            let returned = std::iter::once(&self.zone).chain(above).filter(|zone| !zone.returned.is_empty());
            let earliest_ms = returned.map(|zone| zone.returned_due_ms).fold(next_ms, u64::min);
            if let Some(rules) = self.rules.as_mut().filter(|rules| !rules.is_unordered) {
                rules.earliest_due_ms = earliest_ms;
            }
        }
        (next_ms != NEVER).then_some(next_ms)
    }

    /// The same for one priority; [`NEVER`] when nothing there is known to expire.
    fn expire_level(&mut self, level: u8, now_ms: u64, most: usize, sink: &mut Vec<Entry>) -> u64 {
        let next_ms = self.expire_returned(level, now_ms, most, sink);
        next_ms.min(self.expire_ready(level, now_ms, most, sink))
    }

    /// Takes expired messages out of those in memory that never left, which expire in their order.
    fn expire_ready(&mut self, level: u8, now_ms: u64, most: usize, sink: &mut Vec<Entry>) -> u64 {
        loop {
            let (Some(rules), Some(zone)) = (&mut self.rules, zone_of(&mut self.zone, &mut self.levels, level)) else {
                return NEVER;
            };
            let Some(message) = zone.ready.front().and_then(|first| first.message.as_ref()) else { return NEVER };
            let due_ms = rules.due_ms(message);
            rules.is_expiring = due_ms <= now_ms;
            if !rules.is_expiring {
                return due_ms;
            }
            if sink.len() >= most {
                return now_ms;
            }
            sink.extend(self.take_from(level, Zone::take_first_ready));
        }
    }

    /// Takes expired messages out of those that came back, which are in the order in which they once entered, and were
    /// away while others entered and left.
    fn expire_returned(&mut self, level: u8, now_ms: u64, most: usize, sink: &mut Vec<Entry>) -> u64 {
        let (Some(rules), Some(zone)) = (&self.rules, zone_of(&mut self.zone, &mut self.levels, level)) else {
            return NEVER;
        };
        if zone.returned.is_empty() {
            zone.returned_due_ms = NEVER;
        }
        if zone.returned_due_ms > now_ms {
            return zone.returned_due_ms;
        }
        if zone.returned_look_ms > now_ms {
            return zone.returned_look_ms;
        }
        let (mut expired, mut next_ms, mut is_cut_short) = (Vec::new(), NEVER, false);
        for (seq, entry) in &zone.returned {
            let Some(message) = &entry.message else { continue };
            let due_ms = rules.due_ms(message);
            if due_ms > now_ms {
                next_ms = next_ms.min(due_ms);
                continue;
            }
            if sink.len() + expired.len() >= most {
                is_cut_short = true;
                break;
            }
            expired.push(*seq);
        }
        if is_cut_short {
            next_ms = now_ms;
        } else {
            zone.returned_due_ms = next_ms;
            let pause_ms = zone.returned.len() / LOOKED_AT_PER_MS;
            zone.returned_look_ms = now_ms.saturating_add(pause_ms as u64);
            if next_ms < NEVER {
                next_ms = next_ms.max(zone.returned_look_ms);
            }
        }
        for seq in expired {
            sink.extend(self.take(level, seq));
        }
        next_ms
    }

    /// True when the first message of some priority has to be read before it is known when it expires.
    pub fn has_unknown_expiry(&self) -> bool {
        let is_unread = |entry: &Entry| entry.message.is_none();
        let is_unknown = |zone: &Zone| {
            zone.returned.values().next().is_some_and(is_unread) || (zone.ready.is_empty() && zone.is_paged())
        };
        let above = self.levels.iter().flat_map(|levels| levels.iter());
        self.rules.is_some() && std::iter::once((0, &self.zone)).chain(above).any(|(_, zone)| is_unknown(zone))
    }

    /// True when it holds more than its rules allow.
    #[inline]
    pub fn is_too_long(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.is_exceeded(self.counts))
    }

    /// How many of messages with these lengths, in order, the queue has room for without dropping any.
    pub fn room_for(&self, body_lens: impl Iterator<Item = u64>) -> usize {
        let Some(rules) = &self.rules else { return usize::MAX };
        let (most, most_bytes) = (rules.max_length.unwrap_or(NEVER), rules.max_length_bytes.unwrap_or(NEVER));
        let (mut count, mut bytes) = (self.counts.ready, self.counts.ready_bytes);
        body_lens
            .take_while(|body_len| {
                count += 1;
                bytes += body_len;
                count <= most && bytes <= most_bytes
            })
            .count()
    }

    fn levels_with_messages(&self) -> Vec<u8> {
        let above = self.levels.iter().flat_map(|levels| levels.iter());
        let zones = std::iter::once((0, &self.zone)).chain(above);
        zones.filter(|(_, zone)| !zone.is_empty()).map(|(level, _)| level).collect()
    }
}

fn zone_of<'a>(
    zone: &'a mut Zone,
    levels: &'a mut Option<Box<crate::levels::Levels>>,
    level: u8,
) -> Option<&'a mut Zone> {
    if level == 0 { Some(zone) } else { levels.as_mut()?.get_mut(level) }
}
