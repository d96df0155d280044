//! Metrics of the node: memory, files, disk, alarms, what opened and closed, and who it is.

use super::text::{Kind, Number, Text, label};
use crate::process::Process;
use crate::shared::Shared;
use broker::{AdminCommand, AdminReply, Alarm, Broker, Overview};

const PREFIX: &str = "rabbitmq_";

struct Sample {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    value: Number,
}

fn gauge(name: &'static str, help: &'static str, value: impl Into<Number>) -> Sample {
    Sample { name, kind: Kind::Gauge, help, value: value.into() }
}

fn counter(name: &'static str, help: &'static str, value: impl Into<Number>) -> Sample {
    Sample { name, kind: Kind::Counter, help, value: value.into() }
}

/// Everything that is of the node.
pub(super) fn write(shared: &Shared, broker: &Broker, text: &mut Text) {
    let started_s = shared.started_s();
    text.family("", "process_start_time_seconds", Kind::Gauge, "When the process began, in seconds since 1970");
    text.sample("", started_s);
    alarms(broker, text);
    write_groups(shared, broker, PREFIX, &|_| true, text);
    let totals = broker.object_totals();
    for sample in [
        gauge("connections", "Open connections", totals.connections),
        gauge("channels", "Open channels", totals.channels),
        gauge("consumers", "Consumers", totals.consumers),
        gauge("queues", "Queues", totals.queues),
    ] {
        one(PREFIX, &sample, text);
    }
    erlang(&Process::read(), text);
}

fn one(prefix: &str, sample: &Sample, text: &mut Text) {
    text.family(prefix, sample.name, sample.kind, sample.help);
    text.sample("", sample.value);
}

fn alarms(broker: &Broker, text: &mut Text) {
    for (name, help, raised) in [
        ("alarms_file_descriptor_limit", "1 when no file can be opened any more", false),
        ("alarms_free_disk_space_watermark", "1 during a disk alarm", broker.has_alarm(Alarm::Disk)),
        ("alarms_memory_used_watermark", "1 during a memory alarm", broker.has_alarm(Alarm::Memory)),
    ] {
        text.family(PREFIX, name, Kind::Untyped, help);
        text.sample("", u64::from(raised));
    }
}

/// The groups of the core metrics that are of the node, as far as they are `wanted`.
pub(super) fn write_groups(
    shared: &Shared,
    broker: &Broker,
    prefix: &str,
    wanted: &dyn Fn(&str) -> bool,
    text: &mut Text,
) {
    let needs_process = wanted("node_coarse_metrics") || wanted("node_metrics");
    let process = if needs_process { Process::read() } else { Process::default() };
    for (group, samples) in [
        ("connection_churn_metrics", churn as fn(&Shared, &Broker, &Process) -> Vec<Sample>),
        ("node_coarse_metrics", coarse),
        ("node_metrics", limits),
        ("node_persister_metrics", persister),
    ] {
        if wanted(group) {
            samples(shared, broker, &process).iter().for_each(|sample| one(prefix, sample, text));
        }
    }
}

fn coarse(shared: &Shared, _: &Broker, process: &Process) -> Vec<Sample> {
    vec![
        gauge("process_open_fds", "Open file descriptors", process.descriptors),
        gauge("process_resident_memory_bytes", "Resident memory in bytes", process.resident_bytes),
        gauge("disk_space_available_bytes", "Free space on disk in bytes", shared.disk().0),
        gauge("erlang_processes_used", "Threads, where RabbitMQ counts Erlang processes", process.threads),
        counter("erlang_gc_runs_total", "Runs of a garbage collector, which there is none of", 0),
        counter("erlang_gc_reclaimed_bytes_total", "Bytes reclaimed by a garbage collector, which there is none of", 0),
        counter("erlang_scheduler_context_switches_total", "Context switches of the process", process.context_switches),
    ]
}

