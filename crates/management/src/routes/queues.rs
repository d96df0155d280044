//! `/api/queues`.

mod details;
mod fields;
pub(super) mod pairs;

use super::channels::show_consumer;
use super::{ask, counted, status};
use crate::api::{Administrator, Api, VhostUser};
use crate::error::ApiError;
use crate::fields::{Fields, Wanted};
use crate::list::{self, ListQuery};
use crate::request::{OfVhost, arguments, boolean, object, required, text};
use crate::shared::Shared;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use broker::{AdminCommand, QueueCell};
use details::Details;
use fields::show;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

pub(super) use fields::{message_stats, with_details};

type Names = Path<(String, String)>;

impl<R> Api<R> {
    /// The queues that a list shows the caller, by virtual host and name; those before and behind a page in any order.
    fn queue_rows(&self, vhost: Option<&str>, query: &ListQuery) -> Result<Vec<Arc<QueueCell>>, ApiError> {
        let broker = self.broker()?;
        let mut cells = match vhost {
            Some(name) => {
                broker.vhost(name).ok_or_else(ApiError::not_found)?;
                broker.queue_cells(Some(name))
            }
            None if self.caller.tags.administrator => broker.queue_cells(None),
            None => {
                let seen = broker.vhosts().into_iter().filter(|vhost| self.lists_vhost(&vhost.name));
                seen.flat_map(|vhost| vhost.queues()).collect()
            }
        };
        let order = |a: &Arc<QueueCell>, b: &Arc<QueueCell>| (&a.vhost, &a.name).cmp(&(&b.vhost, &b.name));
        let mut shown = &mut cells[..];
        if let Some(range) = query.plain_range(shown.len()) {
            // Sorting all of very many takes longer than all the rest.
            let length = range.len();
            shown = match range.start {
                0 => shown,
                start => shown.select_nth_unstable_by(start - 1, order).2,
            };
            if length < shown.len() {
                shown.select_nth_unstable_by(length, order);
                shown = &mut shown[..length];
            }
        }
        shown.sort_unstable_by(order);
        Ok(cells)
    }

    fn queue_cell(&self, vhost: &str, name: &str) -> Result<Arc<QueueCell>, ApiError> {
        self.broker()?.vhost(vhost).and_then(|vhost| vhost.queue(name)).ok_or_else(ApiError::not_found)
    }
}

/// A list of queues, which come by virtual host and name.
async fn reply(shared: &Shared, query: &ListQuery, cells: Vec<Arc<QueueCell>>) -> Result<Response, ApiError> {
    let details = Details::new(shared, &cells);
    let (shared, asked) = (shared.clone(), query.clone());
    let rows: Vec<(usize, Arc<QueueCell>)> = cells.into_iter().enumerate().collect();
    let show = move |(place, cell): &(usize, Arc<QueueCell>), fields: &mut Fields<'_>| {
        show(&shared, &asked, cell, || details.of(*place), fields);
    };
    list::reply_in_order(query, rows, show).await
}

/// All fields, here as at `/queues/detailed`: RabbitMQ 4.x leaves some out of this list, and 3.x does not.
pub(super) async fn list(api: Api<VhostUser>, OfVhost(vhost): OfVhost, query: ListQuery) -> Result<Response, ApiError> {
    let rows = api.queue_rows(vhost.as_deref(), &query)?;
    reply(&api, &query, rows).await
}

/// Those that a user's connections own; RabbitMQ has those that the user declared, which is not kept here.
pub(super) async fn of_user(
    api: Api<VhostUser>,
    Path(user): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let broker = api.broker()?;
    let owned_by = |cell: &QueueCell| cell.owner.and_then(|owner| broker.connection(owner));
    let mut rows = api.queue_rows(None, &ListQuery::default())?;
    rows.retain(|cell| owned_by(cell).is_some_and(|connection| connection.user() == user));
    reply(&api, &query, rows).await
}

