//! Lists with columns to choose from.

use super::vhosts::no_vhost;
use super::{ANY, Command, command};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::table::Table;
use serde_json::Value;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "list_queues",
        (0, ANY),
        "[--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...] [--timeout <timeout>]",
        "Lists queues and their properties",
        queues,
    ),
    command(
        "list_exchanges",
        (0, ANY),
        "[--vhost <vhost>] [--no-table-headers] [<column> ...]",
        "Lists exchanges",
        exchanges,
    ),
    command(
        "list_bindings",
        (0, ANY),
        "[--vhost <vhost>] [--no-table-headers] [<column> ...]",
        "Lists bindings",
        bindings,
    ),
    command("list_connections", (0, ANY), "[--no-table-headers] [<column> ...]", "Lists connections", connections),
    command("list_channels", (0, ANY), "[--no-table-headers] [<column> ...]", "Lists channels", channels),
    command(
        "list_consumers",
        (0, ANY),
        "[--vhost <vhost>] [--no-table-headers] [<column> ...]",
        "Lists consumers",
        consumers,
    ),
    command(
        "list_unresponsive_queues",
        (0, ANY),
        "[--local] [--queue-timeout <seconds>] [<column> ...] [--no-table-headers]",
        "Lists queues that do not answer",
        unresponsive,
    ),
];

/// What a list can show: its columns, each with the way to it in the JSON of an object; an empty way leads nowhere,
/// for columns that mean nothing here.
pub(super) struct Listing {
    pub(super) columns: &'static [(&'static str, &'static str)],
    pub(super) defaults: &'static [&'static str],
}

const QUEUES: Listing = Listing {
    columns: &[
        ("name", "/name"),
        ("durable", "/durable"),
        ("auto_delete", "/auto_delete"),
        ("arguments", "/arguments"),
        ("policy", "/policy"),
        ("operator_policy", "/operator_policy"),
        ("effective_policy_definition", "/effective_policy_definition"),
        ("pid", ""),
        ("owner_pid", "/owner_pid"),
        ("exclusive", "/exclusive"),
        ("exclusive_consumer_pid", ""),
        ("exclusive_consumer_tag", ""),
        ("messages_ready", "/messages_ready"),
        ("messages_unacknowledged", "/messages_unacknowledged"),
        ("messages", "/messages"),
        ("messages_ready_ram", "/messages_ready"),
        ("messages_unacknowledged_ram", "/messages_unacknowledged"),
        ("messages_ram", "/messages"),
        ("messages_persistent", ""),
        ("message_bytes", "/message_bytes"),
        ("message_bytes_ready", "/message_bytes_ready"),
        ("message_bytes_unacknowledged", "/message_bytes_unacknowledged"),
        ("message_bytes_ram", "/message_bytes"),
        ("message_bytes_persistent", ""),
        ("head_message_timestamp", ""),
        ("disk_reads", ""),
        ("disk_writes", ""),
        ("consumers", "/consumers"),
        ("consumer_utilisation", ""),
        ("consumer_capacity", ""),
        ("memory", ""),
        ("state", "/state"),
        ("type", "/type"),
        ("leader", "/node"),
        ("members", ""),
        ("online", ""),
    ],
    defaults: &["name", "messages"],
};

const EXCHANGES: Listing = Listing {
    columns: &[
        ("name", "/name"),
        ("type", "/type"),
        ("durable", "/durable"),
        ("auto_delete", "/auto_delete"),
        ("internal", "/internal"),
        ("arguments", "/arguments"),
        ("policy", "/policy"),
    ],
    defaults: &["name", "type"],
};

const BINDINGS: Listing = Listing {
    columns: &[
        ("source_name", "/source"),
        ("source_kind", "/source_kind"),
        ("destination_name", "/destination"),
        ("destination_kind", "/destination_type"),
        ("routing_key", "/routing_key"),
        ("arguments", "/arguments"),
    ],
    defaults: &["source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments"],
};

const CONNECTIONS: Listing = Listing {
    columns: &[
        ("pid", "/pid"),
        ("name", "/name"),
        ("port", "/port"),
        ("host", "/host"),
        ("peer_port", "/peer_port"),
        ("peer_host", "/peer_host"),
        ("ssl", "/ssl"),
        ("ssl_protocol", ""),
        ("ssl_key_exchange", ""),
        ("ssl_cipher", ""),
        ("ssl_hash", ""),
        ("peer_cert_subject", ""),
        ("peer_cert_issuer", ""),
        ("peer_cert_serial_number", ""),
        ("peer_cert_validity", ""),
        ("state", "/state"),
        ("channels", "/channels"),
        ("protocol", "/protocol"),
        ("auth_mechanism", "/auth_mechanism"),
        ("user", "/user"),
        ("vhost", "/vhost"),
        ("container_id", ""),
        ("timeout", "/timeout"),
        ("frame_max", "/frame_max"),
        ("channel_max", "/channel_max"),
        ("client_properties", "/client_properties"),
        ("recv_oct", "/recv_oct"),
        ("recv_cnt", "/recv_cnt"),
        ("send_oct", "/send_oct"),
        ("send_cnt", "/send_cnt"),
        ("send_pend", "/send_pend"),
        ("connected_at", "/connected_at"),
    ],
    defaults: &["user", "peer_host", "peer_port", "state"],
};

