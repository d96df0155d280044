//! The HTTP API over TCP, as clients and monitors use it.

mod access;
mod bindings;
mod exchanges;
mod health;
mod limits;
mod node;
mod queues;
mod rights;
mod support;
mod users;
mod vhosts;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");
