//! What was logged.

use super::levels::CATEGORIES;
use config::LogLevel;
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// One thing that was logged.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// When.
    pub(crate) time: SystemTime,
    /// How severe it is.
    pub(crate) level: LogLevel,
    /// Number of the category.
    pub(super) category: usize,
    /// What it says, without a line feed at its end.
    pub(crate) message: String,
    /// Number of the thread, in the order in which they first logged something.
    pub(crate) thread: u32,
    /// Where in the code.
    pub(crate) file: Option<&'static str>,
    /// The same.
    pub(crate) line: Option<u32>,
}

impl Record {
    /// The category's name, which is the last part of RabbitMQ's domain.
    pub(crate) fn category(&self) -> &'static str {
        CATEGORIES.get(self.category).copied().unwrap_or("default")
    }

    /// The category as Erlang's logger names it.
    pub(crate) fn domain(&self) -> String {
        match self.category() {
            "default" => "rabbitmq".to_owned(),
            category => format!("rabbitmq.{category}"),
        }
    }

    /// The thread in the form of an Erlang process, by which tools tell lines apart.
    pub(crate) fn pid(&self) -> String {
        format!("<0.{}.0>", self.thread)
    }
}

/// The number of this thread.
pub(super) fn thread_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local! {
        static NUMBER: Cell<u32> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}
