//! The families that RabbitMQ's core metrics collector has, under its names of the groups they come in.

use super::family::{Table, counter, gauge};
use super::text::Number;
use broker::counters::PairCounters;
use broker::{Broker, ChannelEntry, ConnectionEntry, Exchange, MessageStats, QueueCell, QueueDetails};
use std::sync::Arc;

type Queue = Arc<QueueCell>;

/// Families that are not added up: a time, or a share of each, of which there is no sum.
pub(super) const NOT_ADDED_UP: [&str; 2] = [HEAD_TIMESTAMP, CONSUMER_CAPACITY];
const HEAD_TIMESTAMP: &str = "queue_head_message_timestamp";
const CONSUMER_CAPACITY: &str = "queue_consumer_capacity";

/// What a channel published to an exchange.
pub(super) struct Published {
    pub(super) channel: Arc<ChannelEntry>,
    pub(super) exchange: Arc<str>,
    pub(super) pair: Arc<PairCounters>,
}

/// What a channel was given from a queue.
pub(super) struct Delivered {
    pub(super) channel: Arc<ChannelEntry>,
    pub(super) queue: Queue,
    pub(super) stats: MessageStats,
}

/// What a channel did, its consumers of before among it.
pub(super) struct ChannelStats {
    pub(super) stats: MessageStats,
}

/// What entered a queue by an exchange.
pub(super) struct Routed {
    pub(super) queue: Queue,
    pub(super) exchange: Arc<Exchange>,
    pub(super) messages: u64,
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

/// What of a queue takes its lock to know, beside its counters.
pub(super) struct QueueFigures {
    pub(super) queue: Queue,
    memory_bytes: u64,
    ready_ram: u64,
    unacknowledged_ram: u64,
    paged_out: u64,
    paged_out_bytes: u64,
    persistent: u64,
    persistent_bytes: u64,
    head_timestamp: Option<u64>,
    capacity: f64,
}

impl QueueFigures {
    /// Those of `queues`. One with nothing in it and without consumers is not asked: there is nothing to know.
    pub(super) fn of(broker: &Broker, queues: &[Queue]) -> Vec<QueueFigures> {
        let is_empty = |queue: &Queue| messages(queue) == 0 && queue.counters.consumers.value() == 0;
        let asked: Vec<Queue> = queues.iter().filter(|queue| !is_empty(queue)).cloned().collect();
        // Without an answer the broker stops, and nobody reads on.
        let details = broker.details_of(&asked).unwrap_or_default();
        let known = asked.iter().zip(&details).map(|(queue, details)| QueueFigures::new(queue, details));
        let empty = queues.iter().filter(|queue| is_empty(queue));
        known.chain(empty.map(|queue| QueueFigures::new(queue, &QueueDetails::default()))).collect()
    }

    fn new(queue: &Queue, details: &QueueDetails) -> QueueFigures {
        QueueFigures {
            queue: queue.clone(),
            memory_bytes: details.memory_bytes.max(size_of::<QueueCell>() as u64),
            ready_ram: details.messages_ready_ram,
            unacknowledged_ram: details.messages_unacknowledged_ram,
            paged_out: details.messages_paged_out,
            paged_out_bytes: details.message_bytes_paged_out,
            persistent: details.messages_persistent,
            persistent_bytes: details.message_bytes_persistent,
            head_timestamp: details.head_message_timestamp,
            capacity: details.consumer_capacity,
        }
    }

