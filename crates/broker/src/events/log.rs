//! Lines of the log on their way to the exchange amq.rabbitmq.log.

use crate::broker::Broker;
use crate::message::ShardMessage;
use crate::topology::Exchange;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The exchange that lines of the log go to.
pub const LOG_EXCHANGE: &str = "amq.rabbitmq.log";
/// Lines that wait; further ones are dropped, since who logs must not wait.
const MOST_WAITING: usize = 1024;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its level by RabbitMQ's name, which is the routing key.
    pub level: &'static str,
    /// What the line is: `text/plain` or `application/json`.
    pub content_type: &'static str,
    /// The line with its end.
    pub body: String,
    /// When, in seconds since 1970.
    pub time_s: u64,
}

/// Lines that wait, and where they go.
#[derive(Default)]
pub(crate) struct LogLines {
    enabled: AtomicBool,
    exchange: RwLock<Option<Arc<Exchange>>>,
    waiting: Mutex<VecDeque<LogLine>>,
}

impl LogLines {
    pub(super) fn set(&self, exchange: Option<Arc<Exchange>>) {
        self.enabled.store(exchange.is_some(), Ordering::Relaxed);
        *self.exchange.write().unwrap_or_else(PoisonError::into_inner) = exchange;
    }

    pub(crate) fn exchange(&self) -> Option<Arc<Exchange>> {
        self.exchange.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> VecDeque<LogLine> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Broker {
    /// Has a line of the log published, if somebody is bound to where it goes; asked for only then. Never waits, so it
    /// may be called with anything locked.
    pub fn publish_log(&self, line: impl FnOnce() -> LogLine) {
        let lines = &self.events.log;
        if !lines.enabled.load(Ordering::Relaxed) || !lines.exchange().is_some_and(|exchange| exchange.is_bound()) {
            return;
        }
        let line = line();
        let mut waiting = lines.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST_WAITING {
            return;
        }
        waiting.push_back(line);
        let is_first = waiting.len() == 1;
        drop(waiting);
        if is_first {
            self.post(0, ShardMessage::Events);
        }
    }
}
