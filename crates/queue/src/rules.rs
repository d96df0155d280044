//! What takes messages out of a queue other than its consumers: expiry and length limits.

use crate::{Counts, Entry};
use store::Message;

/// No end: a message that does not expire.
pub const NEVER: u64 = u64::MAX;

/// Limits of a queue that has any, or that has messages with an expiration of their own.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How long a message may wait, in ms.
    pub ttl_ms: Option<u64>,
    /// Most messages that wait.
    pub max_length: Option<u64>,
    /// Most bytes of bodies that wait.
    pub max_length_bytes: Option<u64>,
    /// Reads the time to live in ms that a message has of its own.
    pub expiration_of: fn(&Message) -> Option<u64>,
    /// No message that is there expires before, in ms; 0 while that is not known.
    pub(crate) earliest_due_ms: u64,
    /// Some may expire before others that are ahead of them.
    pub(crate) is_unordered: bool,
    /// Messages that were found expired when they were to be delivered.
    pub(crate) expired: Vec<Entry>,
    /// The head that was looked at last had expired, so that more may have.
    pub(crate) is_expiring: bool,
}

impl Rules {
    /// Rules without a limit, which expire messages with an expiration of their own.
    pub fn new(expiration_of: fn(&Message) -> Option<u64>) -> Rules {
        Rules {
            ttl_ms: None,
            max_length: None,
            max_length_bytes: None,
            expiration_of,
            earliest_due_ms: 0,
            is_unordered: true,
            expired: Vec::new(),
            is_expiring: false,
        }
    }

    /// When a message expires, in ms since 1970.
    #[inline]
    pub(crate) fn due_ms(&self, message: &Message) -> u64 {
        let own = (self.expiration_of)(message);
        match (self.ttl_ms, own) {
            (None, None) => NEVER,
            (Some(ttl_ms), None) | (None, Some(ttl_ms)) => message.entered_ms().saturating_add(ttl_ms),
            (Some(ttl_ms), Some(own)) => message.entered_ms().saturating_add(ttl_ms.min(own)),
        }
    }

    /// When a message expires by the time to live of the queue, in ms since 1970.
    #[inline]
    pub(crate) fn ttl_due_ms(&self, message: &Message) -> u64 {
        self.ttl_ms.map_or(NEVER, |ttl_ms| message.entered_ms().saturating_add(ttl_ms))
    }

    /// True when an entry that is in memory has expired.
    #[inline]
    pub(crate) fn is_expired(&self, entry: &Entry, now_ms: u64) -> bool {
        entry.message.as_ref().is_some_and(|message| self.due_ms(message) <= now_ms)
    }

    /// True when `counts` are above a limit.
    #[inline]
    pub(crate) fn is_exceeded(&self, counts: Counts) -> bool {
        self.max_length.is_some_and(|most| counts.ready > most)
            || self.max_length_bytes.is_some_and(|most| counts.ready_bytes > most)
    }
}
