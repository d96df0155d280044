//! Durable definitions, users and permissions: their journal in a log, and its checkpoint in a file.
//!
//! Everything that survives a restart and is not a message is a definition of [`model`]; it changes by a [`Change`]
//! proposed to a [`Journal`], and is durable once the journal says so. [`LogJournal`] writes changes to a [`ChangeLog`],
//! in a node the log of the message store. A [`Store`], the file `metadata.redb`, is the checkpoint of that log: before
//! the log gives up records, its owner asks for what they change to be [put there](Journal::checkpoint).
//! `docs/formats/metadata.md` describes the bytes of both.
//!
//! This crate starts no thread and decides nothing: who may change what, and whether a change makes sense, is settled
//! before it is proposed. It must never know sockets, sessions or messages.

mod change;
mod definitions;
mod error;
mod journal;
mod log_journal;
mod memory;
pub mod model;
mod quid;
mod store;

pub use change::Change;
pub use definitions::{Definitions, Snapshot};
pub use error::{CommitError, OpenError};
pub use journal::{Journal, Token};
pub use log_journal::{ChangeGroup, ChangeLog, LogJournal};
pub use memory::MemoryJournal;
pub use model::{
    ApplyTo, BindingDefinition, DestinationKind, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition,
    PermissionDefinition, PolicyDefinition, PolicyKind, QueueDefinition, TopicPermissionDefinition, UserDefinition,
    UserLimits, VhostDefinition,
};
pub use quid::QuidAllocator;
pub use store::{DEFINITIONS_FILE, DirectoryLock, Store, decode_changes, encode_changes};