    fn bytes(&self) -> u64 {
        let counters = &self.queue.counters;
        counters.message_bytes_ready.value() + counters.message_bytes_unacknowledged.value()
    }
}

pub(super) const QUEUE: Table<QueueFigures> = Table {
    name: "queue_metrics",
    families: &[
        gauge("queue_consumers", "Consumers of a queue", |q| whole(q.queue.counters.consumers.value())),
        gauge(CONSUMER_CAPACITY, "Share of the time in which consumers could take messages at once", |q| {
            Some(Number::Real(q.capacity))
        }),
        gauge("queue_consumer_utilisation", "The same as the capacity of consumers", |q| {
            Some(Number::Real(q.capacity))
        }),
        gauge("queue_process_memory_bytes", "Memory that a queue takes in bytes, about", |q| whole(q.memory_bytes)),
        gauge("queue_messages_ram", "Messages in memory", |q| whole(q.ready_ram + q.unacknowledged_ram)),
        gauge("queue_messages_ram_bytes", "Bytes of messages in memory", |q| {
            whole(q.bytes().saturating_sub(q.paged_out_bytes))
        }),
        gauge("queue_messages_ready_ram", "Messages ready for consumers that are in memory", |q| whole(q.ready_ram)),
        gauge("queue_messages_unacked_ram", "Messages not acknowledged yet that are in memory", |q| {
            whole(q.unacknowledged_ram)
        }),
        gauge("queue_messages_persistent", "Messages that survive a restart", |q| whole(q.persistent)),
        gauge("queue_messages_persistent_bytes", "Bytes of messages that survive a restart", |q| {
            whole(q.persistent_bytes)
        }),
        gauge("queue_messages_bytes", "Bytes of messages ready and not acknowledged yet", |q| whole(q.bytes())),
        gauge("queue_messages_ready_bytes", "Bytes of messages ready for consumers", |q| {
            whole(q.queue.counters.message_bytes_ready.value())
        }),
        gauge("queue_messages_unacked_bytes", "Bytes of messages delivered and not acknowledged yet", |q| {
            whole(q.queue.counters.message_bytes_unacknowledged.value())
        }),
        gauge("queue_messages_paged_out", "Messages that are on disk only", |q| whole(q.paged_out)),
        gauge("queue_messages_paged_out_bytes", "Bytes of messages that are on disk only", |q| {
            whole(q.paged_out_bytes)
        }),
        gauge(HEAD_TIMESTAMP, "Timestamp of the first message, if it has one", |q| q.head_timestamp.map(Number::Whole)),
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
        no_reductions,
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

/// The same of a channel, where its exchanges are not told apart.
pub(super) const CHANNEL_PUBLISHED: Table<ChannelStats> = Table {
    name: "channel_exchange_metrics",
    families: &[
        counter("channel_messages_published_total", "Messages that channels published", |c| whole(c.stats.publish)),
        counter("channel_messages_confirmed_total", "Publishes of channels that were confirmed", |c| {
            whole(c.stats.confirm)
        }),
        counter(
            "channel_messages_unroutable_returned_total",
            "Publishes of channels that were returned, since they went nowhere",
            |c| whole(c.stats.return_unroutable),
        ),
        counter(
            "channel_messages_unroutable_dropped_total",
            "Publishes of channels that were dropped, since they went nowhere",
            |c| whole(c.stats.drop_unroutable),
        ),
    ],
};

macro_rules! deliveries {
    ($row:ty) => {
        Table {
            name: "channel_queue_metrics",
            families: &[
                counter("channel_get_ack_total", "Messages that a channel fetched, to be acknowledged", |r: &$row| {
                    whole(r.stats.get)
                }),
                counter("channel_get_total", "Messages that a channel fetched without acknowledgement", |r| {
                    whole(r.stats.get_no_ack)
                }),
                counter(
                    "channel_messages_delivered_ack_total",
                    "Messages delivered to a channel, to be acknowledged",
                    |r| whole(r.stats.deliver),
                ),
                counter(
                    "channel_messages_delivered_total",
                    "Messages delivered to a channel without acknowledgement",
                    |r| whole(r.stats.deliver_no_ack),
                ),
                counter("channel_messages_redelivered_total", "Messages delivered to a channel again", |r| {
                    whole(r.stats.redeliver)
                }),
                counter("channel_messages_acked_total", "Messages that a channel acknowledged", |r| whole(r.stats.ack)),
                counter("channel_get_empty_total", "Fetches of a channel that found a queue empty", |r| {
                    whole(r.stats.get_empty)
                }),
            ],
        }
    };
}

pub(super) const CHANNEL_QUEUE: Table<Delivered> = deliveries!(Delivered);

/// The same of a channel, where its queues are not told apart.
pub(super) const CHANNEL_DELIVERED: Table<ChannelStats> = deliveries!(ChannelStats);

pub(super) const QUEUE_EXCHANGE: Table<Routed> = Table {
    name: "queue_exchange_metrics",
    families: &[counter(
        "queue_exchange_messages_published_total",
        "Messages that entered a queue by an exchange; with management.rates_mode = detailed",
        |r| whole(r.messages),
    )],
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
            no_reductions,
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
