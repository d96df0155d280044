//! The HTTP API over TCP, as clients and monitors use it.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod access;
mod audit;
mod bindings;
mod connections;
mod definitions;
mod exchanges;
mod headers;
mod health;
mod hostile;
mod limits;
mod lists;
mod messages;
mod node;
mod queues;
mod rights;
mod support;
mod users;
mod vhosts;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");
