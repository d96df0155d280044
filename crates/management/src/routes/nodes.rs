//! `/api/nodes`.

mod memory;

use super::overview::{contexts, exchange_types};
use super::queues::with_details;
use crate::api::{Api, Monitor};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::list::{self, ListQuery};
use crate::process::Process;
use crate::shared::Shared;
use crate::statistics::Subject;
use axum::extract::{Path, Query};
use axum::response::Response;
use broker::{Alarm, Broker};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use memory::{breakdown, tables, tables_of};

/// RabbitMQ's `net_ticktime` in seconds, which clusters have.
const NET_TICK_TIME_S: u64 = 60;
/// Erlang processes that a node of RabbitMQ may have; monitors divide by it.
const PROCESS_LIMIT: u64 = 1_048_576;

impl Shared {
    /// RabbitMQ's answer for a node that is not in the cluster.
    pub(super) fn check_node(&self, name: &str) -> Result<(), ApiError> {
        if name == self.node_name() { Ok(()) } else { Err(ApiError::not_found()) }
    }
}

fn show(shared: &Shared, broker: &Broker, query: &ListQuery, fields: &mut Fields<'_>) {
    fields.put("name", || shared.node_name());
    fields.put("type", || "disc");
    fields.put("running", || true);
    fields.put("being_drained", || broker.is_in_maintenance());
    if query.disable_stats {
        return;
    }
    facts(shared, broker, fields);
    limits(shared, broker, fields);
    usage(shared, broker, query, fields);
    inputs_and_outputs(shared, broker, query, fields);
    let empty = |name: &'static str, fields: &mut Fields<'_>| fields.put(name, || Value::Array(Vec::new()));
    ["partitions", "cluster_links"].into_iter().for_each(|name| empty(name, fields));
}

fn facts(shared: &Shared, broker: &Broker, fields: &mut Fields<'_>) {
    let node = shared.node();
    fields.put("os_pid", || std::process::id().to_string());
    fields.put("uptime", || shared.uptime_ms());
    fields.put("processors", || std::thread::available_parallelism().map_or(1, usize::from));
    fields.put("run_queue", || 0);
    fields.put("rates_mode", || shared.statistics().settings().rates_mode.name());
    fields.put("exchange_types", exchange_types);
    fields.put("auth_mechanisms", || {
        let offered = broker.access.offered_mechanisms();
        let show = |mechanism: auth::Mechanism| {
            let name = mechanism.as_str();
            let description = match name {
                "PLAIN" => "SASL PLAIN authentication mechanism",
                "AMQPLAIN" => "QPid AMQPLAIN mechanism",
                _ => "SASL authentication mechanism",
            };
            json!({ "name": name, "description": description, "enabled": true })
        };
        offered.into_iter().map(show).collect::<Value>()
    });
    fields.put("applications", || {
        let version = &broker.settings.version;
        json!([
            { "name": "rabbit", "description": "RabbitMQ", "version": version },
            { "name": "leveret", "description": "Leveret", "version": env!("CARGO_PKG_VERSION") },
            { "name": "rabbitmq_management", "description": "RabbitMQ Management Console", "version": version },
        ])
    });
    fields.put("contexts", || contexts(shared, false));
    fields.put("log_files", || shared.application().log_files());
    fields.put("db_dir", || node.data_dir.display().to_string());
    fields.put("config_files", || node.config_files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>());
    let plugins = shared.application().plugins();
    fields.put("enabled_plugins_file", || plugins.file.map(|file| file.display().to_string()));
    fields.put("enabled_plugins", || plugins.enabled);
    fields.put("net_ticktime", || NET_TICK_TIME_S);
    fields.put("mem_calculation_strategy", || "rss");
    fields.put("ra_open_file_metrics", || json!({ "ra_log_wal": 0, "ra_log_segment_writer": 0 }));
    fields.put("metrics_gc_queue_length", || {
        json!({
            "connection_closed": 0,
            "channel_closed": 0,
            "consumer_deleted": 0,
            "exchange_deleted": 0,
            "queue_deleted": 0,
            "vhost_deleted": 0,
            "node_node_deleted": 0,
            "channel_consumer_deleted": 0,
        })
    });
}

fn limits(shared: &Shared, broker: &Broker, fields: &mut Fields<'_>) {
    let memory = broker.memory_figures();
    let (_, disk_limit) = shared.disk();
    let descriptors = Process::read().descriptor_limit;
    fields.put("fd_total", || descriptors);
    // RabbitMQ keeps some descriptors for files; here all can be sockets.
    fields.put("sockets_total", || descriptors);
    fields.put("proc_total", || PROCESS_LIMIT);
    fields.put("mem_limit", || memory.limit_bytes);
    fields.put("mem_total", || memory.total_bytes);
    fields.put("mem_alarm", || broker.has_alarm(Alarm::Memory));
    fields.put("message_memory", || broker.message_memory());
    fields.put("disk_free_limit", || disk_limit);
    fields.put("disk_free_alarm", || broker.has_alarm(Alarm::Disk));
}

