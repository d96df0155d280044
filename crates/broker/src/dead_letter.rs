//! Dead letters: what a message becomes that its queue gives up.
//!
//! Everything here is computed from the message alone; who takes it off its queue, routes it and stores it again is the
//! core's business. The message's history is its x-death header. RabbitMQ from 4.0 on keeps the history beside the
//! message and shows it as that header, so what a publisher puts there never counts; here the header is the history
//! itself, and a flag in the message's record says that it is the broker's own.

mod history;
#[cfg(test)]
mod tests;

use crate::settings::PublisherDeaths;
use crate::topology::DeadLetterTarget;
use amqp::{ArrayRef, CutProperties, FieldRef, PropertiesRef, TableRef};
use history::Death;
use std::ops::Range;
use store::{Arena, LARGEST_SLICE, Message, MessageParts, names};

/// Largest content header of a dead letter: what a publish may have and room for one death, so that the record fits a
/// slice of the arena.
const LARGEST_HEADER: usize = LARGEST_SLICE / 2 + (16 << 10);

/// Room for the headers that tell of the first and the last death.
const FIRST_AND_LAST: usize = 2048;

/// Why a message leaves its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A consumer rejected it without requeue.
    Rejected,
    /// Its time to live was over.
    Expired,
    /// The queue had become too long.
    MaxLength,
    /// It had come back too often.
    DeliveryLimit,
}

impl Reason {
    /// The word in the headers.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Reason::Rejected => "rejected",
            Reason::Expired => "expired",
            Reason::MaxLength => "maxlen",
            Reason::DeliveryLimit => "delivery_limit",
        }
    }
}

/// What is published instead of a message that left its queue.
#[derive(Debug)]
pub(crate) struct DeadLetter<'m> {
    message: &'m Message,
    names: Vec<u8>,
    header: Vec<u8>,
    /// Where in `header` the values of x-death are.
    deaths: Range<usize>,
    more_keys: Vec<&'m [u8]>,
    replaces_key: bool,
}

impl<'m> DeadLetter<'m> {
    /// The dead letter of `message`, which leaves the queue called `queue` for `reason` at `time_ms`, in ms since 1970.
    ///
    /// As in RabbitMQ, expiration is removed and everything else stays, the CC header too (3.13 on).
    pub(crate) fn new(
        message: &'m Message,
        queue: &str,
        reason: Reason,
        time_ms: u64,
        target: &DeadLetterTarget,
        publisher_deaths: PublisherDeaths,
    ) -> DeadLetter<'m> {
        let parts = message.parts();
        let properties = PropertiesRef::of_payload(parts.header).and_then(CutProperties::of).unwrap_or_default();
        let trusts = message.is_dead_letter() || publisher_deaths == PublisherDeaths::Interpret;
        let shown_keys = if message.has_replaced_key() { Vec::new() } else { cc_keys(properties.headers) };
        let death = Death {
            queue: queue.as_bytes(),
            reason: reason.word().as_bytes(),
            time_s: time_ms / 1000,
            exchange: parts.exchange(),
            routing_key: parts.routing_key(),
            more_keys: &shown_keys,
            expiration_ms: properties.expiration_ms(),
        };
        let rest = parts.header.len().saturating_sub(properties.headers.bytes().len());
        let limit = LARGEST_HEADER.saturating_sub(rest + FIRST_AND_LAST);
        let mut header = Vec::with_capacity(parts.header.len() + 512);
        let mut deaths = 0..0;
        properties.without_expiration().encode_header(message.body_len() as u64, &mut header, |out| {
            deaths = history::write(out, properties.headers, trusts, &death, limit);
        });
        debug_assert!(header.len() <= LARGEST_HEADER, "a header of {} bytes", header.len());
        let names =
            names(target.exchange.as_bytes(), target.routing_key.as_deref().map_or(death.routing_key, str::as_bytes));
        let replaces_key = target.routing_key.is_some();
        let hidden_keys = message.hidden_keys();
        let more_keys = if replaces_key { Vec::new() } else { shown_keys.into_iter().chain(hidden_keys).collect() };
        DeadLetter { message, names, header, deaths, more_keys, replaces_key }
    }

    /// The properties that it is routed by, headers among them.
    pub(crate) fn properties(&self) -> PropertiesRef<'_> {
        PropertiesRef::of_payload(&self.header).unwrap_or_default()
    }

    /// Its routing keys: the one in its names first.
    pub(crate) fn routing_keys(&self) -> Vec<&[u8]> {
        let first = self.parts(0).routing_key();
        std::iter::once(first).chain(self.more_keys.iter().copied()).collect()
    }

    /// True when the queue called `queue` must not get it: it died there before, and no consumer rejected it since, so
    /// that it would go round for ever.
    pub(crate) fn goes_round(&self, queue: &str) -> bool {
        for (name, reason) in self.deaths() {
            if reason == Reason::Rejected.word().as_bytes() {
                return false;
            }
            if name == queue.as_bytes() {
                return true;
            }
        }
        false
    }

    /// The queues that it died in, the latest first, for telling of a cycle.
    pub(crate) fn died_in(&self) -> impl Iterator<Item = &[u8]> {
        self.deaths().map(|(queue, _)| queue)
    }

    /// What it is made of but for its body, entering its new queues at `entered_ms`.
    pub(crate) fn parts(&self, entered_ms: u64) -> MessageParts<'_> {
        let persistent = self.message.is_persistent();
        MessageParts { names: &self.names, header: &self.header, persistent, entered_ms }
    }

    /// Stores it as the message that its new queues get.
    pub(crate) fn store(&self, arena: &mut Arena, entered_ms: u64) -> Message {
        self.message.dead_letter(arena, self.parts(entered_ms), self.replaces_key)
    }

    /// Queue and reason of each death, the latest first.
    fn deaths(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let deaths = ArrayRef::new(self.header.get(self.deaths.clone()).unwrap_or_default());
        deaths.raw_values().filter_map(|(value, _)| history::queue_and_reason(value))
    }
}

/// The content header `header` with a count set in the header `name`; `None` when it is none, or the count is 0.
pub(crate) fn with_count(header: &[u8], name: &str, count: u32) -> Option<Vec<u8>> {
    if count == 0 { None } else { amqp::properties::with_header(header, name, count.into()) }
}

/// Routing keys in the CC header: long strings, as at its publish.
fn cc_keys(headers: TableRef<'_>) -> Vec<&[u8]> {
    let Some(FieldRef::Array(keys)) = headers.find("CC") else { return Vec::new() };
    let long_string = |(value, _)| if let FieldRef::LongString(key) = value { Some(key) } else { None };
    keys.raw_values().filter_map(long_string).collect()
}
