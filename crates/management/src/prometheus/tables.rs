//! The families that RabbitMQ's core metrics collector has, under its names of the groups they come in.

use super::family::{Table, counter, gauge};
use super::text::Number;
use broker::counters::PairCounters;
use broker::{ChannelEntry, ConnectionEntry, Exchange, QueueCell};
use std::sync::Arc;

type Queue = Arc<QueueCell>;

/// What a channel published to an exchange.
pub(super) struct Published {
    pub(super) channel: Arc<ChannelEntry>,
    pub(super) exchange: Arc<str>,
    pub(super) pair: Arc<PairCounters>,
}

/// What a channel was given from a queue, by all its consumers there.
pub(super) struct Delivered {
    pub(super) channel: Arc<ChannelEntry>,
    pub(super) queue: Queue,
    pub(super) deliver: u64,
    pub(super) deliver_no_ack: u64,
    pub(super) redeliver: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "what functions of families return")]
fn whole(value: u64) -> Option<Number> {
    Some(Number::Whole(value))
}

/// Nothing has reductions but an Erlang process; dashboards add them up all the same.
fn no_reductions<R>(_: &R) -> Option<Number> {
    whole(0)
}

pub(super) const QUEUE_COARSE: Table<Queue> = Table {
    name: "queue_coarse_metrics",
    families: &[
        gauge("queue_messages_ready", "Messages ready for consumers", |q| whole(q.counters.messages_ready.value())),
        gauge("queue_messages_unacked", "Messages delivered and not acknowledged yet", |q| {
            whole(q.counters.messages_unacknowledged.value())
        }),
        gauge("queue_messages", "Messages ready and not acknowledged yet", |q| whole(messages(q))),
        counter("queue_process_reductions_total", "Reductions of the queue's process, of which there is none", |q| {
            no_reductions(q)
        }),
    ],
};

pub(super) const QUEUE_CONSUMERS: Table<Queue> = Table {
    name: "queue_consumer_count",
    families: &[gauge("queue_consumers", "Consumers of a queue", |q| whole(q.counters.consumers.value()))],
};

pub(super) const QUEUE: Table<Queue> = Table {
    name: "queue_metrics",
    families: &[
        gauge("queue_consumers", "Consumers of a queue", |q| whole(q.counters.consumers.value())),
        gauge("queue_messages_bytes", "Bytes of messages ready and not acknowledged yet", |q| {
            whole(q.counters.message_bytes_ready.value() + q.counters.message_bytes_unacknowledged.value())
        }),
        gauge("queue_messages_ready_bytes", "Bytes of messages ready for consumers", |q| {
            whole(q.counters.message_bytes_ready.value())
        }),
        gauge("queue_messages_unacked_bytes", "Bytes of messages delivered and not acknowledged yet", |q| {
            whole(q.counters.message_bytes_unacknowledged.value())
        }),
    ],
};

pub(super) const QUEUE_DELIVERY: Table<Queue> = Table {
    name: "queue_delivery_metrics",
    families: &[
        counter("queue_get_ack_total", "Messages fetched from a queue, to be acknowledged", |q| {
            whole(q.counters.get.value())
        }),
        counter("queue_get_total", "Messages fetched from a queue without acknowledgement", |q| {
            whole(q.counters.get_no_ack.value())
        }),
        counter("queue_messages_delivered_ack_total", "Messages delivered from a queue, to be acknowledged", |q| {
            whole(q.counters.deliver.value())
        }),
        counter("queue_messages_delivered_total", "Messages delivered from a queue without acknowledgement", |q| {
            whole(q.counters.deliver_no_ack.value())
        }),
        counter("queue_messages_redelivered_total", "Messages delivered from a queue again", |q| {
            whole(q.counters.redeliver.value())
        }),
        counter("queue_messages_acked_total", "Messages of a queue that were acknowledged", |q| {
            whole(q.counters.ack.value())
        }),
        counter("queue_get_empty_total", "Fetches that found a queue empty", |q| whole(q.counters.get_empty.value())),
    ],
};

/// RabbitMQ has this one by channel, queue and exchange; here it is the queue's, whatever channels come and go.
pub(super) const QUEUE_PUBLISHED: Table<Queue> = Table {
    name: "channel_queue_exchange_metrics",
    families: &[counter("queue_messages_published_total", "Messages that entered a queue", |q| {
        whole(q.counters.publish.value())
    })],
};

pub(super) const EXCHANGE: Table<Arc<Exchange>> = Table {
    name: "exchange_metrics",
    families: &[counter("exchange_messages_published_total", "Messages published to an exchange", |x| {
        whole(x.counters.publish_in.value())
    })],
};

pub(super) const CHANNEL: Table<Arc<ChannelEntry>> = Table {
    name: "channel_metrics",
    families: &[
        gauge("channel_consumers", "Consumers of a channel", |c| whole(c.consumer_count() as u64)),
        gauge("channel_messages_unacked", "Messages delivered to a channel and not acknowledged yet", |c| {
            whole(c.unacknowledged())
        }),
        gauge("channel_messages_unconfirmed", "Messages published and not confirmed yet", |c| {
            whole(c.unconfirmed.value())
        }),
        gauge("channel_messages_uncommitted", "Messages published in a transaction that goes on", |c| {
            whole(c.uncommitted_messages.value())
        }),
        gauge("channel_acks_uncommitted", "Acknowledgements in a transaction that goes on", |c| {
            whole(c.uncommitted_acks.value())
        }),
        gauge("consumer_prefetch", "Messages that a consumer may have unacknowledged", |c| whole(c.prefetch().into())),
        gauge("channel_prefetch", "Messages that a channel may have unacknowledged", |c| {
            whole(c.global_prefetch().into())
        }),
    ],
};

