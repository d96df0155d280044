//! The HTTP API over TCP, as clients and monitors use it.

mod access;
mod dashboards;
mod messages;
mod metrics;
mod statistics;
mod support;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");
