//! What a reactor tells of its connections and channels.

use super::Shard;
use crate::admin::{ChannelSnapshot, ConnectionSnapshot, ConsumerSnapshot};
use crate::channel::{Channel, Mode, Source};
use crate::connection::{Connection, Park, Phase};
use queue::Activity;
use std::sync::atomic::Ordering;

impl Shard {
    /// Describes every open connection and channel.
    pub(super) fn inspect(&self) -> (Vec<ConnectionSnapshot>, Vec<ChannelSnapshot>) {
        let open =
            || self.connections.iter().flatten().filter(|conn| !matches!(conn.phase, Phase::Header | Phase::Closed));
        let connections = open().map(|conn| describe(conn)).collect();
        let channels = open()
            .flat_map(|conn| {
                conn.channels.iter().filter(|channel| !channel.closing).map(|channel| describe_channel(conn, channel))
            })
            .collect();
        (connections, channels)
    }
}

fn describe(conn: &Connection) -> ConnectionSnapshot {
    let (sent_bytes, sent_writes) = conn.link.sent();
    ConnectionSnapshot {
        id: conn.link.id,
        name: conn.name(),
        peer: conn.ends.peer,
        local: conn.ends.local,
        user: conn.user_name().to_owned(),
        vhost: conn.vhost.as_ref().map(|vhost| vhost.name.to_string()).unwrap_or_default(),
        state: state(conn),
        mechanism: conn.mechanism.map(auth::Mechanism::as_str),
        channels: conn.channels.len(),
        channel_max: conn.channel_max,
        frame_max: conn.frame_max,
        heartbeat_s: conn.heartbeat_s,
        connected_at_ms: conn.connected_at_ms,
        client_properties: conn.client_properties.clone(),
        received_bytes: conn.received_bytes,
        received_reads: conn.received_reads,
        sent_bytes,
        sent_writes,
        pending_bytes: conn.link.pending(),
    }
}

/// RabbitMQ's names for the states, `blocking` and `flow` among them.
fn state(conn: &Connection) -> &'static str {
    match &conn.park {
        Some(Park::Alarm) => "blocked",
        Some(Park::Flow { .. } | Park::Log { .. }) => "flow",
        _ => conn.phase.name(),
    }
}

fn activity(source: &Source) -> Activity {
    match source {
        Source::Queue { cell, key } => cell.lock().queue.consumers.activity(*key).unwrap_or(Activity::Up),
        Source::Replies { .. } => Activity::Up,
    }
}

fn describe_channel(conn: &Connection, channel: &Channel) -> ChannelSnapshot {
    let output = conn.link.output();
    let deliveries = output.channels.get(channel.slot).and_then(Option::as_ref);
    let unacknowledged = deliveries.map_or(0, |deliveries| deliveries.unacked());
    // A queue's lock, which the consumers below take, comes before it.
    drop(output);
    let mut counters = Vec::new();
    channel.counters.each(|name, value| counters.push((name, value)));
    let consumers = channel.subscriptions.iter().map(|subscription| {
        let consumer = &subscription.consumer;
        ConsumerSnapshot {
            tag: consumer.tag.to_string(),
            queue: consumer.queue.to_string(),
            no_ack: consumer.no_ack,
            exclusive: consumer.exclusive,
            activity: activity(&subscription.source),
            prefetch: consumer.prefetch,
            arguments: consumer.arguments.clone(),
            counters: {
                let mut counters = Vec::new();
                consumer.counters.each(|name, value| counters.push((name, value)));
                counters
            },
        }
    });
    ChannelSnapshot {
        connection: conn.link.id,
        connection_name: conn.name(),
        number: channel.number,
        user: conn.user_name().to_owned(),
        vhost: conn.vhost.as_ref().map(|vhost| vhost.name.to_string()).unwrap_or_default(),
        confirm: matches!(channel.mode, Mode::Confirm(_)),
        transactional: channel.is_transactional(),
        unacknowledged,
        unconfirmed: match &channel.mode {
            Mode::Confirm(confirms) => confirms.unconfirmed(),
            _ => 0,
        },
        prefetch: channel.prefetch,
        global_prefetch: channel.limit.limit.load(Ordering::Relaxed),
        consumers: consumers.collect(),
        published: channel.published.iter().map(|(name, count)| (name.to_string(), count.value())).collect(),
        counters,
    }
}
