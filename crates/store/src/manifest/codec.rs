//! The values in the manifest's tables.

use super::{FORMAT_VERSION, ManifestError};
use crate::record::{put_varint, take_varint};
use redb::{ReadableTable, Table};

/// Version of [`QueueState`]'s bytes.
const QUEUE_VERSION: u8 = 1;

/// The row of [`State::closed`], which is not there while a store is open and after a crash.
const CLOSED: &str = "closed";

/// What the whole store has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Random at creation; batches of another log are not ours.
    pub(crate) log_id: u64,
    /// Bytes of a log segment, for ever.
    pub(crate) segment_bytes: u64,
    /// Number of the first log segment that counts.
    pub(crate) log_head: u32,
    /// Raised at every start.
    pub(crate) epoch: u32,
    /// Id of the next cold segment; none is ever given twice.
    pub(crate) next_cold: u64,
    /// Where the log ended when the store was closed in order; `None` from the next start on.
    pub(crate) closed: Option<u64>,
}

impl State {
    pub(super) fn read(table: &impl ReadableTable<&'static str, u64>) -> Result<State, ManifestError> {
        let value = |name: &'static str| -> Result<u64, ManifestError> {
            let missing = || ManifestError::Corrupt(format!("{name} is missing"));
            table.get(name)?.map(|value| value.value()).ok_or_else(missing)
        };
        let small = |name: &'static str| -> Result<u32, ManifestError> {
            u32::try_from(value(name)?).map_err(|_| ManifestError::Corrupt(format!("{name} is too large")))
        };
        Ok(State {
            log_id: value("log id")?,
            segment_bytes: value("segment bytes")?,
            log_head: small("log head")?,
            epoch: small("epoch")?,
            next_cold: value("next cold")?,
            closed: table.get(CLOSED)?.map(|value| value.value()),
        })
    }

    pub(super) fn write(&self, table: &mut Table<'_, &'static str, u64>) -> Result<(), ManifestError> {
        table.insert("format", FORMAT_VERSION)?;
        table.insert("log id", self.log_id)?;
        table.insert("segment bytes", self.segment_bytes)?;
        table.insert("log head", u64::from(self.log_head))?;
        table.insert("epoch", u64::from(self.epoch))?;
        table.insert("next cold", self.next_cold)?;
        match self.closed {
            Some(end) => table.insert(CLOSED, end)?,
            None => table.remove(CLOSED)?,
        };
        Ok(())
    }
}

/// What is known of a queue beside its extents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueState {
    /// Every message below is in an extent or gone.
    pub(crate) retired: u64,
    /// Above every sequence number that the queue has had.
    pub(crate) next_seq: u64,
    /// Messages below may have been delivered.
    pub(crate) delivered_below: u64,
    /// Bodies in files of their own that its extents own, ascending.
    pub(crate) blobs: Vec<u64>,
}

impl QueueState {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![QUEUE_VERSION];
        for number in [self.retired, self.next_seq, self.delivered_below, self.blobs.len() as u64] {
            put_varint(&mut bytes, number);
        }
        let mut previous = 0;
        for blob in &self.blobs {
            put_varint(&mut bytes, blob.wrapping_sub(previous));
            previous = *blob;
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<QueueState> {
        let (version, mut rest) = bytes.split_first()?;
        let rest = &mut rest;
        if *version != QUEUE_VERSION {
            return None;
        }
        let retired = take_varint(rest)?;
        let next_seq = take_varint(rest)?;
        let delivered_below = take_varint(rest)?;
        let count = take_varint(rest)?;
        let (mut blobs, mut previous) = (Vec::new(), 0u64);
        for _ in 0..count {
            previous = previous.wrapping_add(take_varint(rest)?);
            blobs.push(previous);
        }
        rest.is_empty().then_some(QueueState { retired, next_seq, delivered_below, blobs })
    }
}
