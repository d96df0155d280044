//! What the broker publishes of itself.

use super::Checked;
use crate::options::EventOptions;
use crate::plugins::Plugins;

/// RabbitMQ's plugin.
const PLUGIN: &str = "rabbitmq_event_exchange";

impl Checked {
    /// RabbitMQ has the exchange when its plugin is enabled, which it is not unless somebody says so; nor is it here. Whoever
    /// names a virtual host for it wants it, too.
    pub(super) fn events(&self, plugins: &Plugins) -> EventOptions {
        let vhost = self.optional_text("event_exchange.vhost").filter(|vhost| !vhost.is_empty());
        let is_enabled = plugins.explicit().is_some_and(|names| names.contains(PLUGIN));
        let wanted = is_enabled || self.boolean("leveret.event_exchange");
        EventOptions { exchange_vhost: vhost.or_else(|| wanted.then(|| self.text("default_vhost"))) }
    }
}
