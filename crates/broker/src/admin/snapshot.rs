//! Connections, channels, queues and the broker as lists show them.

use crate::link::ConnectionId;
use amqp::FieldTable;
use std::net::SocketAddr;
use std::sync::Arc;

/// A connection as lists show it.
#[derive(Clone, Debug)]
pub struct ConnectionSnapshot {
    /// Its id.
    pub id: ConnectionId,
    /// `PEER:PORT -> HOST:PORT`.
    pub name: String,
    /// The client's address.
    pub peer: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// Name of the user; empty before login.
    pub user: String,
    /// Name of the virtual host; empty before connection.open.
    pub vhost: String,
    /// RabbitMQ's name of the state.
    pub state: &'static str,
    /// Mechanism of the login.
    pub mechanism: Option<&'static str>,
    /// Open channels.
    pub channels: usize,
    /// Negotiated limit of channels.
    pub channel_max: u16,
    /// Negotiated frame size in bytes.
    pub frame_max: usize,
    /// Negotiated heartbeat in seconds.
    pub heartbeat_s: u16,
    /// When it was accepted, in ms since 1970.
    pub connected_at_ms: u64,
    /// What the client said of itself.
    pub client_properties: FieldTable,
    /// Bytes received.
    pub received_bytes: u64,
    /// Reads that brought something.
    pub received_reads: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Writes.
    pub sent_writes: u64,
    /// Bytes that wait to be sent.
    pub pending_bytes: usize,
}

/// A channel as lists show it.
#[derive(Clone, Debug)]
pub struct ChannelSnapshot {
    /// Its connection.
    pub connection: ConnectionId,
    /// Its connection's name.
    pub connection_name: String,
    /// Its number.
    pub number: u16,
    /// Name of the user.
    pub user: String,
    /// Name of the virtual host.
    pub vhost: String,
    /// In confirm mode.
    pub confirm: bool,
    /// In transactional mode.
    pub transactional: bool,
    /// Deliveries that are not settled.
    pub unacknowledged: usize,
    /// Publishes that are not confirmed.
    pub unconfirmed: u64,
    /// Prefetch limit for new consumers; 0 = none.
    pub prefetch: u16,
    /// Channel-wide prefetch limit; 0 = none.
    pub global_prefetch: u32,
    /// Its consumers.
    pub consumers: Vec<ConsumerSnapshot>,
    /// Publishes by exchange.
    pub published: Vec<(String, u64)>,
    /// Counters by name.
    pub counters: Vec<(&'static str, u64)>,
}

/// A consumer as lists show it.
#[derive(Clone, Debug)]
pub struct ConsumerSnapshot {
    /// Its tag.
    pub tag: String,
    /// Name of its queue.
    pub queue: String,
    /// Acknowledges automatically.
    pub no_ack: bool,
    /// Consumes exclusively.
    pub exclusive: bool,
    /// What it does.
    pub activity: queue::Activity,
    /// Prefetch limit; 0 = none.
    pub prefetch: u16,
    /// Arguments of basic.consume.
    pub arguments: FieldTable,
    /// Counters by name.
    pub counters: Vec<(&'static str, u64)>,
}

/// A queue as lists show it.
#[derive(Clone, Debug)]
pub struct QueueSnapshot {
    /// Name of its virtual host.
    pub vhost: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// The connection that it belongs to, for an exclusive queue.
    pub owner: Option<ConnectionId>,
    /// Arguments of its declaration.
    pub arguments: FieldTable,
    /// Name of the policy in force.
    pub policy: Option<String>,
    /// Name of the operator policy in force.
    pub operator_policy: Option<String>,
    /// What the two add up to; empty without one.
    pub effective_policy_definition: FieldTable,
    /// Messages ready for delivery.
    pub messages_ready: u64,
    /// Messages delivered and not settled.
    pub messages_unacknowledged: u64,
    /// Bytes of ready bodies.
    pub message_bytes_ready: u64,
    /// Bytes of bodies delivered and not settled.
    pub message_bytes_unacknowledged: u64,
    /// Consumers.
    pub consumers: u64,
    /// Counters by name.
    pub counters: Vec<(&'static str, u64)>,
}

/// An exchange as lists show it.
#[derive(Clone, Debug)]
pub struct ExchangeSnapshot {
    /// Name of its virtual host.
    pub vhost: Arc<str>,
    /// Its name; empty for the default exchange.
    pub name: Arc<str>,
    /// Its type, as `topic`.
    pub kind: &'static str,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with the last binding from it.
    pub auto_delete: bool,
    /// Takes messages from other exchanges only.
    pub internal: bool,
    /// Arguments of its declaration.
    pub arguments: FieldTable,
    /// Name of the policy in force.
    pub policy: Option<String>,
    /// Counters by name.
    pub counters: Vec<(&'static str, u64)>,
}

/// A message that waits before it is routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayedSnapshot {
    /// Names it within its virtual host; never given twice.
    pub id: u64,
    /// When it is routed, in ms since 1970.
    pub due_ms: u64,
    /// The exchange that it was published to.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
    /// Bytes of its body.
    pub body_bytes: usize,
    /// Survives a restart.
    pub persistent: bool,
}

/// A binding and its virtual host.
#[derive(Clone, Debug, PartialEq)]
pub struct BindingSnapshot {
    /// Name of its virtual host.
    pub vhost: Arc<str>,
    /// The binding.
    pub binding: crate::BindingInfo,
}

/// The broker in numbers.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Name of the node.
    pub node_name: String,
    /// Name of the cluster.
    pub cluster_name: String,
    /// Version announced to clients.
    pub version: String,
    /// The memory alarm is raised.
    pub memory_alarm: bool,
    /// The disk alarm is raised.
    pub disk_alarm: bool,
    /// What the memory alarm looks at; `None` without a monitor.
    pub memory: Option<super::MemoryFigures>,
    /// Bytes of message memory in use.
    pub message_memory_bytes: u64,
    /// Virtual hosts.
    pub vhosts: usize,
    /// Open connections.
    pub connections: usize,
    /// Open channels.
    pub channels: usize,
    /// Exchanges, those that every virtual host has among them.
    pub exchanges: usize,
    /// Queues.
    pub queues: usize,
    /// Consumers.
    pub consumers: usize,
    /// Ready messages in all queues.
    pub messages_ready: u64,
    /// Messages delivered and not settled in all queues.
    pub messages_unacknowledged: u64,
}
