//! What a running command has: its arguments, the broker to talk to, and where to print.

use crate::arguments::{Arguments, Formatter};
use crate::commands::Command;
use crate::exit::{self, Failure};
use crate::http::{self, Endpoint, Request, Response, segment};
use crate::table::Table;
use crate::{Invocation, help};
use serde_json::Value;
use std::io::{self, Write};
use std::path::PathBuf;

/// Name of the socket in the data directory.
const SOCKET_NAME: &str = "leveret.sock";

pub(crate) struct Context<'a> {
    invocation: &'a Invocation,
    command: &'a Command,
    pub(crate) arguments: Arguments,
    socket: PathBuf,
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// What was not found: `user`, `vhost`, `queue`, `connection`.
    pub(crate) missing: Option<String>,
    pub(crate) reason: String,
}

/// Why a request brought nothing.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The broker refused it.
    Refused(Refusal),
    /// Nobody answers.
    Unreachable(Failure),
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Failure {
        match error {
            RequestError::Unreachable(failure) => failure,
            RequestError::Refused(refusal) => {
                let code = match refusal.missing.as_deref() {
                    Some("user") => exit::NO_USER,
                    _ => exit::UNAVAILABLE,
                };
                Failure::error(code, refusal.reason)
            }
        }
    }
}

impl<'a> Context<'a> {
    pub(crate) fn new(invocation: &'a Invocation, command: &'a Command, arguments: Arguments) -> Context<'a> {
        let data_dir = arguments.data_dir.as_ref().map_or_else(|| invocation.data_dir.clone(), PathBuf::from);
        Context { invocation, command, arguments, socket: data_dir.join(SOCKET_NAME) }
    }

    /// The positional argument `at`; empty when it is not there, which its command's counts rule out.
    pub(crate) fn argument(&self, at: usize) -> &str {
        self.arguments.positional.get(at).map_or("", String::as_str)
    }

    /// The virtual host that the command is about.
    pub(crate) fn vhost(&self) -> &str {
        self.arguments.vhost.as_deref().unwrap_or("/")
    }

    /// The same as a segment of a path.
    pub(crate) fn vhost_segment(&self) -> String {
        segment(self.vhost())
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, RequestError> {
        let response = self.request(&Request { method: "GET", path, ..Request::default() })?;
        serde_json::from_slice(&response.body).map_err(|_| {
            let failure = Failure::error(exit::UNAVAILABLE, format!("the broker's answer to {path} is not JSON"));
            RequestError::Unreachable(failure)
        })
    }

    /// A list of objects.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<Value>, RequestError> {
        match self.get(path)? {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Response, RequestError> {
        self.request(&Request { method: "PUT", path, body: &body.to_string(), ..Request::default() })
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Response, RequestError> {
        self.request(&Request { method: "POST", path, body: &body.to_string(), ..Request::default() })
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Response, RequestError> {
        self.request(&Request { method: "PATCH", path, body: &body.to_string(), ..Request::default() })
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Response, RequestError> {
        self.request(&Request { method: "DELETE", path, ..Request::default() })
    }

    pub(crate) fn request(&self, request: &Request<'_>) -> Result<Response, RequestError> {
        let endpoint = Endpoint::Socket(self.socket.clone());
        let response =
            http::send(&endpoint, request).map_err(|error| RequestError::Unreachable(self.unreachable(&error)))?;
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let reason = text("reason").unwrap_or_else(|| format!("the broker answered with status {}", response.status));
        Err(RequestError::Refused(Refusal { status: response.status, missing: text("missing"), reason }))
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let socket = self.socket.display();
        let text = match error.kind() {
            io::ErrorKind::InvalidInput => error.to_string(),
            io::ErrorKind::PermissionDenied => {
                format!("Error: no right to use {socket}\nhint: run this as root or as the broker's own user")
            }
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => format!(
                "Error: no broker runs with its data in {}\nhint: name its data directory with --data-dir or LEVERET_DATA_DIR",
                self.socket.parent().unwrap_or(&self.socket).display()
            ),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("Error: the broker at {socket} does not answer")
            }
            _ => format!("Error: cannot talk to the broker at {socket}: {error}"),
        };
        Failure::new(exit::UNAVAILABLE, text)
    }

    /// Prints what is about to happen, unless nobody wants to know.
    pub(crate) fn banner(&self, text: &str) -> Result<(), Failure> {
        let wanted = !self.arguments.quiet && !self.arguments.silent && self.arguments.formatter == Formatter::Table;
        if wanted { print(&format!("{text}\n")) } else { Ok(()) }
    }

    /// Prints a closing remark, unless nobody wants to know.
    pub(crate) fn remark(&self, text: &str) -> Result<(), Failure> {
        self.banner(text)
    }

    /// Prints a list in the format asked for.
    pub(crate) fn print_table(&self, table: &Table) -> Result<(), Failure> {
        let headers = !self.arguments.silent && !self.arguments.no_table_headers;
        print(&table.format(self.arguments.formatter, headers))
    }

    /// Prints a list in the format asked for, its texts as they are; RabbitMQ prints an empty line for an empty one.
    pub(crate) fn print_plain_table(&self, table: &Table) -> Result<(), Failure> {
        if table.rows.is_empty() && self.arguments.formatter == Formatter::Table {
            return print("\n");
        }
        let headers = !self.arguments.silent && !self.arguments.no_table_headers;
        print(&table.format_plain(self.arguments.formatter, headers))
    }

    /// A failure for an argument that makes no sense, with the usage.
    pub(crate) fn invalid(&self, problem: &str, code: u8) -> Failure {
        help::invalid(self.invocation, Some(self.command), problem, code)
    }
}

/// Prints to standard output; a reader that has gone is a failure, not a panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| Failure::error(exit::UNAVAILABLE, format!("cannot print: {error}")))
}
