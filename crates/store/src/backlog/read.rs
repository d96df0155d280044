//! What is to be read, and where it is.

use super::Slot;
use crate::cold::ColdSegment;
use std::sync::Arc;

/// Messages that can be read at once: one place on disk.
#[derive(Clone, Debug)]
pub struct Read(pub(crate) Source);

impl Read {
    /// The positions of the first and the last message that it asks for.
    pub fn range(&self) -> (u64, u64) {
        let seqs = match &self.0 {
            Source::Log(slots) => slots.first().zip(slots.last()).map(|(first, last)| (first.seq, last.seq)),
            Source::Cold(read) => read.wanted.first().zip(read.wanted.last()).map(|(first, last)| (first.0, last.0)),
        };
        seqs.unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Messages of the log.
    Log(Vec<Slot>),
    /// Messages of an extent.
    Cold(Box<ColdRead>),
}

/// Where to read in an extent.
#[derive(Clone, Debug)]
pub(crate) struct ColdRead {
    pub(crate) segment: Arc<ColdSegment>,
    pub(crate) region: Region,
    /// Sequence numbers, and how often each came back since the extent was written.
    pub(crate) wanted: Vec<(u64, Option<u16>)>,
    /// Where in the index to look first.
    pub(crate) from_entry: u32,
    /// The read ends before, though not before the first message: records do not say how long the bodies are that they
    /// refer to.
    pub(crate) most_bytes: usize,
}

/// The part of a cold segment that has messages of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) count: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Region {
    /// True when the offset in the file lies in it.
    pub(crate) fn has(&self, offset: u64) -> bool {
        (self.offset..self.offset + self.len).contains(&offset)
    }
}

/// Where the next read of the same extent begins. Empty when the read was of the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadHint(pub(crate) Option<Passed>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    pub(crate) first: u64,
    pub(crate) seq: u64,
    pub(crate) entry: u32,
}
