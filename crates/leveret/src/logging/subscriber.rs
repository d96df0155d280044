//! From the macros of `tracing` to records.

use super::Logging;
use super::levels::Levels;
use super::record::{Record, thread_number};
use config::LogLevel;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// Longest message in bytes: names in it come from clients.
const MAX_MESSAGE_BYTES: usize = 8 * 1024;

/// Takes what is logged.
pub(super) struct Events(Arc<Logging>);

impl Events {
    pub(super) fn new(logging: Arc<Logging>) -> Events {
        Events(logging)
    }
}

impl Subscriber for Events {
    /// What no output takes costs a branch: the answer is kept until levels change.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if !metadata.is_event() {
            return false;
        }
        let least = self.0.least.get(Levels::category(metadata.target()));
        least.is_some_and(|least| level(*metadata.level()) as u8 >= least.load(Ordering::Relaxed))
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.put(Record {
            time: SystemTime::now(),
            level: level(*metadata.level()),
            category: Levels::category(metadata.target()),
            message: message.0,
            thread: thread_number(),
            file: metadata.file(),
            line: metadata.line(),
        });
    }

    /// There are no spans in here: none is enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Values<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG | Level::TRACE => LogLevel::Debug,
    }
}

/// The message of an event; other fields follow it as `name=value`.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // The end is cut off where it gets too long, so nothing fails here.
        let _ = match field.name() {
            "message" => write!(Limited(&mut self.0), "{value:?}"),
            name => write!(Limited(&mut self.0), " {name}={value:?}"),
        };
    }
}

struct Limited<'a>(&'a mut String);

impl Write for Limited<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_MESSAGE_BYTES.saturating_sub(self.0.len());
        let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        if end == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}
