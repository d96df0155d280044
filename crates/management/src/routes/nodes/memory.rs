//! Where the memory of the node is, in RabbitMQ's categories, and the tables of Erlang that are not there.

use crate::api::{Api, Monitor};
use crate::error::ApiError;
use crate::process::Process;
use axum::Json;
use axum::extract::Path;
use broker::Broker;
use serde_json::{Map, Value, json};

/// What one of these takes, in bytes, measured at 10,000 of each without messages.
const CONNECTION_BYTES: u64 = 12 << 10;
const CHANNEL_BYTES: u64 = 2 << 10;
const QUEUE_BYTES: u64 = 2 << 10;
const ENTRY_BYTES: u64 = 96;
const OBJECT_BYTES: u64 = 512;
/// The program itself.
const CODE_BYTES: u64 = 6 << 20;

/// Categories and bytes, which add up to the resident memory. Messages are counted exactly, other things by their number.
fn parts(broker: &Broker) -> Vec<(&'static str, u64)> {
    let totals = broker.object_totals();
    let messages: u64 = broker.queue_cells(None).iter().map(|cell| cell.counters.messages_ready.value()).sum();
    let rss = Process::read().resident_bytes;
    let estimates = [
        ("connection_readers", totals.connections * CONNECTION_BYTES / 2),
        ("connection_writers", totals.connections * CONNECTION_BYTES / 2),
        ("connection_channels", totals.channels * CHANNEL_BYTES),
        ("connection_other", totals.consumers * OBJECT_BYTES),
        ("queue_procs", totals.queues * QUEUE_BYTES + messages * ENTRY_BYTES),
        ("queue_slave_procs", 0),
        ("quorum_queue_procs", 0),
        ("quorum_queue_dlx_procs", 0),
        ("stream_queue_procs", 0),
        ("stream_queue_replica_reader_procs", 0),
        ("stream_queue_coordinator_procs", 0),
        ("plugins", 1 << 20),
        ("metadata_store", totals.exchanges * OBJECT_BYTES),
        ("other_proc", 1 << 20),
        ("metrics", totals.queues * OBJECT_BYTES),
        ("mgmt_db", 0),
        ("mnesia", 0),
        ("quorum_ets", 0),
        ("metadata_store_ets", 0),
        ("other_ets", 0),
        ("binary", broker.message_memory() as u64),
        ("msg_index", 0),
        ("code", CODE_BYTES),
        ("atom", 0),
    ];
    // What is counted can be more than what is resident: pages that were never touched, or have been given back.
    let mut left = rss;
    let mut parts: Vec<(&'static str, u64)> = estimates
        .into_iter()
        .map(|(name, bytes)| {
            let bytes = bytes.min(left);
            left -= bytes;
            (name, bytes)
        })
        .collect();
    parts.extend([("other_system", left), ("allocated_unused", 0), ("reserved_unallocated", 0)]);
    parts
}

fn total(parts: &[(&'static str, u64)]) -> u64 {
    parts.iter().map(|(_, bytes)| bytes).sum()
}

/// RabbitMQ's `rabbit_vm:memory/0`.
pub(in crate::routes) fn breakdown(broker: &Broker) -> Value {
    let parts = parts(broker);
    let total = total(&parts);
    let mut object: Map<String, Value> =
        parts.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.into())).collect();
    object.insert("strategy".to_owned(), "rss".into());
    object.insert("total".to_owned(), json!({ "erlang": total, "rss": total, "allocated": total }));
    Value::Object(object)
}

/// The same in percent of the total; what is there at all is at least one.
pub(super) fn relative(broker: &Broker) -> Value {
    let parts = parts(broker);
    let total = total(&parts).max(1);
    let percent = |bytes: u64| {
        let rounded = (bytes * 200 + total) / (2 * total);
        if rounded == 0 && bytes > 0 { 1 } else { rounded }
    };
    let percents = parts.into_iter().map(|(name, bytes)| (name.to_owned(), percent(bytes).into()));
    Value::Object(std::iter::once(("total".to_owned(), 100.into())).chain(percents).collect())
}

/// RabbitMQ's `rabbit_vm:binary/0`: whose the bodies of messages are.
pub(super) fn binaries(broker: &Broker) -> Value {
    let names = [
        "connection_readers",
        "connection_writers",
        "connection_channels",
        "connection_other",
        "queue_slave_procs",
        "quorum_queue_procs",
        "quorum_queue_dlx_procs",
        "stream_queue_procs",
        "stream_queue_replica_reader_procs",
        "stream_queue_coordinator_procs",
        "plugins",
        "mgmt_db",
        "msg_index",
        "other",
    ];
    let mut object: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), 0.into())).collect();
    object.insert("queue_procs".to_owned(), broker.message_memory().into());
    Value::Object(object)
}

/// RabbitMQ's words for a node without tables, which only Erlang has.
fn no_tables() -> Json<Value> {
    Json(json!({ "ets_tables_memory": "no_tables" }))
}

pub(in crate::routes) async fn tables(api: Api<Monitor>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    api.check_node(&name)?;
    Ok(no_tables())
}

pub(in crate::routes) async fn tables_of(
    api: Api<Monitor>,
    Path((name, _)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    api.check_node(&name)?;
    Ok(no_tables())
}
