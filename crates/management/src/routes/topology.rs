//! `/api/exchanges` and `/api/bindings`.

use super::ask;
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::service::Shared;
use axum::Json;
use axum::extract::Path;
use axum::response::Response;
use broker::{AdminCommand, BindingSnapshot, ExchangeSnapshot};
use serde_json::{Value, json};

type List = Result<Json<Vec<Value>>, ApiError>;

/// How paths name the default exchange, which has no name.
const DEFAULT_EXCHANGE: &str = "amq.default";

fn show_exchange(exchange: &ExchangeSnapshot, fields: &mut Fields<'_>) {
    let counter =
        |wanted: &str| exchange.counters.iter().find(|(name, _)| *name == wanted).map_or(0, |(_, value)| *value);
    fields.put("name", || &*exchange.name);
    fields.put("vhost", || &*exchange.vhost);
    fields.put("type", || exchange.kind);
    fields.put("durable", || exchange.durable);
    fields.put("auto_delete", || exchange.auto_delete);
    fields.put("internal", || exchange.internal);
    fields.put("arguments", || json::table(&exchange.arguments));
    fields.put("policy", || exchange.policy.clone());
    fields
        .put("message_stats", || json!({ "publish_in": counter("publish_in"), "publish_out": counter("publish_out") }));
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

async fn list_exchanges(shared: &Shared, query: &ListQuery, vhost: Option<String>) -> Result<Response, ApiError> {
    let exchanges = ask!(shared, AdminCommand::ListExchanges { vhost }, Exchanges);
    list::reply(query, exchanges, show_exchange).await
}

async fn list_bindings(shared: &Shared, vhost: Option<String>, wanted: impl Fn(&BindingSnapshot) -> bool) -> List {
    let bindings = ask!(shared, AdminCommand::ListBindings { vhost }, Bindings);
    Ok(Json(bindings.iter().filter(|binding| wanted(binding)).map(show_binding).collect()))
}

pub(super) async fn exchanges(api: Api<Administrator>, query: ListQuery) -> Result<Response, ApiError> {
    list_exchanges(&api, &query, None).await
}

pub(super) async fn exchanges_of_vhost(
    api: Api<Administrator>,
    Path(vhost): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    list_exchanges(&api, &query, Some(vhost)).await
}

pub(super) async fn exchange(
    api: Api<Administrator>,
    Path((vhost, name)): Path<(String, String)>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let name = if name == DEFAULT_EXCHANGE { "" } else { &name };
    let exchanges = ask!(api, AdminCommand::ListExchanges { vhost: Some(vhost) }, Exchanges);
    let found = exchanges.iter().find(|exchange| *exchange.name == *name).ok_or_else(ApiError::not_found)?;
    Ok(list::reply_one(&query, |fields| show_exchange(found, fields)))
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
