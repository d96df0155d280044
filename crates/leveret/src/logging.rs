//! Where the log goes, and what of it.

use anyhow::{Context, Result};
use config::{LogLevel, LogOptions};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error, with RabbitMQ's categories as targets.
pub(crate) fn start(options: &LogOptions) -> Result<()> {
    if !options.console {
        return Ok(());
    }
    let mut directives = vec![word(least_verbose(options.default_level, options.console_level)).to_owned()];
    for (category, level) in &options.category_levels {
        directives.push(format!("{category}={}", word(least_verbose(*level, options.console_level))));
    }
    let filter = EnvFilter::try_new(directives.join(",")).context("cannot set the log levels")?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    Ok(())
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
