//! Starting, stopping and waiting for the broker.

use super::{Command, command, unless_there};
use crate::context::{self, Context, RequestError};
use crate::exit::{self, Failure};
use crate::sections::Section;
use crate::tool::Tools;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) const COMMANDS: &[Command] = &[
    command("stop_app", (0, 0), "", "Stops the broker, but not its process: what is not durable goes", stop_app),
    command("start_app", (0, 0), "", "Starts the broker again after stop_app", start_app),
    command("stop", (0, 1), "[--idempotent] [<pidfile>]", "Stops the broker and its process", stop),
    command("shutdown", (0, 0), "[--wait]", "Stops the broker and its process, and waits for its end", shutdown),
    command("await_startup", (0, 0), "[--timeout <timeout>]", "Waits until the broker has started", await_startup),
    command(
        "wait",
        (0, 1),
        "[<pidfile>] [--pid|-P <pid>] [--timeout <timeout>]",
        "Waits until a process has started the broker",
        wait,
    )
    .of(Tools::LOOKING),
    command("reset", (0, 0), "", "Deletes definitions and messages; stop_app comes first", reset),
    command("force_reset", (0, 0), "", "Deletes definitions and messages; stop_app comes first", force_reset)
        .under(Section::Cluster),
    command("force_boot", (0, 0), "", "Does nothing: the node waits for no other when it starts", force_boot)
        .under(Section::Cluster),
];

/// How long a command waits where the user does not say.
const PATIENCE: Duration = Duration::from_secs(300);
const TICK: Duration = Duration::from_millis(50);
const PROCESS: &str = "/api/leveret/process";

fn stop_app(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Stopping rabbit application on node {} ...", context.node_name()?))?;
    context.delete("/api/leveret/application")?;
    context.done(json!({}))
}

fn start_app(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Starting node {} ...", context.node_name()?))?;
    context.put("/api/leveret/application", &json!({}))?;
    context.done(json!({}))
}

/// With the name of a file that has the process id, waits until the process is gone.
fn stop(context: &Context<'_>) -> Result<(), Failure> {
    let (node, pid) = match context.process() {
        Ok(process) => (process["node"].as_str().unwrap_or_default().to_owned(), process["pid"].as_u64()),
        Err(_) if context.flag("idempotent") => {
            return context.message("The broker is already stopped: nothing answers");
        }
        Err(failure) => return Err(failure),
    };
    context.banner(&format!("Stopping and halting node {node} ..."))?;
    context.delete(PROCESS).map_err(unless_there)?;
    match context.argument(0) {
        "" => Ok(()),
        path => await_end(context, read_pid(path).or(pid)),
    }
}

fn shutdown(context: &Context<'_>) -> Result<(), Failure> {
    let process = context.process()?;
    let (node, pid) = (process["node"].as_str().unwrap_or_default().to_owned(), process["pid"].as_u64());
    let shown = pid.unwrap_or_default();
    context.banner(&format!("Shutting down RabbitMQ node {node} running at PID {shown}"))?;
    context.delete(PROCESS).map_err(unless_there)?;
    if context.data_dir().is_none() {
        // Of a process elsewhere only the end of its listener can be seen.
        return Ok(());
    }
    context.banner(&format!("Waiting for PID {shown} to terminate"))?;
    await_end(context, pid)?;
    context.message(&format!("RabbitMQ node {node} running at PID {shown} successfully shut down"))
}

fn await_end(context: &Context<'_>, pid: Option<u64>) -> Result<(), Failure> {
    let Some(pid) = pid else { return Ok(()) };
    until(context, || if is_alive(pid) { None } else { Some(Ok(())) })
}

fn is_alive(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // A process whose parent has not asked for its end yet is as good as gone.
    status.is_ok_and(|status| !status.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')))
}

fn read_pid(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn await_startup(context: &Context<'_>) -> Result<(), Failure> {
    until(context, || is_started(context).then_some(Ok(())))
}

/// True once the broker runs.
fn is_started(context: &Context<'_>) -> bool {
    // Every question is a new one: what was known before is what has to change.
    let Ok(context) = context.again() else { return false };
    match context.get(PROCESS) {
        Ok(process) => process["state"] == "running",
        Err(RequestError::Refused(_) | RequestError::Unreachable(_)) => false,
    }
}

fn wait(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.option("node").unwrap_or("here").to_owned();
    let pid = match (context.arguments.number("pid"), context.argument(0)) {
        (Some(pid), "") => u64::try_from(pid).map_err(|_| context.invalid("Bad argument.", exit::DATA_ERROR))?,
        (None, "") => return Err(context.invalid("\"No pid or pidfile specified\"", exit::USAGE)),
        (None, path) => {
            context.banner(&format!("Waiting for pid file '{path}' to appear"))?;
            let mut found = None;
            until(context, || {
                found = Path::new(path).exists().then(|| read_pid(path)).flatten();
                found.map(|_| Ok(()))
            })?;
            let pid = found.unwrap_or_default();
            context.banner(&format!("pid is {pid}"))?;
            pid
        }
        (Some(_), _) => {
            let problem = "\"Cannot specify both pid and pidfile\"";
            return Err(context.invalid(problem, exit::USAGE));
        }
    };
    context.banner(&format!("Waiting for the broker of node '{node}' while OS process '{pid}' is running"))?;
    until(context, || {
        if !is_alive(pid) {
            return Some(Err(Failure::error(exit::UNAVAILABLE, "process_not_running")));
        }
        is_started(context).then_some(Ok(()))
    })?;
    context.banner("Applications 'rabbit_and_plugins' are running")
}

/// Asks again and again until there is an answer, or the time is over.
pub(super) fn until(
    context: &Context<'_>,
    mut ask: impl FnMut() -> Option<Result<(), Failure>>,
) -> Result<(), Failure> {
    let patience = context.timeout().unwrap_or(PATIENCE);
    let deadline = Instant::now() + patience;
    let _waiting = context.waiting(&format!("waiting, for {} s at most", patience.as_secs()));
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        if Instant::now() >= deadline {
            let text = format!(
                "Error: operation {} timed out. Timeout value used: {}",
                context.command.name,
                patience.as_millis()
            );
            return Err(Failure::new(exit::TEMPORARY, text));
        }
        context::pause(TICK);
    }
}

fn reset(context: &Context<'_>) -> Result<(), Failure> {
    clear(context, "Resetting node")
}

fn force_reset(context: &Context<'_>) -> Result<(), Failure> {
    clear(context, "Forcefully resetting node")
}

fn clear(context: &Context<'_>, what: &str) -> Result<(), Failure> {
    if context.process()?["state"] != "stopped" {
        let problem = "this command requires the 'rabbit' app to be stopped on the target node. Stop it with \
                       'rabbitmqctl stop_app'.";
        let failure = context.invalid(problem, exit::USAGE);
        let text = failure.text.replacen("Error (argument validation)", "Error", 1);
        return Err(Failure { text, ..failure });
    }
    context.banner(&format!("{what} {} ...", context.node_name()?))?;
    context.delete("/api/leveret/data").map_err(unless_there)?;
    context.done(json!({}))
}

fn force_boot(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Forcing boot for the data directory: nothing to do, the node waits for no other")
}
