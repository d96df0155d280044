//! What is sampled of which subject, and what is a sum of it.

use super::Subject;
use super::ring::MOST_FIELDS;

/// Which of the ranges that a request can ask for a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Lengths,
    MessageRates,
    DataRates,
    NodeStats,
}

/// Whose retention policy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Global,
    Basic,
    Detailed,
}

/// Fields of queues; what most queues have comes first, since it then takes the fewest bytes.
pub(crate) const QUEUE: &[&str] = &[
    "publish",
    "deliver",
    "ack",
    "messages_ready",
    "messages_unacknowledged",
    "deliver_no_ack",
    "redeliver",
    "get",
    "get_no_ack",
    "get_empty",
];

/// Fields of exchanges.
pub(crate) const EXCHANGE: &[&str] = &["publish_in", "publish_out"];

/// Fields of connections.
pub(crate) const CONNECTION: &[&str] = &["recv_oct", "send_oct"];

/// Fields of channels.
pub(crate) const CHANNEL: &[&str] = &[
    "publish",
    "confirm",
    "deliver",
    "ack",
    "deliver_no_ack",
    "redeliver",
    "get",
    "get_no_ack",
    "get_empty",
    "return_unroutable",
    "drop_unroutable",
];

/// Fields of virtual hosts and of the broker.
pub(crate) const TOTALS: &[&str] = &[
    "publish",
    "confirm",
    "deliver",
    "ack",
    "deliver_no_ack",
    "redeliver",
    "get",
    "get_no_ack",
    "get_empty",
    "return_unroutable",
    "drop_unroutable",
    "messages_ready",
    "messages_unacknowledged",
    "recv_oct",
    "send_oct",
    "disk_reads",
    "disk_writes",
    "connection_created",
    "connection_closed",
    "channel_created",
    "channel_closed",
    "queue_declared",
    "queue_created",
    "queue_deleted",
];

/// Fields of the node.
pub(crate) const NODE: &[&str] = &[
    "mem_used",
    "fd_used",
    "sockets_used",
    "disk_free",
    "proc_used",
    "gc_num",
    "gc_bytes_reclaimed",
    "context_switches",
    "io_read_count",
    "io_read_bytes",
    "io_write_count",
    "io_write_bytes",
    "io_sync_count",
];

/// Fields of what a channel publishes to an exchange.
pub(crate) const PUBLISHED: &[&str] = &["publish", "confirm", "return_unroutable", "drop_unroutable"];

/// Fields of what a channel gets from a queue.
pub(crate) const DELIVERED: &[&str] =
    &["deliver", "ack", "deliver_no_ack", "redeliver", "get", "get_no_ack", "get_empty"];

/// Fields of what an exchange puts into a queue.
pub(crate) const ROUTED: &[&str] = &["publish"];

/// Fields that are the sum of others, so that nobody has to keep them.
const SUMS: &[(&str, &[&str])] = &[
    ("deliver_get", &["deliver", "deliver_no_ack", "get", "get_no_ack"]),
    ("messages", &["messages_ready", "messages_unacknowledged"]),
];

const _: () = assert!(TOTALS.len() <= MOST_FIELDS && NODE.len() <= MOST_FIELDS);

/// The fields of a subject, in the order in which they are sampled.
pub(super) fn of(subject: Subject) -> &'static [&'static str] {
    match subject {
        Subject::Broker | Subject::Vhost(_) => TOTALS,
        Subject::Node => NODE,
        Subject::Queue(_) => QUEUE,
        Subject::Exchange(..) => EXCHANGE,
        Subject::Connection(_) => CONNECTION,
        Subject::Channel(..) => CHANNEL,
        Subject::Published { .. } => PUBLISHED,
        Subject::Delivered { .. } => DELIVERED,
        Subject::Routed { .. } => ROUTED,
    }
}

/// Whose retention policy a subject comes under.
pub(super) fn policy(subject: Subject) -> Policy {
    match subject {
        Subject::Broker | Subject::Vhost(_) | Subject::Node => Policy::Global,
        Subject::Queue(_) | Subject::Exchange(..) | Subject::Connection(_) | Subject::Channel(..) => Policy::Basic,
        Subject::Published { .. } | Subject::Delivered { .. } | Subject::Routed { .. } => Policy::Detailed,
    }
}

/// What a field of a subject is sampled under: much of what is shown of the broker is the node's.
pub(super) fn owner(subject: Subject, name: &str) -> Subject {
    if subject == Subject::Broker && NODE.contains(&name) { Subject::Node } else { subject }
}

/// A bit per field that makes up `name`; none for what is not sampled.
pub(super) fn parts(subject: Subject, name: &str) -> u32 {
    let fields = of(subject);
    let bit = |name: &str| fields.iter().position(|field| *field == name).map_or(0, |at| 1_u32 << at);
    match SUMS.iter().find(|(sum, _)| *sum == name) {
        Some((_, parts)) => parts.iter().fold(0, |mask, part| mask | bit(part)),
        None => bit(name),
    }
}

/// The range that a request gives for a field, as RabbitMQ sorts them: lengths of virtual hosts go by the one of message
/// rates, and what opened and closed by the one of lengths.
pub(super) fn range(subject: Subject, name: &str) -> Range {
    match (subject, name) {
        (Subject::Node, _) => Range::NodeStats,
        (Subject::Vhost(_), "messages" | "messages_ready" | "messages_unacknowledged") => Range::MessageRates,
        (_, "messages" | "messages_ready" | "messages_unacknowledged") => Range::Lengths,
        (_, "recv_oct" | "send_oct" | "reductions") => Range::DataRates,
        (
            _,
            "connection_created" | "connection_closed" | "channel_created" | "channel_closed" | "queue_declared"
            | "queue_created" | "queue_deleted",
        ) => Range::Lengths,
        _ => Range::MessageRates,
    }
}
