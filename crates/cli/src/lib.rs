//! Command-line tools over the administrative surface: `leveret ctl`, `leveret diagnostics` and so on, which are
//! RabbitMQ's tools under their names.
//!
//! A command is one or two HTTP requests over the unix socket in the data directory, or to the address of `--uri`, and
//! its answer printed as RabbitMQ's tool prints it, with its exit codes. This crate must never know the engine.

mod admin;
mod arguments;
mod commands;
mod context;
mod doctor;
mod enabled_plugins;
mod exit;
mod formatter;
mod generate;
mod help;
pub mod http;
mod listeners;
mod location;
mod names;
mod options;
mod pretty;
mod progress;
mod sections;
mod suggest;
mod table;
mod term;
mod tool;
mod units;
mod value;

pub use admin::run as run_admin;
pub use generate::{completions, man_pages};
pub use suggest::nearest;
pub use tool::Tool;

use arguments::Words;
use commands::Command;
use context::Context;
use exit::Failure;
use std::io::Write;
use std::path::PathBuf;

/// What the command line was called with.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Which commands there are.
    pub tool: Tool,
    /// The program's name as usage texts show it, such as `rabbitmqctl`.
    pub program: String,
    /// What follows the program's name.
    pub arguments: Vec<String>,
    /// The data directory, if it was given before the command.
    pub data_dir: Option<PathBuf>,
    /// Version of this program.
    pub version: &'static str,
}

/// Runs a command and returns the exit code of the process, of `sysexits.h` as RabbitMQ's.
pub fn run(invocation: &Invocation) -> u8 {
    match execute(invocation) {
        Ok(()) => 0,
        Err(failure) => {
            // There is nobody left to tell when standard error is gone.
            let _ = writeln!(std::io::stderr(), "{}", failure.text);
            failure.code
        }
    }
}

/// The data directory of the broker that tools are for, where nothing but `given` says which.
pub fn data_dir(given: Option<PathBuf>) -> PathBuf {
    location::data_dir(given.as_deref(), None)
}

fn execute(invocation: &Invocation) -> Result<(), Failure> {
    let words = Words::split(&invocation.arguments);
    let overview = || help::overview(&invocation.program, invocation.tool);
    let Some(name) = words.command().map(str::to_owned) else {
        return match invocation.arguments.first().map(String::as_str) {
            Some("--version") => context::print(&format!("{}\n", invocation.version)),
            _ if words.wants_help() => context::print(&format!("{}\n", overview())),
            _ => Err(Failure::new(exit::USAGE, overview())),
        };
    };
    let command = commands::find(&name, invocation.tool).ok_or_else(|| unknown(invocation, &name))?;
    if words.wants_help() {
        return context::print(&help::of_command(&invocation.program, command));
    }
    let arguments =
        words.resolve(command.usage).map_err(|invalid| help::invalid_options(invocation, command, &invalid))?;
    check_count(invocation, command, arguments.positional.len())?;
    names::check(invocation, command, &arguments)?;
    let is_dry = arguments.flag("dry-run");
    let context = Context::new(invocation, command, arguments)?;
    if is_dry {
        return Ok(());
    }
    (command.run)(&context)?;
    if context::has_printed() { Ok(()) } else { context.done(serde_json::json!({})) }
}

fn check_count(invocation: &Invocation, command: &Command, count: usize) -> Result<(), Failure> {
    let problem = if count < command.arguments.0 {
        "not enough arguments."
    } else if count > command.arguments.1 {
        "too many arguments."
    } else {
        return Ok(());
    };
    Err(help::invalid(invocation, Some(command), problem, exit::USAGE))
}

/// The failure of a name that no command of the tool has.
fn unknown(invocation: &Invocation, name: &str) -> Failure {
    let elsewhere = Tool::ALL.into_iter().find(|tool| commands::find(name, *tool).is_some());
    let near = nearest(name, help::names(invocation.tool).into_iter());
    let rest = match (elsewhere, near) {
        (Some(tool), _) => format!("hint: it is a command of {} (leveret {})", tool.program(), tool.word()),
        (None, Some(near)) => format!("Did you mean '{near}'? \n"),
        (None, None) => help::overview(&invocation.program, invocation.tool),
    };
    Failure::new(exit::USAGE, format!("\nCommand '{name}' not found. \n{rest}"))
}