fn limits(shared: &Shared, broker: &Broker, process: &Process) -> Vec<Sample> {
    let overview = overview(broker);
    let memory = overview.and_then(|overview| overview.memory).unwrap_or_default();
    vec![
        gauge("process_max_fds", "Most open file descriptors", process.descriptor_limit),
        gauge("resident_memory_limit_bytes", "Memory high watermark in bytes", memory.limit_bytes),
        gauge("disk_space_available_limit_bytes", "Least free space on disk in bytes", shared.disk().1),
        gauge("erlang_processes_limit", "Most threads, where RabbitMQ has Erlang processes", thread_limit()),
        gauge("erlang_scheduler_run_queue", "Waiting Erlang processes, which there are none of", 0),
        gauge("erlang_net_ticktime_seconds", "Heartbeat between nodes in seconds", 60),
        gauge("erlang_uptime_seconds", "How long the node is up in seconds", shared.uptime_ms() as f64 / 1000.0),
    ]
}

fn persister(_: &Shared, broker: &Broker, _: &Process) -> Vec<Sample> {
    let io = broker.disk_io();
    let messages = broker.node_totals().messages;
    let seconds = |us: u64| us as f64 / 1_000_000.0;
    vec![
        counter("io_read_ops_total", "Reads of the message store", io.reads),
        counter("io_read_bytes_total", "Bytes that the message store read", io.read_bytes),
        counter("io_write_ops_total", "Writes of the message store", io.writes),
        counter("io_write_bytes_total", "Bytes that the message store wrote", io.written_bytes),
        counter("io_sync_ops_total", "Times that the message store made a file durable", io.syncs),
        counter("io_read_time_seconds_total", "Time that reading took in seconds", seconds(io.read_us)),
        counter("io_write_time_seconds_total", "Time that writing took in seconds", seconds(io.write_us)),
        counter("io_sync_time_seconds_total", "Time that making files durable took in seconds", seconds(io.sync_us)),
        counter("io_seek_ops_total", "Seeks, which there are none of: reads and writes say where", 0),
        counter("io_seek_time_seconds_total", "Time that seeks took, which there are none of", 0.0),
        counter("io_reopen_ops_total", "Files opened again, which there are none of", 0),
        counter("schema_db_ram_tx_total", "Transactions of Mnesia, which there is none of", 0),
        counter("schema_db_disk_tx_total", "Transactions of Mnesia on disk, which there is none of", 0),
        counter("queue_index_read_ops_total", "Reads of an index of queues, which there is none of", 0),
        counter("queue_index_write_ops_total", "Writes of an index of queues, which there is none of", 0),
        counter("msg_store_read_total", "Reads of messages on disk", io.reads),
        counter("msg_store_write_total", "Messages published to be kept on disk", messages.received_persistent),
    ]
}

fn churn(_: &Shared, broker: &Broker, _: &Process) -> Vec<Sample> {
    let churn = broker.node_totals().churn;
    vec![
        counter("connections_opened_total", "Connections opened", churn.connection_created),
        counter("connections_closed_total", "Connections closed", churn.connection_closed),
        counter("channels_opened_total", "Channels opened", churn.channel_created),
        counter("channels_closed_total", "Channels closed", churn.channel_closed),
        counter("queues_declared_total", "Declarations of queues", churn.queue_declared),
        counter("queues_created_total", "Queues created", churn.queue_created),
        counter("queues_deleted_total", "Queues deleted", churn.queue_deleted),
    ]
}

/// Threads that there may be on this host.
fn thread_limit() -> u64 {
    let limit = std::fs::read_to_string("/proc/sys/kernel/threads-max").ok();
    limit.and_then(|limit| limit.trim().parse().ok()).unwrap_or_default()
}

fn overview(broker: &Broker) -> Option<Overview> {
    match broker.execute(AdminCommand::Overview) {
        Ok(AdminReply::Overview(overview)) => Some(*overview),
        _ => None,
    }
}

/// What dashboards and alerts ask of Erlang and has a meaning here.
fn erlang(process: &Process, text: &mut Text) {
    for sample in [
        gauge("process_open_fds", "Open file descriptors", process.descriptors),
        gauge("process_max_fds", "Most open file descriptors", process.descriptor_limit),
        gauge("erlang_vm_process_count", "Threads, where RabbitMQ counts Erlang processes", process.threads),
        gauge("erlang_vm_process_limit", "Most threads, where RabbitMQ has Erlang processes", thread_limit()),
        gauge("erlang_vm_statistics_context_switches", "Context switches of the process", process.context_switches),
    ] {
        one("", &sample, text);
    }
    text.family("", "erlang_vm_memory_bytes_total", Kind::Gauge, "Resident memory of the process in bytes");
    text.sample("kind=\"processes\"", process.resident_bytes);
}

