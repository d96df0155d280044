//! What pairs of objects have to do with each other: who is delivered from a queue, what came into it by which exchange.

use crate::list::ListQuery;
use crate::routes::channels::{channel_details, counters_of};
use crate::shared::Shared;
use crate::statistics::Subject;
use broker::{Exchange, MessageStats, QueueCell};
use serde_json::{Value, json};
use std::sync::Arc;

/// Channels that a queue's messages were delivered to or fetched on, with what was.
pub(in crate::routes) fn delivered_from(shared: &Shared, query: &ListQuery, cell: &Arc<QueueCell>) -> Value {
    let Ok(broker) = shared.broker() else { return json!([]) };
    let mut all = Vec::new();
    for channel in broker.channels() {
        for (queue, stats) in channel.deliveries() {
            let counters = counters_of(&stats);
            if !Arc::ptr_eq(&queue, cell) || counters.is_empty() {
                continue;
            }
            let (connection, number) = (channel.connection.id.0, channel.number);
            let subject = Subject::Delivered { connection, channel: number, queue: cell.quid };
            all.push(json!({
                "stats": shared.statistics().describe(subject, &counters, &query.sampling),
                "channel_details": channel_details(shared, &channel),
            }));
        }
    }
    Value::Array(all)
}

/// Exchanges by which messages came into a queue, with how many did; known where rates are detailed.
pub(in crate::routes) fn routed_to(shared: &Shared, query: &ListQuery, cell: &QueueCell) -> Value {
    let Some(vhost) = shared.broker().ok().and_then(|broker| broker.vhost(&cell.vhost)) else { return json!([]) };
    let pairs = cell.incoming().into_iter().map(|(exchange, count)| {
        json!({
            "stats": routed(shared, query, (vhost.id, exchange.id, cell.quid), count),
            "exchange": { "name": &*exchange.name, "vhost": &*exchange.vhost },
        })
    });
    Value::Array(pairs.collect())
}

/// Channels that publish to an exchange, with how much.
pub(in crate::routes) fn published_to(
    shared: &Shared,
    query: &ListQuery,
    (vhost, exchange): &(u64, Arc<Exchange>),
) -> Value {
    let Ok(broker) = shared.broker() else { return json!([]) };
    let mut all = Vec::new();
    for channel in broker.channels() {
        if channel.connection.vhost().is_none_or(|own| **own != *exchange.vhost) {
            continue;
        }
        for (name, pair) in channel.published() {
            if name != exchange.name {
                continue;
            }
            let (connection, number) = (channel.connection.id.0, channel.number);
            let subject = Subject::Published { connection, channel: number, vhost: *vhost, exchange: exchange.id };
            let counters = counters_of(&MessageStats::from(&*pair));
            all.push(json!({
                "stats": shared.statistics().describe(subject, &counters, &query.sampling),
                "channel_details": channel_details(shared, &channel),
            }));
        }
    }
    Value::Array(all)
}

/// Queues that an exchange's messages went into, with how many did; known where rates are detailed.
pub(in crate::routes) fn routed_from(
    shared: &Shared,
    query: &ListQuery,
    (vhost, exchange): &(u64, Arc<Exchange>),
) -> Value {
    let Ok(broker) = shared.broker() else { return json!([]) };
    let mut all = Vec::new();
    for cell in broker.queue_cells(Some(&exchange.vhost)) {
        for (_, count) in cell.incoming().into_iter().filter(|(source, _)| Arc::ptr_eq(source, exchange)) {
            all.push(json!({
                "stats": routed(shared, query, (*vhost, exchange.id, cell.quid), count),
                "queue": { "name": &*cell.name, "vhost": &*cell.vhost },
            }));
        }
    }
    Value::Array(all)
}

fn routed(shared: &Shared, query: &ListQuery, (vhost, exchange, queue): (u64, u64, u64), count: u64) -> Value {
    let subject = Subject::Routed { vhost, exchange, queue };
    shared.statistics().describe(subject, &[("publish", count)], &query.sampling)
}
