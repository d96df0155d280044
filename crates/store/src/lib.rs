//! Messages in memory and on disk.
//!
//! Everything durable is a record of the **log** first, which one thread writes and syncs in batches. What is still
//! wanted when a log segment is full moves to a **cold segment**, sorted by queue; the **manifest** says what counts, and
//! a start reads it and the end of the log. What of a queue is where is its [`Backlog`], which lies in the queue's state;
//! the [`Store`] asks for it through [`Owners`]. docs/formats describes the files byte by byte.
//!
//! A message is one canonical [record](message): source protocol, exchange, routing key, one content header and one
//! body without the publisher's frame boundaries. Records are appended to the [`Arena`] of a reactor: chunks of 1 MiB
//! that are filled by one writer and read by everyone, and go back to a pool when the last message in them is gone.
//!
//! This crate knows nothing of queues, channels or AMQP methods.

mod arena;
mod backlog;
mod calendar;
mod cold;
mod disk;
mod error;
mod log;
mod manifest;
mod message;
mod place;
pub mod record;
#[cfg(feature = "simulation")]
pub mod simulation;
mod store;
#[cfg(test)]
mod tests;

pub use arena::{Arena, CHUNK_SIZE, ChunkPool, LARGEST_SLICE, Slice};
pub use backlog::{Backlog, Read, ReadHint, Removed, SlotFlags};
pub use calendar::{Calendar, Due};
pub use cold::{Loaded, LoadedRun, Lost, ReadError};
pub use disk::{Disk, DiskFile, DiskIo, Space, SystemDisk};
pub use error::{OpenError, StoreError};
pub use log::{
    Append, Appender, BLOB_HEADER, Damage, Log, LogOptions, LogWriter, Pinned, Route, STAGING_LIMIT_BYTES, ScanFrom,
    Scanned, ScannedRecord, Sync, Visitor, blob_name, read_blob, read_route, read_settle, read_settle_range, scan,
};
#[cfg(feature = "simulation")]
pub use log::{Sabotage, scan_unchecked};
pub use message::{Body, Message, MessageParts, Protocol, names, stored_head_len};
pub use place::{Lsn, Owner, Place, TransactionId};
pub use store::{BackupTarget, CheckReport, DiskUse, Opened, Options, Owners, Report, Store, accept_loss, check, dump};
