//! Samples of objects: rows, and what labels they have.

use super::tables::{Delivered, Published, Routed};
use super::text::label;
use crate::shared::Shared;
use broker::{ChannelEntry, ConnectionEntry, Exchange, QueueCell};
use std::sync::Arc;

pub(super) fn queue_labels(queue: &Arc<QueueCell>, labels: &mut String) {
    label(labels, "vhost", &queue.vhost);
    label(labels, "queue", &queue.name);
}

pub(super) fn exchange_labels(exchange: &Arc<Exchange>, labels: &mut String) {
    label(labels, "vhost", &exchange.vhost);
    label(labels, "exchange", &exchange.name);
}

pub(super) fn channel_labels(shared: &Shared) -> impl Fn(&Arc<ChannelEntry>, &mut String) + Send + 'static {
    let shared = shared.clone();
    move |channel, labels| channel_label(&shared, channel, labels)
}

fn channel_label(shared: &Shared, channel: &ChannelEntry, labels: &mut String) {
    label(labels, "channel", &shared.pids().channel(channel.connection.id, channel.number));
}

/// RabbitMQ has the connection's process under the name `connection` in no label but this one.
pub(super) fn connection_labels(shared: &Shared) -> impl Fn(&Arc<ConnectionEntry>, &mut String) + Send + 'static {
    let shared = shared.clone();
    move |connection, labels| label(labels, "channel", &shared.pids().connection(connection.id))
}

pub(super) fn published_labels(shared: &Shared) -> impl Fn(&Published, &mut String) + Send + 'static {
    let shared = shared.clone();
    move |published, labels| {
        channel_label(&shared, &published.channel, labels);
        label(labels, "vhost", published.channel.connection.vhost().map_or("", |vhost| vhost));
        label(labels, "exchange", &published.exchange);
    }
}

pub(super) fn delivered_labels(shared: &Shared) -> impl Fn(&Delivered, &mut String) + Send + 'static {
    let shared = shared.clone();
    move |delivered, labels| {
        channel_label(&shared, &delivered.channel, labels);
        queue_labels(&delivered.queue, labels);
    }
}

pub(super) fn routed_labels(routed: &Routed, labels: &mut String) {
    label(labels, "vhost", &routed.queue.vhost);
    label(labels, "exchange", &routed.exchange.name);
    label(labels, "queue", &routed.queue.name);
}
