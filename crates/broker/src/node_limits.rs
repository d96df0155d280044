//! Settings that may change while the broker runs: the configuration is read again, and what is asked about them from then
//! on is answered by the new ones.

use crate::settings::Settings;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

/// What stands for no limit.
const NONE: u64 = u64::MAX;

/// A limit, or none.
#[derive(Debug)]
struct Changeable(AtomicU64);

impl Changeable {
    fn new(value: Option<u64>) -> Changeable {
        Changeable(AtomicU64::new(value.unwrap_or(NONE)))
    }

    fn set(&self, value: Option<u64>) {
        self.0.store(value.unwrap_or(NONE), Ordering::Relaxed);
    }

    fn value(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|value| *value != NONE)
    }
}

/// The limits of the node that are in force.
#[derive(Debug)]
pub struct NodeLimits {
    connections: Changeable,
    channels: Changeable,
    queues: Changeable,
    exchanges: Changeable,
    vhosts: Changeable,
    consumers_per_channel: Changeable,
    consumer_timeout_ms: Changeable,
    max_message_size: AtomicU64,
    default_prefetch: AtomicU16,
    heartbeat_s: AtomicU16,
}

impl NodeLimits {
    pub(crate) fn new(settings: &Settings) -> NodeLimits {
        NodeLimits {
            connections: Changeable::new(settings.connection_limit),
            channels: Changeable::new(settings.channel_limit),
            queues: Changeable::new(settings.queue_limit),
            exchanges: Changeable::new(settings.exchange_limit),
            vhosts: Changeable::new(settings.vhost_limit),
            consumers_per_channel: Changeable::new(settings.consumers_per_channel),
            consumer_timeout_ms: Changeable::new(settings.consumer_timeout_ms),
            max_message_size: AtomicU64::new(settings.max_message_size),
            default_prefetch: AtomicU16::new(settings.default_prefetch),
            heartbeat_s: AtomicU16::new(settings.heartbeat_s),
        }
    }

    /// Takes those of `settings`; what there is already beyond a limit stays.
    pub fn set(&self, settings: &Settings) {
        self.connections.set(settings.connection_limit);
        self.channels.set(settings.channel_limit);
        self.queues.set(settings.queue_limit);
        self.exchanges.set(settings.exchange_limit);
        self.vhosts.set(settings.vhost_limit);
        self.consumers_per_channel.set(settings.consumers_per_channel);
        self.consumer_timeout_ms.set(settings.consumer_timeout_ms);
        self.max_message_size.store(settings.max_message_size, Ordering::Relaxed);
        self.default_prefetch.store(settings.default_prefetch, Ordering::Relaxed);
        self.heartbeat_s.store(settings.heartbeat_s, Ordering::Relaxed);
    }

    /// Connections that there may be; `None` = any number.
    pub fn connections(&self) -> Option<u64> {
        self.connections.value()
    }

    pub(crate) fn channels(&self) -> Option<u64> {
        self.channels.value()
    }

    pub(crate) fn queues(&self) -> Option<u64> {
        self.queues.value()
    }

    pub(crate) fn exchanges(&self) -> Option<u64> {
        self.exchanges.value()
    }

    pub(crate) fn vhosts(&self) -> Option<u64> {
        self.vhosts.value()
    }

    pub(crate) fn consumers_per_channel(&self) -> Option<u64> {
        self.consumers_per_channel.value()
    }

    /// How long a delivery may stay unacknowledged in ms; `None` = for ever.
    pub fn consumer_timeout_ms(&self) -> Option<u64> {
        self.consumer_timeout_ms.value()
    }

    /// Largest body of a message in bytes.
    pub fn max_message_size(&self) -> u64 {
        self.max_message_size.load(Ordering::Relaxed)
    }

    pub(crate) fn default_prefetch(&self) -> u16 {
        self.default_prefetch.load(Ordering::Relaxed)
    }

    /// Seconds proposed in connection.tune.
    pub(crate) fn heartbeat_s(&self) -> u16 {
        self.heartbeat_s.load(Ordering::Relaxed)
    }
}
