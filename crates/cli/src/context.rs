//! What a running command has: its arguments, the broker to talk to, and where to print.

use crate::arguments::Arguments;
use crate::commands::Command;
use crate::exit::{self, Failure};
use crate::http::{self, Endpoint, Request, Response, segment};
use crate::location::{self, Location};
use crate::progress::Waiting;
use crate::{Invocation, help};
use serde_json::Value;
use std::cell::OnceCell;
use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

mod output;
mod trouble;

pub(crate) use output::{has_printed, print};

pub(crate) struct Context<'a> {
    pub(crate) invocation: &'a Invocation,
    pub(crate) command: &'a Command,
    pub(crate) arguments: Arguments,
    location: Location,
    process: OnceCell<Value>,
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// What was not found: `user`, `vhost`, `queue`, `connection`.
    pub(crate) missing: Option<String>,
    pub(crate) reason: String,
    /// All of the answer, where it is JSON.
    pub(crate) body: Value,
}

/// Why a request brought nothing.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The broker refused it.
    Refused(Box<Refusal>),
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
    pub(crate) fn new(
        invocation: &'a Invocation,
        command: &'a Command,
        arguments: Arguments,
    ) -> Result<Context<'a>, Failure> {
        let given = arguments.option("data-dir").map(PathBuf::from).or_else(|| invocation.data_dir.clone());
        let from_environment = env::var(location::URI_VARIABLE).ok().filter(|uri| !uri.is_empty() && given.is_none());
        let location = match arguments.option("uri").or(from_environment.as_deref()) {
            Some(uri) => {
                let [user, password, authority] =
                    ["username", "password", "ca-certificate"].map(|name| arguments.option(name));
                location::of_uri(uri, user, password, authority)
                    .map_err(|problem| Failure::new(exit::USAGE, format!("Error: {problem}")))?
            }
            None => {
                let directory = location::data_dir(given.as_deref(), arguments.option("node"));
                let socket = directory.join(location::SOCKET_NAME);
                Location { endpoint: Endpoint::Socket(socket), authorization: None }
            }
        };
        Ok(Context { invocation, command, arguments, location, process: OnceCell::new() })
    }

    /// The same, with the broker looked for again: one that starts makes its data directory.
    pub(crate) fn again(&self) -> Result<Context<'a>, Failure> {
        Context::new(self.invocation, self.command, self.arguments.clone())
    }

    /// The positional argument `at`; empty when it is not there, which its command's counts rule out.
    pub(crate) fn argument(&self, at: usize) -> &str {
        self.arguments.positional.get(at).map_or("", String::as_str)
    }

    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.arguments.option(name)
    }

    /// True if an option is there.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.arguments.flag(name)
    }

    /// The virtual host that the command is about.
    pub(crate) fn vhost(&self) -> &str {
        self.option("vhost").unwrap_or("/")
    }

    /// The same as a segment of a path.
    pub(crate) fn vhost_segment(&self) -> String {
        segment(self.vhost())
    }

    /// How long an answer may take, where the user says so; nothing and less is without end.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let seconds = self.arguments.number("timeout").and_then(|seconds| u64::try_from(seconds).ok());
        seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    /// The data directory, unless the broker is reached over the network.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        match &self.location.endpoint {
            Endpoint::Socket(socket) => socket.parent(),
            _ => None,
        }
    }

    /// What the process of the broker says of itself, whether the broker in it runs or not.
    pub(crate) fn process(&self) -> Result<&Value, Failure> {
        if let Some(process) = self.process.get() {
            return Ok(process);
        }
        let process = self.get("/api/leveret/process").map_err(|error| match error {
            RequestError::Refused(refusal) if refusal.status == 404 => {
                self.stranger("it knows nothing of /api/leveret, so it is another broker or an older Leveret")
            }
            other => other.into(),
        })?;
        Ok(self.process.get_or_init(|| process))
    }

    /// The name of the node.
    pub(crate) fn node_name(&self) -> Result<&str, Failure> {
        Ok(self.process()?["node"].as_str().unwrap_or_default())
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, RequestError> {
        let response = self.request(&Request { method: "GET", path, ..Request::default() })?;
        serde_json::from_slice(&response.body)
            .map_err(|_| RequestError::Unreachable(self.stranger(&format!("{path} is not JSON there"))))
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
        let mut headers = request.headers.to_vec();
        headers.extend(self.location.authorization.as_deref().map(|secret| ("authorization", secret)));
        let timeout = self.timeout().or(request.timeout);
        let request = Request { headers: &headers, timeout, ..*request };
        let response = http::send(&self.location.endpoint, &request)
            .map_err(|error| RequestError::Unreachable(self.unreachable(&error)))?;
        self.accept(response)
    }

    /// Prints lines of an answer as they come, until the broker ends it, `duration` is over or nobody reads.
    pub(crate) fn stream(&self, path: &str, duration: Option<Duration>) -> Result<(), RequestError> {
        let headers: Vec<_> =
            self.location.authorization.as_deref().map(|secret| ("authorization", secret)).into_iter().collect();
        let request = Request { method: "GET", path, headers: &headers, ..Request::default() };
        let mut reader_gone = None;
        let outcome = http::stream(&self.location.endpoint, &request, duration, &mut |bytes| {
            let printed = io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().flush());
            reader_gone = printed.err();
            reader_gone.is_none()
        });
        match outcome {
            Ok(None) => Ok(()),
            Ok(Some(response)) => self.accept(response).map(drop),
            Err(error) => Err(RequestError::Unreachable(self.unreachable(&error))),
        }
    }

    /// Shows that something takes its time, where somebody sees it, until it is dropped.
    pub(crate) fn waiting(&self, what: &str) -> Waiting {
        Waiting::new(what, !self.arguments.quiet && !self.arguments.silent)
    }

    /// A failure for an argument that makes no sense, with the usage.
    pub(crate) fn invalid(&self, problem: &str, code: u8) -> Failure {
        help::invalid(self.invocation, Some(self.command), problem, code)
    }
}

/// Waits, as a command may.
#[expect(clippy::disallowed_methods, reason = "the ban is for the message path")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
