//! The cluster, which has one node here.

use super::status::{number, text};
use super::{Command, alarms, command};
use crate::context::{self, Context, print};
use crate::exit::{self, Failure};
use crate::formatter::Formatter;
use crate::listeners::{Listener, json_of};
use crate::sections::Section;
use crate::tool::Tools;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

pub(super) const COMMANDS: &[Command] = &[
    command("cluster_status", (0, 0), "[--timeout <timeout>]", "Displays the nodes of the cluster", status)
        .of(Tools::LOOKING),
    command(
        "await_online_nodes",
        (1, 1),
        "<count> [--timeout <timeout>]",
        "Waits until the cluster has so many nodes",
        await_nodes,
    ),
    command("set_cluster_name", (1, 1), "<name>", "Sets the cluster name", set_name).under(Section::Configuration),
    command(
        "discover_peers",
        (0, 0),
        "[--timeout <timeout>]",
        "Lists other nodes that could be of the cluster",
        discover,
    )
    .of(Tools::DIAGNOSTICS)
    .under(Section::Monitoring),
    command(
        "metadata_store_status",
        (0, 0),
        "[--timeout <timeout>]",
        "Shows the state of the log of definitions",
        store,
    )
    .of(Tools::DIAGNOSTICS)
    .under(Section::Monitoring),
    command(
        "has_reached_target_cluster_size",
        (0, 0),
        "[--timeout <timeout>]",
        "Fails unless the cluster is complete",
        complete,
    )
    .of(Tools::LOOKING.and(Tools::UPGRADE))
    .under(Section::Upgrade),
];

fn status(context: &Context<'_>) -> Result<(), Failure> {
    let overview = context.get("/api/overview")?;
    let nodes = context.get("/api/nodes")?;
    let flags = context.list("/api/feature-flags")?;
    let deprecated = context.list("/api/deprecated-features/used")?;
    let name = text(&overview, "node");
    let cluster_name = text(&overview, "cluster_name");
    context.banner(&format!("Cluster status of node {name} ..."))?;
    let listeners = Listener::of(&overview);
    let resources = alarms::in_effect(&nodes[0]);
    let maintenance =
        if nodes[0]["being_drained"] == true { "marked for maintenance" } else { "not under maintenance" };
    let version = text(&overview, "rabbitmq_version");
    if context.arguments.formatter != Formatter::Table {
        let alarms: Vec<String> = resources.iter().map(|resource| alarms::words(resource, name)).collect();
        let object = json!({
            "alarms": alarms,
            "cluster_name": cluster_name,
            "disk_nodes": [name],
            "feature_flags": flags,
            "listeners": { name: json_of(&listeners) },
            "maintenance_status": { name: maintenance },
            "partitions": {},
            "ram_nodes": [],
            "running_nodes": [name],
            "versions": {
                name: { "erlang_version": "none", "rabbitmq_name": "RabbitMQ", "rabbitmq_version": version },
            },
        });
        return context.result(&object, "");
    }
    let cores = number(&nodes[0], "/processors");
    let mut out = String::new();
    let mut section = |title: &str, lines: &[String]| {
        let body = if lines.is_empty() { "(none)".to_owned() } else { lines.join("\n") };
        // Writing to a string cannot fail.
        let _ = write!(out, "\x1b[1m{title}\x1b[0m\n\n{body}\n\n");
    };
    section(
        "Basics",
        &[format!("Cluster name: {cluster_name}"), format!("Total CPU cores available cluster-wide: {cores}")],
    );
    section("Disk Nodes", &[name.to_owned()]);
    section("Running Nodes", &[name.to_owned()]);
    let product = format!("{} {}", text(&overview, "product_name"), text(&overview, "product_version"));
    section("Versions", &[format!("{name}: RabbitMQ {version} on {product}")]);
    section("CPU Cores", &[format!("Node: {name}, available CPU cores: {cores}")]);
    section("Maintenance status", &[format!("Node: {name}, status: {maintenance}")]);
    let lines: Vec<String> = resources.iter().map(|resource| alarms::words(resource, name)).collect();
    section("Alarms", &lines);
    section("Network Partitions", &[]);
    let lines: Vec<String> =
        listeners.iter().map(|listener| format!("Node: {name}, {}", uncapitalized(&listener.line()))).collect();
    section("Listeners", &lines);
    let lines: Vec<String> = deprecated.iter().map(|feature| text(feature, "name").to_owned()).collect();
    section("Deprecated features in use", &lines);
    let lines: Vec<String> =
        flags.iter().map(|flag| format!("Flag: {}, state: {}", text(flag, "name"), text(flag, "state"))).collect();
    section("Feature flags", &lines);
    print(&format!("{}\n", out.trim_end()))
}

fn uncapitalized(line: &str) -> String {
    line.strip_prefix('I').map_or_else(|| line.to_owned(), |rest| format!("i{rest}"))
}

/// How long RabbitMQ waits where the user does not say, in seconds.
const PATIENCE_S: i64 = 300;

fn await_nodes(context: &Context<'_>) -> Result<(), Failure> {
    let Some(wanted) = context.argument(0).parse::<u64>().ok().filter(|count| *count > 0) else {
        let problem = "Bad argument: The requested node count must be a positive integer";
        return Err(context.invalid(problem, exit::DATA_ERROR));
    };
    let node = context.node_name()?;
    let seconds = context.arguments.number("timeout").unwrap_or(PATIENCE_S).max(0);
    context.banner(&format!(
        "Will wait for at least {wanted} nodes to join the cluster of {node}. Timeout: {seconds} seconds."
    ))?;
    if wanted == 1 {
        return Ok(());
    }
    // Nobody can join, but whoever waits for it waits.
    context::pause(Duration::from_secs(seconds.unsigned_abs()));
    let text = format!("Error: timed out while waiting. Not enough nodes joined {node}'s cluster.");
    Err(Failure::error(exit::SOFTWARE, text))
}

fn set_name(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Setting cluster name to {name} ..."))?;
    context.put("/api/cluster-name", &json!({ "name": name }))?;
    context.done(json!({}))
}

fn discover(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Discovering peers nodes ...")?;
    context.message("No peers discovered")
}

fn store(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Status of metadata store on node {node} ..."))?;
    let state = &context.process()?["state"];
    let leads = *state == "running";
    let role = if leads { "leader" } else { "noproc" };
    let object: Value = json!([{ "Node Name": node, "Raft State": role, "Membership": "voter" }]);
    context.result(&object, &format!("Node Name\tRaft State\tMembership\n{node}\t{role}\tvoter"))
}

fn complete(context: &Context<'_>) -> Result<(), Failure> {
    context.get("/api/health/checks/reached-target-cluster-size")?;
    context.result(&json!({ "result": "ok" }), "Cluster size: 1, target cluster size: 1")
}
