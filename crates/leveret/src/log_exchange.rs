//! The log as messages: amq.rabbitmq.log gets each line under its level, as RabbitMQ's `rabbit_logger_exchange_h` does.
//!
//! The thread of the log makes a line as it makes those of other outputs, and leaves it with the broker, which publishes
//! it on a reactor. Nothing waits, and what there is no room for is dropped.

use crate::logging;
use broker::{Broker, LogLine};
use config::{LogLevel, LogOptions, LogStyle};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::UNIX_EPOCH;

/// The broker that publishes lines now.
static BROKER: Mutex<Weak<Broker>> = Mutex::new(Weak::new());

/// Lines that `log.exchange` asks for go to this broker from now on.
pub(crate) fn publish_through(broker: &Arc<Broker>, options: &LogOptions) -> anyhow::Result<()> {
    *BROKER.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(broker);
    let (Some(exchange), Some(logging)) = (&options.exchange, logging::running()) else { return Ok(()) };
    let lines = logging::formatter(&exchange.formatter);
    let content_type = match exchange.formatter.style {
        LogStyle::Json => "application/json",
        LogStyle::Plaintext => "text/plain",
    };
    logging.tap(Box::new(move |record| {
        let Some(broker) = BROKER.lock().unwrap_or_else(PoisonError::into_inner).upgrade() else { return };
        let time_s = record.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        broker.publish_log(|| LogLine { level: word(record.level), content_type, body: lines(record), time_s });
    }))
}

/// RabbitMQ's name of a level, which is the routing key.
fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Notice => "notice",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
        LogLevel::Critical => "critical",
        LogLevel::Alert => "alert",
        LogLevel::Emergency => "emergency",
        LogLevel::None => "none",
    }
}