pub(super) async fn one(
    api: Api<VhostUser>,
    Path((vhost, name)): Names,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let cell = api.queue_cell(&vhost, &name)?;
    let broker = api.broker()?;
    let asked = cell.clone();
    // It may wait for a reactor, so it is not asked for on the thread that serves.
    let details = tokio::task::spawn_blocking(move || broker.queue_details(&asked).ok()).await;
    let details = details.ok().flatten().unwrap_or_default();
    Ok(list::reply_one(&query, |fields| {
        show(&api, &query, &cell, || details.clone(), fields);
        if !query.disable_stats {
            fields.put("consumer_details", || consumers_of(&api, &cell));
            fields.put("deliveries", || pairs::delivered_from(&api, &query, &cell));
            fields.put("incoming", || pairs::routed_to(&api, &query, &cell));
        }
    }))
}

fn consumers_of(shared: &Shared, cell: &Arc<QueueCell>) -> Value {
    let Ok(broker) = shared.broker() else { return Value::Array(Vec::new()) };
    let own = broker.consumers().into_iter().filter(|of| of.queue().is_some_and(|queue| Arc::ptr_eq(queue, cell)));
    own.map(|subscription| {
        let mut fields = Fields::new(&Wanted::All);
        show_consumer(shared, &subscription, &mut fields);
        fields.finish()
    })
    .collect()
}

pub(super) async fn put(api: Api<VhostUser>, Path((vhost, name)): Names, bytes: Bytes) -> Result<StatusCode, ApiError> {
    api.broker()?.vhost(&vhost).ok_or_else(ApiError::vhost_not_found)?;
    let request = object(&bytes)?;
    let (durable, auto_delete) = (boolean(&request, "durable")?, boolean(&request, "auto_delete")?);
    if let Some(node) = text(&request, "node")?.filter(|node| node != api.node_name()) {
        return Err(ApiError::bad_request(format!("Node {node} is not a cluster member")));
    }
    let command = AdminCommand::DeclareQueue {
        vhost,
        name,
        durable: durable.unwrap_or_default(),
        auto_delete: auto_delete.unwrap_or_default(),
        arguments: arguments(&request)?,
    };
    Ok(status(&api.execute_as_caller(command).await?))
}

/// Only `true` is yes, as in RabbitMQ.
#[derive(Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "if-unused")]
    if_unused: Option<String>,
    #[serde(rename = "if-empty")]
    if_empty: Option<String>,
}

pub(super) async fn delete(
    api: Api<VhostUser>,
    Path((vhost, name)): Names,
    Query(condition): Query<Condition>,
) -> Result<Response, ApiError> {
    let is_true = |value: Option<String>| value.as_deref() == Some("true");
    let (if_unused, if_empty) = (is_true(condition.if_unused), is_true(condition.if_empty));
    let command = AdminCommand::DeleteQueue { vhost, name, if_unused, if_empty };
    match api.execute_as_caller(command).await? {
        broker::AdminReply::Count(count) => Ok(counted(count)),
        _ => Err(ApiError::unexpected_reply()),
    }
}

pub(super) async fn purge(api: Api<VhostUser>, Path((vhost, name)): Names) -> Result<Response, ApiError> {
    match api.execute_as_caller(AdminCommand::PurgeQueue { vhost, name }).await? {
        broker::AdminReply::Count(count) => Ok(counted(count)),
        _ => Err(ApiError::unexpected_reply()),
    }
}

/// What mirrored queues could be told before 4.0 does nothing; RabbitMQ 4.x knows no action any more.
pub(super) async fn act(
    api: Api<Administrator>,
    Path((vhost, name)): Names,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    ask!(api, AdminCommand::Queue { vhost, name }, Queues);
    let mut request = required(&bytes, &["action"])?;
    match request.remove("action").unwrap_or_default() {
        Value::String(action) if matches!(action.as_str(), "sync" | "cancel_sync") => Ok(StatusCode::NO_CONTENT),
        other => Err(ApiError::bad_value("unknown", &other)),
    }
}
