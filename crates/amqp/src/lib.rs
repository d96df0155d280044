//! AMQP 0-9-1 on the wire: frames, methods, properties and field tables.
//!
//! Decoding borrows from the bytes it is given, validates them and never allocates by a declared length; encoding
//! appends to a buffer. This crate knows nothing of sockets, queues or sessions.

pub mod erlang;
pub mod field;
pub mod frame;
pub mod method;
pub mod properties;
pub mod reply;
mod wire;

pub use field::{ArrayRef, FieldError, FieldRef, FieldTable, FieldValue, TableRef};
pub use frame::{FrameHeader, ProtocolHeader};
pub use method::{DecodeError, Method, MethodId};
pub use properties::{ContentHeader, CutProperties, Properties, PropertiesError, PropertiesRef};
pub use reply::{ReplyCode, reply_text};
