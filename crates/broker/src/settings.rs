//! What the engine can be told, in the engine's own terms.

use crate::accounts::Accounts;
use amqp::FieldTable;
use std::collections::BTreeMap;

/// Limits, defaults and compatibility choices of a broker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the node, such as `rabbit@host`.
    pub node_name: String,
    /// Name of the cluster, shown in server-properties.
    pub cluster_name: String,
    /// Version announced to clients.
    pub version: String,
    /// Largest frame in bytes proposed in connection.tune; 0 = no limit.
    pub frame_max: u32,
    /// Largest frame in bytes before connection.tune-ok.
    pub initial_frame_max: u32,
    /// Channels per connection proposed in connection.tune; 0 = no limit.
    pub channel_max: u16,
    /// Heartbeat interval in seconds proposed in connection.tune; 0 = none.
    pub heartbeat_s: u16,
    /// From accept to connection.open, in ms.
    pub handshake_timeout_ms: u64,
    /// How long a failed login waits for its answer, in ms.
    pub login_delay_ms: u64,
    /// Largest body in bytes.
    pub max_message_size: u64,
    /// Consumers that a channel may have; `None` = no limit.
    pub consumers_per_channel: Option<u64>,
    /// Prefetch of consumers on channels that never sent basic.qos; 0 = no limit.
    pub default_prefetch: u16,
    /// How long a delivery may wait for its acknowledgement, in ms; `None` = forever.
    pub consumer_timeout_ms: Option<u64>,
    /// What an overdue acknowledgement leads to.
    pub consumer_timeout_action: ConsumerTimeoutAction,
    /// The error for an unknown exchange type is 503 and closes the connection, as before 3.13.3.
    pub unknown_exchange_type_closes_connection: bool,
    /// What a passive declare needs.
    pub passive_declare: PassiveDeclare,
    /// What an x-death header set by a publisher is taken for.
    pub publisher_deaths: PublisherDeaths,
    /// Messages expire once they are the first of their queue, as in RabbitMQ, and not when their time comes.
    pub expires_at_head_only: bool,
    /// Connections that may be open at once; `None` = no limit, here and below.
    pub connection_limit: Option<u64>,
    /// Channels that may be open at once, over all connections.
    pub channel_limit: Option<u64>,
    /// Queues that there may be.
    pub queue_limit: Option<u64>,
    /// Exchanges that there may be, those that every virtual host has among them.
    pub exchange_limit: Option<u64>,
    /// Virtual hosts that there may be.
    pub vhost_limit: Option<u64>,
    /// Type of queues declared without one, where their virtual host has none.
    pub default_queue_type: String,
    /// Durable classic queues stand in for quorum queues, which are refused otherwise.
    pub quorum_as_classic: bool,
    /// What redeclaring a queue with other properties or arguments leads to.
    pub on_redeclare: OnRedeclare,
    /// Attempts to log in are counted by the client's address and the name given, too.
    pub track_login_sources: bool,
    /// What enters queues is counted by exchange, too (RabbitMQ: `rates_mode = detailed`).
    pub detailed_rates: bool,
    /// What new users are like; what is in force is [`Broker::accounts`](crate::Broker::accounts).
    pub accounts: Accounts,
    /// Limits of new virtual hosts.
    pub default_vhost_limits: Vec<DefaultVhostLimits>,
    /// Operator policies that new virtual hosts begin with.
    pub default_operator_policies: Vec<VhostPolicy>,
    /// Parameters that there may be, by component; those that are not named have no limit.
    pub parameter_limits: BTreeMap<String, u64>,
}

/// What redeclaring a queue with other properties or arguments leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRedeclare {
    /// The channel is closed with 406, as RabbitMQ does.
    Close,
    /// The queue stays as it is, and the log says so.
    Warn,
    /// The queue takes the arguments that can change in place; where others differ, 406.
    Alter,
}

/// Limits that a new virtual host begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultVhostLimits {
    /// Regular expression over the names of virtual hosts; the first that matches counts.
    pub pattern: String,
    /// `max-connections`.
    pub max_connections: Option<i64>,
    /// `max-queues`.
    pub max_queues: Option<i64>,
}

/// An operator policy that virtual hosts begin with, whose names match a pattern (RabbitMQ's `default_policies.operator`).
#[derive(Clone, Debug, PartialEq)]
pub struct VhostPolicy {
    /// The policy's name.
    pub name: String,
    /// Regular expression over the names of virtual hosts.
    pub vhost_pattern: String,
    /// Regular expression over the names of what it applies to.
    pub pattern: String,
    /// What it applies to, as `queues`.
    pub apply_to: String,
    /// Its keys.
    pub definition: FieldTable,
}

/// What an overdue acknowledgement leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerTimeoutAction {
    /// The channel is closed with 406 (3.8 to 4.2).
    CloseChannel,
    /// The consumer is cancelled and its messages return (4.3).
    CancelConsumer,
}

/// The permission that a passive declare needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassiveDeclare {
    /// None (3.x to 4.2).
    Free,
    /// Any of the three (4.3.1).
    Any,
    /// Configure (4.3.0).
    Configure,
}

/// What an x-death header set by a publisher is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublisherDeaths {
    /// A header like any other, which the message's own history replaces (4.x).
    Ignore,
    /// The message's history (3.x).
    Interpret,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            node_name: "rabbit@localhost".to_owned(),
            cluster_name: "rabbit@localhost".to_owned(),
            version: "4.2.0".to_owned(),
            frame_max: 131_072,
            initial_frame_max: 8192,
            channel_max: 2047,
            heartbeat_s: 60,
            handshake_timeout_ms: 10_000,
            login_delay_ms: 3000,
            max_message_size: 128 << 20,
            consumers_per_channel: None,
            track_login_sources: false,
            detailed_rates: false,
            default_prefetch: 0,
            consumer_timeout_ms: Some(1_800_000),
            consumer_timeout_action: ConsumerTimeoutAction::CloseChannel,
            unknown_exchange_type_closes_connection: false,
            passive_declare: PassiveDeclare::Free,
            publisher_deaths: PublisherDeaths::Ignore,
            expires_at_head_only: false,
            connection_limit: None,
            channel_limit: None,
            queue_limit: None,
            exchange_limit: None,
            vhost_limit: None,
            default_queue_type: "classic".to_owned(),
            quorum_as_classic: false,
            on_redeclare: OnRedeclare::Close,
            accounts: Accounts::default(),
            default_vhost_limits: Vec::new(),
            default_operator_policies: Vec::new(),
            parameter_limits: BTreeMap::new(),
        }
    }
}