/// Which software and which node it is.
pub(super) fn identity(shared: &Shared, endpoint: &str, text: &mut Text) {
    let overview = shared.broker().ok().and_then(|broker| overview(&broker));
    let version = overview.as_ref().map_or("", |overview| overview.version.as_str());
    let cluster = overview.as_ref().map_or(shared.node_name(), |overview| overview.cluster_name.as_str());
    let mut labels = String::new();
    for (name, value) in [
        ("rabbitmq_version", version),
        ("prometheus_plugin_version", version),
        ("prometheus_client_version", env!("CARGO_PKG_VERSION")),
        // Tools show it, and some take it apart.
        ("erlang_version", "27.3"),
        ("product_version", env!("CARGO_PKG_VERSION")),
        ("product_name", "Leveret"),
    ] {
        label(&mut labels, name, value);
    }
    text.family(PREFIX, "build_info", Kind::Info, "Versions of the software");
    text.sample(&labels, 1);
    labels.clear();
    for (name, value) in [
        ("rabbitmq_node", shared.node_name()),
        ("rabbitmq_cluster", cluster),
        ("rabbitmq_cluster_permanent_id", &shared.cluster_permanent_id()),
        ("rabbitmq_endpoint", endpoint),
    ] {
        label(&mut labels, name, value);
    }
    text.family(PREFIX, "identity_info", Kind::Info, "Which node of which cluster it is");
    text.sample(&labels, 1);
}

/// What the memory is used for, in RabbitMQ's parts.
pub(super) fn memory_breakdown(_: &Shared, broker: &Broker, text: &mut Text) {
    let messages = broker.message_memory() as u64;
    let resident = Process::read().resident_bytes;
    for (name, help, bytes) in [
        ("memory_code_module_bytes", "Code", 0),
        ("memory_client_connection_reader_bytes", "Reading from connections", 0),
        ("memory_client_connection_writer_bytes", "Writing to connections", 0),
        ("memory_client_connection_channel_bytes", "Channels", 0),
        ("memory_client_connection_other_bytes", "The rest of connections", 0),
        ("memory_classic_queue_erlang_process_bytes", "Classic queues", 0),
        ("memory_quorum_queue_erlang_process_bytes", "Quorum queues", 0),
        ("memory_quorum_queue_dlx_erlang_process_bytes", "Dead letters of quorum queues", 0),
        ("memory_stream_erlang_process_bytes", "Streams", 0),
        ("memory_stream_replica_reader_erlang_process_bytes", "Reading of replicas of streams", 0),
        ("memory_stream_coordinator_erlang_process_bytes", "The coordinator of streams", 0),
        ("memory_plugin_bytes", "Plugins", 0),
        ("memory_modern_metadata_store_bytes", "Definitions", 0),
        (
            "memory_other_erlang_process_bytes",
            "Everything that is none of the others",
            resident.saturating_sub(messages),
        ),
        ("memory_metrics_bytes", "Counters", 0),
        ("memory_management_stats_db_bytes", "Samples", 0),
        ("memory_classic_metadata_store_bytes", "Mnesia, which there is none of", 0),
        ("memory_quorum_queue_ets_table_bytes", "Tables of quorum queues", 0),
        ("memory_modern_metadata_store_ets_table_bytes", "Tables of definitions", 0),
        ("memory_other_ets_table_bytes", "Other tables", 0),
        ("memory_binary_heap_bytes", "Messages", messages.min(resident)),
        ("memory_message_index_bytes", "Where messages are on disk", 0),
        ("memory_atom_table_bytes", "Atoms, which there are none of", 0),
        ("memory_other_system_bytes", "The rest of the runtime", 0),
        ("memory_runtime_allocated_unused_bytes", "Allocated and not in use", 0),
        ("memory_runtime_reserved_unallocated_bytes", "Reserved and not allocated", 0),
    ] {
        text.family(PREFIX, name, Kind::Gauge, help);
        text.sample("", bytes);
    }
}
