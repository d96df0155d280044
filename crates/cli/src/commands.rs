//! The commands, as one table.

mod alarms;
mod auth_attempts;
mod auth_cache;
mod checks;
mod cluster;
mod completion;
mod connections;
mod definitions;
mod delayed;
mod diagnostics;
mod eval;
mod features;
mod lifecycle;
mod limits;
mod lists;
mod logs;
mod messages;
mod network;
mod node;
mod overview;
mod parameters;
mod permissions;
mod plugins;
mod policies;
mod queues;
mod refused;
mod replicas;
mod secrets;
mod settings;
mod status;
mod upgrade;
mod users;
mod vhosts;

use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::sections::Section;
use crate::tool::{Tool, Tools};

/// A command of the table.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// Least and most positional arguments.
    pub(crate) arguments: (usize, usize),
    /// What follows the name in usage texts; options that stand in it are those that the command takes.
    pub(crate) usage: &'static str,
    pub(crate) description: &'static str,
    pub(crate) run: fn(&Context<'_>) -> Result<(), Failure>,
    /// Why it is not done, for commands of RabbitMQ that cannot mean anything here; else empty.
    pub(crate) reason: &'static str,
    tools: Option<Tools>,
    section: Option<Section>,
}

impl Command {
    /// The same in other tools than `rabbitmqctl`.
    const fn of(self, tools: Tools) -> Command {
        Command { tools: Some(tools), ..self }
    }

    /// The same under another heading than its group's.
    const fn under(self, section: Section) -> Command {
        Command { section: Some(section), ..self }
    }

    /// True if the tool has it. Lists are in the tool that looks, too, unless their row says otherwise.
    pub(crate) fn is_in(&self, tool: Tool) -> bool {
        let usual = if self.name.starts_with("list_") { Tools::LOOKING } else { Tools::CTL };
        self.tools.unwrap_or(usual).contains(tool)
    }
}

/// The command called `name` in `tool`.
pub(crate) fn find(name: &str, tool: Tool) -> Option<&'static Command> {
    all().find(|command| command.name == name && command.is_in(tool))
}

const ANY: usize = usize::MAX;

const fn command(
    name: &'static str,
    arguments: (usize, usize),
    usage: &'static str,
    description: &'static str,
    run: fn(&Context<'_>) -> Result<(), Failure>,
) -> Command {
    Command { name, arguments, usage, description, run, reason: "", tools: None, section: None }
}

/// A command of RabbitMQ that is known and not done, for a reason that the user is told.
const fn refused(name: &'static str, usage: &'static str, description: &'static str, reason: &'static str) -> Command {
    Command { reason, ..command(name, (0, ANY), usage, description, refuse) }
}

fn refuse(context: &Context<'_>) -> Result<(), Failure> {
    Err(Failure::error(exit::UNAVAILABLE, context.command.reason))
}

/// The failure of what the broker has no path for: it is older than this program, or built without it.
fn unless_there(error: RequestError) -> Failure {
    match error {
        RequestError::Refused(refusal) if refusal.status == 404 => {
            Failure::error(exit::UNAVAILABLE, "this is not available in the running broker")
        }
        other => other.into(),
    }
}

/// Every command, by what they are about, under the headings of RabbitMQ's overview.
const GROUPS: &[(Section, &[Command])] = &[
    (Section::Help, completion::COMMANDS),
    (Section::Nodes, lifecycle::COMMANDS),
    (Section::Cluster, cluster::COMMANDS),
    (Section::Cluster, refused::COMMANDS),
    (Section::Replication, replicas::COMMANDS),
    (Section::Users, users::COMMANDS),
    (Section::Users, auth_attempts::COMMANDS),
    (Section::Vhosts, vhosts::COMMANDS),
    (Section::Access, permissions::COMMANDS),
    (Section::Access, auth_cache::COMMANDS),
    (Section::Policies, policies::COMMANDS),
    (Section::Parameters, parameters::COMMANDS),
    (Section::Vhosts, limits::COMMANDS),
    (Section::Monitoring, lists::COMMANDS),
    (Section::Queues, queues::COMMANDS),
    (Section::Messages, delayed::COMMANDS),
    (Section::Messages, messages::COMMANDS),
    (Section::Operations, connections::COMMANDS),
    (Section::Monitoring, node::COMMANDS),
    (Section::Monitoring, status::COMMANDS),
    (Section::Monitoring, overview::COMMANDS),
    (Section::Monitoring, alarms::COMMANDS),
    (Section::Monitoring, checks::COMMANDS),
    (Section::Monitoring, diagnostics::COMMANDS),
    (Section::Monitoring, network::COMMANDS),
    (Section::Monitoring, logs::COMMANDS),
    (Section::Configuration, settings::COMMANDS),
    (Section::Configuration, secrets::COMMANDS),
    (Section::Definitions, definitions::COMMANDS),
    (Section::FeatureFlags, features::COMMANDS),
    (Section::Operations, eval::COMMANDS),
    (Section::Plugins, plugins::COMMANDS),
    (Section::Upgrade, upgrade::COMMANDS),
];

/// Every command with the heading that it stands under.
pub(crate) fn with_sections() -> impl Iterator<Item = (Section, &'static Command)> {
    let groups = GROUPS.iter().copied();
    groups.flat_map(|(section, group)| group.iter().map(move |command| (command.section.unwrap_or(section), command)))
}

/// Every command.
pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    with_sections().map(|(_, command)| command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_has_a_name_once() {
        for tool in Tool::ALL {
            let names: Vec<_> = all().filter(|command| command.is_in(tool)).map(|command| command.name).collect();
            for (at, name) in names.iter().enumerate() {
                assert!(!names[..at].contains(name), "{name} twice in {tool:?}");
            }
        }
    }

    #[test]
    fn every_command_is_in_a_tool_and_says_what_it_does() {
        for command in all() {
            assert!(Tool::ALL.into_iter().any(|tool| command.is_in(tool)), "{}", command.name);
            assert!(!command.description.is_empty() && !command.description.ends_with('.'), "{}", command.name);
        }
    }
}
