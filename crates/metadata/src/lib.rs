//! Durable definitions, users and permissions, and the journal that commits them.
//!
//! Everything that survives a restart and is not a message is a definition of [`model`]; it changes by a [`Change`]
//! proposed to a [`Journal`] and is in force once the journal calls it durable. [`LogJournal`] writes changes to the log
//! of the message store, and from time to time into a [`Store`], which keeps the definitions in `metadata.redb` in the
//! data directory; `docs/formats/metadata.md` describes the bytes of both. This crate decides
//! nothing: who may change what, and whether a change makes sense, is settled before it is proposed. It must never know
//! sockets, sessions or messages.

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
pub use store::{RedbJournal, Store, decode_changes, encode_changes};
