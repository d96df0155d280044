//! Queues, exchanges, bindings and the broker as lists show them.

use crate::link::ConnectionId;
use amqp::FieldTable;
use std::sync::Arc;

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
