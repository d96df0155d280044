//! `/api/overview`, `/api/version`, `/api/whoami`, `/api/cluster-name` and `/api/extensions`.

use super::status;
use crate::api::{Administrator, Api, ManagementUser, Public};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::request::required;
use crate::settings::HttpsSettings;
use crate::shared::Shared;
use crate::statistics::{Retention, RetentionPolicies, Sampling, Subject};
use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use broker::{AdminCommand, Broker, ExchangeKind, QueueCell};
use serde_json::{Map, Value, json};
use std::cell::LazyCell;
use std::net::SocketAddr;
use std::sync::Arc;

/// The name of the product, beside that of RabbitMQ in versions.
pub(super) const PRODUCT: &str = "Leveret";
/// What stands where RabbitMQ has the version of Erlang: there is none, and clients want a text.
const NO_ERLANG: &str = "none";
/// The descriptions of exchange types, RabbitMQ's where it has the type in its core.
const EXCHANGE_TYPES: [(ExchangeKind, &str); 10] = [
    (ExchangeKind::Direct, "AMQP direct exchange, as per the AMQP specification"),
    (ExchangeKind::Fanout, "AMQP fanout exchange, as per the AMQP specification"),
    (ExchangeKind::Headers, "AMQP headers exchange, as per the AMQP specification"),
    (ExchangeKind::Topic, "AMQP topic exchange, as per the AMQP specification"),
    (ExchangeKind::ConsistentHash, "One binding by consistent hash, in proportion to weights"),
    (ExchangeKind::LocalRandom, "One queue of this node at random"),
    (ExchangeKind::MessageDeduplication, "Every binding, but not what was seen before"),
    (ExchangeKind::ModulusHash, "One binding by hash modulo their number"),
    (ExchangeKind::Random, "One binding at random"),
    (ExchangeKind::RecentHistory, "Every binding, and what came last to each new one"),
];
const DELAYED_TYPE: (&str, &str) = ("x-delayed-message", "As its x-delayed-type says, after a delay");

/// Types, sorted by name.
pub(super) fn exchange_types() -> Value {
    let own = EXCHANGE_TYPES.iter().map(|(kind, description)| (kind.name(), *description));
    let mut all: Vec<(&str, &str)> = own.chain([DELAYED_TYPE]).collect();
    all.sort_unstable();
    all.iter().map(|(name, description)| json!({ "name": name, "description": description, "enabled": true })).collect()
}

/// Where the node listens: protocol in RabbitMQ's words, and address.
pub(super) fn listeners(shared: &Shared) -> Vec<(&'static str, SocketAddr)> {
    let amqp = shared.listeners().into_iter().map(|address| ("amqp", address));
    let http = shared.http();
    let management = http.listeners.iter().map(|address| ("http", *address));
    let metrics = http.prometheus_listeners.iter().map(|address| ("http/prometheus", *address));
    let amqps = shared.tls_listeners().into_iter().map(|address| ("amqp/ssl", address));
    let https = |name, settings: &Option<HttpsSettings>| {
        let listeners = settings.iter().flat_map(|settings| settings.listeners.clone());
        listeners.map(move |address| (name, address)).collect::<Vec<_>>()
    };
    let with_tls = https("https", &http.https).into_iter().chain(https("https/prometheus", &http.prometheus_https));
    let mut all: Vec<_> = amqp.chain(management).chain(metrics).chain(amqps).chain(with_tls).collect();
    all.sort_unstable();
    all
}

fn show_listener(shared: &Shared, (protocol, address): (&str, SocketAddr)) -> Value {
    let ip = address.ip().to_canonical();
    let socket_opts = if protocol.starts_with("amqp") {
        json!({ "backlog": 128, "nodelay": true, "linger": [true, 0], "exit_on_close": false })
    } else {
        json!({ "cowboy_opts": { "sendfile": false }, "ip": ip, "port": address.port() })
    };
    json!({
        "node": shared.node_name(),
        "protocol": protocol,
        "ip_address": ip,
        "port": address.port(),
        "socket_opts": socket_opts,
        "tls": protocol.starts_with("https") || protocol == "amqp/ssl",
    })
}

/// What is served over HTTP; RabbitMQ has the node in the overview, and not among the node's own fields.
pub(super) fn contexts(shared: &Shared, with_node: bool) -> Value {
    let show = |(protocol, address): (&str, SocketAddr)| {
        let (description, path) = match protocol {
            "http" | "https" => ("RabbitMQ Management", format!("{}/", shared.http().path_prefix)),
            "http/prometheus" | "https/prometheus" => ("RabbitMQ Prometheus", "/metrics".to_owned()),
            _ => return None,
        };
        let mut context = Map::from_iter([
            ("ssl_opts".to_owned(), json!([])),
            ("description".to_owned(), description.into()),
            ("path".to_owned(), path.into()),
            ("cowboy_opts".to_owned(), "[{sendfile,false}]".into()),
            ("ip".to_owned(), address.ip().to_canonical().to_string().into()),
            ("port".to_owned(), address.port().to_string().into()),
        ]);
        if with_node {
            context.insert("node".to_owned(), shared.node_name().into());
        }
        Some(Value::Object(context))
    };
    listeners(shared).into_iter().filter_map(show).collect()
}

