//! The log.

use super::{Command, command, unless_there};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::Request;
use crate::sections::Section;
use crate::tool::Tools;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "log_tail",
        (0, 0),
        "[--number|-N <number>] [--timeout <timeout>]",
        "Prints the last lines of the log",
        tail,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "log_tail_stream",
        (0, 0),
        "[--duration|-d <seconds>] [--timeout <timeout>]",
        "Prints lines of the log as they are written",
        stream,
    )
    .of(Tools::DIAGNOSTICS),
    command("log_location", (0, 0), "[--all|-a] [--timeout <timeout>]", "Shows where the log is", location)
        .of(Tools::DIAGNOSTICS)
        .under(Section::Configuration),
    command("set_log_level", (1, 2), "[<category>] <log_level>", "Sets log level in the running node", set_level)
        .under(Section::Configuration),
    command("rotate_logs", (0, 0), "", "Begins a new file of the log", rotate).under(Section::Nodes),
];

/// Lines that are shown where the user does not say how many.
const LINES: i64 = 50;

fn tail(context: &Context<'_>) -> Result<(), Failure> {
    let lines = context.arguments.number("number").unwrap_or(LINES);
    if lines < 1 {
        return Err(context.invalid("Bad argument: the number of lines must be positive", exit::DATA_ERROR));
    }
    context.banner(&format!("Last {lines} log lines on node {} ...", context.node_name()?))?;
    let path = format!("/api/leveret/log?lines={lines}");
    let request = Request { method: "GET", path: &path, ..Request::default() };
    let body = context.request(&request).map_err(unless_there)?.body;
    let text = String::from_utf8_lossy(&body);
    // One line of text each, or an array of them.
    let found: Vec<String> = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Array(lines)) => lines.iter().map(crate::value::cell).collect(),
        Ok(Value::Object(object)) if object.get("lines").is_some_and(Value::is_array) => {
            object["lines"].as_array().into_iter().flatten().map(crate::value::cell).collect()
        }
        _ => text.lines().map(str::to_owned).collect(),
    };
    context.result(&json!(found), &found.join("\n"))
}

fn stream(context: &Context<'_>) -> Result<(), Failure> {
    let seconds = context.arguments.number("duration").and_then(|seconds| u64::try_from(seconds).ok());
    let duration = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let node = context.node_name()?;
    context.banner(&match duration {
        Some(duration) => format!("Streaming logs from node {node} for {} seconds ...", duration.as_secs()),
        None => format!("Streaming logs from node {node} ..."),
    })?;
    context.stream("/api/leveret/log/stream", duration).map_err(unless_there)
}

fn location(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Log file location(s) on node {node} ..."))?;
    let nodes = context.get("/api/nodes")?;
    let all: Vec<String> = nodes[0]["log_files"].as_array().into_iter().flatten().map(crate::value::cell).collect();
    let shown = if context.flag("all") { &all[..] } else { all.get(..1).unwrap_or_default() };
    context.result(&json!({ "paths": shown, "node_name": node }), &shown.join("\n"))
}

const LEVELS: [&str; 6] = ["debug", "info", "warning", "error", "critical", "none"];

fn set_level(context: &Context<'_>) -> Result<(), Failure> {
    let (category, level) = match context.arguments.positional.as_slice() {
        [category, level] => (Some(category.as_str()), level.as_str()),
        _ => (None, context.argument(0)),
    };
    let shown = category.map_or_else(|| format!("\"{level}\""), |category| format!("\"{level}\" for {category}"));
    if !LEVELS.contains(&level) {
        let text = format!("level {level} is not supported. Try one of {}", LEVELS.join(", "));
        return Err(Failure::error(exit::UNAVAILABLE, text));
    }
    context.banner(&format!("Setting log level to {shown} ..."))?;
    let mut body = json!({ "level": level });
    if let Some(category) = category {
        body["category"] = category.into();
    }
    context.put("/api/leveret/log-level", &body).map_err(unless_there)?;
    context.done(json!({}))
}

fn rotate(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Rotating logs of node {} ...", context.node_name()?))?;
    match context.post("/api/leveret/log/rotation", &json!({})) {
        Ok(_) => Ok(()),
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => {
            Err(Failure::error(exit::UNAVAILABLE, "this is not available in the running broker"))
        }
        Err(error) => Err(error.into()),
    }
}
