//! `status`: what the broker is and does, in RabbitMQ's sections.

use super::{Command, alarms, command};
use crate::context::{Context, print};
use crate::exit::{self, Failure};
use crate::formatter::Formatter;
use crate::listeners::{Listener, json_of};
use crate::tool::Tools;
use crate::units::Unit;
use serde_json::{Value, json};
use std::fmt::Write;

pub(super) const COMMANDS: &[Command] =
    &[command("status", (0, 0), "[--unit <unit>] [--timeout <timeout>]", "Displays status of a node", status)
        .of(Tools::LOOKING)];

fn status(context: &Context<'_>) -> Result<(), Failure> {
    let unit = unit(context)?;
    let overview = context.get("/api/overview")?;
    let nodes = context.get("/api/nodes?memory=true")?;
    let node = &nodes[0];
    let name = text(&overview, "node");
    context.banner(&format!("Status of node {name} ..."))?;
    let memory = context.get(&format!("/api/nodes/{}/memory", crate::http::segment(name)))?;
    let facts = Facts { overview: &overview, node, memory: &memory["memory"] };
    match context.arguments.formatter {
        Formatter::Table | Formatter::Report | Formatter::PrettyTable | Formatter::StringPerLine => {
            print(&facts.describe(unit))
        }
        _ => context.result(&facts.json(), ""),
    }
}

/// The unit that bytes are shown in.
pub(super) fn unit(context: &Context<'_>) -> Result<Unit, Failure> {
    let given = context.option("unit").unwrap_or("gb");
    Unit::named(given).ok_or_else(|| {
        let problem = format!("\"unit '{given}' is not supported. Please use one of: bytes, mb, gb\"");
        context.invalid(&problem, exit::USAGE)
    })
}

struct Facts<'a> {
    overview: &'a Value,
    node: &'a Value,
    memory: &'a Value,
}

