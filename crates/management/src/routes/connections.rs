//! `/api/connections`, `/api/channels` and `/api/consumers`.

use super::{ask, counted};
use crate::api::{Administrator, Api};
use crate::error::ApiError;
use crate::json;
use crate::service::Shared;
use axum::Json;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;
use broker::{AdminCommand, ChannelSnapshot, ConnectionSnapshot, ConsumerSnapshot, Which};
use serde_json::{Map, Value, json};

type List = Result<Json<Vec<Value>>, ApiError>;

/// What clients are told without a reason of the operator's (RabbitMQ's text).
const DEFAULT_REASON: &str = "Closed via management plugin";
/// RabbitMQ's header for the operator's reason.
const REASON_HEADER: &str = "x-reason";

fn show(shared: &Shared, connection: &ConnectionSnapshot) -> Value {
    json!({
        "name": connection.name,
        "pid": shared.pids().connection(connection.id),
        "node": shared.node_name(),
        "vhost": connection.vhost,
        "user": connection.user,
        "protocol": "AMQP 0-9-1",
        "type": "network",
        "auth_mechanism": connection.mechanism,
        "state": connection.state,
        "host": connection.local.ip().to_canonical(),
        "port": connection.local.port(),
        "peer_host": connection.peer.ip().to_canonical(),
        "peer_port": connection.peer.port(),
        "ssl": false,
        "channels": connection.channels,
        "channel_max": connection.channel_max,
        "frame_max": connection.frame_max,
        "timeout": connection.heartbeat_s,
        "connected_at": connection.connected_at_ms,
        "client_properties": json::table(&connection.client_properties),
        "recv_oct": connection.received_bytes,
        "recv_cnt": connection.received_reads,
        "send_oct": connection.sent_bytes,
        "send_cnt": connection.sent_writes,
        "send_pend": connection.pending_bytes,
    })
}

fn show_channel(shared: &Shared, channel: &ChannelSnapshot) -> Value {
    let stats: Map<String, Value> =
        channel.counters.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    json!({
        "name": channel_name(channel),
        "pid": shared.pids().channel(channel.connection, channel.number),
        "connection_pid": shared.pids().connection(channel.connection),
        "connection_details": { "name": channel.connection_name },
        "node": shared.node_name(),
        "number": channel.number,
        "vhost": channel.vhost,
        "user": channel.user,
        "state": "running",
        "confirm": channel.confirm,
        "transactional": channel.transactional,
        "consumer_count": channel.consumers.len(),
        "messages_unacknowledged": channel.unacknowledged,
        "messages_unconfirmed": channel.unconfirmed,
        "prefetch_count": channel.prefetch,
        "global_prefetch_count": channel.global_prefetch,
        "message_stats": stats,
    })
}

fn channel_name(channel: &ChannelSnapshot) -> String {
    format!("{} ({})", channel.connection_name, channel.number)
}

fn show_consumer(shared: &Shared, channel: &ChannelSnapshot, consumer: &ConsumerSnapshot) -> Value {
    json!({
        "consumer_tag": consumer.tag,
        "queue": { "name": consumer.queue, "vhost": channel.vhost },
        "ack_required": !consumer.no_ack,
        "exclusive": consumer.exclusive,
        "active": consumer.activity.is_active(),
        "activity_status": consumer.activity.name(),
        "prefetch_count": consumer.prefetch,
        "arguments": json::table(&consumer.arguments),
        "channel_pid": shared.pids().channel(channel.connection, channel.number),
        "channel_details": {
            "name": channel_name(channel),
            "connection_name": channel.connection_name,
            "number": channel.number,
            "node": shared.node_name(),
            "user": channel.user,
        },
    })
}

async fn connections(shared: &Shared, wanted: impl Fn(&ConnectionSnapshot) -> bool) -> List {
    let all = ask!(shared, AdminCommand::ListConnections, Connections);
    Ok(Json(all.iter().filter(|connection| wanted(connection)).map(|connection| show(shared, connection)).collect()))
}

pub(super) async fn list(api: Api<Administrator>) -> List {
    connections(&api, |_| true).await
}

pub(super) async fn of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    connections(&api, |connection| connection.vhost == vhost).await
}

pub(super) async fn of_user(api: Api<Administrator>, Path(user): Path<String>) -> List {
    connections(&api, |connection| connection.user == user).await
}

/// The connection called `name`, or with the process id `name`.
async fn find(shared: &Shared, name: &str) -> Result<ConnectionSnapshot, ApiError> {
    let all = ask!(shared, AdminCommand::ListConnections, Connections);
    let id = shared.pids().parse(name);
    let is_meant = |connection: &ConnectionSnapshot| id.map_or(connection.name == name, |id| connection.id == id);
    all.into_iter().find(is_meant).ok_or_else(ApiError::not_found)
}

pub(super) async fn one(api: Api<Administrator>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let connection = find(&api, &name).await?;
    Ok(Json(show(&api, &connection)))
}

/// The operator's reason, bytes as they come; a header holds no control characters.
fn reason(headers: &HeaderMap) -> String {
    let given = headers.get(REASON_HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    given.unwrap_or_else(|| DEFAULT_REASON.to_owned())
}

async fn close_connections(shared: &Shared, which: Which, headers: &HeaderMap) -> Result<Response, ApiError> {
    let command = AdminCommand::CloseConnections { which, reason: reason(headers) };
    Ok(counted(ask!(shared, command, Count)))
}

pub(super) async fn close(
    api: Api<Administrator>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let connection = find(&api, &name).await?;
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
    api: Api<Administrator>,
    Path(user): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    close_connections(&api, Which::User(user), &headers).await
}

pub(super) async fn channels(api: Api<Administrator>) -> List {
    let all = ask!(api, AdminCommand::ListChannels, Channels);
    Ok(Json(all.iter().map(|channel| show_channel(&api, channel)).collect()))
}

pub(super) async fn channels_of(api: Api<Administrator>, Path(name): Path<String>) -> List {
    let connection = find(&api, &name).await?;
    let all = ask!(api, AdminCommand::ListChannels, Channels);
    let own = all.iter().filter(|channel| channel.connection == connection.id);
    Ok(Json(own.map(|channel| show_channel(&api, channel)).collect()))
}

async fn list_consumers(shared: &Shared, vhost: Option<&str>) -> List {
    let all = ask!(shared, AdminCommand::ListChannels, Channels);
    let wanted = all.iter().filter(|channel| vhost.is_none_or(|vhost| channel.vhost == vhost));
    let consumers = wanted.flat_map(|channel| channel.consumers.iter().map(move |consumer| (channel, consumer)));
    Ok(Json(consumers.map(|(channel, consumer)| show_consumer(shared, channel, consumer)).collect()))
}

pub(super) async fn consumers(api: Api<Administrator>) -> List {
    list_consumers(&api, None).await
}

pub(super) async fn consumers_of_vhost(api: Api<Administrator>, Path(vhost): Path<String>) -> List {
    list_consumers(&api, Some(&vhost)).await
}
