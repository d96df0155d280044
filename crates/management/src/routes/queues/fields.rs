//! The fields of a queue.

use crate::fields::Fields;
use crate::json;
use crate::list::ListQuery;
use crate::shared::Shared;
use crate::statistics::{Sampling, Subject, now_ms};
use crate::time;
use broker::{Policy, QueueCell, QueueDetails};
use serde_json::{Value, json};
use std::cell::LazyCell;
use std::sync::Arc;

/// Unused for so long a queue is idle: RabbitMQ's interval of statistics, in ms.
const IDLE_MS: u64 = 5000;
/// The version of RabbitMQ's storage of classic queues since 4.0.
const STORAGE_VERSION: u64 = 2;

/// The fields of `cell`; a reactor looks at the queue for `details`, which takes a while: they are asked for only where a
/// field that needs them is shown or sorted by.
pub(super) fn show(
    shared: &Shared,
    query: &ListQuery,
    cell: &Arc<QueueCell>,
    details: impl Fn() -> QueueDetails,
    fields: &mut Fields<'_>,
) {
    let terms = LazyCell::new(|| cell.terms());
    fields.put("name", || &*cell.name);
    fields.put("vhost", || &*cell.vhost);
    fields.put("type", || "classic");
    fields.put("durable", || cell.durable);
    fields.put("auto_delete", || cell.auto_delete);
    fields.put("exclusive", || cell.owner.is_some());
    fields.put("arguments", || json::table(&terms.arguments));
    fields.put("node", || shared.node_name());
    fields.put("state", || "running");
    fields.put("internal", || false);
    fields.put("internal_owner", || false);
    fields.put("policy", || name_of(&terms.policies.user));
    fields.put("operator_policy", || name_of(&terms.policies.operator));
    // Always an object: some clients wait until it is one.
    fields.put("effective_policy_definition", || json::table(&terms.policies.definition()));
    if query.disable_stats {
        if query.enable_queue_totals {
            let (ready, unacked) = lengths(cell);
            fields.put("messages", || ready + unacked);
            fields.put("messages_ready", || ready);
            fields.put("messages_unacknowledged", || unacked);
        }
        return;
    }
    if cell.owner.is_some() {
        fields.put("owner_pid", || cell.owner.map(|owner| shared.pids().connection(owner)));
        fields.put("owner_pid_details", || owner_details(shared, cell));
    }
    messages(shared, &query.sampling, cell, fields);
    let details = LazyCell::new(details);
    let details = || details.clone();
    placement(cell, &details, fields);
    consumers(cell, &details, fields);
    process(shared, &query.sampling, cell, &details, fields);
}

fn name_of(policy: &Option<Arc<Policy>>) -> Option<&str> {
    policy.as_ref().map(|policy| policy.definition.name.as_str())
}

/// Ready and unacknowledged messages.
fn lengths(cell: &QueueCell) -> (u64, u64) {
    (cell.counters.messages_ready.value(), cell.counters.messages_unacknowledged.value())
}

fn owner_details(shared: &Shared, cell: &QueueCell) -> Value {
    let connection = cell.owner.and_then(|owner| shared.broker().ok()?.connection(owner));
    connection.map_or(json!({}), |connection| {
        json!({
            "name": *connection.name,
            "peer_host": connection.peer.ip().to_canonical(),
            "peer_port": connection.peer.port(),
        })
    })
}

fn messages(shared: &Shared, sampling: &Sampling, cell: &QueueCell, fields: &mut Fields<'_>) {
    let subject = Subject::Queue(cell.quid);
    let (ready, unacked) = lengths(cell);
    for (name, details, value) in [
        ("messages", "messages_details", ready + unacked),
        ("messages_ready", "messages_ready_details", ready),
        ("messages_unacknowledged", "messages_unacknowledged_details", unacked),
    ] {
        with_details(shared, subject, (name, details, value), sampling, fields);
    }
    let bytes_ready = cell.counters.message_bytes_ready.value();
    let bytes_unacked = cell.counters.message_bytes_unacknowledged.value();
    fields.put("message_bytes", || bytes_ready + bytes_unacked);
    fields.put("message_bytes_ready", || bytes_ready);
    fields.put("message_bytes_unacknowledged", || bytes_unacked);
    if !fields.wants("message_stats") {
        return;
    }
    let mut counters = Vec::new();
    cell.counters.each(|name, value| counters.push((name, value)));
    if let Some(stats) = message_stats(&counters) {
        fields.put("message_stats", || shared.statistics().describe(subject, &stats, sampling));
    }
}

