//! Exit codes, and failures that carry one.

use std::fmt::Display;

/// The command line makes no sense (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;
/// An argument is wrong, or the data that it names is not there (`EX_DATAERR`).
pub(crate) const DATA_ERROR: u8 = 65;
/// There is no such user (`EX_NOUSER`).
pub(crate) const NO_USER: u8 = 67;
/// The broker cannot be reached, or cannot do it (`EX_UNAVAILABLE`).
pub(crate) const UNAVAILABLE: u8 = 69;
/// What was to be created exists (`EX_SOFTWARE`).
pub(crate) const SOFTWARE: u8 = 70;
/// It took too long and may work later (`EX_TEMPFAIL`).
pub(crate) const TEMPORARY: u8 = 75;
/// Something is configured wrongly (`EX_CONFIG`).
pub(crate) const CONFIGURATION: u8 = 78;

/// Why a command failed: what standard error shows, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Failure {
    /// A failure with `text` as all that is shown.
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into() }
    }

    /// A failure as RabbitMQ's tool shows most: `Error:` and the message in the next line.
    pub(crate) fn error(code: u8, message: impl Display) -> Failure {
        Failure { code, text: format!("Error:\n{message}") }
    }
}
