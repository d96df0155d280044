//! `/api/exchanges` and `/api/bindings`.

use super::ask;
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::json;
use crate::service::Shared;
use axum::Json;
use axum::extract::Path;
use broker::{AdminCommand, BindingSnapshot, ExchangeSnapshot};
use serde_json::{Value, json};

type List = Result<Json<Vec<Value>>, ApiError>;

/// How paths name the default exchange, which has no name.
const DEFAULT_EXCHANGE: &str = "amq.default";

fn show_exchange(exchange: &ExchangeSnapshot) -> Value {
    let counter =
        |wanted: &str| exchange.counters.iter().find(|(name, _)| *name == wanted).map_or(0, |(_, value)| *value);
    json!({
        "name": *exchange.name,
        "vhost": *exchange.vhost,
        "type": exchange.kind,
        "durable": exchange.durable,
        "auto_delete": exchange.auto_delete,
        "internal": exchange.internal,
        "arguments": json::table(&exchange.arguments),
        "policy": exchange.policy,
        "message_stats": { "publish_in": counter("publish_in"), "publish_out": counter("publish_out") },
    })
}

fn show_binding(snapshot: &BindingSnapshot) -> Value {
    let binding = &snapshot.binding;
    json!({
        "source": *binding.source,
        "vhost": *snapshot.vhost,
        "destination": *binding.destination,
        "destination_type": if binding.to_queue { "queue" } else { "exchange" },
        "routing_key": binding.routing_key,
        "arguments": json::table(&binding.arguments),
    })
}

async fn list_exchanges(shared: &Shared, vhost: Option<String>) -> List {
    let exchanges = ask!(shared, AdminCommand::ListExchanges { vhost }, Exchanges);
    Ok(Json(exchanges.iter().map(show_exchange).collect()))
}

async fn list_bindings(shared: &Shared, vhost: Option<String>, wanted: impl Fn(&BindingSnapshot) -> bool) -> List {
    let bindings = ask!(shared, AdminCommand::ListBindings { vhost }, Bindings);
    Ok(Json(bindings.iter().filter(|binding| wanted(binding)).map(show_binding).collect()))
}

pub(super) async fn exchanges(api: Api<Administrator>) -> List {
    list_exchanges(&api, None).await
}

pub(super) async fn exchanges_of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    list_exchanges(&api, Some(vhost)).await
}

pub(super) async fn exchange(
    api: Api<Administrator>,
    Path((vhost, name)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let name = if name == DEFAULT_EXCHANGE { "" } else { &name };
    let exchanges = ask!(api, AdminCommand::ListExchanges { vhost: Some(vhost) }, Exchanges);
    let found = exchanges.iter().find(|exchange| *exchange.name == *name);
    found.map(|exchange| Json(show_exchange(exchange))).ok_or_else(ApiError::not_found)
}

pub(super) async fn bindings(api: Api<Administrator>) -> List {
    list_bindings(&api, None, |_| true).await
}

pub(super) async fn bindings_of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    list_bindings(&api, Some(vhost), |_| true).await
}

pub(super) async fn bindings_of_queue(api: Api<Administrator>, Path((vhost, queue)): Path<(String, String)>) -> List {
    ask!(api, AdminCommand::Queue { vhost: vhost.clone(), name: queue.clone() }, Queues);
    list_bindings(&api, Some(vhost), |snapshot| snapshot.binding.to_queue && *snapshot.binding.destination == *queue)
        .await
}
