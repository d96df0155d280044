//! What the broker is: listeners, memory, versions, environment, and the report that has everything.

use super::status::{parts, percent, unit};
use super::{Command, command, unless_there};
use crate::arguments::Words;
use crate::context::{Context, RequestError, print};
use crate::exit::Failure;
use crate::formatter::Formatter;
use crate::http::{Request, segment};
use crate::listeners::{Listener, json_of};
use crate::sections::Section;
use crate::tool::{Tool, Tools};
use serde_json::{Map, Value, json};

pub(super) const COMMANDS: &[Command] = &[
    command("listeners", (0, 0), "[--timeout <timeout>]", "Lists where the broker listens", listeners)
        .of(Tools::DIAGNOSTICS),
    command(
        "memory_breakdown",
        (0, 0),
        "[--unit <unit>] [--timeout <timeout>]",
        "Shows what takes how much memory",
        memory,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "server_version",
        (0, 0),
        "[--timeout <timeout>]",
        "Displays the version that the broker is compatible with",
        server_version,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "erlang_version",
        (0, 0),
        "[--details] [--offline] [--timeout <timeout>]",
        "Says that there is no Erlang here",
        erlang_version,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "environment",
        (0, 0),
        "[--timeout <timeout>]",
        "Displays the configuration that the broker runs with",
        environment,
    )
    .of(Tools::LOOKING)
    .under(Section::Configuration),
    command("report", (0, 0), "", "Prints what most commands that look have to say", report).of(Tools::LOOKING),
];

fn listeners(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Asking node {node} to report its protocol listeners ..."))?;
    let listeners = Listener::all(context)?;
    let lines: Vec<String> = listeners.iter().map(Listener::line).collect();
    let object = json!({ "listeners": json_of(&listeners), "node": node, "result": "ok" });
    context.result(&object, &lines.join("\n"))
}

fn memory(context: &Context<'_>) -> Result<(), Failure> {
    let unit = unit(context)?;
    let node = context.node_name()?;
    context.banner(&format!("Reporting memory breakdown on node {node}..."))?;
    let answer = context.get(&format!("/api/nodes/{}/memory", segment(node)))?;
    let parts = parts(&answer["memory"]);
    let total = parts.iter().map(|(_, bytes)| bytes).sum();
    let object: Map<String, Value> = parts
        .iter()
        .map(|(name, bytes)| {
            let share = percent(*bytes, total).parse::<f64>().unwrap_or_default();
            ((*name).to_owned(), json!({ "bytes": bytes, "percentage": share }))
        })
        .collect();
    let lines: String = parts
        .iter()
        .map(|(name, bytes)| format!("{name}: {} ({}%)\n", unit.show(*bytes), percent(*bytes, total)))
        .collect();
    context.result(&Value::Object(object), &lines)
}

fn server_version(context: &Context<'_>) -> Result<(), Failure> {
    let process = context.process()?;
    let version = process["rabbitmq_version"].as_str().unwrap_or_default();
    context.banner(&format!("Asking node {} for its RabbitMQ version...", context.node_name()?))?;
    context.result(&json!({ "result": "ok", "value": version }), version)
}

fn erlang_version(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Asking node {} for its Erlang/OTP version...", context.node_name()?))?;
    let version = context.process()?["version"].as_str().unwrap_or_default();
    context.result(&json!({ "result": "ok", "value": null }), &format!("none: Leveret {version} is no Erlang program"))
}

/// The effective configuration. RabbitMQ has terms of Erlang here, which no script of today reads.
fn environment(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Application environment of node {} ...", context.node_name()?))?;
    match context.get("/api/leveret/configuration?all=true") {
        Ok(configuration) => show_configuration(context, &configuration),
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => {
            let request = Request { method: "GET", path: "/api/config/effective", ..Request::default() };
            let response = context.request(&request).map_err(unless_there)?;
            context.message(String::from_utf8_lossy(&response.body).trim_end())
        }
        Err(error) => Err(error.into()),
    }
}

fn show_configuration(context: &Context<'_>, configuration: &Value) -> Result<(), Failure> {
    let rows = configuration["settings"].as_array();
    let Some(rows) = rows.filter(|_| context.arguments.formatter == Formatter::Table) else {
        return context.result(configuration, &format!("{configuration:#}"));
    };
    let text = |row: &Value, name: &str| crate::value::cell(&row[name]);
    let lines: String = rows
        .iter()
        .map(|row| {
            let origin = text(row, "origin");
            let origin = if origin.is_empty() { origin } else { format!("  # {origin}") };
            format!("{} = {}{origin}\n", text(row, "key"), text(row, "value"))
        })
        .collect();
    print(&lines)
}

/// In RabbitMQ's order, as far as there is something to say.
const REPORTED: [&str; 14] = [
    "status",
    "cluster_status",
    "environment",
    "list_connections",
    "list_channels",
    "list_vhosts",
    "list_queues",
    "list_exchanges",
    "list_bindings",
    "list_consumers",
    "list_permissions",
    "list_policies",
    "list_global_parameters",
    "list_parameters",
];

fn report(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?.to_owned();
    context.banner(&format!("Reporting server status of node {node} ..."))?;
    let vhosts = context.list("/api/vhosts")?;
    let names: Vec<&str> = vhosts.iter().filter_map(|vhost| vhost["name"].as_str()).collect();
    for name in REPORTED {
        let Some(command) = super::find(name, Tool::Ctl) else { continue };
        // Those of a virtual host come once for each.
        let is_of_vhost = command.usage.contains("--vhost");
        let of: &[&str] = if is_of_vhost { &names } else { &["/"] };
        for vhost in of {
            print("\n")?;
            run_as_part(context, command, vhost)?;
        }
    }
    Ok(())
}

fn run_as_part(context: &Context<'_>, command: &'static Command, vhost: &str) -> Result<(), Failure> {
    let mut words = vec![command.name.to_owned(), format!("--vhost={vhost}")];
    // Where the broker is, and how to get there, is the same.
    let shared = ["data-dir", "uri", "username", "password", "ca-certificate", "timeout", "node"];
    words.extend(shared.iter().filter_map(|name| Some(format!("--{name}={}", context.option(name)?))));
    words.extend(context.arguments.quiet.then(|| "--quiet".to_owned()));
    let Ok(arguments) = Words::split(&words).resolve(command.usage) else { return Ok(()) };
    let part = Context::new(context.invocation, command, arguments)?;
    match (command.run)(&part) {
        Err(failure) => print(&format!("{}\n", failure.text)),
        Ok(()) => Ok(()),
    }
}
