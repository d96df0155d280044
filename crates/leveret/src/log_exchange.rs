//! The log as messages: amq.rabbitmq.log gets each line under its level, as RabbitMQ's `rabbit_logger_exchange_h` does.
//!
//! The layer makes a line of text and leaves it with the broker, which publishes it on a reactor; nothing waits, and
//! what there is no room for is dropped. What publishing a line itself logs is not published.

use broker::{Broker, LogLine};
use config::{EventOptions, LogLevel};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The broker that publishes lines now.
static BROKER: Mutex<Weak<Broker>> = Mutex::new(Weak::new());

/// Lines go to this broker from now on.
pub(crate) fn publish_through(broker: &Arc<Broker>) {
    *BROKER.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(broker);
}

/// The layer; `None` without `log.exchange`.
pub(crate) fn layer(options: &EventOptions) -> Option<LogExchange> {
    let most = match options.log_level? {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info | LogLevel::Notice => Level::INFO,
        LogLevel::Warning => Level::WARN,
        LogLevel::Error | LogLevel::Critical | LogLevel::Alert | LogLevel::Emergency => Level::ERROR,
        LogLevel::None => return None,
    };
    Some(LogExchange { most })
}

/// Publishes lines down to a level.
pub(crate) struct LogExchange {
    most: Level,
}

impl<S: Subscriber> Layer<S> for LogExchange {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() > self.most || broker::is_publishing_log() {
            return;
        }
        // Who holds the lock sets another broker, which is no reason to wait.
        let Some(broker) = BROKER.try_lock().ok().and_then(|broker| broker.upgrade()) else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let level = word(event.metadata());
        broker.publish_log(|| LogLine { level, body: line(event, level, now), time_s: now.as_secs() });
    }
}

/// RabbitMQ's name of the level.
fn word(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// `2026-11-25 04:40:14.474266+00:00 [info] text`, the way RabbitMQ begins a line.
fn line(event: &Event<'_>, level: &str, now: Duration) -> String {
    let mut text = timestamp(now);
    let _ = write!(text, " [{level}] ");
    event.record(&mut Fields(&mut text));
    text.push('\n');
    text
}

/// Appends the message of an event, and other fields as `name=value` behind it.
struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

/// A time since 1970 as date and time of day, to the microsecond (RFC 3339 with a space).
fn timestamp(since_1970: Duration) -> String {
    let (days, seconds) = (since_1970.as_secs() / 86_400, since_1970.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let micros = since_1970.subsec_micros();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

/// The date so many days after the first of January 1970. Years begin with March here, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let since_march_of_0 = days + 719_468;
    let (era, of_era) = (since_march_of_0 / 146_097, since_march_of_0 % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let of = |seconds, micros| timestamp(Duration::new(seconds, micros * 1000));
        assert_eq!(of(0, 0), "1970-01-01 00:00:00.000000+00:00");
        assert_eq!(of(951_782_399, 1), "2000-02-28 23:59:59.000001+00:00");
        assert_eq!(of(951_782_400, 0), "2000-02-29 00:00:00.000000+00:00");
        assert_eq!(of(1_795_581_614, 474_266), "2026-11-25 04:40:14.474266+00:00");
    }

    #[test]
    fn what_is_less_severe_than_asked_for_is_left_out() {
        let of = |log_level| layer(&EventOptions { exchange_vhost: None, log_level }).map(|layer| layer.most);
        assert_eq!(of(None), None);
        assert_eq!(of(Some(LogLevel::None)), None);
        assert_eq!(of(Some(LogLevel::Warning)), Some(Level::WARN));
    }
}
