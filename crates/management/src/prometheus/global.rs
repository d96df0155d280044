//! Counters of the whole broker, by protocol and type of queue.

use super::text::{Kind, Text};
use crate::service::Shared;
use crate::statistics::Subject;
use broker::Broker;
use std::collections::HashMap;

const PREFIX: &str = "rabbitmq_global_";
/// The protocol that there is.
const PROTOCOL: &str = "protocol=\"amqp091\"";
/// The protocol and the type of queue that there are.
const PROTOCOL_AND_QUEUE: &str = "protocol=\"amqp091\",queue_type=\"rabbit_classic_queue\"";

/// Families by protocol, and what they count.
const BY_PROTOCOL: [(&str, &str, &str); 6] = [
    ("messages_received_total", "publish", "Messages received from publishers"),
    ("messages_received_confirm_total", "publish", "Messages received from publishers that want to be told"),
    ("messages_routed_total", "publish", "Messages routed to a queue"),
    ("messages_unroutable_dropped_total", "drop_unroutable", "Messages dropped, since they went nowhere"),
    ("messages_unroutable_returned_total", "return_unroutable", "Messages returned, since they went nowhere"),
    ("messages_confirmed_total", "confirm", "Messages confirmed to publishers"),
];

/// Families by protocol and type of queue.
const BY_QUEUE_TYPE: [(&str, &[&str], &str); 8] = [
    ("messages_delivered_total", &["deliver", "deliver_no_ack", "get", "get_no_ack"], "Messages delivered"),
    ("messages_delivered_consume_manual_ack_total", &["deliver"], "Messages delivered to consumers that acknowledge"),
    ("messages_delivered_consume_auto_ack_total", &["deliver_no_ack"], "Messages delivered to other consumers"),
    ("messages_delivered_get_manual_ack_total", &["get"], "Messages fetched, to be acknowledged"),
    ("messages_delivered_get_auto_ack_total", &["get_no_ack"], "Messages fetched without acknowledgement"),
    ("messages_get_empty_total", &["get_empty"], "Fetches that found a queue empty"),
    ("messages_redelivered_total", &["redeliver"], "Messages delivered again"),
    ("messages_acknowledged_total", &["ack"], "Messages acknowledged"),
];

pub(super) fn write(shared: &Shared, broker: &Broker, text: &mut Text) {
    let totals: HashMap<&str, u64> = shared.statistics().last(Subject::Broker).into_iter().flatten().collect();
    let total = |name: &str| totals.get(name).copied().unwrap_or_default();
    let started_s = shared.started_s() as f64;
    for (name, field, help) in BY_PROTOCOL {
        text.family(PREFIX, name, Kind::Counter, help);
        text.sample(PROTOCOL, total(field));
        text.created(PROTOCOL, started_s);
    }
    for (name, fields, help) in BY_QUEUE_TYPE {
        text.family(PREFIX, name, Kind::Counter, help);
        text.sample(PROTOCOL_AND_QUEUE, fields.iter().map(|field| total(field)).sum::<u64>());
        text.created(PROTOCOL_AND_QUEUE, started_s);
    }
    text.family(PREFIX, "consumers", Kind::Gauge, "Consumers");
    text.sample(PROTOCOL, broker.object_totals().consumers);
}
