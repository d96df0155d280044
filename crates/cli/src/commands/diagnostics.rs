//! Looking at the process: TLS, events, the environment it was started in.

use super::{Command, command, unless_there};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::sections::Section;
use crate::tool::Tools;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "tls_versions",
        (0, 0),
        "[--timeout <timeout>]",
        "Lists the versions of TLS that the broker can speak",
        tls_versions,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "cipher_suites",
        (0, 0),
        "[--format <openssl | erlang | map>] [--all] [--timeout <timeout>]",
        "Lists the cipher suites of TLS",
        cipher_suites,
    )
    .of(Tools::DIAGNOSTICS),
    command("certificates", (0, 0), "[--timeout <timeout>]", "Displays the certificates of listeners", certificates)
        .of(Tools::DIAGNOSTICS)
        .under(Section::Configuration),
    command(
        "consume_event_stream",
        (0, 0),
        "[--duration|-d <seconds>] [--pattern <pattern>]",
        "Prints events as they happen",
        events,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "doctor",
        (0, 0),
        "[--fail-on <never|info|warning|critical>] [--timeout <timeout>]",
        "Says what is risky, and what to do about it",
        crate::doctor::run,
    )
    .of(Tools::DIAGNOSTICS),
    command(
        "os_env",
        (0, 0),
        "[--timeout <timeout>]",
        "Lists RabbitMQ's environment variables that the broker was started with",
        os_env,
    )
    .of(Tools::DIAGNOSTICS)
    .under(Section::Configuration),
    command(
        "command_line_arguments",
        (0, 0),
        "[--timeout <timeout>]",
        "Displays the command line of the broker",
        command_line,
    )
    .of(Tools::DIAGNOSTICS)
    .under(Section::Configuration),
    command("force_gc", (0, 0), "[--timeout <timeout>]", "Does nothing: there is no garbage to collect", force_gc)
        .under(Section::Operations),
];

/// Listeners with TLS, and what each has.
fn tls_listeners(context: &Context<'_>) -> Result<Vec<Value>, Failure> {
    context.list("/api/leveret/tls").map_err(unless_there)
}

/// What all listeners have under a name, each text once and in its order.
fn of_all(listeners: &[Value], field: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in listeners.iter().flat_map(|listener| listener[field].as_array().into_iter().flatten()) {
        let text = crate::value::cell(text);
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

fn tls_versions(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Listing all TLS versions supported by the runtime...")?;
    let versions = of_all(&tls_listeners(context)?, "versions");
    let text = if versions.is_empty() { "(none: no listener has TLS)".to_owned() } else { versions.join("\n") };
    context.result(&json!({ "versions": versions }), &text)
}

fn cipher_suites(context: &Context<'_>) -> Result<(), Failure> {
    let format = context.option("format").unwrap_or("openssl");
    if !["openssl", "erlang", "map"].contains(&format) {
        let problem =
            format!("Bad argument: format '{format}' is not supported. Please use one of: openssl, erlang, map");
        return Err(context.invalid(&problem, exit::DATA_ERROR));
    }
    if format != "openssl" {
        return Err(Failure::error(exit::UNAVAILABLE, "there is no Erlang here: use --format openssl"));
    }
    context.banner("Listing available cipher suites in OpenSSL format")?;
    let suites = of_all(&tls_listeners(context)?, "ciphers");
    let text = if suites.is_empty() { "(none: no listener has TLS)".to_owned() } else { suites.join("\n") };
    context.result(&json!({ "cipher_suites": suites, "format": "openssl" }), &text)
}

fn certificates(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Certificates of node {} ...", context.node_name()?))?;
    let listeners = tls_listeners(context)?;
    let mut blocks = Vec::new();
    for listener in &listeners {
        let place = format!(
            "{} {}:{}",
            crate::value::cell(&listener["protocol"]),
            crate::value::cell(&listener["ip_address"]),
            listener["port"]
        );
        for certificate in listener["certificates"].as_array().into_iter().flatten() {
            let fields = certificate.as_object().into_iter().flatten();
            let lines: Vec<String> =
                fields.map(|(name, value)| format!("{name}: {}", crate::value::cell(value))).collect();
            blocks.push(format!("listener: {place}\n{}", lines.join("\n")));
        }
    }
    let text = if blocks.is_empty() { "(none)".to_owned() } else { blocks.join("\n\n") };
    context.result(&json!(listeners), &text)
}

fn events(context: &Context<'_>) -> Result<(), Failure> {
    let path = match context.option("pattern") {
        Some(pattern) => format!("/api/leveret/events/stream?pattern={}", segment(pattern)),
        None => "/api/leveret/events/stream".to_owned(),
    };
    context.banner("Streaming logs from node")?;
    let seconds = context.arguments.number("duration").and_then(|seconds| u64::try_from(seconds).ok());
    context.stream(&path, seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)).map_err(unless_there)
}

/// What the operating system says of the process, where it is on this machine.
fn of_process(context: &Context<'_>, file: &str) -> Result<Vec<String>, Failure> {
    if context.data_dir().is_none() {
        return Err(Failure::error(exit::UNAVAILABLE, "this looks at the process, which has to be on this machine"));
    }
    let pid = context.process()?["pid"].as_u64().unwrap_or_default();
    let bytes = std::fs::read(format!("/proc/{pid}/{file}"))
        .map_err(|error| Failure::error(exit::UNAVAILABLE, format!("cannot look at process {pid}: {error}")))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

/// Names of variables whose values are nobody's business.
const SECRET: [&str; 4] = ["PASS", "COOKIE", "SECRET", "TOKEN"];

fn os_env(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Listing RabbitMQ-specific environment variables defined on node {node}..."))?;
    let mut lines: Vec<String> = of_process(context, "environ")?
        .into_iter()
        .filter(|variable| variable.starts_with("RABBITMQ_") || variable.starts_with("LEVERET_"))
        .map(|variable| match variable.split_once('=') {
            Some((name, _)) if SECRET.iter().any(|secret| name.contains(secret)) => format!("{name}=********"),
            _ => variable,
        })
        .collect();
    lines.sort_unstable();
    context.result(&json!(lines), &lines.join("\n"))
}

fn command_line(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Command line arguments of node {} ...", context.node_name()?))?;
    let words = of_process(context, "cmdline")?;
    context.result(&json!(words), &words.join(" "))
}

fn force_gc(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    context.banner(&format!("Will ask all processes on node {node} to schedule a full sweep GC"))?;
    context.done(json!({}))
}
