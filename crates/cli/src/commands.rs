//! The commands, as one table.

mod connections;
mod definitions;
mod delayed;
mod eval;
mod limits;
mod listeners;
mod lists;
mod messages;
mod node;
mod parameters;
mod permissions;
mod policies;
mod queues;
mod users;
mod vhosts;

use crate::context::Context;
use crate::exit::Failure;

/// A command of the table.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// Least and most positional arguments.
    pub(crate) arguments: (usize, usize),
    /// What follows the name in usage texts.
    pub(crate) usage: &'static str,
    pub(crate) description: &'static str,
    pub(crate) run: fn(&Context<'_>) -> Result<(), Failure>,
}

/// The command called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    all().find(|command| command.name == name)
}

const ANY: usize = usize::MAX;

const fn command(
    name: &'static str,
    arguments: (usize, usize),
    usage: &'static str,
    description: &'static str,
    run: fn(&Context<'_>) -> Result<(), Failure>,
) -> Command {
    Command { name, arguments, usage, description, run }
}

/// Every command, by what they are about, as RabbitMQ's overview groups them.
const GROUPS: &[&[Command]] = &[
    users::COMMANDS,
    vhosts::COMMANDS,
    permissions::COMMANDS,
    policies::COMMANDS,
    parameters::COMMANDS,
    limits::COMMANDS,
    lists::COMMANDS,
    listeners::COMMANDS,
    queues::COMMANDS,
    delayed::COMMANDS,
    messages::COMMANDS,
    connections::COMMANDS,
    node::COMMANDS,
    definitions::COMMANDS,
    eval::COMMANDS,
];

/// Every command.
pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    GROUPS.iter().copied().flatten()
}

/// Commands of RabbitMQ's tool that do not exist here, so that they are not taken for a slip of the finger.
const ELSEWHERE: &[&str] = &[
    "autocomplete",
    "await_online_nodes",
    "await_startup",
    "cancel_sync_queue",
    "change_cluster_node_type",
    "cluster_status",
    "decode",
    "enable_feature_flag",
    "encode",
    "environment",
    "eval_file",
    "exec",
    "force_boot",
    "force_gc",
    "force_reset",
    "forget_cluster_node",
    "hash_password",
    "join_cluster",
    "list_ciphers",
    "list_feature_flags",
    "list_hashes",
    "list_node_auth_attempt_stats",
    "list_unresponsive_queues",
    "node_health_check",
    "rename_cluster_node",
    "report",
    "reset",
    "restart_vhost",
    "resume_listeners",
    "rotate_logs",
    "schema_info",
    "set_cluster_name",
    "set_disk_free_limit",
    "set_log_level",
    "set_vhost_tags",
    "shutdown",
    "stop",
    "suspend_listeners",
    "sync_queue",
    "trace_off",
    "trace_on",
    "update_cluster_nodes",
    "update_vhost_metadata",
    "wait",
];

/// True for a command that RabbitMQ's tool has and this one has not.
pub(crate) fn is_known_elsewhere(name: &str) -> bool {
    ELSEWHERE.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_either_here_or_elsewhere() {
        let all: Vec<_> = all().collect();
        for (at, command) in all.iter().enumerate() {
            assert!(!is_known_elsewhere(command.name), "{}", command.name);
            assert!(!all[..at].iter().any(|other| other.name == command.name), "{} twice", command.name);
        }
    }
}
