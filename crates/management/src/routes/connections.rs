//! `/api/connections`, and closing them.

use super::{ask, counted};
use crate::api::{Administrator, Api, ManagementUser, Right, VhostUser};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::json;
use crate::list::{self, ListQuery};
use crate::shared::Shared;
use crate::statistics::Subject;
use axum::Json;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use broker::{AdminCommand, ConnectionEntry, Which};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What clients are told without a reason of the operator's (RabbitMQ's text).
const DEFAULT_REASON: &str = "Closed via management plugin";
/// RabbitMQ's header for the operator's reason.
const REASON_HEADER: &str = "x-reason";
/// The client property that clients name their connections by.
const CONNECTION_NAME: &str = "connection_name";

fn show(shared: &Shared, query: &ListQuery, connection: &ConnectionEntry, fields: &mut Fields<'_>) {
    let tuned = connection.tuned();
    fields.put("name", || &*connection.name);
    fields.put("pid", || shared.pids().connection(connection.id));
    fields.put("node", || shared.node_name());
    fields.put("vhost", || connection.vhost().map_or("", |vhost| vhost));
    fields.put("user", || connection.user());
    fields.put("user_who_performed_action", || connection.user());
    fields.put("user_provided_name", || {
        let name = connection.client_properties().and_then(|properties| properties.get(CONNECTION_NAME));
        name.map_or(Value::Null, json::field)
    });
    fields.put("protocol", || "AMQP 0-9-1");
    fields.put("type", || "network");
    fields.put("auth_mechanism", || connection.mechanism());
    fields.put("host", || connection.local.ip().to_canonical().to_string());
    fields.put("port", || connection.local.port());
    fields.put("peer_host", || connection.peer.ip().to_canonical().to_string());
    fields.put("peer_port", || connection.peer.port());
    let tls = connection.tls.as_deref();
    fields.put("ssl", || tls.is_some());
    fields.put("ssl_protocol", || tls.map(|tls| &*tls.protocol));
    fields.put("ssl_key_exchange", || tls.map(|tls| &*tls.key_exchange));
    fields.put("ssl_cipher", || tls.map(|tls| &*tls.cipher));
    fields.put("ssl_hash", || tls.map(|tls| &*tls.hash));
    let peer = tls.and_then(|tls| tls.peer.as_ref());
    fields.put("peer_cert_subject", || peer.map(|peer| &*peer.subject));
    fields.put("peer_cert_issuer", || peer.map(|peer| &*peer.issuer));
    fields.put("peer_cert_serial_number", || peer.map(|peer| &*peer.serial_number));
    fields.put("peer_cert_validity", || peer.map(|peer| &*peer.validity));
    fields.put("channel_max", || tuned.channel_max);
    fields.put("frame_max", || tuned.frame_max);
    fields.put("timeout", || tuned.heartbeat_s);
    fields.put("connected_at", || connection.connected_at_ms);
    fields.put("client_properties", || connection.client_properties().map_or_else(|| json!({}), json::table));
    if query.disable_stats {
        return;
    }
    fields.put("state", || connection.state().name());
    fields.put("channels", || connection.channel_count());
    fields.put("recv_cnt", || connection.received_reads.value());
    fields.put("send_cnt", || connection.sent().1);
    fields.put("send_pend", || connection.pending_bytes());
    let subject = Subject::Connection(connection.id.0);
    let received = connection.received_bytes.value();
    let rate = WithRate { shared, query, subject };
    rate.put("recv_oct", "recv_oct_details", received, fields);
    rate.put("send_oct", "send_oct_details", connection.sent().0, fields);
    // An Erlang process has these; tools that read them find a process that does nothing.
    rate.put("reductions", "reductions_details", 0, fields);
    fields.put("garbage_collection", no_garbage);
}

/// What RabbitMQ tells of a process's garbage collection, of one that has none.
pub(super) fn no_garbage() -> Value {
    json!({ "fullsweep_after": super::FULLSWEEP_AFTER, "max_heap_size": 0, "min_bin_vheap_size": 0, "min_heap_size": 0, "minor_gcs": 0 })
}

/// Counters of an object that stand among its other fields.
pub(super) struct WithRate<'a> {
    pub(super) shared: &'a Shared,
    pub(super) query: &'a ListQuery,
    pub(super) subject: Subject,
}

impl WithRate<'_> {
    /// Adds a counter and its rate as two fields.
    pub(super) fn put(&self, name: &'static str, details: &str, value: u64, fields: &mut Fields<'_>) {
        fields.put(name, || value);
        fields.put(details, || {
            let described = self.shared.statistics().describe(self.subject, &[(name, value)], &self.query.sampling);
            described.get(details).cloned().unwrap_or_default()
        });
    }
}