/// A global parameter that is an object.
fn global_object(broker: &Broker, name: &str) -> Value {
    match broker.global_parameter(name).as_ref().map(json::field) {
        Some(Value::Object(object)) => Value::Object(object),
        _ => json!({}),
    }
}

pub(super) async fn overview(api: Api<ManagementUser>, query: ListQuery) -> Result<Response, ApiError> {
    let broker = api.broker()?;
    Ok(list::reply_one(&query, |fields| {
        identity(&api, &broker, &query, fields);
        if query.disable_stats {
            fields.put("node", || api.node_name());
            fields.put("object_totals", || totals(&api, &broker, true));
            return;
        }
        let queues = seen_queues(&api, &broker);
        statistics(&api, &broker, &queues, &query.sampling, fields);
        fields.put("object_totals", || totals(&api, &broker, false));
        fields.put("statistics_db_event_queue", || 0);
        if api.caller.tags.is_monitor() {
            fields.put("node", || api.node_name());
            fields.put("listeners", || {
                listeners(&api).into_iter().map(|listener| show_listener(&api, listener)).collect::<Value>()
            });
            fields.put("contexts", || contexts(&api, true));
        }
    }))
}

fn identity(shared: &Shared, broker: &Broker, query: &ListQuery, fields: &mut Fields<'_>) {
    let version = broker.settings.version.as_str();
    fields.put("management_version", || version);
    fields.put("rates_mode", || shared.statistics().settings().rates_mode.name());
    fields.put("sample_retention_policies", || retention(&shared.statistics().settings().retention));
    fields.put("exchange_types", exchange_types);
    fields.put("product_version", || env!("CARGO_PKG_VERSION"));
    fields.put("product_name", || PRODUCT);
    fields.put("rabbitmq_version", || version);
    fields.put("cluster_name", || broker.cluster_name());
    fields.put("cluster_tags", || global_object(broker, "cluster_tags"));
    fields.put("node_tags", || json!(shared.node().tags));
    fields.put("erlang_version", || NO_ERLANG);
    fields.put("erlang_full_version", || format!("{PRODUCT} {} runs without Erlang", env!("CARGO_PKG_VERSION")));
    fields.put("crypto_lib_version", || NO_ERLANG);
    fields.put("release_series_support_status", || "supported");
    fields.put("disable_stats", || query.disable_stats);
    fields.put("default_queue_type", || broker.settings.default_queue_type.as_str());
    fields.put("is_op_policy_updating_enabled", || !shared.http().fixes_operator_policies);
    fields.put("require_definition_json_extension", || shared.http().requires_json_extension);
    // There are no quorum queues whose replicas could be moved.
    fields.put("is_qq_replica_operations_enabled", || false);
    fields.put("enable_queue_totals", || query.enable_queue_totals);
}

/// The queues whose messages are added up: all for monitors, and those in their virtual hosts for others.
fn seen_queues(api: &Api<ManagementUser>, broker: &Broker) -> Vec<Arc<QueueCell>> {
    if api.caller.tags.is_monitor() {
        return broker.queue_cells(None);
    }
    let seen = broker.vhosts().into_iter().filter(|vhost| api.sees_vhost(&vhost.name));
    seen.flat_map(|vhost| vhost.queues()).collect()
}

fn totals(api: &Api<ManagementUser>, broker: &Broker, without_statistics: bool) -> Value {
    let all = broker.object_totals();
    if api.caller.tags.is_monitor() {
        if without_statistics {
            return json!({ "queues": all.queues, "exchanges": all.exchanges, "connections": all.connections });
        }
        return json!({
            "channels": all.channels,
            "connections": all.connections,
            "consumers": all.consumers,
            "exchanges": all.exchanges,
            "queues": all.queues,
            // What RabbitMQ does not have, and the command line shows.
            "vhosts": broker.vhosts().len(),
        });
    }
    let seen: Vec<_> = broker.vhosts().into_iter().filter(|vhost| api.sees_vhost(&vhost.name)).collect();
    let queues: usize = seen.iter().map(|vhost| vhost.queues().len()).sum();
    let exchanges: usize = seen.iter().map(|vhost| vhost.exchanges().len()).sum();
    if without_statistics {
        return json!({ "queues": queues, "exchanges": exchanges });
    }
    let own = broker.connections().into_iter().filter(|connection| api.sees_user(connection.user()));
    let (mut connections, mut channels, mut consumers) = (0, 0, 0);
    for connection in own {
        connections += 1;
        connection.each_channel(|_| channels += 1);
        consumers += connection.channels().iter().map(|channel| channel.consumer_count()).sum::<usize>();
    }
    json!({
        "channels": channels,
        "connections": connections,
        "consumers": consumers,
        "exchanges": exchanges,
        "queues": queues,
    })
}

