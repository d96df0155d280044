//! Usage texts.

use crate::Invocation;
use crate::arguments::Invalid;
use crate::commands::{self, Command};
use crate::exit::{self, Failure};
use crate::sections::Section;
use crate::tool::Tool;
use std::fmt::Write;

const USAGE_HEAD: &str = "\x1b[1mUsage\x1b[0m";

/// The usage of a program and all its commands under their headings.
pub(crate) fn overview(program: &str, tool: Tool) -> String {
    let mut text = format!(
        "\n{USAGE_HEAD}\n\n{program} [--node <node>] [--timeout <timeout>] [--longnames] [--quiet] <command> \
         [<command options>]\n\nAvailable commands:\n"
    );
    let width = names(tool).iter().map(|name| name.len()).max().unwrap_or_default();
    for section in Section::ALL {
        let mut commands: Vec<_> =
            commands::with_sections().filter(|(own, command)| *own == section && command.is_in(tool)).collect();
        if commands.is_empty() {
            continue;
        }
        commands.sort_unstable_by_key(|(_, command)| command.name);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n\x1b[1m{}\x1b[0m:\n\n", section.title());
        for (_, command) in commands {
            let _ = writeln!(text, "   {:width$}  {}", command.name, command.description);
        }
    }
    let _ = write!(text, "\nUse '{program} help <command>' to learn more about a specific command");
    text
}

/// The names of a tool's commands, sorted.
pub(crate) fn names(tool: Tool) -> Vec<&'static str> {
    let mut names: Vec<_> = commands::all().filter(|command| command.is_in(tool)).map(|command| command.name).collect();
    names.sort_unstable();
    names
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

/// The failure of options that the command does not take.
pub(crate) fn invalid_options(invocation: &Invocation, command: &Command, invalid_options: &Invalid) -> Failure {
    let lines: Vec<String> = invalid_options.iter().map(|(name, value)| format!("{name} : {value}")).collect();
    let problem = format!("Invalid options for this command:\n{}", lines.join("\n"));
    invalid(invocation, Some(command), &problem, exit::USAGE)
}

fn usage(program: &str, command: &Command) -> String {
    format!("{program} [--node <node>] [--longnames] [--quiet] {} {}", command.name, command.usage)
        .trim_end()
        .to_owned()
}
