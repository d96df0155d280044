//! Definitions as a file.

use super::{Command, command};
use crate::context::{Context, RequestError, print};
use crate::exit::{self, Failure};
use crate::formatter::Formatter;
use crate::http::Request;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "export_definitions",
        (1, 1),
        "<file_path | \"-\"> [--format <json>]",
        "Exports definitions in JSON",
        export,
    ),
    command(
        "import_definitions",
        (0, 1),
        "<file_path | \"-\"> [--format <json>] [--skip-if-unchanged]",
        "Imports definitions in JSON",
        import,
    ),
];

/// How long the broker may take for a large import or export.
const TIMEOUT: Duration = Duration::from_secs(3600);
const PATH: &str = "/api/definitions";
/// What stands for standard output and input.
const STANDARD: &str = "-";

pub(super) fn export(context: &Context<'_>) -> Result<(), Failure> {
    check_format(context)?;
    let path = context.argument(0);
    let directory = Path::new(path).parent().filter(|directory| !directory.as_os_str().is_empty());
    if let Some(directory) = directory.filter(|directory| !directory.exists()) {
        let problem = format!("Bad argument: Directory {} does not exist", directory.display());
        return Err(context.invalid(&problem, exit::DATA_ERROR));
    }
    if path != STANDARD {
        context.banner(&format!("Exporting definitions in JSON to a file at \"{path}\" ..."))?;
    }
    let request = Request { method: "GET", path: PATH, timeout: Some(TIMEOUT), ..Request::default() };
    let waiting = context.waiting("exporting definitions");
    let body = context.request(&request)?.body;
    drop(waiting);
    if path == STANDARD {
        return print(&format!("{}\n", String::from_utf8_lossy(&body)));
    }
    std::fs::write(path, body).map_err(|error| {
        let text = match error.kind() {
            ErrorKind::NotFound => format!("Parent directory or file {path} does not exist"),
            ErrorKind::NotADirectory => format!("Parent directory of file {path} is not a directory"),
            ErrorKind::StorageFull => "No space left on device hosting ".to_owned() + path,
            ErrorKind::PermissionDenied => format!("No permissions to write to file {path} or its parent directory"),
            ErrorKind::IsADirectory => format!("Path {path} is a directory"),
            _ => format!("Could not write to file {path}: {error}"),
        };
        Failure::error(exit::DATA_ERROR, text)
    })
}

pub(super) fn import(context: &Context<'_>) -> Result<(), Failure> {
    check_format(context)?;
    let path = context.arguments.positional.first().map_or(STANDARD, String::as_str);
    if path != STANDARD && !Path::new(path).exists() {
        let problem = format!("Bad argument: File {path} does not exist");
        return Err(context.invalid(&problem, exit::DATA_ERROR));
    }
    let source = if path == STANDARD { "standard input".to_owned() } else { format!("a file at \"{path}\"") };
    context.banner(&format!("Importing definitions in JSON from {source} ..."))?;
    let body = read(path)?;
    let request = Request { method: "POST", path: PATH, body: &body, timeout: Some(TIMEOUT), ..Request::default() };
    let waiting = context.waiting(&format!("importing definitions, {} KiB", body.len().div_ceil(1024)));
    let answer = context.request(&request);
    drop(waiting);
    answer.map_err(|error| match error {
        RequestError::Refused(refusal) if refusal.reason == "failed_to_parse_json" => {
            Failure::error(exit::DATA_ERROR, "Failed to deserialise input (format: JSON) (error: it is not JSON)")
        }
        other => other.into(),
    })?;
    if context.arguments.formatter == Formatter::Json {
        return print("{\"result\":\"ok\"}\n");
    }
    // What scripts wait for; here it is all done.
    context.remark(
        "Successfully started definition import. This process is asynchronous and can take some time. Watch target node \
         logs for completion.\n",
    )
}

fn read(path: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        let text = match error.kind() {
            ErrorKind::PermissionDenied => format!("No permissions to read from file {path} or its parent directory"),
            ErrorKind::IsADirectory => format!("Path {path} is a directory"),
            _ => format!("Could not read from file {path}: {error}"),
        };
        Failure::error(exit::DATA_ERROR, text)
    };
    let mut bytes = Vec::new();
    if path == STANDARD {
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
        if bytes.is_empty() {
            return Err(Failure::error(exit::DATA_ERROR, "there is nothing on standard input"));
        }
    } else {
        bytes = std::fs::read(path).map_err(failed)?;
        if bytes.is_empty() {
            return Err(Failure::error(exit::DATA_ERROR, format!("File {path} is zero-sized")));
        }
    }
    String::from_utf8(bytes).map_err(|_| {
        Failure::error(exit::DATA_ERROR, "Failed to deserialise input (format: JSON) (error: it is not UTF-8)")
    })
}

fn check_format(context: &Context<'_>) -> Result<(), Failure> {
    match context.option("format") {
        None | Some("json" | "JSON") => Ok(()),
        Some("erlang") => {
            Err(Failure::error(exit::DATA_ERROR, "the format of Erlang terms is not available here; use --format json"))
        }
        Some(_) => Err(context.invalid("Bad argument: Format should be either json or erlang", exit::DATA_ERROR)),
    }
}
