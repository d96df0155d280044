//! Answers that are none, and why there is no answer: a line each that says what happened, and one what to do.

use super::{Context, Refusal, RequestError};
use crate::exit::{self, Failure};
use crate::http::{Endpoint, Response, Stranger};
use crate::location;
use serde_json::Value;
use std::fs::File;
use std::io;
use std::path::Path;

/// How the broker's answer begins while stop_app holds.
const STOPPED: &str = "the broker is stopped";
/// The error of a login that somebody asks about; another one is that of whoever asks.
const NOT_THE_CALLER: &str = "not_authenticated";
/// The file in the data directory that a broker has locked while it runs.
const LOCK_NAME: &str = "leveret.lock";
/// What the listener of the HTTP API is usually called by.
const USUAL: &str = "the HTTP API is usually on port 15672, or 15671 with https";

impl Context<'_> {
    pub(super) fn accept(&self, response: Response) -> Result<Response, RequestError> {
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if response.status == 401 && body["error"] != NOT_THE_CALLER {
            return Err(RequestError::Unreachable(self.unauthorized()));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(reason) = text("reason").or_else(|| text("error")) else {
            return Err(RequestError::Unreachable(self.not_from_a_broker(&response)));
        };
        if response.status == 503 && reason.starts_with(STOPPED) {
            let problem = "this command requires the 'rabbit' app to be running on the target node. Start it with \
                           'rabbitmqctl start_app'.";
            let failure = self.invalid(problem, exit::USAGE);
            let text = failure.text.replacen("Error (argument validation)", "Error", 1);
            return Err(RequestError::Unreachable(Failure { text, ..failure }));
        }
        let refusal = Refusal { status: response.status, missing: text("missing"), reason, body };
        Err(RequestError::Refused(Box::new(refusal)))
    }

    fn unauthorized(&self) -> Failure {
        let place = self.place();
        let text = if self.location.authorization.is_some() {
            format!(
                "Error: {place} refuses this user and password\n\
                 hint: guest may only come from the broker's host; list_users there shows who else there is"
            )
        } else {
            format!(
                "Error: {place} wants a user and a password\n\
                 hint: give --username and --password, or write them into the address"
            )
        };
        Failure::new(exit::DATA_ERROR, text)
    }

    /// Errors of a broker are JSON with a reason; this one came from something before it, or from something else.
    fn not_from_a_broker(&self, response: &Response) -> Failure {
        let (place, status) = (self.place(), response.status);
        match status {
            300..400 => {
                let target = response.header("location").unwrap_or("another address");
                let text = format!("Error: {place} sends on to {target}\nhint: give that address to --uri");
                Failure::new(exit::UNAVAILABLE, text)
            }
            429 | 502..=504 => {
                let text = format!(
                    "Error: {place} cannot answer now (status {status}): it is overloaded, or a proxy reaches no broker\n\
                     hint: try again in a while"
                );
                Failure::new(exit::TEMPORARY, text)
            }
            _ => self.stranger(&format!("it answers with status {status} and gives no reason")),
        }
    }

    /// The failure for something that listens there and is not what a command is for.
    pub(super) fn stranger(&self, why: &str) -> Failure {
        let text = format!("Error: what answers at {} is no broker: {why}\nhint: {USUAL}", self.place());
        Failure::new(exit::UNAVAILABLE, text)
    }

    /// Where the broker is supposed to be.
    pub(super) fn place(&self) -> String {
        match &self.location.endpoint {
            Endpoint::Socket(path) => path.display().to_string(),
            Endpoint::Network { authority, .. } => format!("http://{authority}"),
            Endpoint::Secure { authority, .. } => format!("https://{authority}"),
        }
    }

    pub(super) fn unreachable(&self, error: &io::Error) -> Failure {
        if let Some(stranger) = error.get_ref().and_then(|inner| inner.downcast_ref::<Stranger>()) {
            let text = format!(
                "Error: what answers at {} is not the broker's HTTP API: {stranger}\nhint: {}",
                self.place(),
                stranger.advice()
            );
            return Failure::new(exit::UNAVAILABLE, text);
        }
        let place = self.place();
        let (code, text) = match (error.kind(), self.data_dir()) {
            (io::ErrorKind::InvalidInput, _) => (exit::USAGE, error.to_string()),
            (io::ErrorKind::PermissionDenied, Some(_)) => (
                exit::UNAVAILABLE,
                format!("Error: no right to use {place}\nhint: run this as root or as the broker's own user"),
            ),
            (io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused, Some(directory)) => {
                (exit::UNAVAILABLE, nobody_there(directory))
            }
            (io::ErrorKind::ConnectionRefused, None) => (
                exit::UNAVAILABLE,
                format!(
                    "Error: nobody listens at {place}\nhint: is the broker running, and its management listener on this address?"
                ),
            ),
            (io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut, _) => {
                let asked = self.arguments.number("timeout").unwrap_or(60);
                let text = format!(
                    "Error: operation {} on {place} timed out. Timeout value used: {}",
                    self.command.name,
                    asked.saturating_mul(1000)
                );
                (exit::TEMPORARY, text)
            }
            (io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe, _) => (
                exit::UNAVAILABLE,
                format!("Error: {place} closed the connection without an answer\nhint: is it going down? {USUAL}"),
            ),
            _ => (exit::UNAVAILABLE, format!("Error: cannot talk to the broker at {place}: {error}")),
        };
        Failure::new(code, text)
    }
}

/// Says why nobody answers in a data directory: whoever starts or stops holds its lock and has no socket.
fn nobody_there(directory: &Path) -> String {
    let shown = directory.display();
    if !directory.exists() {
        return format!(
            "Error: there is no data directory {shown}\nhint: name the broker's with --data-dir or {}",
            location::DATA_DIR_VARIABLE
        );
    }
    let locked = File::open(directory.join(LOCK_NAME))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)));
    if locked {
        return format!(
            "Error: the broker with its data in {shown} is starting or stopping\nhint: wait for it with await_startup"
        );
    }
    format!(
        "Error: no broker runs with its data in {shown}\nhint: name its data directory with --data-dir or {}",
        location::DATA_DIR_VARIABLE
    )
}
