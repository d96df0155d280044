//! Where a broker listens, as tools show it.

use crate::context::{Context, RequestError};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) node: String,
    pub(crate) protocol: String,
    pub(crate) address: String,
    pub(crate) port: u16,
}

/// What is spoken at a listener, by the name of its protocol.
fn purpose(protocol: &str) -> &str {
    match protocol {
        "amqp" => "AMQP 0-9-1",
        "amqp/ssl" => "AMQP 0-9-1 over TLS",
        "http" => "HTTP API",
        "https" => "HTTP API over TLS (HTTPS)",
        "http/prometheus" => "Prometheus exporter API over HTTP",
        "https/prometheus" => "Prometheus exporter API over TLS (HTTPS)",
        other => other,
    }
}

impl Listener {
    /// The listeners of the broker.
    pub(crate) fn all(context: &Context<'_>) -> Result<Vec<Listener>, RequestError> {
        Ok(Listener::of(&context.get("/api/overview")?))
    }

    /// Those of an overview.
    pub(crate) fn of(overview: &Value) -> Vec<Listener> {
        Listener::list(&overview["listeners"])
    }

    /// Those that are suspended, by what is known of the process.
    pub(crate) fn suspended(process: &Value) -> Vec<Listener> {
        Listener::list(&process["suspended_listeners"])
    }

    fn list(items: &Value) -> Vec<Listener> {
        let items = items.as_array().into_iter().flatten();
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        items
            .map(|item| Listener {
                node: text(item, "node"),
                protocol: text(item, "protocol"),
                address: text(item, "ip_address"),
                port: item["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
            })
            .collect()
    }

    /// The address, an IPv6 one in brackets.
    pub(crate) fn interface(&self) -> String {
        if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() }
    }

    /// As a line of RabbitMQ's `listeners`.
    pub(crate) fn line(&self) -> String {
        format!(
            "Interface: {}, port: {}, protocol: {}, purpose: {}",
            self.interface(),
            self.port,
            self.protocol,
            purpose(&self.protocol)
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "interface": self.interface(),
            "node": self.node,
            "port": self.port,
            "protocol": self.protocol,
            "purpose": purpose(&self.protocol),
        })
    }

    /// Where to connect from the same host; what listens everywhere listens on the loopback interface, too.
    pub(crate) fn reachable(&self) -> Option<SocketAddr> {
        let address: IpAddr = self.address.parse().ok()?;
        let address = match address {
            IpAddr::V4(any) if any.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(any) if any.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
            own => own,
        };
        Some(SocketAddr::new(address, self.port))
    }
}

/// All of them as JSON.
pub(crate) fn json_of(listeners: &[Listener]) -> Value {
    listeners.iter().map(Listener::json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_a_line() {
        let overview = json!({ "listeners": [
            { "node": "n", "protocol": "http", "ip_address": "::", "port": 15672 },
            { "node": "n", "protocol": "amqp", "ip_address": "127.0.0.1", "port": 5672 },
        ]});
        let listeners = Listener::of(&overview);
        assert_eq!(listeners[0].line(), "Interface: [::], port: 15672, protocol: http, purpose: HTTP API");
        assert_eq!(listeners[0].reachable(), "127.0.0.1:15672".parse().ok());
        assert_eq!(listeners[1].line(), "Interface: 127.0.0.1, port: 5672, protocol: amqp, purpose: AMQP 0-9-1");
    }
}
