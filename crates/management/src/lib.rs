//! The administrative surface over HTTP: RabbitMQ's paths and JSON over [`broker::AdminCommand`].
//!
//! One router serves every listener; for now that is a unix socket in the data directory, which only the broker's own
//! user and root can open, so that whoever can connect may do everything. It has a thread of its own and talks to the
//! engine by commands alone: it must never know a lock of the message path.

mod error;
mod json;
mod pid;
mod routes;
mod service;
mod socket;

pub use service::{Application, Management, Node, StartError};
pub use socket::SOCKET_NAME;
