//! `/api/vhosts`.

use super::overview::{counters_of, sum_of};
use super::queues::{message_stats, with_details};
use super::{ask, status};
use crate::api::{Administrator, Api, ManagementUser};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::list::{self, ListQuery};
use crate::request::{boolean, object, tags, text};
use crate::shared::Shared;
use crate::statistics::Subject;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use broker::{AdminCommand, AdminReply, Vhost};
use metadata::{PermissionDefinition, VhostDefinition};
use serde_json::json;
use std::cell::LazyCell;
use std::sync::Arc;

fn show(shared: &Shared, query: &ListQuery, vhost: &VhostDefinition, fields: &mut Fields<'_>) {
    let queue_type = vhost.default_queue_type.as_deref().unwrap_or("classic");
    fields.put("name", || vhost.name.as_str());
    fields.put("description", || vhost.description.as_str());
    fields.put("tags", || vhost.tags.clone());
    fields.put("default_queue_type", || queue_type);
    fields.put(
        "metadata",
        || json!({ "description": vhost.description, "tags": vhost.tags, "default_queue_type": queue_type }),
    );
    fields.put("tracing", || vhost.tracing);
    fields.put("protected_from_deletion", || vhost.protected_from_deletion);
    fields.put("cluster_state", || json!({ shared.node_name(): "running" }));
    let Some(engine) = shared.broker().ok().and_then(|broker| broker.vhost(&vhost.name)) else { return };
    if !query.disable_stats {
        statistics(shared, query, &engine, fields);
    }
}

/// What happened in the queues of a virtual host and on its connections, as long as they are there.
fn statistics(shared: &Shared, query: &ListQuery, vhost: &Arc<Vhost>, fields: &mut Fields<'_>) {
    let subject = Subject::Vhost(vhost.id);
    let counters = LazyCell::new(|| counters_of(&vhost.queues()));
    let octets = LazyCell::new(|| octets_of(shared, vhost));
    let length = |name| sum_of(&counters, name);
    let lengths = ["messages_ready", "messages_unacknowledged"];
    // Only where somebody wants it: adding up queues takes a while.
    let wants = |fields: &Fields<'_>, names: &[&str]| names.iter().any(|name| fields.wants(name));
    let shown = ["messages", "messages_details", "messages_ready", "messages_ready_details"];
    if wants(fields, &shown) || wants(fields, &["messages_unacknowledged", "messages_unacknowledged_details"]) {
        let [ready, unacked] = lengths.map(length);
        for triple in [
            ("messages", "messages_details", ready + unacked),
            ("messages_ready", "messages_ready_details", ready),
            ("messages_unacknowledged", "messages_unacknowledged_details", unacked),
        ] {
            with_details(shared, subject, triple, &query.sampling, fields);
        }
    }
    if wants(fields, &["recv_oct", "recv_oct_details", "send_oct", "send_oct_details"]) {
        for triple in [("recv_oct", "recv_oct_details", octets.0), ("send_oct", "send_oct_details", octets.1)] {
            with_details(shared, subject, triple, &query.sampling, fields);
        }
    }
    if wants(fields, &["message_stats"])
        && let Some(stats) = message_stats(&counted_in(shared, vhost))
    {
        fields.put("message_stats", || shared.statistics().describe(subject, &stats, &query.sampling));
    }
}

/// What was counted for the channels of a virtual host, those that are gone among them.
fn counted_in(shared: &Shared, vhost: &Vhost) -> Vec<(&'static str, u64)> {
    let mut counters = Vec::new();
    if let Some(stats) = shared.broker().ok().and_then(|broker| broker.vhost_message_stats().remove(&vhost.name)) {
        stats.each(|name, value| counters.push((name, value)));
    }
    counters
}

/// Bytes received from and sent to the open connections of a virtual host.
fn octets_of(shared: &Shared, vhost: &Vhost) -> (u64, u64) {
    let connections = shared.broker().map(|broker| broker.connections()).unwrap_or_default();
    let own = connections.iter().filter(|connection| connection.vhost().is_some_and(|name| *name == vhost.name));
    own.fold((0, 0), |(received, sent), connection| {
        (received + connection.received_bytes.value(), sent + connection.sent().0)
    })
}

pub(super) async fn list(api: Api<ManagementUser>, query: ListQuery) -> Result<Response, ApiError> {
    let mut rows = ask!(api, AdminCommand::ListVhosts, Vhosts);
    rows.retain(|vhost| api.sees_vhost(&vhost.name));
    let (shared, asked) = (Shared::clone(&api), query.clone());
    list::reply_sorted(&query, rows, &["name"], move |vhost, fields| show(&shared, &asked, vhost, fields)).await
}

impl<R> Api<R> {
    async fn vhost_definition(&self, name: &str) -> Result<VhostDefinition, ApiError> {
        let vhosts = ask!(self, AdminCommand::ListVhosts, Vhosts);
        vhosts.into_iter().find(|vhost| vhost.name == name).ok_or_else(ApiError::not_found)
    }
}

pub(super) async fn one(
    api: Api<Administrator>,
    Path(name): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let vhost = api.vhost_definition(&name).await?;
    Ok(list::reply_one(&query, |fields| show(&api, &query, &vhost, fields)))
}

/// What is not given is reset, as in RabbitMQ; from the command line it stays. Whoever creates a virtual host may do
/// everything in it.
pub(super) async fn put(
    api: Api<Administrator>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let request = object(&bytes)?;
    let queue_type = text(&request, "default_queue_type")?;
    // RabbitMQ takes this spelling too, which exports of some of its versions have.
    let queue_type = queue_type.map_or_else(|| text(&request, "defaultqueuetype"), |given| Ok(Some(given)))?;
    let reset = !api.caller.is_operator();
    let command = AdminCommand::PutVhost {
        name: name.clone(),
        description: text(&request, "description")?.or_else(|| reset.then(String::new)),
        tags: tags(&request)?.or_else(|| reset.then(Vec::new)),
        default_queue_type: queue_type,
        tracing: boolean(&request, "tracing")?,
        protected_from_deletion: boolean(&request, "protected_from_deletion")?,
    };
    let reply = api.execute(command).await?;
    if matches!(reply, AdminReply::Created) && !api.caller.is_operator() {
        let all = || ".*".to_owned();
        let user = api.caller.name.to_string();
        let permission = PermissionDefinition { user, vhost: name, configure: all(), write: all(), read: all() };
        api.execute(AdminCommand::SetPermissions(permission)).await?;
    }
    Ok(status(&reply))
}

pub(super) async fn delete(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::DeleteVhost { name }).await?))
}

/// Virtual hosts cannot be stopped one by one, so that there is none to be started.
pub(super) async fn start(
    api: Api<Administrator>,
    Path((name, node)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    api.vhost_definition(&name).await?;
    if node != api.node_name() {
        return Err(ApiError::bad_request(format!("Unknown node: {node}")));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// 204 for one that is protected; RabbitMQ says no more, and tools look at the field of the virtual host.
pub(super) async fn protection(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    api.vhost_definition(&name).await.map(|_| StatusCode::NO_CONTENT)
}

pub(super) async fn protect(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::ProtectVhost { name, protected: true }).await?))
}

pub(super) async fn unprotect(api: Api<Administrator>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    Ok(status(&api.execute(AdminCommand::ProtectVhost { name, protected: false }).await?))
}
