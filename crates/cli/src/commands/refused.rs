//! Commands of RabbitMQ that cannot mean anything here, each with the reason that the user is told.

use super::{Command, refused};
use crate::sections::Section;
use crate::tool::Tools;

const NO_CLUSTERS: &str = "this node cannot be part of a cluster: clusters are not available in Leveret yet";
const NO_ERLANG: &str = "there is no Erlang here that this could be about";
const NO_MIRRORS: &str = "there are no mirrored queues here, as in RabbitMQ since 4.0";
const NO_REPLICAS: &str = "queues of one node have no replicas: clusters are not available in Leveret yet";
const NO_KHEPRI: &str = "there is no Khepri here: definitions are kept in the node's own log";

pub(super) const COMMANDS: &[Command] = &[
    refused(
        "join_cluster",
        "[--disc|--ram] <existing_cluster_member>",
        "Makes the node a member of a cluster",
        NO_CLUSTERS,
    ),
    refused(
        "forget_cluster_node",
        "[--offline] <existing_cluster_member_node>",
        "Removes a node from the cluster",
        NO_CLUSTERS,
    ),
    refused("rename_cluster_node", "<oldnode1> <newnode1> [oldnode2] [newnode2] ...", "Renames nodes", NO_CLUSTERS)
        .under(Section::Deprecated),
    refused("change_cluster_node_type", "<disc | ram>", "Changes the type of the node", NO_CLUSTERS),
    refused("update_cluster_nodes", "<seed_node>", "Asks another node who is in the cluster", NO_CLUSTERS)
        .under(Section::Deprecated),
    refused("force_standalone_khepri_boot", "", "Makes the node a cluster of its own", NO_KHEPRI),
    refused("sync_queue", "[--vhost <vhost>] <queue>", "Synchronises a mirrored queue", NO_MIRRORS)
        .under(Section::Replication),
    refused("cancel_sync_queue", "[--vhost <vhost>] <queue>", "Stops synchronising a mirrored queue", NO_MIRRORS)
        .under(Section::Replication),
    refused("exec", "<expression> [--offline]", "Evaluates an expression of Elixir", NO_ERLANG)
        .under(Section::Operations),
    refused("eval_file", "<file path>", "Evaluates a file of Erlang", NO_ERLANG).under(Section::Operations),
    refused("hipe_compile", "<directory>", "Compiles modules of Erlang", NO_ERLANG).under(Section::Deprecated),
    refused("schema_info", "[--no-table-headers] [<column> ...]", "Lists tables of Mnesia", "there is no Mnesia here")
        .under(Section::Monitoring)
        .of(Tools::LOOKING),
    refused("list_channel_interceptors", "[--no-table-headers]", "Lists interceptors", NO_ERLANG)
        .under(Section::Monitoring),
    refused("set_channel_interceptor_priorities", "<priorities>", "Orders interceptors", NO_ERLANG)
        .under(Section::Configuration),
    refused("observer", "[--interval <seconds>]", "Watches the Erlang runtime", NO_ERLANG)
        .under(Section::Monitoring)
        .of(Tools::DIAGNOSTICS),
    refused("remote_shell", "", "Opens a shell of Erlang on the node", NO_ERLANG)
        .under(Section::Monitoring)
        .of(Tools::DIAGNOSTICS),
    refused("maybe_stuck", "", "Looks for Erlang processes that stand still", NO_ERLANG)
        .under(Section::Monitoring)
        .of(Tools::DIAGNOSTICS),
    refused("runtime_thread_stats", "[--sample-interval <interval>]", "Shows what Erlang's threads do", NO_ERLANG)
        .under(Section::Monitoring)
        .of(Tools::DIAGNOSTICS),
    refused(
        "erlang_cookie_hash",
        "",
        "Shows a hash of the Erlang cookie",
        "there is no Erlang cookie here: tools come by the socket in the data directory",
    )
    .under(Section::Configuration)
    .of(Tools::DIAGNOSTICS),
    refused(
        "erlang_cookie_sources",
        "",
        "Shows where the Erlang cookie comes from",
        "there is no Erlang cookie here: tools come by the socket in the data directory",
    )
    .under(Section::Configuration)
    .of(Tools::DIAGNOSTICS),
    refused("message_size_stats", "", "Shows how large messages are", "sizes of messages are not counted here yet")
        .under(Section::Monitoring)
        .of(Tools::DIAGNOSTICS),
    refused(
        "add_member",
        "[--vhost <vhost>] <queue> <node> [--membership <promotable|voter>]",
        "Adds a member to a quorum queue",
        NO_REPLICAS,
    )
    .under(Section::Replication)
    .of(Tools::QUEUES),
    refused("delete_member", "[--vhost <vhost>] <queue> <node>", "Removes a member of a quorum queue", NO_REPLICAS)
        .under(Section::Replication)
        .of(Tools::QUEUES),
    refused(
        "grow",
        "<node> <all | even> [--vhost-pattern <pattern>] [--queue-pattern <pattern>] [--errors-only]",
        "Adds members on a node to quorum queues",
        NO_REPLICAS,
    )
    .of(Tools::QUEUES.and(Tools::STREAMS)),
    refused(
        "grow_to_count",
        "<count> [--vhost-pattern <pattern>] [--queue-pattern <pattern>] [--errors-only]",
        "Adds members to quorum queues",
        NO_REPLICAS,
    )
    .of(Tools::QUEUES),
    refused("shrink", "<node> [--errors-only]", "Removes the members on a node", NO_REPLICAS)
        .of(Tools::QUEUES.and(Tools::STREAMS)),
    refused("transfer_leadership", "[--vhost <vhost>] <queue> <node>", "Moves a leader to a node", NO_REPLICAS)
        .under(Section::Replication)
        .of(Tools::QUEUES.and(Tools::STREAMS)),
    refused(
        "force_checkpoint",
        "[--vhost-pattern <pattern>] [--queue-pattern <pattern>]",
        "Makes quorum queues take checkpoints",
        NO_REPLICAS,
    )
    .under(Section::Replication)
    .of(Tools::QUEUES),
    refused(
        "reclaim_quorum_memory",
        "[--vhost <vhost>] <quorum queue>",
        "Empties the write-ahead log of a quorum queue",
        NO_REPLICAS,
    )
    .under(Section::Operations)
    .of(Tools::QUEUES.and(Tools::DIAGNOSTICS)),
    refused("add_replica", "[--vhost <vhost>] <stream> <node>", "Adds a replica of a stream", NO_REPLICAS)
        .under(Section::Replication)
        .of(Tools::STREAMS),
    refused("delete_replica", "[--vhost <vhost>] <stream> <node>", "Removes a replica of a stream", NO_REPLICAS)
        .under(Section::Replication)
        .of(Tools::STREAMS),
    refused(
        "restart_stream",
        "[--vhost <vhost>] <stream> [--preferred-leader-node <node>]",
        "Restarts a stream",
        NO_REPLICAS,
    )
    .under(Section::Replication)
    .of(Tools::STREAMS),
    refused("coordinator_status", "", "Shows the state of the coordinator of streams", NO_REPLICAS)
        .under(Section::Monitoring)
        .of(Tools::STREAMS.and(Tools::DIAGNOSTICS)),
];
