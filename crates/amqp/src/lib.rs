//! AMQP 0-9-1 on the wire: frames, methods, properties and field tables.
//!
//! Decoding borrows from the bytes it is given, validates them and never allocates by a declared length; encoding
//! appends to a buffer. This crate knows nothing of sockets, queues or sessions.

pub mod field;
mod wire;

pub use field::{ArrayRef, FieldError, FieldRef, FieldTable, FieldValue, TableRef};
