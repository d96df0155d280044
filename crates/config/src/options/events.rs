//! What the broker publishes of itself.

/// `leveret.event_exchange` and `event_exchange.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventOptions {
    /// The virtual host whose exchange amq.rabbitmq.event gets events; `None` without such an exchange.
    pub exchange_vhost: Option<String>,
}
