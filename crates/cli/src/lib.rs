//! Command-line tools over the administrative surface: `leveret ctl`, which is `rabbitmqctl` under that name.
//!
//! A command is one or two HTTP requests over the unix socket in the data directory, and its answer printed as
//! RabbitMQ's tool prints it, with its exit codes. This crate must never know the engine.

mod arguments;
mod commands;
mod context;
mod exit;
mod help;
pub mod http;
mod table;
mod value;

use arguments::Arguments;
use commands::Command;
use context::Context;
use exit::Failure;
use std::io::Write;
use std::path::PathBuf;

/// What the command line was called with.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The program's name as usage texts show it, such as `rabbitmqctl`.
    pub program: String,
    /// What follows the program's name.
    pub arguments: Vec<String>,
    /// The data directory unless `--data-dir` names another.
    pub data_dir: PathBuf,
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

fn execute(invocation: &Invocation) -> Result<(), Failure> {
    let arguments = Arguments::parse(&invocation.arguments)
        .map_err(|error| help::invalid(invocation, None, &error, exit::USAGE))?;
    let Some(name) = arguments.command.as_deref() else {
        return Err(Failure::new(exit::USAGE, help::overview(&invocation.program)));
    };
    let (name, wants_help) = match (name, arguments.positional.first()) {
        ("help", Some(command)) => (command.as_str(), true),
        ("help", None) => return context::print(&format!("{}\n", help::overview(&invocation.program))),
        _ => (name, arguments.help),
    };
    if name == "version" {
        return context::print(&format!("{}\n", invocation.version));
    }
    let Some(command) = commands::find(name) else {
        return Err(unknown(invocation, name));
    };
    if wants_help {
        return context::print(&help::of_command(&invocation.program, command));
    }
    check_count(invocation, command, &arguments)?;
    let context = Context::new(invocation, command, arguments);
    (command.run)(&context)
}

fn check_count(invocation: &Invocation, command: &Command, arguments: &Arguments) -> Result<(), Failure> {
    let count = arguments.positional.len();
    let problem = if count < command.arguments.0 {
        "not enough arguments."
    } else if count > command.arguments.1 {
        "too many arguments."
    } else {
        return Ok(());
    };
    Err(help::invalid(invocation, Some(command), problem, exit::USAGE))
}

fn unknown(invocation: &Invocation, name: &str) -> Failure {
    if commands::is_known_elsewhere(name) {
        return Failure::new(
            exit::UNAVAILABLE,
            format!("Error:\ncommand '{name}' of RabbitMQ is not available here yet"),
        );
    }
    let text = format!("\nCommand '{name}' not found. \n{}", help::overview(&invocation.program));
    Failure::new(exit::USAGE, text)
}
