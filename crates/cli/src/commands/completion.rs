//! Help, the version and the completion of names.

use super::{Command, command};
use crate::context::{Context, print};
use crate::exit::{self, Failure};
use crate::help;
use crate::tool::Tools;

const EVERYWHERE: Tools =
    Tools::CTL.and(Tools::DIAGNOSTICS).and(Tools::QUEUES).and(Tools::STREAMS).and(Tools::PLUGINS).and(Tools::UPGRADE);

pub(super) const COMMANDS: &[Command] = &[
    command("help", (0, 1), "(<command> | [--list-commands])", "Displays usage information for a command", help)
        .of(EVERYWHERE),
    command("version", (0, 0), "", "Displays CLI tools version", version).of(EVERYWHERE),
    command("autocomplete", (0, 1), "[prefix]", "Provides command name autocomplete variants", autocomplete)
        .of(EVERYWHERE),
];

fn help(context: &Context<'_>) -> Result<(), Failure> {
    let (program, tool) = (&context.invocation.program, context.invocation.tool);
    if context.flag("list-commands") {
        return print(&lines(&help::names(tool)));
    }
    match context.argument(0) {
        "" => print(&format!("{}\n", help::overview(program, tool))),
        name => match super::find(name, tool) {
            Some(command) => print(&help::of_command(program, command)),
            None => Err(Failure::new(exit::USAGE, help::overview(program, tool))),
        },
    }
}

fn version(context: &Context<'_>) -> Result<(), Failure> {
    print(&format!("{}\n", context.invocation.version))
}

fn autocomplete(context: &Context<'_>) -> Result<(), Failure> {
    let prefix = context.argument(0);
    let names: Vec<_> =
        help::names(context.invocation.tool).into_iter().filter(|name| name.starts_with(prefix)).collect();
    print(&lines(&names))
}

fn lines(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}
