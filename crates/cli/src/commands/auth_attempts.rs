//! Logins: how many there were, and who tried.

use super::{Command, command, refused};
use crate::context::Context;
use crate::exit::Failure;
use crate::http::segment;
use crate::sections::Section;
use crate::table::Table;
use crate::tool::Tools;
use serde_json::{Value, json};

const TRACKING: &str = "this is set in the configuration: track_auth_attempt_source = true";

pub(super) const COMMANDS: &[Command] = &[
    command(
        "list_node_auth_attempt_stats",
        (0, 0),
        "[--by-source] [--timeout <timeout>]",
        "Lists logins by protocol",
        list,
    )
    .of(Tools::LOOKING)
    .under(Section::Monitoring),
    command(
        "reset_node_auth_attempt_metrics",
        (0, 0),
        "[--timeout <timeout>]",
        "Counts logins from nothing again",
        reset,
    )
    .of(Tools::DIAGNOSTICS)
    .under(Section::Configuration),
    refused("enable_auth_attempt_source_tracking", "", "Counts logins by address and user", TRACKING)
        .of(Tools::DIAGNOSTICS)
        .under(Section::Configuration),
    refused("disable_auth_attempt_source_tracking", "", "Counts logins by protocol alone", TRACKING)
        .of(Tools::DIAGNOSTICS)
        .under(Section::Configuration),
];

const COUNTS: [&str; 3] = ["auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded"];

fn list(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Listing authentication\n attempts for node \"{node}\" ..."))?;
    let by_source = context.flag("by-source");
    let path = format!("/api/auth/attempts/{}{}", segment(node), if by_source { "/source" } else { "" });
    let rows = context.list(&path)?;
    if rows.is_empty() {
        return context.message(&format!("Node {node} reported no authentication attempt stats"));
    }
    let own: &[&str] = if by_source { &["remote_address", "username", "protocol"] } else { &["protocol"] };
    let columns: Vec<String> = own.iter().chain(&COUNTS).map(|name| (*name).to_owned()).collect();
    let row = |object: &Value| columns.iter().map(|column| object[column].clone()).collect();
    let rows = rows.iter().map(row).collect();
    context.print_table(&Table { columns, rows })
}

fn reset(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Reset auth attempt metrics on node {node} ..."))?;
    context.delete(&format!("/api/auth/attempts/{}", segment(node)))?;
    context.done(json!({}))
}
