//! The commands, as one table.

mod connections;
mod definitions;
mod delayed;
mod eval;
mod limits;
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
    command(
        "add_vhost",
        (1, 1),
        "<vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" --default-queue-type <quorum|classic|stream>]",
        "Creates a virtual host",
        vhosts::add,
    ),
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
        "set_policy",
        (3, 3),
        "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
        "Sets or updates a policy",
        policies::set,
    ),
    command("clear_policy", (1, 1), "[--vhost <vhost>] <name>", "Clears a policy", policies::clear),
    command(
        "list_policies",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists the policies of a virtual host",
        policies::list,
    ),
    command(
        "set_operator_policy",
        (3, 3),
        "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
        "Sets a policy that limits what other policies and arguments may ask for",
        policies::set_operator,
    ),
    command(
        "clear_operator_policy",
        (1, 1),
        "[--vhost <vhost>] <name>",
        "Clears an operator policy",
        policies::clear_operator,
    ),
    command(
        "list_operator_policies",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists the operator policies of a virtual host",
        policies::list_operator,
    ),
    command(
        "set_parameter",
        (3, 3),
        "[--vhost <vhost>] <component_name> <name> <value>",
        "Sets a runtime parameter",
        parameters::set,
    ),
    command(
        "clear_parameter",
        (2, 2),
        "[--vhost <vhost>] <component_name> <name>",
        "Clears a runtime parameter",
        parameters::clear,
    ),
    command(
        "list_parameters",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists the runtime parameters of a virtual host",
        parameters::list,
    ),
    command(
        "set_global_parameter",
        (2, 2),
        "<name> <value>",
        "Sets a runtime parameter of the node",
        parameters::set_global,
    ),
    command(
        "clear_global_parameter",
        (1, 1),
        "<name>",
        "Clears a runtime parameter of the node",
        parameters::clear_global,
    ),
    command(
        "list_global_parameters",
        (0, 0),
        "[--no-table-headers]",
        "Lists the runtime parameters of the node",
        parameters::list_global,
    ),
    command(
        "set_vhost_limits",
        (1, 1),
        "[--vhost <vhost>] <definition>",
        "Sets how many connections and queues a virtual host may have",
        limits::set_vhost,
    ),
    command(
        "clear_vhost_limits",
        (0, 0),
        "[--vhost <vhost>]",
        "Lifts the limits of a virtual host",
        limits::clear_vhost,
    ),
    command(
        "list_vhost_limits",
        (0, 0),
        "[--vhost <vhost>] [--global] [--no-table-headers]",
        "Lists the limits of a virtual host, or of all",
        limits::list_vhosts,
    ),
    command(
        "set_user_limits",
        (2, 2),
        "<username> <definition>",
        "Sets how many connections and channels a user may have",
        limits::set_user,
    ),
    command(
        "clear_user_limits",
        (2, 2),
        "<username> <limit_type> | all",
        "Lifts a limit of a user, or all",
        limits::clear_user,
    ),
    command(
        "list_user_limits",
        (0, 0),
        "[--user <username>] [--global]",
        "Lists the limits of a user, or of all",
        limits::list_users,
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
        "peek_messages",
        (1, 1),
        "[--vhost <vhost>] [--count <count>] [--filter <name>=<value>&...] [--no-table-headers] <queue>",
        "Shows messages of a queue without consuming them",
        messages::peek,
    ),
    command(
        "delete_message",
        (2, 2),
        "[--vhost <vhost>] <queue> <id>",
        "Deletes one message of a queue",
        messages::delete,
    ),
    command(
        "move_messages",
        (1, 1),
        "[--vhost <vhost>] [--to-queue <queue> | --to-exchange <exchange> [--routing-key <key>]] [--count <count>] \
         [--rate <per second>] [--filter <name>=<value>&...] <queue>",
        "Moves messages of a queue, by default to where they died as dead letters",
        messages::transfer,
    ),
    command(
        "diagnose_queue",
        (1, 1),
        "[--vhost <vhost>] [--no-table-headers] <queue>",
        "Says why a queue does not move",
        messages::diagnose,
    ),
    command(
        "set_queue_arguments",
        (2, 2),
        "[--vhost <vhost>] <queue> <arguments>",
        "Changes arguments of a queue while it is in use; null takes one away",
        messages::set_arguments,
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
    command(
        "export_definitions",
        (1, 1),
        "<file_path | \"-\"> [--format <json>]",
        "Exports definitions in JSON",
        definitions::export,
    ),
    command(
        "import_definitions",
        (0, 1),
        "<file_path | \"-\"> [--format <json>] [--skip-if-unchanged]",
        "Imports definitions in JSON",
        definitions::import,
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
        for (at, command) in COMMANDS.iter().enumerate() {
            assert!(!is_known_elsewhere(command.name), "{}", command.name);
            assert!(!COMMANDS[..at].iter().any(|other| other.name == command.name), "{} twice", command.name);
        }
    }
}
