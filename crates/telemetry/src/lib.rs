//! OpenTelemetry: spans of what the broker does with messages that their publishers trace.
//!
//! The engine tells of messages whose headers have a `traceparent` that is sampled; a [`Exporter`] makes a span of each
//! and a thread of its own sends them over OTLP (HTTP with JSON). Reactors never wait for it: what a slow or missing
//! collector leaves no room for is dropped and counted. It must never know an engine's lock.

mod context;
mod export;
mod otlp;
mod ring;

pub use context::TraceParent;
pub use export::{Exporter, Settings, StartError, Tally};
