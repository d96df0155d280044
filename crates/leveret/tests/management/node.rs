//! The overview, the node and what it says it can do.

use crate::support::{Client, NOT_FOUND, assert_has, start};
use serde_json::Value;

#[test]
fn the_overview_has_what_clients_want() {
    let broker = start(&[]);
    let overview = Client::guest(&broker).get("/api/overview");
    assert_has(
        &overview,
        &[
            "churn_rates",
            "cluster_name",
            "cluster_tags",
            "contexts",
            "crypto_lib_version",
            "default_queue_type",
            "disable_stats",
            "enable_queue_totals",
            "erlang_full_version",
            "erlang_version",
            "exchange_types",
            "is_op_policy_updating_enabled",
            "is_qq_replica_operations_enabled",
            "listeners",
            "management_version",
            "message_stats",
            "node",
            "node_tags",
            "object_totals",
            "product_name",
            "product_version",
            "queue_totals",
            "rabbitmq_version",
            "rates_mode",
            "release_series_support_status",
            "sample_retention_policies",
            "statistics_db_event_queue",
        ],
    );
    assert_eq!(overview["product_name"], "Leveret");
    let protocols: Vec<&str> =
        overview["listeners"].as_array().unwrap().iter().map(|row| row["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols, ["amqp", "http", "http/prometheus"]);
    assert_has(&overview["object_totals"], &["channels", "connections", "consumers", "exchanges", "queues"]);
    assert_has(&overview["queue_totals"], &["messages", "messages_details", "messages_ready"]);
    let without = Client::guest(&broker).get("/api/overview?disable_stats=true");
    assert_eq!((without.get("message_stats"), &without["disable_stats"]), (None, &Value::Bool(true)));
}

#[test]
fn the_node_has_what_clients_want() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let node = guest.get("/api/nodes")[0].clone();
    for name in ["uptime", "run_queue", "processors", "fd_total", "proc_total", "mem_limit", "disk_free_limit"] {
        assert!(node[name].is_u64(), "{name}: {node:#}");
    }
    assert_eq!(node["os_pid"], broker.pid().unwrap().to_string());
    assert!(node["fd_used"].as_u64() > Some(3) && node["fd_used"].as_u64() < node["fd_total"].as_u64(), "{node:#}");
    assert_has(
        &node,
        &[
            "applications",
            "auth_mechanisms",
            "being_drained",
            "cluster_links",
            "config_files",
            "contexts",
            "db_dir",
            "disk_free",
            "disk_free_alarm",
            "enabled_plugins",
            "exchange_types",
            "fd_used_details",
            "io_read_count",
            "io_sync_avg_time_details",
            "log_files",
            "mem_alarm",
            "mem_calculation_strategy",
            "mem_used",
            "metrics_gc_queue_length",
            "net_ticktime",
            "partitions",
            "proc_used",
            "ra_open_file_metrics",
            "rates_mode",
            "running",
            "sockets_total",
            "sockets_used",
            "type",
        ],
    );
    let name = node["name"].as_str().unwrap();
    guest.check(&[("GET", "/nodes/nope@x", "", 404, NOT_FOUND), ("GET", "/nodes/nope@x/memory", "", 404, NOT_FOUND)]);
    let memory = guest.get(&format!("/api/nodes/{name}/memory"))["memory"].clone();
    let parts = memory.as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!(Some(parts), memory["total"]["rss"].as_u64(), "{memory:#}");
    assert_has(&memory, &["connection_readers", "metadata_store", "quorum_ets", "reserved_unallocated", "strategy"]);
    let with = guest.get(&format!("/api/nodes/{name}?memory=true&binary=true&columns=memory,binary"));
    assert_has(&with, &["memory", "binary"]);
}

/// NServiceBus and others look for them.
#[test]
fn features_are_enabled() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let flags = guest.get("/api/feature-flags");
    for name in ["stream_queue", "quorum_queue", "stream_filtering", "message_containers", "khepri_db"] {
        let flag = flags.as_array().unwrap().iter().find(|flag| flag["name"] == name).unwrap_or(&Value::Null);
        assert_eq!(flag["state"], "enabled", "{name}");
        assert_has(flag, &["desc", "doc_url", "stability", "provided_by"]);
    }
    guest.check(&[
        ("PUT", "/feature-flags/khepri_db/enable", "{}", 204, ""),
        ("PUT", "/feature-flags/nope/enable", "{}", 400, r#"{"error":"bad_request","reason":"unsupported"}"#),
        ("GET", "/deprecated-features/used", "", 200, "[]"),
        ("PUT", "/queues/%2F/passing", "{}", 201, ""),
        (
            "GET",
            "/deprecated-features/used?columns=name,deprecation_phase",
            "",
            200,
            r#"[{"name":"transient_nonexcl_queues","deprecation_phase":"permitted_by_default"}]"#,
        ),
        ("DELETE", "/queues/%2F/passing", "", 204, ""),
        ("DELETE", "/reset", "", 204, ""),
        ("DELETE", "/reset/nope", "", 404, NOT_FOUND),
        ("POST", "/rebalance/queues", "", 204, ""),
        ("GET", "/auth/attempts/nope", "", 404, NOT_FOUND),
        ("GET", "/shovels", "", 200, "[]"),
    ]);
    assert_has(&guest.get("/api/auth/hash_password/foo"), &["ok"]);
}
