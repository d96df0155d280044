//! Usage texts.

use crate::Invocation;
use crate::commands::{self, Command};
use crate::exit::Failure;
use std::fmt::Write;

const USAGE_HEAD: &str = "\x1b[1mUsage\x1b[0m";

/// The usage of the program and all commands.
pub(crate) fn overview(program: &str) -> String {
    let mut text = format!(
        "\n{USAGE_HEAD}\n\n{program} [--node <node>] [--timeout <timeout>] [--longnames] [--quiet] <command> \
         [<command options>]\n\nAvailable commands:\n\n"
    );
    for command in commands::all() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "   {:29} {}", command.name, command.description);
    }
    let _ = write!(text, "\nUse '{program} help <command>' to learn more about a specific command");
    text
}

/// The usage of one command.
pub(crate) fn of_command(program: &str, command: &Command) -> String {
    format!("\n{USAGE_HEAD}\n\n{}\n\n{}.\n\n", usage(program, command), command.description)
}

/// The failure of a command line that makes no sense.
pub(crate) fn invalid(invocation: &Invocation, command: Option<&Command>, problem: &str, code: u8) -> Failure {
    let given = invocation.arguments.join(" ");
    let usage = command.map_or_else(
        || format!("{} <command> [<command options>]", invocation.program),
        |command| usage(&invocation.program, command),
    );
    Failure::new(
        code,
        format!("Error (argument validation): {problem}\nArguments given:\n\t{given}\n\n{USAGE_HEAD}\n\n{usage}"),
    )
}

fn usage(program: &str, command: &Command) -> String {
    format!("{program} [--node <node>] [--longnames] [--quiet] {} {}", command.name, command.usage)
        .trim_end()
        .to_owned()
}
