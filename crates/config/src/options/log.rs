//! `log.*`.

use super::words::words;
use std::collections::BTreeMap;

/// `log.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// Whether there is output on the console at all.
    pub console: bool,
    /// What the console shows; nothing less severe reaches it whatever the categories say.
    pub console_level: LogLevel,
    /// Level of every category without one of its own.
    pub default_level: LogLevel,
    /// Level by category: `connection`, `channel`, `queue`, `user`, `upgrade`.
    pub category_levels: BTreeMap<String, LogLevel>,
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
