//! `/api/channels` and `/api/consumers`.

use super::connections::{WithRate, check_vhost_exists, no_garbage, not_own};
use crate::api::{Api, ManagementUser, VhostUser};
use crate::error::ApiError;
use crate::fields::{Fields, Wanted};
use crate::json;
use crate::list::{self, ListQuery};
use crate::shared::Shared;
use crate::statistics::Subject;
use crate::time;
use axum::extract::Path;
use axum::response::Response;
use broker::{ChannelEntry, ChannelMode, ConnectionEntry, MessageStats, Subscription};
use serde_json::{Value, json};
use std::sync::Arc;

/// RabbitMQ's text where a list is nothing but statistics.
const STATS_DISABLED: &str = "Stats in management UI are disabled on this node";
/// How long a channel is not used before it counts as idle, in ms.
const IDLE_AFTER_MS: u64 = 5000;

fn show(shared: &Shared, query: &ListQuery, channel: &ChannelEntry, fields: &mut Fields<'_>) {
    let connection = &channel.connection;
    fields.put("name", || channel.name());
    fields.put("pid", || shared.pids().channel(connection.id, channel.number));
    fields.put("connection_pid", || shared.pids().connection(connection.id));
    fields.put("connection_details", || connection_details(connection));
    fields.put("node", || shared.node_name());
    fields.put("number", || channel.number);
    fields.put("vhost", || vhost_of(connection));
    fields.put("user", || connection.user());
    fields.put("user_who_performed_action", || connection.user());
    if query.disable_stats {
        return;
    }
    let mode = channel.mode();
    fields.put("state", || channel.state());
    fields.put("confirm", || mode == ChannelMode::Confirm);
    fields.put("transactional", || mode == ChannelMode::Transactional);
    fields.put("consumer_count", || channel.consumer_count());
    fields.put("messages_unacknowledged", || channel.unacknowledged());
    fields.put("messages_unconfirmed", || channel.unconfirmed.value());
    fields.put("messages_uncommitted", || channel.uncommitted_messages.value());
    fields.put("acks_uncommitted", || channel.uncommitted_acks.value());
    fields.put("prefetch_count", || channel.prefetch());
    fields.put("global_prefetch_count", || channel.global_prefetch());
    fields.put("pending_raft_commands", || 0);
    fields.put("cached_segments", || 0);
    let subject = Subject::Channel(connection.id.0, channel.number);
    WithRate { shared, query, subject }.put("reductions", "reductions_details", 0, fields);
    fields.put("garbage_collection", no_garbage);
    fields.put("message_stats", || {
        let counters = counters_of(&channel.message_stats());
        shared.statistics().describe(subject, &counters, &query.sampling)
    });
    if let Some(since_ms) = idle_since(channel) {
        fields.put("idle_since", || time::rfc3339(since_ms));
    }
}

/// What lists leave out.
fn show_details(shared: &Shared, query: &ListQuery, channel: &ChannelEntry, fields: &mut Fields<'_>) {
    fields.put("consumer_details", || {
        let consumers = channel.consumers();
        let consumers = consumers.iter().map(|subscription| {
            let mut fields = Fields::new(&Wanted::All);
            show_consumer(shared, subscription, &mut fields);
            fields.finish()
        });
        Value::Array(consumers.collect())
    });
    let (connection, number) = (channel.connection.id.0, channel.number);
    let describe = |subject: Subject, stats: &MessageStats| {
        shared.statistics().describe(subject, &counters_of(stats), &query.sampling)
    };
    fields.put("publishes", || {
        let name = vhost_of(&channel.connection);
        let Some(vhost) = shared.broker().ok().and_then(|broker| broker.vhost(name)) else { return json!([]) };
        let pairs = channel.published().into_iter().map(|(exchange, pair)| {
            // One that is gone has its counts, and nobody samples them.
            let id = vhost.exchange(&exchange).map_or(u64::MAX, |exchange| exchange.id);
            let subject = Subject::Published { connection, channel: number, vhost: vhost.id, exchange: id };
            let stats = describe(subject, &MessageStats::from(&*pair));
            json!({ "stats": stats, "exchange": { "name": &*exchange, "vhost": name } })
        });
        Value::Array(pairs.collect())
    });
    fields.put("deliveries", || {
        let pairs = channel.deliveries().into_iter().map(|(queue, stats)| {
            let subject = Subject::Delivered { connection, channel: number, queue: queue.quid };
            let stats = describe(subject, &stats);
            json!({ "stats": stats, "queue": { "name": &*queue.name, "vhost": &*queue.vhost } })
        });
        Value::Array(pairs.collect())
    });
}

/// When the client used the channel last, if that is a while ago; in ms since 1970.
fn idle_since(channel: &ChannelEntry) -> Option<u64> {
    let since_ms = channel.used_ms.value();
    (time::now_ms().saturating_sub(since_ms) > IDLE_AFTER_MS).then_some(since_ms)
}

