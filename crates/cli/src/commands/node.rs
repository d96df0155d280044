//! The node: whether it answers, what it does, how much memory it may use.

use super::{Command, command};
use crate::context::{Context, print};
use crate::exit::{self, Failure};
use serde_json::{Value, json};
use std::fmt::Write;

pub(super) const COMMANDS: &[Command] = &[
    command("stop_app", (0, 0), "", "Stops the broker, but not its process: what is not durable goes", stop_app),
    command("start_app", (0, 0), "", "Starts the broker again after stop_app", start_app),
    command("ping", (0, 0), "", "Checks that the broker answers", ping),
    command("status", (0, 0), "", "Shows what the broker is and does", status),
    command(
        "set_vm_memory_high_watermark",
        (1, 2),
        "<fraction> | absolute <value>",
        "Sets how much memory may be used before publishers wait",
        set_memory_watermark,
    ),
];

pub(super) fn ping(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Will ping the broker. Timeout: 60000 ms.")?;
    context.get("/api/whoami")?;
    print("Ping succeeded\n")
}

pub(super) fn stop_app(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Stopping the broker ...")?;
    context.delete("/api/leveret/application")?;
    Ok(())
}

pub(super) fn start_app(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Starting the broker ...")?;
    context.put("/api/leveret/application", &json!({}))?;
    Ok(())
}

pub(super) fn status(context: &Context<'_>) -> Result<(), Failure> {
    let overview = context.get("/api/overview")?;
    let nodes = context.get("/api/nodes")?;
    let node = &nodes[0];
    context.banner(&format!("Status of node {} ...", text(&overview, "node")))?;
    print(&describe(&overview, node))
}

/// The sections of RabbitMQ's status, with what means something here.
fn describe(overview: &Value, node: &Value) -> String {
    let mut out = String::new();
    let mut section = |title: &str, lines: &[String]| {
        let body = if lines.is_empty() { "(none)".to_owned() } else { lines.join("\n") };
        // Writing to a string cannot fail.
        let _ = write!(out, "\x1b[1m{title}\x1b[0m\n\n{body}\n\n");
    };
    section(
        "Runtime",
        &[
            format!("OS PID: {}", text(node, "os_pid")),
            format!("OS: {}", std::env::consts::OS),
            format!("Uptime (seconds): {}", number(node, "/uptime") / 1000),
            format!("Is under maintenance?: {}", node["being_drained"]),
            format!("RabbitMQ version: {}", text(overview, "rabbitmq_version")),
            format!("{} version: {}", text(overview, "product_name"), text(overview, "product_version")),
            format!("Node name: {}", text(overview, "node")),
        ],
    );
    section("Data directory", &[format!("Node data directory: {}", text(node, "db_dir"))]);
    let files: Vec<String> =
        items(&node["config_files"]).map(|file| format!(" * {}", file.as_str().unwrap_or(""))).collect();
    section("Config files", &files);
    let alarms: Vec<String> = [("mem_alarm", "Memory"), ("disk_free_alarm", "Free disk space")]
        .into_iter()
        .filter(|(field, _)| node[*field] == true)
        .map(|(_, name)| format!("{name} alarm on node {}", text(overview, "node")))
        .collect();
    section("Alarms", &alarms);
    section(
        "Memory",
        &[
            format!("Total memory used: {}", gigabytes(number(node, "/mem_used"))),
            "Calculation strategy: rss".to_owned(),
            format!(
                "Memory high watermark setting: {} of {}",
                gigabytes(number(node, "/mem_limit")),
                gigabytes(number(node, "/mem_total"))
            ),
            format!("Messages: {}", gigabytes(number(node, "/message_memory"))),
        ],
    );
    section(
        "Totals",
        &[
            format!("Connection count: {}", number(overview, "/object_totals/connections")),
            format!("Queue count: {}", number(overview, "/object_totals/queues")),
            format!("Virtual host count: {}", number(overview, "/object_totals/vhosts")),
        ],
    );
    let listeners: Vec<String> = items(&overview["listeners"])
        .map(|listener| {
            let (address, port) = (text(listener, "ip_address"), number(listener, "/port"));
            format!("Interface: {address}, port: {port}, protocol: amqp, purpose: AMQP 0-9-1")
        })
        .collect();
    section("Listeners", &listeners);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

fn number(object: &Value, way: &str) -> u64 {
    object.pointer(way).and_then(Value::as_u64).unwrap_or_default()
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.4} gb", bytes as f64 / 1e9)
}

pub(super) fn set_memory_watermark(context: &Context<'_>) -> Result<(), Failure> {
    let (first, second) = (context.argument(0), context.arguments.positional.get(1));
    let (shown, body) = match (first, second) {
        ("absolute", Some(amount)) => {
            let bytes = parse_bytes(amount).ok_or_else(|| context.invalid("Bad argument.", exit::DATA_ERROR))?;
            (format!("{amount} bytes"), json!({ "absolute": bytes }))
        }
        (fraction, None) => {
            let share = fraction.parse::<f64>().ok().filter(|share| share.is_finite() && *share >= 0.0);
            let share = share.ok_or_else(|| context.invalid("Bad argument.", exit::DATA_ERROR))?;
            (fraction.to_owned(), json!({ "relative": share }))
        }
        _ => return Err(context.invalid("too many arguments.", exit::USAGE)),
    };
    context.banner(&format!("Setting memory threshold to {shown} ..."))?;
    context.put("/api/leveret/memory-watermark", &body)?;
    Ok(())
}

/// A number of bytes with RabbitMQ's units: `k`, `M`, `G` and with `iB` of 1024, `kB`, `MB`, `GB` of 1000.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor: u64 = match unit {
        "" => 1,
        "k" | "kiB" | "K" | "KiB" | "KIB" | "kib" => 1 << 10,
        "M" | "MiB" | "MIB" | "mib" | "m" => 1 << 20,
        "G" | "GiB" | "GIB" | "gib" | "g" => 1 << 30,
        "kB" | "KB" | "kb" => 1000,
        "MB" | "mb" => 1_000_000,
        "GB" | "gb" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory_have_rabbitmqs_units() {
        for (text, bytes) in [
            ("100", Some(100)),
            ("2GB", Some(2_000_000_000)),
            ("512MiB", Some(512 << 20)),
            ("1k", Some(1024)),
            ("", None),
            ("x", None),
            ("99999999999999999999", None),
            ("99999999999999G", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }
}
