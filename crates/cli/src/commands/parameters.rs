//! Runtime parameters.

use super::vhosts::no_vhost;
use super::{Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::table::Table;
use serde_json::{Value, json};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "set_parameter",
        (3, 3),
        "[--vhost <vhost>] <component_name> <name> <value>",
        "Sets a runtime parameter",
        set,
    ),
    command(
        "clear_parameter",
        (2, 2),
        "[--vhost <vhost>] <component_name> <name>",
        "Clears a runtime parameter",
        clear,
    ),
    command(
        "list_parameters",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists the runtime parameters of a virtual host",
        list,
    ),
    command("set_global_parameter", (2, 2), "<name> <value>", "Sets a runtime parameter of the node", set_global),
    command("clear_global_parameter", (1, 1), "<name>", "Clears a runtime parameter of the node", clear_global),
    command(
        "list_global_parameters",
        (0, 0),
        "[--no-table-headers]",
        "Lists the runtime parameters of the node",
        list_global,
    ),
];

pub(super) fn set(context: &Context<'_>) -> Result<(), Failure> {
    let [component, name, value] = [0, 1, 2].map(|at| context.argument(at));
    let vhost = context.vhost();
    context.banner(&format!(
        "Setting runtime parameter \"{name}\" for component \"{component}\" to \"{value}\" in vhost \"{vhost}\" ..."
    ))?;
    let body = json!({ "value": parse_json(value)? });
    context.put(&path(context, component, name), &body).map(drop).map_err(|error| no_vhost(error, vhost))
}

pub(super) fn clear(context: &Context<'_>) -> Result<(), Failure> {
    let [component, name] = [0, 1].map(|at| context.argument(at));
    let vhost = context.vhost();
    context.banner(&format!(
        "Clearing runtime parameter \"{name}\" for component \"{component}\" on vhost \"{vhost}\" ..."
    ))?;
    context.delete(&path(context, component, name)).map(drop).map_err(no_parameter)
}

pub(super) fn list(context: &Context<'_>) -> Result<(), Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Listing runtime parameters for vhost \"{vhost}\" ..."))?;
    // The path for one virtual host begins with a component, and this list has all of them.
    context.get(&format!("/api/vhosts/{}", context.vhost_segment())).map_err(|error| no_vhost(error, vhost))?;
    let all = context.list("/api/parameters")?;
    let rows = all
        .iter()
        .filter(|parameter| parameter["vhost"] == vhost)
        .map(|parameter| {
            vec![parameter["component"].clone(), parameter["name"].clone(), json_text(&parameter["value"])]
        })
        .collect();
    context.print_table_or_blank(&Table { columns: ["component", "name", "value"].map(str::to_owned).to_vec(), rows })
}

pub(super) fn set_global(context: &Context<'_>) -> Result<(), Failure> {
    let [name, value] = [0, 1].map(|at| context.argument(at));
    context.banner(&format!("Setting global runtime parameter \"{name}\" to \"{value}\" ..."))?;
    let body = json!({ "value": parse_json(value)? });
    context.put(&format!("/api/global-parameters/{}", segment(name)), &body)?;
    Ok(())
}

pub(super) fn clear_global(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Clearing global runtime parameter \"{name}\" ..."))?;
    context.delete(&format!("/api/global-parameters/{}", segment(name))).map(drop).map_err(no_parameter)
}

pub(super) fn list_global(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Listing global runtime parameters ...")?;
    let all = context.list("/api/global-parameters")?;
    let rows = all.iter().map(|parameter| vec![parameter["name"].clone(), json_text(&parameter["value"])]).collect();
    context.print_table_or_blank(&Table { columns: ["name", "value"].map(str::to_owned).to_vec(), rows })
}

fn path(context: &Context<'_>, component: &str, name: &str) -> String {
    format!("/api/parameters/{}/{}/{}", segment(component), context.vhost_segment(), segment(name))
}

/// An argument that has to be JSON. RabbitMQ's words name the reason of its own parser.
pub(super) fn parse_json(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::error(exit::UNAVAILABLE, format!("Could not parse JSON document: {error}")))
}

/// A value as lists of parameters show it: its JSON.
pub(super) fn json_text(value: &Value) -> Value {
    Value::String(value.to_string())
}

/// What clearing something that is not there is answered.
pub(super) fn no_parameter(error: RequestError) -> Failure {
    match error {
        RequestError::Refused(refusal) if matches!(refusal.missing.as_deref(), Some("policy" | "parameter")) => {
            Failure::error(exit::UNAVAILABLE, "Parameter does not exist")
        }
        other => other.into(),
    }
}
