//! How the administrative surface is served over the network.

use std::net::SocketAddr;

/// What the configuration says of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where the API listens; none for nowhere.
    pub listeners: Vec<SocketAddr>,
    /// Where the metrics are served; none for nowhere.
    pub prometheus_listeners: Vec<SocketAddr>,
    /// Before every path of the API; empty, or beginning with a slash.
    pub path_prefix: String,
    /// Largest body of a request in bytes (RabbitMQ's `management.http.max_body_size`).
    pub max_body_bytes: usize,
}

impl Default for HttpSettings {
    /// Nothing over the network.
    fn default() -> HttpSettings {
        HttpSettings {
            listeners: Vec::new(),
            prometheus_listeners: Vec::new(),
            path_prefix: String::new(),
            max_body_bytes: 20_000_000,
        }
    }
}