fn usage(shared: &Shared, broker: &Broker, query: &ListQuery, fields: &mut Fields<'_>) {
    let process = Process::read();
    let (disk_free, _) = shared.disk();
    for triple in [
        ("mem_used", "mem_used_details", broker.memory_figures().used_bytes.max(process.resident_bytes)),
        ("fd_used", "fd_used_details", process.descriptors),
        ("sockets_used", "sockets_used_details", shared.sockets_used(broker)),
        ("proc_used", "proc_used_details", process.threads),
        ("disk_free", "disk_free_details", disk_free),
        ("gc_num", "gc_num_details", 0),
        ("gc_bytes_reclaimed", "gc_bytes_reclaimed_details", 0),
        ("context_switches", "context_switches_details", process.context_switches),
    ] {
        with_details(shared, Subject::Broker, triple, &query.sampling, fields);
    }
    let churn = broker.node_totals().churn;
    for triple in [
        ("connection_created", "connection_created_details", churn.connection_created),
        ("connection_closed", "connection_closed_details", churn.connection_closed),
        ("channel_created", "channel_created_details", churn.channel_created),
        ("channel_closed", "channel_closed_details", churn.channel_closed),
        ("queue_declared", "queue_declared_details", churn.queue_declared),
        ("queue_created", "queue_created_details", churn.queue_created),
        ("queue_deleted", "queue_deleted_details", churn.queue_deleted),
    ] {
        with_details(shared, Subject::Broker, triple, &query.sampling, fields);
    }
}

fn inputs_and_outputs(shared: &Shared, broker: &Broker, query: &ListQuery, fields: &mut Fields<'_>) {
    let io = broker.disk_io();
    for triple in [
        ("io_read_count", "io_read_count_details", io.reads),
        ("io_read_bytes", "io_read_bytes_details", io.read_bytes),
        ("io_write_count", "io_write_count_details", io.writes),
        ("io_write_bytes", "io_write_bytes_details", io.written_bytes),
        ("io_sync_count", "io_sync_count_details", io.syncs),
        ("io_seek_count", "io_seek_count_details", 0),
        ("io_reopen_count", "io_reopen_count_details", 0),
        ("mnesia_ram_tx_count", "mnesia_ram_tx_count_details", 0),
        ("mnesia_disk_tx_count", "mnesia_disk_tx_count_details", 0),
        ("msg_store_read_count", "msg_store_read_count_details", 0),
        ("msg_store_write_count", "msg_store_write_count_details", 0),
        ("queue_index_read_count", "queue_index_read_count_details", 0),
        ("queue_index_write_count", "queue_index_write_count_details", 0),
    ] {
        with_details(shared, Subject::Broker, triple, &query.sampling, fields);
    }
    // In ms, since the start.
    let average = |time_us: u64, count: u64| if count == 0 { 0.0 } else { time_us as f64 / count as f64 / 1000.0 };
    for (name, details, time_ms) in [
        ("io_read_avg_time", "io_read_avg_time_details", average(io.read_us, io.reads)),
        ("io_write_avg_time", "io_write_avg_time_details", average(io.write_us, io.writes)),
        ("io_sync_avg_time", "io_sync_avg_time_details", average(io.sync_us, io.syncs)),
        ("io_seek_avg_time", "io_seek_avg_time_details", 0.0),
    ] {
        fields.put(name, || time_ms);
        fields.put(details, || json!({ "rate": 0.0 }));
    }
}

pub(super) async fn list(api: Api<Monitor>, query: ListQuery) -> Result<Response, ApiError> {
    let broker = api.broker()?;
    let (shared, asked) = (Shared::clone(&api), query.clone());
    list::reply_sorted(&query, vec![()], &[], move |(), fields| show(&shared, &broker, &asked, fields)).await
}

#[derive(Deserialize)]
pub(super) struct With {
    memory: Option<String>,
    binary: Option<String>,
}

pub(super) async fn one(
    api: Api<Monitor>,
    Path(name): Path<String>,
    Query(with): Query<With>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    api.check_node(&name)?;
    let broker = api.broker()?;
    let is_true = |value: Option<String>| value.as_deref() == Some("true");
    let (with_memory, with_binary) = (is_true(with.memory), is_true(with.binary));
    Ok(list::reply_one(&query, |fields| {
        show(&api, &broker, &query, fields);
        if with_memory {
            fields.put("memory", || breakdown(&broker));
        }
        if with_binary {
            fields.put("binary", || memory::binaries(&broker));
        }
    }))
}

pub(super) async fn memory(api: Api<Monitor>, Path(name): Path<String>) -> Result<axum::Json<Value>, ApiError> {
    api.check_node(&name)?;
    Ok(axum::Json(json!({ "memory": breakdown(&*api.broker()?) })))
}

pub(super) async fn memory_relative(
    api: Api<Monitor>,
    Path(name): Path<String>,
) -> Result<axum::Json<Value>, ApiError> {
    api.check_node(&name)?;
    Ok(axum::Json(json!({ "memory": memory::relative(&*api.broker()?) })))
}
