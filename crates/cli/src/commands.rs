//! The commands, as one table.

mod connections;
mod delayed;
mod eval;
mod lists;
mod node;
mod permissions;
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
    COMMANDS.iter().find(|command| command.name == name)
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

/// Every command, grouped as RabbitMQ's overview groups them.
pub(crate) const COMMANDS: &[Command] = &[
    command("add_user", (1, 2), "<username> <password>", "Creates a user without permissions", users::add),
    command("authenticate_user", (1, 2), "<username> <password>", "Checks a user's password", users::authenticate),
    command("change_password", (1, 2), "<username> <password>", "Changes a user's password", users::change_password),
    command(
        "clear_password",
        (1, 1),
        "<username>",
        "Keeps a user from logging in with a password",
        users::clear_password,
    ),
    command("delete_user", (1, 1), "<username>", "Deletes a user and closes its connections", users::delete),
    command("list_users", (0, 0), "[--no-table-headers]", "Lists users and their tags", users::list),
    command("set_user_tags", (1, ANY), "<username> <tag> [...]", "Replaces a user's tags", users::set_tags),
    command("add_vhost", (1, 1), "<vhost>", "Creates a virtual host", vhosts::add),
    command("delete_vhost", (1, 1), "<vhost>", "Deletes a virtual host and everything in it", vhosts::delete),
    command("list_vhosts", (0, ANY), "[--no-table-headers] [<column> ...]", "Lists virtual hosts", vhosts::list),
    command(
        "set_permissions",
        (4, 4),
        "[--vhost <vhost>] <username> <conf> <write> <read>",
        "Sets a user's permissions in a virtual host",
        permissions::set,
    ),
    command(
        "clear_permissions",
        (1, 1),
        "[--vhost <vhost>] <username>",
        "Clears a user's permissions in a virtual host",
        permissions::clear,
    ),
    command(
        "list_permissions",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists permissions in a virtual host",
        permissions::list,
    ),
    command(
        "list_user_permissions",
        (1, 1),
        "[--no-table-headers] <username>",
        "Lists a user's permissions in all virtual hosts",
        permissions::list_of_user,
    ),
    command(
        "set_topic_permissions",
        (4, 4),
        "[--vhost <vhost>] <username> <exchange> <write> <read>",
        "Sets a user's permissions on a topic exchange",
        permissions::set_topic,
    ),
    command(
        "clear_topic_permissions",
        (1, 2),
        "[--vhost <vhost>] <username> [<exchange>]",
        "Clears a user's topic permissions in a virtual host, or those on one exchange",
        permissions::clear_topic,
    ),
    command(
        "list_topic_permissions",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists topic permissions in a virtual host",
        permissions::list_topic,
    ),
    command(
        "list_user_topic_permissions",
        (1, 1),
        "[--no-table-headers] <username>",
        "Lists a user's topic permissions in all virtual hosts",
        permissions::list_topic_of_user,
    ),
    command(
        "list_queues",
        (0, ANY),
        "[--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...]",
        "Lists queues and their properties",
        lists::queues,
    ),
    command(
        "list_exchanges",
        (0, ANY),
        "[--vhost <vhost>] [--no-table-headers] [<column> ...]",
        "Lists exchanges",
        lists::exchanges,
    ),
    command(
        "list_bindings",
        (0, ANY),
        "[--vhost <vhost>] [--no-table-headers] [<column> ...]",
        "Lists bindings",
        lists::bindings,
    ),
    command(
        "list_connections",
        (0, ANY),
        "[--no-table-headers] [<column> ...]",
        "Lists connections",
        lists::connections,
    ),
    command("list_channels", (0, ANY), "[--no-table-headers] [<column> ...]", "Lists channels", lists::channels),
    command(
        "list_consumers",
        (0, ANY),
        "[--vhost <vhost>] [--no-table-headers] [<column> ...]",
        "Lists consumers",
        lists::consumers,
    ),
    command("purge_queue", (1, 1), "[--vhost <vhost>] <queue>", "Removes the ready messages of a queue", queues::purge),
    command(
        "delete_queue",
        (1, 1),
        "[--vhost <vhost>] <queue_name> [--if-empty|-e] [--if-unused|-u]",
        "Deletes a queue",
        queues::delete,
    ),
    command(
        "list_delayed_messages",
        (0, 1),
        "[--vhost <vhost>] [--no-table-headers] [<exchange>]",
        "Lists messages that wait before they are routed",
        delayed::list,
    ),
    command(
        "cancel_delayed_message",
        (1, 1),
        "[--vhost <vhost>] <id>",
        "Drops a message that waits before it is routed",
        delayed::cancel,
    ),
    command(
        "close_connection",
        (2, 2),
        "<connection pid> <explanation>",
        "Closes the connection with this process id",
        connections::close,
    ),
    command(
        "close_all_connections",
        (1, 1),
        "[--vhost <vhost>] [--global] <explanation>",
        "Closes all connections of a virtual host, or all",
        connections::close_all,
    ),
    command(
        "close_all_user_connections",
        (2, 2),
        "<username> <explanation>",
        "Closes all connections of a user",
        connections::close_all_of_user,
    ),
    command("stop_app", (0, 0), "", "Stops the broker, but not its process: what is not durable goes", node::stop_app),
    command("start_app", (0, 0), "", "Starts the broker again after stop_app", node::start_app),
    command("ping", (0, 0), "", "Checks that the broker answers", node::ping),
    command("status", (0, 0), "", "Shows what the broker is and does", node::status),
    command(
        "set_vm_memory_high_watermark",
        (1, 2),
        "<fraction> | absolute <value>",
        "Sets how much memory may be used before publishers wait",
        node::set_memory_watermark,
    ),
    command("eval", (1, 1), "<expression>", "Does what a few expressions of Erlang mean that tests use", eval::eval),
];

/// Commands of RabbitMQ's tool that do not exist here, so that they are not taken for a slip of the finger.
const ELSEWHERE: &[&str] = &[
    "autocomplete",
    "await_online_nodes",
    "await_startup",
    "cancel_sync_queue",
    "change_cluster_node_type",
    "clear_global_parameter",
    "clear_operator_policy",
    "clear_parameter",
    "clear_policy",
    "clear_user_limits",
    "clear_vhost_limits",
    "cluster_status",
    "decode",
    "enable_feature_flag",
    "encode",
    "environment",
    "eval_file",
    "exec",
    "export_definitions",
    "force_boot",
    "force_gc",
    "force_reset",
    "forget_cluster_node",
    "hash_password",
    "import_definitions",
    "join_cluster",
    "list_ciphers",
    "list_feature_flags",
    "list_global_parameters",
    "list_hashes",
    "list_node_auth_attempt_stats",
    "list_operator_policies",
    "list_parameters",
    "list_policies",
    "list_unresponsive_queues",
    "list_user_limits",
    "list_vhost_limits",
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
    "set_global_parameter",
    "set_log_level",
    "set_operator_policy",
    "set_parameter",
    "set_policy",
    "set_user_limits",
    "set_vhost_limits",
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
        for (at, command) in COMMANDS.iter().enumerate() {
            assert!(!is_known_elsewhere(command.name), "{}", command.name);
            assert!(!COMMANDS[..at].iter().any(|other| other.name == command.name), "{} twice", command.name);
        }
    }
}