/// What happened in some queues, added up.
pub(super) fn counters_of(queues: &[Arc<QueueCell>]) -> Vec<(&'static str, u64)> {
    let mut sums: Vec<(&'static str, u64)> = Vec::new();
    for cell in queues {
        let mut at = 0;
        cell.counters.each(|name, value| {
            match sums.get_mut(at) {
                Some((_, sum)) => *sum += value,
                None => sums.push((name, value)),
            }
            at += 1;
        });
    }
    sums
}

pub(super) fn sum_of(counters: &[(&'static str, u64)], wanted: &str) -> u64 {
    counters.iter().find(|(name, _)| *name == wanted).map_or(0, |(_, value)| *value)
}

fn statistics(
    shared: &Shared,
    broker: &Broker,
    queues: &[Arc<QueueCell>],
    sampling: &Sampling,
    fields: &mut Fields<'_>,
) {
    let counters = counters_of(queues);
    let describe = |counters: &[(&'static str, u64)]| shared.statistics().describe(Subject::Broker, counters, sampling);
    let totals = LazyCell::new(|| broker.node_totals());
    fields.put("message_stats", || {
        let (messages, io) = (&totals.messages, broker.disk_io());
        describe(&[
            ("publish", messages.received),
            ("confirm", messages.confirmed),
            ("return_unroutable", messages.unroutable_returned),
            ("drop_unroutable", messages.unroutable_dropped),
            ("deliver", messages.delivered_consume_manual_ack),
            ("deliver_no_ack", messages.delivered_consume_auto_ack),
            ("get", messages.delivered_get_manual_ack),
            ("get_no_ack", messages.delivered_get_auto_ack),
            ("get_empty", messages.get_empty),
            ("deliver_get", messages.delivered()),
            ("redeliver", messages.redelivered),
            ("ack", messages.acknowledged),
            ("disk_reads", io.reads),
            ("disk_writes", io.writes),
        ])
    });
    fields.put("churn_rates", || {
        let mut counters = Vec::new();
        totals.churn.each(|name, value| counters.push((name, value)));
        describe(&counters)
    });
    fields.put("queue_totals", || {
        let (ready, unacked) = (sum_of(&counters, "messages_ready"), sum_of(&counters, "messages_unacknowledged"));
        describe(&[("messages", ready + unacked), ("messages_ready", ready), ("messages_unacknowledged", unacked)])
    });
}

pub(super) async fn version(public: Public) -> Result<Json<String>, ApiError> {
    Ok(Json(public.broker()?.settings.version.clone()))
}

pub(super) async fn whoami(api: Api<ManagementUser>) -> Json<Value> {
    let caller = &api.caller;
    Json(json!({ "name": *caller.name, "tags": caller.tag_names, "is_internal_user": caller.user.asks_internally() }))
}

pub(super) async fn cluster_name(api: Api<ManagementUser>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "name": api.broker()?.cluster_name() })))
}

pub(super) async fn set_cluster_name(api: Api<Administrator>, bytes: Bytes) -> Result<StatusCode, ApiError> {
    let mut request = required(&bytes, &["name"])?;
    match request.remove("name").unwrap_or_default() {
        Value::String(name) => {
            Ok(status(&api.execute(AdminCommand::SetClusterName(name)).await?)).map(|_| StatusCode::NO_CONTENT)
        }
        other => Err(ApiError::bad_value("not_string", &other)),
    }
}

/// The scripts of RabbitMQ's user interface; old tools look for them to see which plugins there are.
pub(super) async fn extensions(_: Api<ManagementUser>) -> Json<Value> {
    Json(json!([{ "javascript": "dispatcher.js" }]))
}

/// How far back samples go, in seconds: RabbitMQ's user interface knows five spans, and 0 for another one.
fn retention(policies: &RetentionPolicies) -> Value {
    let span = |policy: &Retention| match policy.span_s {
        0..=66 => 60,
        540..=660 => 600,
        3240..=3960 => 3600,
        25_920..=31_681 => 28_800,
        77_760..=95_041 => 86_400,
        _ => 0,
    };
    let spans = |kept: &[Retention]| {
        let mut spans: Vec<u32> = kept.iter().map(span).collect();
        spans.sort_unstable();
        spans
    };
    json!({
        "global": spans(&policies.global),
        "basic": spans(&policies.basic),
        "detailed": spans(&policies.detailed),
    })
}
