//! What a running command has: its arguments, the broker to talk to, and where to print.

use crate::arguments::Arguments;
use crate::commands::Command;
use crate::exit::{self, Failure};
use crate::formatter::Formatter;
use crate::http::{self, Endpoint, Request, Response, segment};
use crate::location::{self, Location};
use crate::table::Table;
use crate::{Invocation, help};
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
            RequestError::Refused(refusal) if refusal.status == 404 => Failure::new(
                exit::UNAVAILABLE,
                format!("Error: {} is not a Leveret that this command knows how to talk to", self.place()),
            ),
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
        serde_json::from_slice(&response.body).map_err(|_| {
            let text = format!("Error: what answers at {} is no broker: {path} is not JSON there", self.place());
            RequestError::Unreachable(Failure::new(exit::UNAVAILABLE, text))
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

    fn accept(&self, response: Response) -> Result<Response, RequestError> {
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        if response.status == 401 && self.location.authorization.is_some() {
            let text = format!("Error: {} refuses this user and password", self.place());
            return Err(RequestError::Unreachable(Failure::new(exit::DATA_ERROR, text)));
        }
        if response.status == 401 && self.data_dir().is_none() {
            let text = format!(
                "Error: {} wants a user and a password\nhint: give --username and --password, or write them into the address",
                self.place()
            );
            return Err(RequestError::Unreachable(Failure::new(exit::DATA_ERROR, text)));
        }
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let reason = text("reason").unwrap_or_else(|| format!("the broker answered with status {}", response.status));
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

    /// Where the broker is supposed to be.
    fn place(&self) -> String {
        match &self.location.endpoint {
            Endpoint::Socket(path) => path.display().to_string(),
            Endpoint::Network { authority, .. } => format!("http://{authority}"),
            Endpoint::Secure { authority, .. } => format!("https://{authority}"),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
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
            (io::ErrorKind::InvalidData, None) => {
                (exit::UNAVAILABLE, format!("Error: what answers at {place} is not the broker's HTTP API: {error}"))
            }
            _ => (exit::UNAVAILABLE, format!("Error: cannot talk to the broker at {place}: {error}")),
        };
        Failure::new(code, text)
    }

    /// True where what is for people is wanted.
    pub(crate) fn is_talkative(&self) -> bool {
        !self.arguments.quiet && !self.arguments.silent && !self.arguments.formatter.is_for_machines()
    }

    /// Prints what is about to happen, unless nobody wants to know.
    pub(crate) fn banner(&self, text: &str) -> Result<(), Failure> {
        if self.is_talkative() { print(&format!("{text}\n")) } else { Ok(()) }
    }

    /// Prints a closing remark, unless nobody wants to know.
    pub(crate) fn remark(&self, text: &str) -> Result<(), Failure> {
        match self.arguments.formatter {
            Formatter::Json | Formatter::JsonStream => {
                let node = self.node_name()?;
                print(&format!("{}\n", json!({ "message": text.trim_end(), "node": node, "status": "ok" })))
            }
            _ => self.banner(text),
        }
    }

    /// Prints a result in words, as a whole line.
    pub(crate) fn message(&self, text: &str) -> Result<(), Failure> {
        match self.arguments.formatter {
            Formatter::Json | Formatter::JsonStream => print(&format!("{}\n", json!({ "message": text }))),
            _ => print(&format!("{text}\n")),
        }
    }

    /// Prints an object for machines; people get `text`.
    pub(crate) fn result(&self, object: &Value, text: &str) -> Result<(), Failure> {
        match self.arguments.formatter {
            Formatter::Json | Formatter::JsonStream => print(&format!("{object}\n")),
            Formatter::Erlang => print(&format!("{}\n", crate::term::term(object))),
            _ if text.is_empty() => Ok(()),
            _ => print(&format!("{text}\n")),
        }
    }

    /// Says that it is done to machines that want to hear it; `more` is an object.
    pub(crate) fn done(&self, more: Value) -> Result<(), Failure> {
        if !matches!(self.arguments.formatter, Formatter::Json | Formatter::JsonStream) {
            return Ok(());
        }
        let mut object = json!({ "node": self.node_name()?, "result": "ok" });
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        print(&format!("{object}\n"))
    }

    /// The failure of a check: an object for machines, and words for people.
    pub(crate) fn failed_check(&self, object: &Value, text: &str) -> Failure {
        match self.arguments.formatter {
            Formatter::Json | Formatter::JsonStream => Failure::new(exit::UNAVAILABLE, object.to_string()),
            _ => Failure::new(exit::UNAVAILABLE, text),
        }
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

/// How the broker's answer begins while stop_app holds.
const STOPPED: &str = "the broker is stopped";

/// The file in the data directory that a broker has locked while it runs.
const LOCK_NAME: &str = "leveret.lock";

/// True once something was printed: whoever reads JSON is told of success by an object, where there is no other.
static HAS_PRINTED: AtomicBool = AtomicBool::new(false);

/// True once something was printed to standard output.
pub(crate) fn has_printed() -> bool {
    HAS_PRINTED.load(Ordering::Relaxed)
}

/// Prints to standard output; a reader that has gone is a failure, not a panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    // An empty list is a result, too.
    HAS_PRINTED.store(true, Ordering::Relaxed);
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| Failure::error(exit::UNAVAILABLE, format!("cannot print: {error}")))
}

/// Waits, as a command may.
#[expect(clippy::disallowed_methods, reason = "the ban is for the message path")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
