//! How the administrative surface is served over the network.

use crate::statistics::StatisticsSettings;
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
    /// What is sampled, and for how long.
    pub statistics: StatisticsSettings,
    /// What the listeners of metrics serve.
    pub prometheus: PrometheusSettings,
}

/// What the listeners of metrics serve: RabbitMQ's `prometheus.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusSettings {
    /// Path of the metrics, beginning with a slash.
    pub path: String,
    /// Whether they are of every object where a request does not say.
    pub return_per_object_metrics: bool,
    /// Queues whose name this matches are left out of sums; a regular expression.
    pub filter_aggregated_queue_metrics_pattern: Option<String>,
    /// Whether one has to log in, as a user who may monitor.
    pub authentication: bool,
}

impl Default for PrometheusSettings {
    fn default() -> PrometheusSettings {
        PrometheusSettings {
            path: "/metrics".to_owned(),
            return_per_object_metrics: false,
            filter_aggregated_queue_metrics_pattern: None,
            authentication: false,
        }
    }
}

impl Default for HttpSettings {
    /// Nothing over the network.
    fn default() -> HttpSettings {
        HttpSettings {
            listeners: Vec::new(),
            prometheus_listeners: Vec::new(),
            path_prefix: String::new(),
            max_body_bytes: 20_000_000,
            statistics: StatisticsSettings::default(),
            prometheus: PrometheusSettings::default(),
        }
    }
}