/// Counters that a channel has. RabbitMQ has a group of them, publishes or deliveries, once there is one of it.
pub(super) fn counters_of(stats: &MessageStats) -> Vec<(&'static str, u64)> {
    let (mut published, mut delivered) = (Vec::new(), Vec::new());
    stats.each(|name, value| match name {
        "publish" | "confirm" | "return_unroutable" | "drop_unroutable" => published.push((name, value)),
        "publish_in" | "publish_out" => {}
        _ => delivered.push((name, value)),
    });
    let has_any = |group: &Vec<(&str, u64)>| group.iter().any(|(_, value)| *value > 0);
    [published, delivered].into_iter().filter(has_any).flatten().collect()
}

fn vhost_of(connection: &ConnectionEntry) -> &str {
    connection.vhost().map_or("", |vhost| vhost)
}

fn connection_details(connection: &ConnectionEntry) -> Value {
    json!({
        "name": &*connection.name,
        "peer_host": connection.peer.ip().to_canonical(),
        "peer_port": connection.peer.port(),
    })
}

pub(super) fn channel_details(shared: &Shared, channel: &ChannelEntry) -> Value {
    let connection = &channel.connection;
    json!({
        "name": channel.name(),
        "number": channel.number,
        "user": connection.user(),
        "connection_name": &*connection.name,
        "peer_host": connection.peer.ip().to_canonical(),
        "peer_port": connection.peer.port(),
        "node": shared.node_name(),
    })
}

pub(super) fn show_consumer(shared: &Shared, subscription: &Subscription, fields: &mut Fields<'_>) {
    let consumer = &subscription.consumer;
    let channel = &consumer.entry;
    fields.put("consumer_tag", || &*consumer.tag);
    fields.put("queue", || json!({ "name": &*consumer.queue, "vhost": vhost_of(&channel.connection) }));
    fields.put("ack_required", || !consumer.no_ack);
    fields.put("exclusive", || consumer.exclusive);
    fields.put("active", || subscription.activity().is_active());
    fields.put("activity_status", || subscription.activity().name());
    fields.put("prefetch_count", || consumer.prefetch);
    fields.put("arguments", || json::table(&consumer.arguments));
    fields.put("consumer_timeout", || {
        // Always a number: rabbitmq_http_client takes nothing else.
        let of_node = || shared.broker().ok()?.limits.consumer_timeout_ms();
        consumer.timeout_ms.or_else(of_node).unwrap_or_default()
    });
    fields.put("channel_pid", || shared.pids().channel(channel.connection.id, channel.number));
    fields.put("channel_details", || channel_details(shared, channel));
}

impl<R> Api<R> {
    fn channels(&self) -> Result<Vec<Arc<ChannelEntry>>, ApiError> {
        let mut all = self.broker()?.channels();
        all.retain(|channel| self.sees_user(channel.connection.user()));
        Ok(all)
    }
}

pub(super) async fn list(api: Api<ManagementUser>, query: ListQuery) -> Result<Response, ApiError> {
    let rows = api.channels()?;
    let shown = query.clone();
    list::reply(&query, rows, move |channel, fields| show(&api, &shown, channel, fields)).await
}

pub(super) async fn of_vhost(
    api: Api<VhostUser>,
    Path(vhost): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    check_vhost_exists(&api, &vhost)?;
    if query.disable_stats {
        return Err(ApiError::bad_request(STATS_DISABLED));
    }
    let mut rows = api.channels()?;
    rows.retain(|channel| vhost_of(&channel.connection) == vhost);
    let shown = query.clone();
    list::reply(&query, rows, move |channel, fields| show(&api, &shown, channel, fields)).await
}

pub(super) async fn of_connection(
    api: Api<ManagementUser>,
    Path(name): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let rows = api.find_connection(&name)?.channels();
    let shown = query.clone();
    list::reply(&query, rows, move |channel, fields| show(&api, &shown, channel, fields)).await
}

pub(super) async fn one(
    api: Api<ManagementUser>,
    Path(name): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let channel = api.broker()?.channel_called(&name).ok_or_else(ApiError::not_found)?;
    if !api.sees_user(channel.connection.user()) {
        return Err(not_own());
    }
    Ok(list::reply_one(&query, |fields| {
        show(&api, &query, &channel, fields);
        if !query.disable_stats {
            show_details(&api, &query, &channel, fields);
        }
    }))
}

pub(super) async fn consumers(api: Api<ManagementUser>, query: ListQuery) -> Result<Response, ApiError> {
    list_consumers(api, &query, None).await
}

pub(super) async fn consumers_of_vhost(
    api: Api<ManagementUser>,
    Path(vhost): Path<String>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    check_vhost_exists(&api, &vhost)?;
    list_consumers(api, &query, Some(&vhost)).await
}

async fn list_consumers(
    api: Api<ManagementUser>,
    query: &ListQuery,
    vhost: Option<&str>,
) -> Result<Response, ApiError> {
    if query.disable_stats {
        return Err(ApiError::bad_request(STATS_DISABLED));
    }
    let mut rows = api.broker()?.consumers();
    rows.retain(|subscription| {
        let connection = &subscription.consumer.entry.connection;
        vhost.is_none_or(|vhost| vhost_of(connection) == vhost) && api.sees_user(connection.user())
    });
    list::reply(query, rows, move |subscription, fields| show_consumer(&api, subscription, fields)).await
}
