//! Alarms of memory and disk space.

use super::{Command, command};
use crate::context::Context;
use crate::exit::Failure;
use crate::tool::Tools;
use serde_json::{Value, json};

pub(super) const COMMANDS: &[Command] = &[
    command("alarms", (0, 0), "[--timeout <timeout>]", "Lists the alarms in effect", alarms).of(Tools::DIAGNOSTICS),
    command("check_alarms", (0, 0), "[--timeout <timeout>]", "Fails when there is an alarm", check)
        .of(Tools::DIAGNOSTICS),
    command(
        "check_local_alarms",
        (0, 0),
        "[--timeout <timeout>]",
        "Fails when there is an alarm on this node",
        check_local,
    )
    .of(Tools::DIAGNOSTICS),
];

/// The alarms of a node, each with the resource that is short, as `/api/nodes` has them.
pub(super) fn in_effect(node: &Value) -> Vec<&'static str> {
    [("mem_alarm", "memory"), ("disk_free_alarm", "disk")]
        .into_iter()
        .filter(|(field, _)| node[*field] == true)
        .map(|(_, resource)| resource)
        .collect()
}

/// An alarm in words.
pub(super) fn words(resource: &str, node: &str) -> String {
    match resource {
        "memory" => format!("Memory alarm on node {node}"),
        "disk" => format!("Free disk space alarm on node {node}"),
        other => format!("{other} alarm on node {node}"),
    }
}

fn read(context: &Context<'_>) -> Result<(String, Vec<&'static str>), Failure> {
    let nodes = context.get("/api/nodes")?;
    let name = nodes[0]["name"].as_str().unwrap_or_default().to_owned();
    Ok((name, in_effect(&nodes[0])))
}

fn alarms(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Asking node {} to report any known resource alarms ...", context.node_name()?))?;
    let (node, resources) = read(context)?;
    if resources.is_empty() {
        let text = format!("Node {node} reported no alarms, local or clusterwide");
        return context.result(&json!({ "alarms": [], "node": node, "result": "ok" }), &text);
    }
    let lines = lines(&resources, &node);
    let message = format!("Node {node} reported alarms");
    context.result(&json!({ "global": [], "local": lines, "message": message, "result": "ok" }), &lines.join("\n"))
}

fn check(context: &Context<'_>) -> Result<(), Failure> {
    checked(context, "no alarms, local or clusterwide", "alarms", "")
}

fn check_local(context: &Context<'_>) -> Result<(), Failure> {
    // Only one of the two begins so in RabbitMQ.
    checked(context, "no local alarms", "local alarms", "Error:\n")
}

fn checked(context: &Context<'_>, none: &str, what: &str, before: &str) -> Result<(), Failure> {
    context.banner(&format!("Asking node {} to report any local resource alarms ...", context.node_name()?))?;
    let (node, resources) = read(context)?;
    if resources.is_empty() {
        return context.result(&json!({ "result": "ok" }), &format!("Node {node} reported {none}"));
    }
    let lines = lines(&resources, &node);
    let message = format!("Node {node} reported {what}");
    let object = json!({ "local": lines, "message": message, "result": "error" });
    Err(context.failed_check(&object, &format!("{before}{}", lines.join("\n"))))
}

fn lines(resources: &[&str], node: &str) -> Vec<String> {
    resources.iter().map(|resource| words(resource, node)).collect()
}
