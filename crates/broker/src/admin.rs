//! The administrative surface.

use crate::link::ConnectionId;
use amqp::FieldTable;
use std::net::SocketAddr;

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
    /// Prefetch limit; 0 = none.
    pub prefetch: u16,
    /// Arguments of basic.consume.
    pub arguments: FieldTable,
    /// Counters by name.
    pub counters: Vec<(&'static str, u64)>,
}
