//! Taking messages out of a queue that have expired, or that it has no room for.

use crate::Entry;
use crate::queue::Queue;
use crate::rules::{NEVER, Rules};
use crate::zone::Zone;

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
        self.zone.latest_due_ms = NEVER;
        self.levels.iter_mut().flat_map(|levels| levels.iter_mut()).for_each(|(_, zone)| zone.latest_due_ms = NEVER);
    }

    /// Takes first messages that have expired out of the queue, at most `most`, for [`Queue::take_expired`].
    pub(crate) fn expire_first(&mut self, now_ms: u64, most: usize) {
        for _ in 0..most {
            let Some(rules) = self.rules.as_mut().filter(|rules| rules.earliest_due_ms <= now_ms) else { return };
            let first = match &self.levels {
                None => self.zone.first(),
                Some(levels) => levels.get(levels.highest()).unwrap_or(&self.zone).first(),
            };
            let Some(first) = first else { return };
            rules.is_expiring = rules.is_expired(first, now_ms);
            if !rules.is_expiring {
                return;
            }
            let entry = self.take_first();
            if let Some(rules) = &mut self.rules {
                rules.expired.extend(entry);
            }
        }
    }

    /// Takes messages out that have expired at `now_ms`: those at the head of each priority, at most `most`, and those that
    /// were found when they were to be delivered. Returns when to look again, in ms, or `None` when nothing here expires
    /// by the head; now, when there is more to do at once.
    pub fn take_expired(&mut self, now_ms: u64, most: usize, sink: &mut Vec<Entry>) -> Option<u64> {
        let rules = self.rules.as_mut()?;
        sink.append(&mut rules.expired);
        let mut next_ms = NEVER;
        if !rules.is_unordered && rules.earliest_due_ms > now_ms && self.counts.ready > 0 {
            next_ms = rules.earliest_due_ms;
        } else {
            if self.levels.is_none() {
                next_ms = self.take_expired_of(0, now_ms, most, sink);
            } else {
                for level in self.levels_with_messages() {
                    next_ms = next_ms.min(self.take_expired_of(level, now_ms, most, sink));
                }
            }
            if let Some(rules) = self.rules.as_mut().filter(|rules| !rules.is_unordered) {
                rules.earliest_due_ms = next_ms;
            }
        }
        (next_ms != NEVER).then_some(next_ms)
    }

    /// The same for one priority; [`NEVER`] when nothing there expires by the head.
    fn take_expired_of(&mut self, level: u8, now_ms: u64, most: usize, sink: &mut Vec<Entry>) -> u64 {
        loop {
            let zone = match level {
                0 => Some(&self.zone),
                _ => self.levels.as_ref().and_then(|levels| levels.get(level)),
            };
            let first = zone.and_then(Zone::first).and_then(|first| first.message.as_ref());
            let (Some(rules), Some(message)) = (&mut self.rules, first) else { return NEVER };
            let due_ms = rules.due_ms(message);
            rules.is_expiring = due_ms <= now_ms;
            if !rules.is_expiring {
                return due_ms;
            }
            if sink.len() >= most {
                return now_ms;
            }
            sink.extend(self.take_first_of(level));
        }
    }

    /// True when the first message of some priority has to be read before it is known when it expires.
    pub fn has_unknown_expiry(&self) -> bool {
        let is_unknown = |zone: &Zone| match zone.first() {
            Some(entry) => entry.message.is_none(),
            None => zone.is_paged(),
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