pub(super) const CHANNEL_PROCESS: Table<Arc<ChannelEntry>> = Table {
    name: "channel_process_metrics",
    families: &[counter(
        "channel_process_reductions_total",
        "Reductions of the channel's process, of which there is none",
        |c| no_reductions(c),
    )],
};

pub(super) const CHANNEL_EXCHANGE: Table<Published> = Table {
    name: "channel_exchange_metrics",
    families: &[
        counter("channel_messages_published_total", "Messages that a channel published to an exchange", |p| {
            whole(p.pair.publish.value())
        }),
        counter("channel_messages_confirmed_total", "Publishes of a channel to an exchange that were confirmed", |p| {
            whole(p.pair.confirm.value())
        }),
        counter(
            "channel_messages_unroutable_returned_total",
            "Publishes of a channel to an exchange that were returned, since they went nowhere",
            |p| whole(p.pair.return_unroutable.value()),
        ),
        counter(
            "channel_messages_unroutable_dropped_total",
            "Publishes of a channel to an exchange that were dropped, since they went nowhere",
            |p| whole(p.pair.drop_unroutable.value()),
        ),
    ],
};

/// The same added up for a channel, where its exchanges are not told apart.
pub(super) const CHANNEL_PUBLISHED: Table<Arc<ChannelEntry>> = Table {
    name: "channel_exchange_metrics",
    families: &[
        counter("channel_messages_published_total", "Messages that channels published", |c| {
            whole(c.counters.publish.value())
        }),
        counter("channel_messages_confirmed_total", "Publishes of channels that were confirmed", |c| {
            whole(c.counters.confirm.value())
        }),
        counter(
            "channel_messages_unroutable_returned_total",
            "Publishes of channels that were returned, since they went nowhere",
            |c| whole(c.counters.return_unroutable.value()),
        ),
        counter(
            "channel_messages_unroutable_dropped_total",
            "Publishes of channels that were dropped, since they went nowhere",
            |c| whole(c.counters.drop_unroutable.value()),
        ),
    ],
};

/// What basic.get fetched, which no consumer counts, and what was acknowledged.
pub(super) const CHANNEL_FETCHED: Table<Arc<ChannelEntry>> = Table {
    name: "channel_queue_metrics",
    families: &[
        counter("channel_get_ack_total", "Messages that a channel fetched, to be acknowledged", |c| {
            whole(c.counters.get.value())
        }),
        counter("channel_get_total", "Messages that a channel fetched without acknowledgement", |c| {
            whole(c.counters.get_no_ack.value())
        }),
        counter("channel_messages_acked_total", "Messages that a channel acknowledged", |c| {
            whole(c.counters.ack.value())
        }),
        counter("channel_get_empty_total", "Fetches of a channel that found a queue empty", |c| {
            whole(c.counters.get_empty.value())
        }),
    ],
};

pub(super) const CHANNEL_QUEUE: Table<Delivered> = Table {
    name: "channel_queue_metrics",
    families: &[
        counter("channel_messages_delivered_ack_total", "Messages delivered to a channel, to be acknowledged", |d| {
            whole(d.deliver)
        }),
        counter("channel_messages_delivered_total", "Messages delivered to a channel without acknowledgement", |d| {
            whole(d.deliver_no_ack)
        }),
        counter("channel_messages_redelivered_total", "Messages delivered to a channel again", |d| whole(d.redeliver)),
    ],
};

pub(super) const CONNECTION_COARSE: Table<Arc<ConnectionEntry>> = Table {
    name: "connection_coarse_metrics",
    families: &[
        counter("connection_incoming_bytes_total", "Bytes received on a connection", |c| {
            whole(c.received_bytes.value())
        }),
        counter("connection_outgoing_bytes_total", "Bytes sent on a connection", |c| whole(c.sent().0)),
        counter(
            "connection_process_reductions_total",
            "Reductions of the connection's process, of which there is none",
            |c| no_reductions(c),
        ),
    ],
};

pub(super) const CONNECTION: Table<Arc<ConnectionEntry>> = Table {
    name: "connection_metrics",
    families: &[
        counter("connection_incoming_packets_total", "Reads on a connection", |c| whole(c.received_reads.value())),
        counter("connection_outgoing_packets_total", "Writes on a connection", |c| whole(c.sent().1)),
        gauge("connection_pending_packets", "Whether anything waits to be sent on a connection", |c| {
            whole(u64::from(c.pending_bytes() > 0))
        }),
        gauge("connection_channels", "Channels of a connection", |c| whole(c.channel_count() as u64)),
    ],
};

fn messages(queue: &Queue) -> u64 {
    queue.counters.messages_ready.value() + queue.counters.messages_unacknowledged.value()
}

/// What a queue is, in its labels.
pub(super) const QUEUE_INFO: Table<Queue> = Table {
    name: "queue_info",
    families: &[gauge("queue_info", "1 for each queue, whose labels say what it is", |_| whole(1))],
};