const CHANNELS: Listing = Listing {
    columns: &[
        ("pid", "/pid"),
        ("connection", "/connection_pid"),
        ("name", "/name"),
        ("number", "/number"),
        ("user", "/user"),
        ("vhost", "/vhost"),
        ("transactional", "/transactional"),
        ("confirm", "/confirm"),
        ("consumer_count", "/consumer_count"),
        ("messages_unacknowledged", "/messages_unacknowledged"),
        ("messages_uncommitted", ""),
        ("acks_uncommitted", ""),
        ("messages_unconfirmed", "/messages_unconfirmed"),
        ("prefetch_count", "/prefetch_count"),
        ("global_prefetch_count", "/global_prefetch_count"),
    ],
    defaults: &["pid", "user", "consumer_count", "messages_unacknowledged"],
};

const CONSUMERS: Listing = Listing {
    columns: &[
        ("queue_name", "/queue/name"),
        ("channel_pid", "/channel_pid"),
        ("consumer_tag", "/consumer_tag"),
        ("ack_required", "/ack_required"),
        ("prefetch_count", "/prefetch_count"),
        ("active", "/active"),
        ("activity_status", "/activity_status"),
        ("arguments", "/arguments"),
    ],
    defaults: &["queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "active", "arguments"],
};

pub(super) const VHOSTS: Listing = Listing {
    columns: &[
        ("name", "/name"),
        ("description", "/description"),
        ("tags", "/tags"),
        ("default_queue_type", "/default_queue_type"),
        ("tracing", "/tracing"),
        ("protected_from_deletion", "/protected_from_deletion"),
        ("cluster_state", "/cluster_state"),
    ],
    defaults: &["name"],
};

pub(super) fn queues(context: &Context<'_>) -> Result<(), Failure> {
    let seconds = context.arguments.number("timeout").unwrap_or(60);
    let banner = format!("Timeout: {seconds}.0 seconds ...\nListing queues for vhost {} ...", context.vhost());
    print(context, &QUEUES, &banner, &format!("/api/queues/{}", context.vhost_segment()))
}

pub(super) fn exchanges(context: &Context<'_>) -> Result<(), Failure> {
    let banner = format!("Listing exchanges for vhost {} ...", context.vhost());
    print(context, &EXCHANGES, &banner, &format!("/api/exchanges/{}", context.vhost_segment()))
}

pub(super) fn bindings(context: &Context<'_>) -> Result<(), Failure> {
    let banner = format!("Listing bindings for vhost {}...", context.vhost());
    print(context, &BINDINGS, &banner, &format!("/api/bindings/{}", context.vhost_segment()))
}

pub(super) fn connections(context: &Context<'_>) -> Result<(), Failure> {
    print(context, &CONNECTIONS, "Listing connections ...", "/api/connections")
}

pub(super) fn channels(context: &Context<'_>) -> Result<(), Failure> {
    print(context, &CHANNELS, "Listing channels ...", "/api/channels")
}

pub(super) fn consumers(context: &Context<'_>) -> Result<(), Failure> {
    let banner = format!("Listing consumers in vhost {} ...", context.vhost());
    print(context, &CONSUMERS, &banner, &format!("/api/consumers/{}", context.vhost_segment()))
}

/// A queue is no process that could stand still: whoever answers for one answers for all.
fn unresponsive(context: &Context<'_>) -> Result<(), Failure> {
    let columns = columns(context, &QUEUES)?;
    context.banner(&format!("Listing unresponsive queues for vhost {} ...", context.vhost()))?;
    context.list("/api/vhosts")?;
    context
        .print_table(&Table { columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(), rows: Vec::new() })
}

/// Prints the columns asked for, or the usual ones, of the objects at `path`.
pub(super) fn print(context: &Context<'_>, listing: &Listing, banner: &str, path: &str) -> Result<(), Failure> {
    let columns = columns(context, listing)?;
    context.banner(banner)?;
    let objects = context.list(path).map_err(|error| no_vhost(error, context.vhost()))?;
    let rows = objects.iter().map(|object| row(object, &columns)).collect();
    context.print_table(&Table { columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(), rows })
}

fn columns(context: &Context<'_>, listing: &Listing) -> Result<Vec<(&'static str, &'static str)>, Failure> {
    // `name,messages` is as good as `name messages`.
    let asked: Vec<&str> = context
        .arguments
        .positional
        .iter()
        .flat_map(|names| names.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let find = |name: &str| listing.columns.iter().find(|(column, _)| *column == name).copied();
    let unknown: Vec<&str> = asked.iter().copied().filter(|name| find(name).is_none()).collect();
    if !unknown.is_empty() {
        let problem = format!("Info key(s) {} are not supported", unknown.join(","));
        return Err(context.invalid(&problem, exit::USAGE));
    }
    let names = if asked.is_empty() { listing.defaults } else { &asked };
    Ok(names.iter().filter_map(|name| find(name)).collect())
}

fn row(object: &Value, columns: &[(&'static str, &'static str)]) -> Vec<Value> {
    let cell = |(name, way): &(&str, &str)| match (*name, *way) {
        // Every binding comes from an exchange, and RabbitMQ's JSON does not say so.
        ("source_kind", _) => "exchange".into(),
        (_, "") => Value::Null,
        (_, way) => object.pointer(way).cloned().unwrap_or_default(),
    };
    columns.iter().map(cell).collect()
}
