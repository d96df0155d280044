//! What the broker publishes of itself.

use super::log::LogLevel;

/// `leveret.event_exchange`, `event_exchange.*` and `log.exchange*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventOptions {
    /// The virtual host whose exchange amq.rabbitmq.event gets events; `None` without such an exchange.
    pub exchange_vhost: Option<String>,
    /// Least severe level of what goes to amq.rabbitmq.log; `None` without such an exchange.
    pub log_level: Option<LogLevel>,
}
