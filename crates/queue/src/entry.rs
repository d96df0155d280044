//! A message in a queue, and what a queue holds in numbers.

use store::Message;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The message; `None` while it is on disk only.
    pub message: Option<Message>,
    /// Bytes of its body; an estimate for one that was taken without being read.
    pub body_len: u32,
    /// How often it came back after a delivery.
    pub delivery_count: u32,
    /// How often of these it was a failure, as far as whoever puts it back counts them.
    pub failures: u32,
    /// Its position: grows by one with each message that enters the queue.
    pub seq: u64,
    /// True when it may have been delivered before.
    pub redelivered: bool,
    /// True when it is on disk, or on its way there.
    pub stored: bool,
    /// Its priority, 0 in a queue without.
    pub level: u8,
    /// True for a place in memory that its message has left out of turn.
    pub(crate) is_gone: bool,
}

impl Entry {
    /// A message that has just entered.
    #[inline]
    pub fn new(message: Message, seq: u64, stored: bool, level: u8) -> Entry {
        let body_len = message.body_len() as u32;
        let message = Some(message);
        Entry {
            message,
            body_len,
            delivery_count: 0,
            failures: 0,
            seq,
            redelivered: false,
            stored,
            level,
            is_gone: false,
        }
    }

    /// A message of which only the position is known: it is on disk.
    pub fn unread(seq: u64, body_len: u32, redelivered: bool) -> Entry {
        let (stored, level, is_gone) = (true, 0, false);
        Entry { message: None, body_len, delivery_count: 0, failures: 0, seq, redelivered, stored, level, is_gone }
    }
}

/// Where the messages of a queue are, as far as it is known without going over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Ready messages in memory.
    pub resident: u64,
    /// Bytes of the bodies of those of them that never left.
    pub resident_bytes: u64,
    /// Ready messages that are on disk only.
    pub paged_out: u64,
    /// Messages that are on disk, delivered ones among them, and paged out ones that do not survive a restart.
    pub on_disk: u64,
    /// Bytes of their bodies, about.
    pub on_disk_bytes: u64,
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

impl Counts {
    #[inline]
    pub(crate) fn add_ready(&mut self, body_len: u32) {
        self.ready += 1;
        self.ready_bytes += u64::from(body_len);
    }

    /// A message is not ready any more. After a restart the bytes may be an estimate, and those of a damaged message are
    /// not known: when none is left, none are.
    #[inline]
    pub(crate) fn remove_ready(&mut self, body_len: u32) {
        self.ready = self.ready.saturating_sub(1);
        self.ready_bytes = if self.ready == 0 { 0 } else { self.ready_bytes.saturating_sub(u64::from(body_len)) };
    }
}
