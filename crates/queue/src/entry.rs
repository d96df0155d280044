//! A message in a queue, and what a queue holds in numbers.

use store::Message;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The message; `None` while it is on disk only.
    pub message: Option<Message>,
    /// Bytes of its body.
    pub body_len: u32,
    /// How often it came back after a delivery.
    pub delivery_count: u32,
    /// Its position: grows by one with each message that enters the queue.
    pub seq: u64,
    /// True when it may have been delivered before.
    pub redelivered: bool,
    /// True when it is on disk, or on its way there.
    pub stored: bool,
}

impl Entry {
    /// A message that has just entered.
    #[inline]
    pub fn new(message: Message, seq: u64, stored: bool) -> Entry {
        let body_len = message.body_len() as u32;
        Entry { message: Some(message), body_len, delivery_count: 0, seq, redelivered: false, stored }
    }
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Bytes of their bodies.
    pub ready_bytes: u64,
    /// Messages that are delivered and not settled.
    pub unacked: u64,
    /// Bytes of their bodies.
    pub unacked_bytes: u64,
}
