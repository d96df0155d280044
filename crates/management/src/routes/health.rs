//! `/api/health/checks`, `/api/healthchecks/node` and `/api/aliveness-test`. Each answers from what is at hand: it costs
//! nothing, and leaves nothing behind.

use super::overview::listeners;
use crate::api::{Api, ManagementUser, Public, VhostUser};
use crate::error::ApiError;
use crate::shared::Shared;
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broker::{Alarm, Broker};
use serde_json::{Map, Value, json};

type Checked = Result<Response, ApiError>;

fn ok() -> Checked {
    Ok(Json(json!({ "status": "ok" })).into_response())
}

/// 503, with the reason and what else belongs to it.
fn failed(reason: &str, more: Value) -> Checked {
    let mut body = Map::from_iter([("status".to_owned(), "failed".into()), ("reason".to_owned(), reason.into())]);
    if let Value::Object(more) = more {
        body.extend(more);
    }
    Ok((StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response())
}

fn check_alarms(shared: &Shared, reason: &str) -> Checked {
    let broker = shared.broker()?;
    let alarms: Vec<Value> = [("memory", Alarm::Memory), ("disk", Alarm::Disk)]
        .into_iter()
        .filter(|(_, alarm)| broker.has_alarm(*alarm))
        .map(|(resource, _)| json!({ "node": shared.node_name(), "resource": resource }))
        .collect();
    if alarms.is_empty() { ok() } else { failed(reason, json!({ "alarms": alarms })) }
}

pub(super) async fn alarms(api: Api<ManagementUser>) -> Checked {
    check_alarms(&api, "There are alarms in effect in the cluster")
}

pub(super) async fn local_alarms(api: Api<ManagementUser>) -> Checked {
    check_alarms(&api, "There are alarms in effect on the node")
}

pub(super) async fn port_listener(api: Api<ManagementUser>, Path(port): Path<String>) -> Checked {
    let Ok(port) = port.parse::<i64>() else { return Err(ApiError::bad_request("Invalid port")) };
    let mut ports: Vec<u16> = listeners(&api).into_iter().map(|(_, address)| address.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.iter().any(|open| i64::from(*open) == port) {
        return Ok(Json(json!({ "status": "ok", "port": port })).into_response());
    }
    failed("No active listener", json!({ "missing": port, "ports": ports }))
}

/// The name that a listener has, for what RabbitMQ lets people call it.
fn protocol(name: &str) -> String {
    let name = name.to_lowercase();
    let known = match name.as_str() {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" | "amqp0_9_1" | "amqp10" | "amqp1.0" | "amqp1-0" | "amqp1_0" => "amqp",
        "amqps" => "amqp/ssl",
        "mqtt3.1" | "mqtt3.1.1" | "mqtt31" | "mqtt311" | "mqtt3_1" | "mqtt3_1_1" => "mqtt",
        "mqtts" | "mqtt+tls" | "mqtt+ssl" => "mqtt/ssl",
        "stomp1.0" | "stomp1.1" | "stomp1.2" | "stomp10" | "stomp11" | "stomp12" | "stomp1_0" | "stomp1_1"
        | "stomp1_2" => "stomp",
        "stomps" | "stomp+tls" | "stomp+ssl" => "stomp/ssl",
        "http1" | "http1.1" | "http_api" | "management" | "management_ui" | "ui" => "http",
        "cli" | "distribution" => "clustering",
        "cli/ssl" | "cli/tls" | "distribution/ssl" | "distribution/tls" => "clustering/ssl",
        "webmqtt" | "web-mqtt" | "web_mqtt" => "http/web-mqtt",
        "webmqtt/tls" | "web-mqtt/tls" | "webmqtt/ssl" | "web-mqtt/ssl" | "webmqtt+tls" | "web-mqtt+tls"
        | "webmqtt+ssl" | "web-mqtt+ssl" => "https/web-mqtt",
        "webstomp" | "web-stomp" | "web_stomp" => "http/web-stomp",
        "webstomp/tls" | "web-stomp/tls" | "webstomp/ssl" | "web-stomp/ssl" | "webstomp+tls" | "web-stomp+tls"
        | "webstomp+ssl" | "web-stomp+ssl" => "https/web-stomp",
        other => other,
    };
    known.to_owned()
}

pub(super) async fn protocol_listener(api: Api<ManagementUser>, Path(names): Path<String>) -> Checked {
    let mut active: Vec<&str> = listeners(&api).into_iter().map(|(protocol, _)| protocol).collect();
    active.dedup();
    let mut missing: Vec<String> =
        names.split(',').map(protocol).filter(|name| !active.contains(&name.as_str())).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(Json(json!({ "status": "ok", "protocols": active })).into_response());
    }
    failed("No active listener", json!({ "missing": missing, "protocols": active }))
}

/// Virtual hosts are not processes that could be down.
pub(super) async fn virtual_hosts(api: Api<ManagementUser>) -> Checked {
    api.broker()?;
    ok()
}

/// Of a node that is alone no quorum depends; RabbitMQ says why.
pub(super) async fn quorum_critical(_: Api<ManagementUser>) -> Checked {
    Ok(Json(json!({ "status": "ok", "reason": "single node cluster" })).into_response())
}

/// There are no quorum queues that could be without a leader.
pub(super) async fn elected_leaders(_: Api<ManagementUser>) -> Checked {
    ok()
}

fn is_serving(broker: Option<&Broker>) -> bool {
    broker.is_some_and(|broker| !broker.is_shutting_down() && !broker.is_in_maintenance())
}

pub(super) async fn in_service(public: Public) -> Checked {
    if is_serving(public.broker().ok().as_deref()) {
        return ok();
    }
    failed("this rabbit node is not currently available to serve", Value::Null)
}

const CONNECTION_LIMIT: &str = "node connection limit is reached";

/// Connections, where there are as many as there may be.
fn too_many_connections(broker: &Broker) -> Option<u64> {
    let most = broker.limits.connections()?;
    let open = broker.object_totals().connections;
    (open >= most).then_some(open)
}

pub(super) async fn below_connection_limit(public: Public) -> Checked {
    match too_many_connections(&*public.broker()?) {
        None => ok(),
        Some(_) => failed(CONNECTION_LIMIT, Value::Null),
    }
}

pub(super) async fn ready_to_serve(public: Public) -> Checked {
    let broker = public.broker().ok().filter(|broker| is_serving(Some(broker)));
    let Some(broker) = broker else {
        return failed("the rabbit node is not currently available to serve", Value::Null);
    };
    if public.listeners().is_empty() && public.tls_listeners().is_empty() {
        return failed("no active listeners for AMQP/AMQPS", Value::Null);
    }
    match too_many_connections(&broker) {
        None => ok(),
        Some(open) => failed(CONNECTION_LIMIT, json!({ "connections": open })),
    }
}

/// A cluster of one has reached its size once it is there.
pub(super) async fn cluster_size(public: Public) -> Checked {
    public.broker()?;
    ok()
}

pub(super) async fn metadata_store(api: Api<ManagementUser>) -> Checked {
    match api.broker() {
        Ok(_) => ok(),
        Err(_) => failed("Metadata store has not yet reported as initialized", Value::Null),
    }
}

pub(super) async fn metadata_store_with_data(api: Api<ManagementUser>) -> Checked {
    if api.broker().is_ok_and(|broker| !broker.vhosts().is_empty()) {
        return ok();
    }
    failed("Metadata store has not yet been initialized: it reports to have no virtual hosts", Value::Null)
}

/// What RabbitMQ before 4.0 did with a queue that it left behind.
pub(super) async fn aliveness(api: Api<VhostUser>, Path(vhost): Path<String>) -> Checked {
    api.broker()?.vhost(&vhost).ok_or_else(ApiError::not_found)?;
    if !api.may_use_vhost(&vhost) {
        return Err(ApiError::not_authorised("Access refused."));
    }
    ok()
}

/// RabbitMQ's first health check, which the others have taken the place of: alarms are what can be wrong.
pub(super) async fn node(api: Api<ManagementUser>) -> Checked {
    let broker = api.broker()?;
    let alarms: Vec<&str> = [("memory", Alarm::Memory), ("disk", Alarm::Disk)]
        .into_iter()
        .filter(|(_, alarm)| broker.has_alarm(*alarm))
        .map(|(name, _)| name)
        .collect();
    if alarms.is_empty() {
        return ok();
    }
    failed(&format!("resource alarm(s) in effect:[{}]", alarms.join(",")), Value::Null)
}

pub(super) async fn named_node(api: Api<ManagementUser>, Path(name): Path<String>) -> Checked {
    api.check_node(&name)?;
    node(api).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_many_names() {
        for (name, listener) in [("AMQP091", "amqp"), ("amqps", "amqp/ssl"), ("ui", "http"), ("x", "x")] {
            assert_eq!(protocol(name), listener);
        }
    }
}