/// The counters that RabbitMQ has under `message_stats` for what was delivered, with their sum; `None` before anything
/// happened, when RabbitMQ has none of it.
pub(in crate::routes) fn message_stats(counters: &[(&'static str, u64)]) -> Option<Vec<(&'static str, u64)>> {
    const SHOWN: [&str; 11] = [
        "publish",
        "confirm",
        "return_unroutable",
        "drop_unroutable",
        "deliver",
        "deliver_no_ack",
        "get",
        "get_no_ack",
        "get_empty",
        "redeliver",
        "ack",
    ];
    const DELIVERED: [&str; 4] = ["deliver", "deliver_no_ack", "get", "get_no_ack"];
    let mut shown: Vec<_> = counters.iter().filter(|(name, _)| SHOWN.contains(name)).copied().collect();
    if shown.iter().all(|(_, value)| *value == 0) {
        return None;
    }
    let delivered = shown.iter().filter(|(name, _)| DELIVERED.contains(name)).map(|(_, value)| value).sum();
    shown.push(("deliver_get", delivered));
    Some(shown)
}

/// A number, and its rate as `details`.
pub(in crate::routes) fn with_details(
    shared: &Shared,
    subject: Subject,
    (name, details, value): (&'static str, &'static str, u64),
    sampling: &Sampling,
    fields: &mut Fields<'_>,
) {
    fields.put(name, || value);
    fields.put(details, || match shared.statistics().describe(subject, &[(name, value)], sampling) {
        Value::Object(mut described) => described.remove(details).unwrap_or_default(),
        other => other,
    });
}

/// Where its messages are.
fn placement(cell: &QueueCell, details: &impl Fn() -> QueueDetails, fields: &mut Fields<'_>) {
    let bytes = || cell.counters.message_bytes_ready.value() + cell.counters.message_bytes_unacknowledged.value();
    fields.put("message_bytes_ram", || bytes().saturating_sub(details().message_bytes_paged_out));
    fields.put("message_bytes_persistent", || details().message_bytes_persistent);
    fields.put("message_bytes_paged_out", || details().message_bytes_paged_out);
    fields.put("messages_ram", || details().messages_ready_ram + details().messages_unacknowledged_ram);
    fields.put("messages_ready_ram", || details().messages_ready_ram);
    fields.put("messages_unacknowledged_ram", || details().messages_unacknowledged_ram);
    fields.put("messages_persistent", || details().messages_persistent);
    fields.put("messages_paged_out", || details().messages_paged_out);
}

fn consumers(cell: &QueueCell, details: &impl Fn() -> QueueDetails, fields: &mut Fields<'_>) {
    fields.put("consumers", || cell.counters.consumers.value());
    fields.put("consumer_utilisation", || details().consumer_capacity);
    fields.put("consumer_capacity", || details().consumer_capacity);
    fields.put("exclusive_consumer_tag", || details().exclusive_consumer_tag.as_deref().map(str::to_owned));
    fields.put("single_active_consumer_tag", || details().single_active_consumer_tag.as_deref().map(str::to_owned));
    fields.put("head_message_timestamp", || details().head_message_timestamp);
}

/// What RabbitMQ has because its queues are Erlang processes, replicated once.
fn process(
    shared: &Shared,
    sampling: &Sampling,
    cell: &QueueCell,
    details: &impl Fn() -> QueueDetails,
    fields: &mut Fields<'_>,
) {
    let (ready, _) = lengths(cell);
    fields.put("memory", || details().memory_bytes);
    with_details(shared, Subject::Queue(cell.quid), ("reductions", "reductions_details", 0), sampling, fields);
    fields.put("garbage_collection", || {
        json!({
            "fullsweep_after": crate::routes::FULLSWEEP_AFTER,
            "max_heap_size": 0,
            "min_bin_vheap_size": 0,
            "min_heap_size": 0,
            "minor_gcs": 0,
        })
    });
    fields.put("storage_version", || STORAGE_VERSION);
    fields.put("backing_queue_status", || {
        let published = cell.counters.publish.value();
        json!({
            "mode": "default",
            "version": STORAGE_VERSION,
            "len": ready,
            "next_seq_id": published,
            "next_deliver_seq_id": published.saturating_sub(ready),
            "q1": 0,
            "q2": 0,
            "delta": ["delta", "undefined", 0, 0, "undefined"],
            "q3": ready,
            "q4": 0,
            "target_ram_count": "infinity",
            "avg_ingress_rate": 0.0,
            "avg_egress_rate": 0.0,
            "avg_ack_ingress_rate": 0.0,
            "avg_ack_egress_rate": 0.0,
        })
    });
    if let Some(since_ms) = idle_since(cell) {
        fields.put("idle_since", || time::rfc3339(since_ms));
    }
    fields.put("leader", || shared.node_name());
    for name in ["members", "online"] {
        fields.put(name, || json!([shared.node_name()]));
    }
    for name in ["slave_nodes", "synchronised_slave_nodes"] {
        fields.put(name, || Value::Array(Vec::new()));
    }
    fields.put("recoverable_slaves", || Value::Null);
}

/// When it was used last, if that is a while ago; in ms since 1970.
fn idle_since(cell: &QueueCell) -> Option<u64> {
    let used_ms = cell.active_ms.value();
    (used_ms > 0 && used_ms + IDLE_MS < now_ms()).then_some(used_ms)
}
