//! The HTTP API over TCP, as clients and monitors use it.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod access;
mod audit;
mod connections;
mod headers;
mod hostile;
mod lists;
mod messages;
mod support;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");
