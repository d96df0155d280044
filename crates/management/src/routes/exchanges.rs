//! `/api/exchanges`.

use super::queues::pairs;
use super::status;
use crate::api::{Api, VhostUser};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::request::{OfVhost, arguments, boolean, exchange_name, object};
use crate::shared::Shared;
use crate::statistics::Subject;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use broker::{AdminCommand, Exchange, Vhost};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

type Names = Path<(String, String)>;

/// An exchange and the number of its virtual host.
type Row = (u64, Arc<Exchange>);

/// Who RabbitMQ says declared what every virtual host has.
const INTERNAL_USER: &str = "rmq-internal";

fn show(shared: &Shared, query: &ListQuery, (vhost, exchange): &Row, fields: &mut Fields<'_>) {
    fields.put("name", || &*exchange.name);
    fields.put("vhost", || &*exchange.vhost);
    fields.put("type", || exchange.type_name());
    fields.put("durable", || exchange.durable || exchange.is_default());
    fields.put("auto_delete", || exchange.auto_delete);
    fields.put("internal", || exchange.internal);
    fields.put("arguments", || json::table(&exchange.arguments));
    if exchange.is_default() || exchange.name.starts_with("amq.") {
        fields.put("user_who_performed_action", || INTERNAL_USER);
    }
    if let Some(policy) = &exchange.options().policies.user {
        fields.put("policy", || policy.definition.name.as_str());
    }
    let (published_in, published_out) = (exchange.counters.publish_in.value(), exchange.counters.publish_out.value());
    if !query.disable_stats && (published_in, published_out) != (0, 0) {
        let subject = Subject::Exchange(*vhost, exchange.id);
        fields.put("message_stats", || {
            let counters = [("publish_in", published_in), ("publish_out", published_out)];
            shared.statistics().describe(subject, &counters, &query.sampling)
        });
    }
}

impl<R> Api<R> {
    fn exchange_rows(&self, vhost: Option<&str>) -> Result<Vec<Row>, ApiError> {
        let broker = self.broker()?;
        let vhosts: Vec<Arc<Vhost>> = match vhost {
            Some(name) => vec![broker.vhost(name).ok_or_else(ApiError::not_found)?],
            None => broker.vhosts().into_iter().filter(|vhost| self.lists_vhost(&vhost.name)).collect(),
        };
        let mut rows = Vec::new();
        for vhost in vhosts {
            let mut exchanges = vhost.exchanges();
            exchanges.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            rows.extend(exchanges.into_iter().map(|exchange| (vhost.id, exchange)));
        }
        Ok(rows)
    }
}

pub(super) async fn list(api: Api<VhostUser>, OfVhost(vhost): OfVhost, query: ListQuery) -> Result<Response, ApiError> {
    let rows = api.exchange_rows(vhost.as_deref())?;
    let (shared, asked) = (Shared::clone(&api), query.clone());
    list::reply(&query, rows, move |row, fields| show(&shared, &asked, row, fields)).await
}

pub(super) async fn one(
    api: Api<VhostUser>,
    Path((vhost, name)): Names,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let vhost = api.broker()?.vhost(&vhost).ok_or_else(ApiError::not_found)?;
    let exchange = vhost.exchange(exchange_name(&name)).ok_or_else(ApiError::not_found)?;
    let row = (vhost.id, exchange);
    Ok(list::reply_one(&query, |fields| {
        show(&api, &query, &row, fields);
        if !query.disable_stats {
            fields.put("incoming", || pairs::published_to(&api, &query, &row));
            fields.put("outgoing", || pairs::routed_from(&api, &query, &row));
        }
    }))
}

/// The type of an exchange, which is `direct` unless it is said; RabbitMQ reads other values than texts as one.
fn kind(request: &Map<String, Value>) -> String {
    match request.get("type") {
        None => "direct".to_owned(),
        Some(Value::String(kind)) => kind.clone(),
        Some(other) => other.to_string(),
    }
}

pub(super) async fn put(api: Api<VhostUser>, Path((vhost, name)): Names, bytes: Bytes) -> Result<StatusCode, ApiError> {
    api.broker()?.vhost(&vhost).ok_or_else(ApiError::vhost_not_found)?;
    let request = object(&bytes)?;
    let flag = |key| boolean(&request, key).map(Option::unwrap_or_default);
    let command = AdminCommand::DeclareExchange {
        vhost,
        name: exchange_name(&name).to_owned(),
        kind: kind(&request),
        durable: flag("durable")?,
        auto_delete: flag("auto_delete")?,
        internal: flag("internal")?,
        arguments: arguments(&request)?,
    };
    Ok(status(&api.execute_as_caller(command).await?))
}

/// Only `true` is yes, as in RabbitMQ.
#[derive(Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "if-unused")]
    if_unused: Option<String>,
}

pub(super) async fn delete(
    api: Api<VhostUser>,
    Path((vhost, name)): Names,
    Query(condition): Query<Condition>,
) -> Result<StatusCode, ApiError> {
    let if_unused = condition.if_unused.as_deref() == Some("true");
    let name = exchange_name(&name).to_owned();
    Ok(status(&api.execute_as_caller(AdminCommand::DeleteExchange { vhost, name, if_unused }).await?))
}
