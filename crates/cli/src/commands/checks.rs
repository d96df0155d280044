//! Health checks: each succeeds, or fails with what is wrong.

use super::{Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::listeners::{Listener, json_of};
use crate::sections::Section;
use crate::tool::Tools;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::Duration;

pub(super) const COMMANDS: &[Command] = &[
    command("check_running", (0, 0), "[--timeout <timeout>]", "Fails unless the broker runs", check_running)
        .of(Tools::DIAGNOSTICS),
    command("is_running", (0, 0), "[--timeout <timeout>]", "Says whether the broker runs", is_running)
        .of(Tools::DIAGNOSTICS),
    command("is_booting", (0, 0), "[--timeout <timeout>]", "Says whether the broker is starting", is_booting)
        .of(Tools::DIAGNOSTICS),
    command(
        "check_port_connectivity",
        (0, 0),
        "[--address <target address>] [--timeout <timeout>]",
        "Connects to the port of each listener",
        port_connectivity,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "check_port_listener",
        (1, 1),
        "<port> [--timeout <timeout>]",
        "Fails unless there is a listener on a port",
        port_listener,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "check_protocol_listener",
        (1, 1),
        "<protocol> [--timeout <timeout>]",
        "Fails unless there is a listener for a protocol",
        protocol_listener,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "check_virtual_hosts",
        (0, 0),
        "[--timeout <timeout>]",
        "Fails unless all virtual hosts are up",
        virtual_hosts,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "check_certificate_expiration",
        (0, 0),
        "[--within <period>] [--unit <unit>]",
        "Fails when a certificate of a listener ends soon",
        certificates,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "check_if_node_is_quorum_critical",
        (0, 0),
        "[--timeout <timeout>]",
        "Fails when queues would lose their quorum without this node",
        quorum_critical,
    )
    .of(Tools::DIAGNOSTICS.and(Tools::QUEUES)),
    command(
        "check_if_node_is_mirror_sync_critical",
        (0, 0),
        "[--timeout <timeout>]",
        "Fails when mirrored queues would lose messages without this node",
        mirror_critical,
    )
    .of(Tools::DIAGNOSTICS.and(Tools::QUEUES)),
    command(
        "check_if_metadata_store_is_initialized",
        (0, 0),
        "[--timeout <timeout>]",
        "Fails unless definitions can be read",
        store_initialized,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "check_if_metadata_store_is_initialized_with_data",
        (0, 0),
        "[--timeout <timeout>]",
        "Fails unless there is a virtual host",
        store_with_data,
    )
    .of(Tools::DIAGNOSTICS),
    command("node_health_check", (0, 0), "[--timeout <timeout>]", "DEPRECATED. Checks alarms", node)
        .of(Tools::LOOKING)
        .under(Section::Deprecated),
];

fn state_words(context: &Context<'_>, is_running: bool) -> Result<String, Failure> {
    let node = context.node_name()?;
    Ok(if is_running {
        format!("RabbitMQ on node {node} is fully booted and running")
    } else {
        format!("RabbitMQ on node {node} is not running or has not fully booted yet (check with is_booting)")
    })
}

fn check_running(context: &Context<'_>) -> Result<(), Failure> {
    let is_running = context.process()?["state"] == "running";
    context.banner(&format!("Checking if RabbitMQ is running on node {} ...", context.node_name()?))?;
    let text = state_words(context, is_running)?;
    if is_running { context.message(&text) } else { Err(Failure::error(exit::UNAVAILABLE, text)) }
}

fn is_running(context: &Context<'_>) -> Result<(), Failure> {
    let is_running = context.process()?["state"] == "running";
    context.banner(&format!("Asking node {} for its status ...", context.node_name()?))?;
    let text = state_words(context, is_running)?;
    context.result(&json!({ "message": text, "result": is_running }), &text)
}

fn is_booting(context: &Context<'_>) -> Result<(), Failure> {
    let is_booting = context.process()?["state"] == "starting";
    let node = context.node_name()?;
    context.banner(&format!("Asking node {node} for its boot status ..."))?;
    let text = if is_booting {
        format!("RabbitMQ on node {node} is booting")
    } else {
        format!(
            "RabbitMQ on node {node} is fully booted (check with is_running), stopped or has not started booting yet"
        )
    };
    context.result(&json!({ "message": text, "result": is_booting }), &text)
}

/// How long a listener may take to accept.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(30);

fn port_connectivity(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Testing TCP connections to all active listeners on node {node} ..."))?;
    // RabbitMQ tries those that are suspended, too, so that a probe sees a node that is being drained.
    let listeners = [Listener::all(context)?, Listener::suspended(context.process()?)].concat();
    let within = context.timeout().unwrap_or(ACCEPTED_WITHIN);
    let given = context.option("address").map(|text| {
        text.parse().map_err(|_| context.invalid("Bad argument: the address is no IP address", exit::DATA_ERROR))
    });
    let given = given.transpose()?;
    let connects = |listener: &Listener| {
        let target = listener.reachable().map(|mut target| {
            if let Some(address) = given {
                target.set_ip(address);
            }
            target
        });
        target.is_some_and(|target| TcpStream::connect_timeout(&target, within).is_ok())
    };
    let failed: Vec<Listener> = listeners.iter().filter(|listener| !connects(listener)).cloned().collect();
    if failed.is_empty() {
        let text = format!("Successfully connected to ports {} on node {node}.", ports(&listeners));
        let object = json!({ "listeners": json_of(&listeners), "node": node, "result": "ok" });
        return context.result(&object, &text);
    }
    let lines: Vec<String> = failed.iter().map(Listener::line).collect();
    let text =
        format!("Error:\nConnection to ports of the following listeners on node {node} failed: \n{}", lines.join("\n"));
    let object = json!({ "failures": json_of(&failed), "node": node, "result": "error" });
    Err(context.failed_check(&object, &text))
}

/// Ports in their order, with commas.
fn ports(listeners: &[Listener]) -> String {
    let mut ports: Vec<u16> = listeners.iter().map(|listener| listener.port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

fn port_listener(context: &Context<'_>) -> Result<(), Failure> {
    let port = context.argument(0);
    let Some(number) = port.parse::<u16>().ok().filter(|number| *number > 0) else {
        return Err(context.invalid("Bad argument: Argument must be a positive integer", exit::DATA_ERROR));
    };
    let node = context.node_name()?;
    context.banner(&format!("Asking node {node} if there's an active listener on port {port} ..."))?;
    let listeners = Listener::all(context)?;
    if listeners.iter().any(|listener| listener.port == number) {
        let object = json!({ "node": node, "port": port, "result": "ok" });
        return context.result(&object, &format!("A listener for port {port} is running on node {node}."));
    }
    let all: Vec<u16> = listeners.iter().map(|listener| listener.port).collect();
    let object = json!({ "listeners": json_of(&listeners), "missing": port, "ports": all, "result": "error" });
    let text = format!(
        "No listener for port {port} is active on node {node}. Found listeners that use the following ports: {}",
        ports(&listeners)
    );
    Err(context.failed_check(&object, &text))
}

fn protocol_listener(context: &Context<'_>) -> Result<(), Failure> {
    let protocol = context.argument(0);
    let node = context.node_name()?;
    context.banner(&format!("Asking node {node} if there's an active listener for protocol {protocol} ..."))?;
    let path = format!("/api/health/checks/protocol-listener/{}", crate::http::segment(protocol));
    match context.get(&path) {
        Ok(_) => {
            let object = json!({ "node": node, "protocol": protocol, "result": "ok" });
            context.result(&object, &format!("A listener for protocol {protocol} is running on node {node}."))
        }
        Err(RequestError::Refused(refusal)) if refusal.body.get("missing").is_some() => {
            let listeners = Listener::all(context)?;
            let mut all: Vec<&str> = listeners.iter().map(|listener| listener.protocol.as_str()).collect();
            all.sort_unstable();
            all.dedup();
            let object = json!({
                "listeners": json_of(&listeners), "missing": protocol, "protocols": all, "result": "error",
            });
            let text = format!(
                "Error:\nNo listener for protocol {protocol} is active on node {node}. Found listeners for the following \
                 protocols: {}",
                all.join(", ")
            );
            Err(context.failed_check(&object, &text))
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks for one of the checks of the HTTP API, and prints that it passed.
fn passes(context: &Context<'_>, path: &str, text: &str) -> Result<(), Failure> {
    match context.get(path) {
        Ok(_) => context.result(&json!({ "result": "ok" }), text),
        Err(RequestError::Refused(refusal)) if refusal.body["status"] == "failed" => {
            let object = json!({ "result": "error", "message": refusal.reason });
            Err(context.failed_check(&object, &format!("Error:\n{}", refusal.reason)))
        }
        Err(error) => Err(error.into()),
    }
}

fn virtual_hosts(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Checking if all vhosts are running on node {node} ..."))?;
    passes(context, "/api/health/checks/virtual-hosts", &format!("Node {node} reported all vhosts as running"))
}

fn certificates(context: &Context<'_>) -> Result<(), Failure> {
    const UNITS: [&str; 4] = ["days", "weeks", "months", "years"];
    let unit = context.option("unit").unwrap_or("weeks");
    let within = context.arguments.number("within").unwrap_or(4);
    if !UNITS.contains(&unit.to_lowercase().as_str()) {
        let problem = format!("\"unit '{unit}' is not supported. Please use one of: {}\"", UNITS.join(", "));
        return Err(context.invalid(&problem, exit::USAGE));
    }
    if within < 0 {
        return Err(context.invalid("Bad argument: the period must not be negative", exit::DATA_ERROR));
    }
    context.banner(&format!("Checking certificate expiration on node {} ...", context.node_name()?))?;
    let path = format!("/api/health/checks/certificate-expiration/{within}/{unit}");
    let text = format!("No certificates are expiring within {within} {unit}.");
    match context.get(&path) {
        Err(RequestError::Refused(refusal)) if refusal.body["status"] == "failed" => {
            let expired = refusal.body["expired"].as_array().cloned().unwrap_or_default();
            let object = json!({ "result": "error", "expired": expired });
            let lines: Vec<String> = expired.iter().map(describe_certificate).collect();
            let text = format!("Some certificates are expiring within {within} {unit}:\n\n{}", lines.join("\n"));
            Err(context.failed_check(&object, &text))
        }
        Ok(_) => context.result(&json!({ "result": "ok" }), &text),
        Err(error) => Err(error.into()),
    }
}

/// An object of the HTTP API's answer, a line for each field.
fn describe_certificate(listener: &Value) -> String {
    let fields = listener.as_object().into_iter().flatten();
    fields.map(|(name, value)| format!("{name}: {}\n", crate::value::cell(value))).collect()
}

fn only_one(context: &Context<'_>, banner: &str) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&banner.replace("{node}", node))?;
    context.message(&format!("Node {node} seems to be the only one in a single node cluster, the check does not apply"))
}

fn quorum_critical(context: &Context<'_>) -> Result<(), Failure> {
    only_one(context, "Checking if node {node} is critical for quorum of any quorum queues ...")
}

fn mirror_critical(context: &Context<'_>) -> Result<(), Failure> {
    only_one(context, "Checking if node {node} is critical for data safety of any classic mirrored queues ...")
}

fn store_initialized(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Checking if metadata store on node {node} has completed its initialization ..."))?;
    let text = format!("Metadata store on node {node} has completed its initialization");
    passes(context, "/api/health/checks/metadata-store/initialized", &text)
}

fn store_with_data(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Checking if metadata store on node {node} has completed its initialization ..."))?;
    let text = format!("Metadata store on node {node} has completed its initialization and has virtual hosts");
    passes(context, "/api/health/checks/metadata-store/initialized/with-data", &text)
}

fn node(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!(
        "This command is DEPRECATED and will be removed in a future version.\n\
         It performs intrusive, opinionated health checks and requires a fully booted node.\n\
         Use one of the options covered in https://www.rabbitmq.com/monitoring.html#health-checks instead.\n\
         Timeout: {} seconds ...\nChecking health of node {node} ...",
        context.arguments.number("timeout").unwrap_or(70)
    ))?;
    passes(context, "/api/healthchecks/node", "Health check passed")
}
