//! The HTTP API over TCP, as clients and monitors use it.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod access;
mod audit;
mod bindings;
mod connections;
mod dashboards;
mod definitions;
mod exchanges;
mod headers;
mod health;
mod hostile;
mod limits;
mod lists;
mod maintenance;
mod messages;
mod metrics;
mod node;
mod queues;
mod rights;
mod spans;
mod statistics;
mod support;
mod users;
mod vhosts;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");
