//! What the broker publishes of itself.

use super::Checked;
use crate::options::{EventOptions, LogLevel};

impl Checked {
    /// RabbitMQ has the exchange when its plugin is enabled. Whoever names a virtual host for it wants it, too.
    pub(super) fn events(&self) -> EventOptions {
        let vhost = self.optional_text("event_exchange.vhost").filter(|vhost| !vhost.is_empty());
        let wanted = self.boolean("leveret.event_exchange");
        EventOptions {
            exchange_vhost: vhost.or_else(|| wanted.then(|| self.text("default_vhost"))),
            log_level: self.boolean("log.exchange").then(|| self.choice("log.exchange.level", LogLevel::from_word)),
        }
    }
}