impl Facts<'_> {
    fn watermark(&self) -> f64 {
        let [limit, total] = ["/mem_limit", "/mem_total"].map(|way| number(self.node, way) as f64);
        if total > 0.0 { limit / total } else { 0.0 }
    }

    fn json(&self) -> Value {
        let (node, overview) = (self.node, self.overview);
        let name = text(overview, "node");
        let alarms: Vec<String> =
            alarms::in_effect(node).into_iter().map(|resource| alarms::words(resource, name)).collect();
        json!({
            "active_plugins": node["enabled_plugins"],
            "alarms": alarms,
            "config_files": node["config_files"],
            "data_directory": node["db_dir"],
            "disk_free": node["disk_free"],
            "disk_free_limit": node["disk_free_limit"],
            "enabled_plugin_file": node["enabled_plugins_file"],
            "erlang_version": overview["erlang_full_version"],
            "file_descriptors": {
                "sockets_limit": node["sockets_total"],
                "sockets_used": node["sockets_used"],
                "total_limit": node["fd_total"],
                "total_used": node["fd_used"],
            },
            "is_under_maintenance": node["being_drained"],
            "listeners": json_of(&Listener::of(overview)),
            "log_files": node["log_files"],
            "memory": self.memory,
            "net_ticktime": node["net_ticktime"],
            "os": os(),
            "pid": text(node, "os_pid").parse::<u64>().unwrap_or_default(),
            "processes": { "limit": node["proc_total"], "used": node["proc_used"] },
            "product_name": overview["product_name"],
            "product_version": overview["product_version"],
            "rabbitmq_version": overview["rabbitmq_version"],
            "release_series_support_status": "supported",
            "run_queue": node["run_queue"],
            "tags": {},
            "totals": {
                "virtual_host_count": number(overview, "/object_totals/vhosts"),
                "connection_count": number(overview, "/object_totals/connections"),
                "queue_count": number(overview, "/object_totals/queues"),
            },
            "uptime": number(node, "/uptime") / 1000,
            "vm_memory_calculation_strategy": "rss",
            "vm_memory_high_watermark_limit": node["mem_limit"],
            "vm_memory_high_watermark_setting": { "relative": self.watermark() },
        })
    }

    fn describe(&self, unit: Unit) -> String {
        let (node, overview) = (self.node, self.overview);
        let mut out = String::new();
        let mut section = |title: &str, lines: &[String]| {
            let body = if lines.is_empty() { "(none)".to_owned() } else { lines.join("\n") };
            // Writing to a string cannot fail.
            let _ = write!(out, "\x1b[1m{title}\x1b[0m\n\n{body}\n\n");
        };
        section("Runtime", &self.runtime());
        section("Plugins", &self.plugins());
        section("Data directory", &[format!("Node data directory: {}", text(node, "db_dir"))]);
        section("Config files", &bullets(&node["config_files"]));
        section("Log file(s)", &bullets(&node["log_files"]));
        let name = text(overview, "node");
        let alarms: Vec<String> =
            alarms::in_effect(node).into_iter().map(|resource| alarms::words(resource, name)).collect();
        section("Alarms", &alarms);
        section("Tags", &[]);
        section("Memory", &self.memory_lines(unit));
        let count = |way: &str| number(node, way);
        section(
            "File Descriptors",
            &[
                format!("Total: {}, limit: {}", count("/fd_used"), count("/fd_total")),
                format!("Sockets: {}, limit: {}", count("/sockets_used"), count("/sockets_total")),
            ],
        );
        section(
            "Free Disk Space",
            &[
                format!("Low free disk space watermark: {}", unit.show(count("/disk_free_limit"))),
                format!("Free disk space: {}", unit.show(count("/disk_free"))),
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
        let listeners: Vec<String> = Listener::of(overview).iter().map(Listener::line).collect();
        section("Listeners", &listeners);
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }

    fn runtime(&self) -> Vec<String> {
        let (node, overview) = (self.node, self.overview);
        vec![
            format!("OS PID: {}", text(node, "os_pid")),
            format!("OS: {}", os()),
            format!("Uptime (seconds): {}", number(node, "/uptime") / 1000),
            format!("Is under maintenance?: {}", node["being_drained"]),
            format!("RabbitMQ version: {}", text(overview, "rabbitmq_version")),
            "RabbitMQ release series support status: supported".to_owned(),
            format!("{} version: {}", text(overview, "product_name"), text(overview, "product_version")),
            format!("Node name: {}", text(overview, "node")),
            "Erlang configuration: none, this is no Erlang program".to_owned(),
            format!("Threads: {}", number(node, "/proc_used")),
            format!("Cluster heartbeat timeout (net_ticktime): {}", number(node, "/net_ticktime")),
        ]
    }

    fn plugins(&self) -> Vec<String> {
        let mut lines = vec![
            format!("Enabled plugin file: {}", text(self.node, "enabled_plugins_file")),
            "Enabled plugins:".to_owned(),
            String::new(),
        ];
        lines.extend(bullets(&self.node["enabled_plugins"]));
        lines
    }

    fn memory_lines(&self, unit: Unit) -> Vec<String> {
        let node = self.node;
        let total = number(self.memory, "/total/rss");
        let mut lines = vec![
            format!("Total memory used: {}", unit.show(number(node, "/mem_used"))),
            "Calculation strategy: rss".to_owned(),
            format!(
                "Memory high watermark setting: {} of available memory, computed to: {}",
                (self.watermark() * 10_000.0).round() / 10_000.0,
                unit.show(number(node, "/mem_limit"))
            ),
            String::new(),
        ];
        lines.extend(
            parts(self.memory)
                .into_iter()
                .map(|(name, bytes)| format!("{name}: {} ({} %)", unit.show(bytes), percent(bytes, total))),
        );
        lines
    }
}

/// The parts of the memory, the largest first.
pub(super) fn parts(memory: &Value) -> Vec<(&str, u64)> {
    let fields = memory.as_object().into_iter().flatten();
    let mut parts: Vec<(&str, u64)> =
        fields.filter_map(|(name, value)| Some((name.as_str(), value.as_u64()?))).collect();
    parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    parts
}

/// A share in percent, with up to two digits behind the point, as Erlang prints it.
pub(super) fn percent(bytes: u64, total: u64) -> String {
    crate::units::rounded(bytes as f64 * 100.0 / total.max(1) as f64, 2)
}

fn os() -> &'static str {
    if cfg!(target_os = "linux") { "Linux" } else { std::env::consts::OS }
}

fn bullets(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|item| format!(" * {}", item.as_str().unwrap_or_default())).collect()
}

pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

pub(super) fn number(object: &Value, way: &str) -> u64 {
    object.pointer(way).and_then(Value::as_u64).unwrap_or_default()
}
