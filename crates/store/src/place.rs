//! Where things are: positions in the log, and who a message belongs to.

/// A position in the log: segment number times segment size, plus the offset in the segment. Grows for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// Where the record of a message is in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Where it begins.
    pub lsn: Lsn,
    /// Bytes of its header and payload, without padding.
    pub len: u32,
}

/// A message in a queue; neither number is ever given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The queue's id.
    pub quid: u64,
    /// The message's position in it.
    pub seq: u64,
}

/// Names a transaction in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub u64);
