//! Counters of the whole broker, by protocol and type of queue.
//!
//! They go on when queues, channels and connections go, which is why dashboards use them rather than sums over objects.

use super::text::{Kind, Number, Text, label};
use crate::shared::Shared;
use broker::{Broker, MessageTotals, NodeTotals, REASONS, SIZE_BOUNDS, STRATEGIES};

const PREFIX: &str = "rabbitmq_global_";
/// The protocol that there is.
const PROTOCOL: &str = "protocol=\"amqp091\"";
/// The protocol and the type of queue that there are.
const PROTOCOL_AND_QUEUE: &str = "protocol=\"amqp091\",queue_type=\"rabbit_classic_queue\"";

type Count = fn(&MessageTotals) -> u64;

/// Families by protocol.
const BY_PROTOCOL: [(&str, &str, Count); 6] = [
    ("messages_received_total", "Messages received from publishers", |m| m.received),
    ("messages_received_confirm_total", "Messages received from publishers that want to be told", |m| {
        m.received_confirm
    }),
    ("messages_routed_total", "Messages routed to queues, once per queue", |m| m.routed),
    ("messages_unroutable_dropped_total", "Messages dropped, since they went nowhere", |m| m.unroutable_dropped),
    ("messages_unroutable_returned_total", "Messages returned, since they went nowhere", |m| m.unroutable_returned),
    ("messages_confirmed_total", "Messages confirmed to publishers", |m| m.confirmed),
];

/// Families by protocol and type of queue.
const BY_QUEUE_TYPE: [(&str, &str, Count); 8] = [
    ("messages_delivered_total", "Messages delivered and fetched", MessageTotals::delivered),
    ("messages_delivered_consume_manual_ack_total", "Messages delivered to consumers that acknowledge", |m| {
        m.delivered_consume_manual_ack
    }),
    ("messages_delivered_consume_auto_ack_total", "Messages delivered to other consumers", |m| {
        m.delivered_consume_auto_ack
    }),
    ("messages_delivered_get_manual_ack_total", "Messages fetched, to be acknowledged", |m| m.delivered_get_manual_ack),
    ("messages_delivered_get_auto_ack_total", "Messages fetched without acknowledgement", |m| m.delivered_get_auto_ack),
    ("messages_get_empty_total", "Fetches that found a queue empty", |m| m.get_empty),
    ("messages_redelivered_total", "Messages delivered again", |m| m.redelivered),
    ("messages_acknowledged_total", "Messages acknowledged", |m| m.acknowledged),
];

/// The bounds of the buckets of sizes as RabbitMQ writes them: dashboards compare them as text.
const BOUNDS: [&str; SIZE_BOUNDS.len() + 1] =
    ["100.0", "1000.0", "10000.0", "100000.0", "1e+06", "1e+07", "5e+07", "1e+08", "+Inf"];

pub(super) fn write(shared: &Shared, broker: &Broker, text: &mut Text) {
    let totals = broker.node_totals();
    let started_s = shared.started_s() as f64;
    for (name, help, count) in BY_PROTOCOL {
        text.family(PREFIX, name, Kind::Counter, help);
        text.sample(PROTOCOL, count(&totals.messages));
        text.created(PROTOCOL, started_s);
    }
    for (name, help, value) in [
        ("publishers", "Channels that have published", totals.publishers),
        ("consumers", "Consumers", totals.consumers),
    ] {
        text.family(PREFIX, name, Kind::Gauge, help);
        text.sample(PROTOCOL, value);
    }
    for (name, help, count) in BY_QUEUE_TYPE {
        text.family(PREFIX, name, Kind::Counter, help);
        text.sample(PROTOCOL_AND_QUEUE, count(&totals.messages));
        text.created(PROTOCOL_AND_QUEUE, started_s);
    }
    dead_letters(&totals, started_s, text);
    sizes(&totals, started_s, text);
    auth_attempts(broker, "rabbitmq_", text);
}

fn dead_letters(totals: &NodeTotals, started_s: f64, text: &mut Text) {
    let mut labels = String::new();
    for (reason, counts) in REASONS.iter().zip(&totals.dead_lettered) {
        let name = format!("messages_dead_lettered_{reason}_total");
        text.family(PREFIX, &name, Kind::Counter, "Messages that queues gave up, by what became of them");
        for (strategy, count) in STRATEGIES.iter().zip(counts) {
            // Only those that had to reach a queue are known to have done so.
            if *reason == "confirmed" && *strategy != "at_least_once" {
                continue;
            }
            labels.clear();
            label(&mut labels, "queue_type", "rabbit_classic_queue");
            label(&mut labels, "dead_letter_strategy", strategy);
            text.sample(&labels, *count);
            text.created(&labels, started_s);
        }
    }
}

fn sizes(totals: &NodeTotals, started_s: f64, text: &mut Text) {
    text.family("rabbitmq_", "message_size_bytes", Kind::Histogram, "Sizes of messages received from publishers");
    let mut labels = String::new();
    let mut sum = 0;
    for (bound, count) in BOUNDS.iter().zip(&totals.sizes) {
        sum += count;
        labels.clear();
        labels.push_str(PROTOCOL);
        label(&mut labels, "le", bound);
        text.sample_of("_bucket", &labels, Number::Whole(sum));
    }
    text.sample_of("_count", PROTOCOL, Number::Whole(sum));
    text.sample_of("_sum", PROTOCOL, Number::Whole(totals.messages.received_bytes));
    text.created(PROTOCOL, started_s);
}

/// Attempts to log in.
pub(super) fn auth_attempts(broker: &Broker, prefix: &str, text: &mut Text) {
    let logins = broker.logins();
    let mut labels = String::new();
    for (name, help, count) in [
        ("auth_attempts_total", "Attempts to log in", broker::LoginCounts::attempts as fn(&broker::LoginCounts) -> u64),
        ("auth_attempts_succeeded_total", "Attempts to log in that succeeded", |counts| counts.succeeded),
        ("auth_attempts_failed_total", "Attempts to log in that failed", |counts| counts.failed),
    ] {
        text.family(prefix, name, Kind::Counter, help);
        for (protocol, counts) in &logins {
            labels.clear();
            label(&mut labels, "protocol", protocol.name());
            text.sample(&labels, count(counts));
        }
    }
}

/// The same by where they came from, which only the metrics of objects tell.
pub(super) fn auth_attempts_by_source(broker: &Broker, prefix: &str, text: &mut Text) {
    let sources = broker.login_sources();
    let mut labels = String::new();
    for (name, help, count) in [
        (
            "auth_attempts_detailed_total",
            "Attempts to log in by where they came from",
            broker::LoginCounts::attempts as fn(&broker::LoginCounts) -> u64,
        ),
        ("auth_attempts_detailed_succeeded_total", "Those that succeeded", |counts| counts.succeeded),
        ("auth_attempts_detailed_failed_total", "Those that failed", |counts| counts.failed),
    ] {
        text.family(prefix, name, Kind::Counter, help);
        for (source, counts) in &sources {
            labels.clear();
            label(&mut labels, "remote_address", &source.peer.to_string());
            if !source.user.is_empty() {
                label(&mut labels, "username", &source.user);
            }
            label(&mut labels, "protocol", source.protocol.name());
            text.sample(&labels, count(counts));
        }
    }
}
