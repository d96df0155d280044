//! Taking the node out of service before an upgrade, and back into it.

use super::{Command, command, unless_there};
use crate::context::Context;
use crate::exit::Failure;
use crate::tool::Tools;
use serde_json::json;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "drain",
        (0, 0),
        "[--timeout <timeout>]",
        "Puts the node into maintenance: clients have to go elsewhere",
        drain,
    )
    .of(Tools::UPGRADE),
    command("revive", (0, 0), "[--timeout <timeout>]", "Takes the node back from maintenance", revive)
        .of(Tools::UPGRADE),
    command(
        "await_online_quorum_plus_one",
        (0, 0),
        "[--timeout <timeout>]",
        "Waits until every quorum queue can do without a node",
        await_quorum,
    )
    .of(Tools::UPGRADE),
    command(
        "await_online_synchronized_mirror",
        (0, 0),
        "[--timeout <timeout>]",
        "Waits until every mirrored queue can do without a node",
        await_mirror,
    )
    .of(Tools::UPGRADE),
    command("post_upgrade", (0, 0), "[--timeout <timeout>]", "Does what is to be done after an upgrade", after)
        .of(Tools::UPGRADE),
];

const MAINTENANCE: &str = "/api/leveret/maintenance";
/// How long RabbitMQ waits where the user does not say, in seconds.
const PATIENCE_S: i64 = 120;

fn drain(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!(
        "Will put node {} into maintenance mode. The node will no longer serve any client traffic!",
        context.node_name()?
    ))?;
    context.put(MAINTENANCE, &json!({})).map_err(unless_there)?;
    context.done(json!({}))
}

fn revive(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!(
        "Will put node {} back into regular operating mode. The node will again serve client traffic and host primary \
         queue replicas.",
        context.node_name()?
    ))?;
    context.delete(MAINTENANCE).map_err(unless_there)?;
    context.done(json!({}))
}

/// There is nothing to wait for: what has one place cannot do without it.
fn only_one(context: &Context<'_>, what: &str) -> Result<(), Failure> {
    let seconds = context.arguments.number("timeout").unwrap_or(PATIENCE_S);
    context.process()?;
    context.banner(&format!("Will wait for {what} for {seconds} seconds..."))?;
    context.message("Target node seems to be the only one in a single node cluster, the command does not apply")
}

fn await_quorum(context: &Context<'_>) -> Result<(), Failure> {
    only_one(context, "a quorum + 1 of nodes to be online for all quorum queues")
}

fn await_mirror(context: &Context<'_>) -> Result<(), Failure> {
    only_one(context, "a synchronised mirror be online for all classic mirrored queues")
}

fn after(context: &Context<'_>) -> Result<(), Failure> {
    context.process()?;
    context.banner("Executing post upgrade tasks...\nRebalancing queue masters...")?;
    context.post("/api/rebalance/queues", &json!({}))?;
    context.message("")
}
