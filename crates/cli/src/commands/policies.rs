//! Policies and operator policies.

use super::parameters::{json_text, no_parameter, parse_json};
use super::vhosts::no_vhost;
use super::{Command, command};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::table::Table;
use serde_json::{Value, json};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "set_policy",
        (3, 3),
        "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
        "Sets or updates a policy",
        set,
    ),
    command("clear_policy", (1, 1), "[--vhost <vhost>] <name>", "Clears a policy", clear),
    command(
        "list_policies",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists the policies of a virtual host",
        list,
    ),
    command(
        "set_operator_policy",
        (3, 3),
        "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
        "Sets a policy that limits what other policies and arguments may ask for",
        set_operator,
    ),
    command("clear_operator_policy", (1, 1), "[--vhost <vhost>] <name>", "Clears an operator policy", clear_operator),
    command(
        "list_operator_policies",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists the operator policies of a virtual host",
        list_operator,
    ),
];

/// What the two kinds differ in.
struct Kind {
    path: &'static str,
    /// As banners call it.
    set: &'static str,
    clear: &'static str,
    list: &'static str,
}

const USER: Kind = Kind { path: "policies", set: "policy", clear: "policy", list: "policies" };
const OPERATOR: Kind = Kind {
    path: "operator-policies",
    set: "operator policy override",
    clear: "operator policy",
    list: "operator policy overrides",
};

pub(super) fn set(context: &Context<'_>) -> Result<(), Failure> {
    put(context, &USER)
}

pub(super) fn clear(context: &Context<'_>) -> Result<(), Failure> {
    delete(context, &USER)
}

pub(super) fn list(context: &Context<'_>) -> Result<(), Failure> {
    print(context, &USER)
}

pub(super) fn set_operator(context: &Context<'_>) -> Result<(), Failure> {
    put(context, &OPERATOR)
}

pub(super) fn clear_operator(context: &Context<'_>) -> Result<(), Failure> {
    delete(context, &OPERATOR)
}

pub(super) fn list_operator(context: &Context<'_>) -> Result<(), Failure> {
    print(context, &OPERATOR)
}

fn put(context: &Context<'_>, kind: &Kind) -> Result<(), Failure> {
    let [name, pattern, definition] = [0, 1, 2].map(|at| context.argument(at));
    let priority = priority(context)?;
    context.banner(&format!(
        "Setting {} \"{name}\" for pattern \"{pattern}\" to \"{definition}\" with priority \"{priority}\" for vhost \
         \"{}\" ...",
        kind.set,
        context.vhost()
    ))?;
    let body = json!({
        "pattern": pattern,
        "definition": parse_json(definition)?,
        "priority": priority,
        "apply-to": context.option("apply-to").unwrap_or("all"),
    });
    context.put(&path(context, kind, name), &body).map(drop).map_err(|error| no_vhost(error, context.vhost()))
}

fn delete(context: &Context<'_>, kind: &Kind) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Clearing {} \"{name}\" on vhost \"{}\" ...", kind.clear, context.vhost()))?;
    context.delete(&path(context, kind, name)).map(drop).map_err(no_parameter)
}

fn print(context: &Context<'_>, kind: &Kind) -> Result<(), Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Listing {} for vhost \"{vhost}\" ...", kind.list))?;
    let path = format!("/api/{}/{}", kind.path, context.vhost_segment());
    let policies = context.list(&path).map_err(|error| no_vhost(error, vhost))?;
    let columns = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];
    let cell = |policy: &Value, column: &str| match column {
        "definition" => json_text(&policy[column]),
        _ => policy[column].clone(),
    };
    let rows = policies.iter().map(|policy| columns.iter().map(|column| cell(policy, column)).collect()).collect();
    context.print_table_or_blank(&Table { columns: columns.map(str::to_owned).to_vec(), rows })
}

fn path(context: &Context<'_>, kind: &Kind, name: &str) -> String {
    format!("/api/{}/{}/{}", kind.path, context.vhost_segment(), segment(name))
}

fn priority(context: &Context<'_>) -> Result<i64, Failure> {
    let Some(text) = context.option("priority") else { return Ok(0) };
    text.parse()
        .map_err(|_| context.invalid(&format!("Invalid options for this command:\n--priority : {text}"), exit::USAGE))
}
