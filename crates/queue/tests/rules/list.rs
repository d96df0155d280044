//! The plain list that the queue is compared with.

use queue::NEVER;
use std::cmp::Reverse;

/// A ready message as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub level: u8,
    pub seq: u64,
    pub number: u32,
    pub body_len: u32,
    pub persistent: bool,
    pub redelivered: bool,
    pub delivery_count: u32,
    /// It was out and is back: those are ahead of the others of their priority.
    pub came_back: bool,
    pub entered_ms: u64,
    pub expiration_ms: Option<u64>,
    /// Nobody can know in time when it expires: its message is on disk and not looked at, or the rules are new.
    pub is_vague: bool,
}

/// Rules as the list has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub ttl_ms: Option<u64>,
    pub max_length: Option<u64>,
    pub max_length_bytes: Option<u64>,
}

impl Listed {
    fn place(&self) -> (Reverse<u8>, bool, u64) {
        (Reverse(self.level), !self.came_back, self.seq)
    }

    /// When it expires under these rules.
    pub fn due_ms(&self, rules: Option<Limits>) -> u64 {
        let Some(limits) = rules else { return NEVER };
        let least = limits.ttl_ms.into_iter().chain(self.expiration_ms).min();
        least.map_or(NEVER, |ms| self.entered_ms + ms)
    }
}

/// Ready messages in the order in which they leave.
#[derive(Default)]
pub struct List {
    pub ready: Vec<Listed>,
}

impl List {
    pub fn insert(&mut self, listed: Listed) {
        let at = self.ready.partition_point(|other| other.place() < listed.place());
        self.ready.insert(at, listed);
    }

    /// Takes the message out that is at this position.
    pub fn remove(&mut self, level: u8, seq: u64) -> Option<Listed> {
        let at = self.ready.iter().position(|listed| (listed.level, listed.seq) == (level, seq))?;
        Some(self.ready.remove(at))
    }

    pub fn bytes(&self) -> u64 {
        self.ready.iter().map(|listed| u64::from(listed.body_len)).sum()
    }

    /// True when it is above a limit.
    pub fn is_too_long(&self, limits: Limits) -> bool {
        limits.max_length.is_some_and(|most| self.ready.len() as u64 > most)
            || limits.max_length_bytes.is_some_and(|most| self.bytes() > most)
    }

    /// Puts it in order again.
    pub fn sort(&mut self) {
        self.ready.sort_by_key(Listed::place);
    }
}
