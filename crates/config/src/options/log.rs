//! `log.*`.

use super::words::words;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `log.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// What the console shows; `None` for nothing.
    pub console: Option<ConsoleOptions>,
    /// The console was switched off and is there all the same, since nothing else is left to log to.
    pub is_console_kept: bool,
    /// The file of this node.
    pub file: Option<LogFileOptions>,
    /// What goes to the exchange amq.rabbitmq.log.
    pub exchange: Option<LogOutputOptions>,
    /// Level of every category without one of its own; `None` leaves it to the outputs.
    pub default_level: Option<LogLevel>,
    /// Level by category: `connection`, `channel`, `queue`, `user`, `upgrade`.
    pub category_levels: BTreeMap<String, LogLevel>,
    /// Files of their own by category; what goes there does not go to the file of the node.
    pub category_files: BTreeMap<String, LogFileOptions>,
}

/// What an output shows, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOutputOptions {
    /// Nothing less severe reaches it; `None` leaves it to the categories.
    pub level: Option<LogLevel>,
    /// How lines look.
    pub formatter: LogFormatter,
}

/// `log.console.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleOptions {
    /// What it shows, and how.
    pub output: LogOutputOptions,
    /// Which stream it is.
    pub stdio: LogStdio,
    /// Escape sequences by level, where there are colours.
    pub colors: Option<BTreeMap<LogLevel, String>>,
}

/// `log.file.*`, and the files of categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFileOptions {
    /// What it shows, and how.
    pub output: LogOutputOptions,
    /// Where it is: the file, or the directory in which it is named after the node.
    pub place: LogPlace,
    /// When a new one is begun.
    pub rotation: LogRotation,
}

/// Where a log file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPlace {
    /// This file.
    File(PathBuf),
    /// `NODE.log` in this directory.
    Directory(PathBuf),
}

/// `log.*.rotation.*`: at any of these a new file is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRotation {
    /// When a time has come.
    pub date: Option<RotationDate>,
    /// When it has so many bytes.
    pub size_bytes: Option<u64>,
    /// Older files that are kept, named `.0` and on.
    pub count: u32,
    /// Whether those are compressed.
    pub compress: bool,
}

/// `log.*.rotation.date` as RabbitMQ has it from newsyslog.conf: `$D0` is every midnight, `$W0D3` every Sunday at 3:00, `$M1`
/// the first of every month, `$H30` half past every hour. Times are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationDate {
    /// At this minute of every hour.
    Hourly {
        /// 0 to 59.
        minute: u8,
    },
    /// At this hour of every day.
    Daily {
        /// 0 to 23.
        hour: u8,
    },
    /// At this hour of this day of every week.
    Weekly {
        /// 0, a Sunday, to 6.
        weekday: u8,
        /// 0 to 23.
        hour: u8,
    },
    /// At this hour of this day of every month.
    Monthly {
        /// 1 to 28: a day that every month has.
        day: u8,
        /// 0 to 23.
        hour: u8,
    },
}

impl RotationDate {
    /// Reads it, or `None` where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (every, rest) = text.strip_prefix('$')?.split_at_checked(1)?;
        let (number, rest) = rest.split_once('D').map_or((rest, None), |(number, hour)| (number, Some(hour)));
        let within = |text: &str, least: u8, most: u8| {
            let is_short = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| is_short && (least..=most).contains(number))
        };
        let hour = rest.map_or(Some(0), |hour| within(hour, 0, 23));
        match every {
            "H" if rest.is_none() => Some(Self::Hourly { minute: within(number, 0, 59)? }),
            "D" if rest.is_none() => Some(Self::Daily { hour: within(number, 0, 23)? }),
            "W" => Some(Self::Weekly { weekday: within(number, 0, 6)?, hour: hour? }),
            "M" => Some(Self::Monthly { day: within(number, 1, 28)?, hour: hour? }),
            _ => None,
        }
    }
}

/// `log.*.formatter` and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormatter {
    /// Text or JSON.
    pub style: LogStyle,
    /// How times are written.
    pub time_format: LogTimeFormat,
    /// How levels are written.
    pub level_format: LogLevelFormat,
    /// What is written over several lines is put into one.
    pub is_single_line: bool,
    /// A line of text, with `$time`, `$level`, `$pid`, `$msg` and the names of other fields.
    pub plaintext_format: String,
    /// The order of the fields of an object, new names after colons; `-` leaves one out.
    pub json_field_map: String,
}

words! {
    /// `log.*.formatter`.
    LogStyle {
        /// Lines of text.
        Plaintext = "plaintext",
        /// An object per line.
        Json = "json",
    }
}

words! {
    /// `log.*.formatter.time_format`; times are UTC.
    LogTimeFormat {
        /// `2026-02-03 04:05:06.000007+00:00`.
        Rfc3339Space = "rfc3339_space",
        /// `2026-02-03T04:05:06.000007+00:00`.
        Rfc3339T = "rfc3339_T",
        /// Microseconds since 1970.
        EpochMicroseconds = "epoch_usecs",
        /// Seconds since 1970.
        EpochSeconds = "epoch_secs",
        /// `2026-02-03 04:05:06.007`.
        Lager = "lager_default",
    }
}

words! {
    /// `log.*.formatter.level_format`.
    LogLevelFormat {
        /// `warning`.
        Lower = "lc",
        /// `WARNING`.
        Upper = "uc",
        /// `wrn`.
        Lower3 = "lc3",
        /// `WRN`.
        Upper3 = "uc3",
        /// `warn`.
        Lower4 = "lc4",
        /// `WARN`.
        Upper4 = "uc4",
    }
}

words! {
    /// `log.console.stdio`.
    LogStdio {
        /// Standard output.
        Stdout = "stdout",
        /// Standard error.
        Stderr = "stderr",
    }
}

words! {
    /// Severity from most to least verbose, and `none`.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// What an operator needs.
        Info = "info",
        /// Normal but significant.
        Notice = "notice",
        /// Something to look at.
        Warning = "warning",
        /// An operation failed.
        Error = "error",
        /// A component failed.
        Critical = "critical",
        /// Action must be taken at once.
        Alert = "alert",
        /// The node is unusable.
        Emergency = "emergency",
        /// Nothing.
        None = "none",
    }
}

impl LogLevel {
    /// All but `none`, from most to least verbose.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];
}

/// Reads the name of a level.
impl std::str::FromStr for LogLevel {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::from_word(text).ok_or(())
    }
}