impl<R> Api<R> {
    /// Open connections that the caller sees. RabbitMQ lists those only that have their virtual host; operators on the
    /// socket see those that are shaking hands, too.
    pub(super) fn connections(&self) -> Result<Vec<Arc<ConnectionEntry>>, ApiError> {
        let mut all = self.broker()?.connections();
        all.retain(|connection| {
            (connection.vhost().is_some() || self.caller.is_operator()) && self.sees_user(connection.user())
        });
        Ok(all)
    }

    /// The connection called `name`, or with the process id `name`, when the caller sees it.
    pub(super) fn find_connection(&self, name: &str) -> Result<Arc<ConnectionEntry>, ApiError> {
        let broker = self.broker()?;
        let found = match self.pids().parse(name) {
            Some(id) => broker.connection(id),
            None => broker.connection_called(name),
        };
        let connection = found.ok_or_else(ApiError::not_found)?;
        if self.sees_user(connection.user()) { Ok(connection) } else { Err(not_own()) }
    }

    /// RabbitMQ lets administrators close connections, and users their own.
    fn check_close(&self, user: &str) -> Result<(), ApiError> {
        if self.caller.tags.administrator || *self.caller.name == *user { Ok(()) } else { Err(not_own()) }
    }
}

pub(super) fn not_own() -> ApiError {
    ApiError::not_authorised("User not authorised to access object")
}

pub(super) fn check_vhost_exists(shared: &Shared, name: &str) -> Result<(), ApiError> {
    shared.broker()?.vhost(name).map(drop).ok_or_else(ApiError::not_found)
}

pub(super) async fn list(api: Api<ManagementUser>, query: ListQuery) -> Result<Response, ApiError> {
    let rows = api.connections()?;
    let shown = query.clone();
    list::reply(&query, rows, move |connection, fields| show(&api, &shown, connection, fields)).await
}

pub(super) async fn of_vhost(
    api: Api<VhostUser>,
    Path(vhost): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    check_vhost_exists(&api, &vhost)?;
    let mut rows = api.connections()?;
    rows.retain(|connection| connection.vhost().is_some_and(|own| **own == *vhost));
    let shown = query.clone();
    list::reply(&query, rows, move |connection, fields| show(&api, &shown, connection, fields)).await
}

/// RabbitMQ tells no more of them here.
fn show_of_user(shared: &Shared, connection: &ConnectionEntry, fields: &mut Fields<'_>) {
    fields.put("name", || &*connection.name);
    fields.put("vhost", || connection.vhost().map_or("", |vhost| vhost));
    fields.put("user", || connection.user());
    fields.put("node", || shared.node_name());
}

pub(super) async fn of_user(
    api: Api<ManagementUser>,
    Path(user): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    if !api.sees_user(&user) {
        return Err(not_own());
    }
    let mut rows = api.connections()?;
    rows.retain(|connection| connection.user() == user);
    list::reply(&query, rows, move |connection, fields| show_of_user(&api, connection, fields)).await
}

pub(super) async fn one(
    api: Api<ManagementUser>,
    Path(name): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let connection = api.find_connection(&name)?;
    Ok(list::reply_one(&query, |fields| show(&api, &query, &connection, fields)))
}

/// Sessions are AMQP 1.0's.
pub(super) async fn sessions(api: Api<ManagementUser>, Path(name): Path<String>) -> Result<Response, ApiError> {
    api.find_connection(&name)?;
    Ok(Json(Vec::<Map<String, Value>>::new()).into_response())
}

/// The operator's reason, bytes as they come; a header holds no control characters.
fn reason(headers: &HeaderMap) -> String {
    let given = headers.get(REASON_HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    given.unwrap_or_else(|| DEFAULT_REASON.to_owned())
}

async fn close_connections<R: Right>(api: &Api<R>, which: Which, headers: &HeaderMap) -> Result<Response, ApiError> {
    let command = AdminCommand::CloseConnections { which, reason: reason(headers) };
    Ok(counted(ask!(api, command, Count)))
}

pub(super) async fn close(
    api: Api<ManagementUser>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let connection = api.find_connection(&name)?;
    api.check_close(connection.user())?;
    close_connections(&api, Which::Id(connection.id), &headers).await
}

pub(super) async fn close_all(api: Api<Administrator>, headers: HeaderMap) -> Result<Response, ApiError> {
    close_connections(&api, Which::Vhost(None), &headers).await
}

pub(super) async fn close_of_vhost(
    api: Api<Administrator>,
    Path(vhost): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    close_connections(&api, Which::Vhost(Some(vhost)), &headers).await
}

pub(super) async fn close_of_user(
    api: Api<ManagementUser>,
    Path(user): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    api.check_close(&user)?;
    close_connections(&api, Which::User(user), &headers).await
}
