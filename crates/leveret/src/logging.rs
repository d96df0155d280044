//! Where the log goes, and what of it.

use crate::log_exchange;
use anyhow::{Context, Result};
use config::{EventOptions, LogLevel, LogOptions};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, registry};

/// Starts logging to standard error, and to amq.rabbitmq.log, with RabbitMQ's categories as targets.
pub(crate) fn start(options: &LogOptions, events: &EventOptions) -> Result<()> {
    let console = options.console.then(|| console(options)).transpose()?;
    registry().with(console).with(log_exchange::layer(events)).init();
    Ok(())
}

fn console<S>(options: &LogOptions) -> Result<impl Layer<S>>
where
    S: tracing::Subscriber + for<'a> registry::LookupSpan<'a>,
{
    let mut directives = vec![word(least_verbose(options.default_level, options.console_level)).to_owned()];
    for (category, level) in &options.category_levels {
        directives.push(format!("{category}={}", word(least_verbose(*level, options.console_level))));
    }
    let filter = EnvFilter::try_new(directives.join(",")).context("cannot set the log levels")?;
    Ok(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_filter(filter))
}

fn least_verbose(a: LogLevel, b: LogLevel) -> LogLevel {
    a.max(b)
}

/// The level of the log library that shows what RabbitMQ's shows.
fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info | LogLevel::Notice => "info",
        LogLevel::Warning => "warn",
        LogLevel::Error | LogLevel::Critical | LogLevel::Alert | LogLevel::Emergency => "error",
        LogLevel::None => "off",
    }
}
