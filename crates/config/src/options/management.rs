//! `management.*`, `prometheus.*` and what else the administrative surface takes.

use super::tls::HttpsOptions;
use super::words::words;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Limits on the connections of HTTP listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once.
    pub max_connections: Option<u64>,
    /// How long the head of a request may take to arrive; 0 is no limit.
    pub request_timeout_ms: u64,
    /// How long a client may send or read nothing; 0 is no limit.
    pub idle_timeout_ms: u64,
    /// The same; the shorter of the two counts.
    pub inactivity_timeout_ms: u64,
    /// Requests on one connection.
    pub max_keepalive: u64,
    /// Whether answers are compressed.
    pub compress: bool,
}

/// The HTTP API and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementOptions {
    /// Where the API listens: every address of a host without `management.tcp.ip`; empty with `leveret.management = false`.
    pub listeners: Vec<SocketAddr>,
    /// Where the metrics are served, likewise.
    pub prometheus_listeners: Vec<SocketAddr>,
    /// The API with TLS.
    pub https: Option<HttpsOptions>,
    /// The metrics with TLS.
    pub prometheus_https: Option<HttpsOptions>,
    /// Before every path; empty for nothing.
    pub path_prefix: String,
    /// Largest body of a request in bytes.
    pub max_body_bytes: usize,
    /// Limits on connections to the API without TLS.
    pub limits: HttpLimits,
    /// Limits on connections to the metrics without TLS.
    pub prometheus_limits: HttpLimits,
    /// No `allow` header but with 405.
    pub hide_allow_header: bool,
    /// Headers that answers have for browsers.
    pub headers: HeaderOptions,
    /// No basic authentication.
    pub disable_basic_auth: bool,
    /// Answers without statistics.
    pub disable_stats: bool,
    /// With the counts of queues all the same.
    pub enable_queue_totals: bool,
    /// What the user interface is told of how long a session lasts.
    pub login_session_timeout_min: Option<u64>,
    /// Where the log of requests is; `None` for none.
    pub access_log_dir: Option<PathBuf>,
    /// Definitions are taken from uploaded files that end in `.json` only.
    pub requires_json_extension: bool,
    /// Operator policies cannot be changed over the network.
    pub fixes_operator_policies: bool,
    /// The log of changes.
    pub audit: AuditOptions,
    /// What is sampled.
    pub statistics: StatisticsOptions,
    /// What the listeners of metrics serve.
    pub prometheus: PrometheusOptions,
}

/// `management.cors.*`, `management.csp.*`, `management.hsts.*` and `management.headers.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderOptions {
    /// Origins that may use the API, `*` for all.
    pub cors_allow_origins: Vec<String>,
    /// How long a browser keeps the answer to a preflight request.
    pub cors_max_age_s: u64,
    /// `Content-Security-Policy`.
    pub content_security_policy: Option<String>,
    /// `Strict-Transport-Security`.
    pub strict_transport_security: Option<String>,
    /// `X-Content-Type-Options`.
    pub content_type_options: Option<String>,
    /// `X-XSS-Protection`.
    pub xss_protection: Option<String>,
    /// `X-Frame-Options`.
    pub frame_options: Option<String>,
    /// `Referrer-Policy`.
    pub referrer_policy: Option<String>,
}

/// `leveret.audit` and `leveret.audit.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditOptions {
    /// Whether there is one.
    pub is_enabled: bool,
    /// Size above which a new file is begun.
    pub file_size_bytes: u64,
    /// Files that are kept, the current one among them.
    pub files: usize,
}

/// `leveret.otlp.*`.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpOptions {
    /// URL of the collector; `None` for no spans.
    pub endpoint: Option<String>,
    /// Share of traces.
    pub sample: f64,
    /// Name of the broker.
    pub service_name: String,
}

/// Samples of counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsOptions {
    /// False with `management.disable_stats` or `management_agent.disable_metrics_collector`.
    pub enabled: bool,
    /// Milliseconds between samples.
    pub interval_ms: u64,
    /// Which message rates are kept.
    pub rates_mode: RatesMode,
    /// `management.sample_retention_policies`: what is kept for how many seconds at which interval in seconds, by section;
    /// empty for RabbitMQ's.
    pub retention: Vec<RetentionPolicy>,
}

/// One of `management.sample_retention_policies`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// `global`, `basic` or `detailed`.
    pub section: String,
    /// Seconds that samples are kept.
    pub span_s: u32,
    /// Seconds from one to the next.
    pub interval_s: u32,
}

/// `prometheus.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusOptions {
    /// Path of the metrics.
    pub path: String,
    /// Metrics of every object by default.
    pub return_per_object_metrics: bool,
    /// Queues that are left out of sums.
    pub filter_aggregated_queue_metrics_pattern: Option<String>,
    /// Ask for a log-in.
    pub authentication: bool,
}

words! {
    /// `management.rates_mode`.
    RatesMode {
        /// Rates of every object.
        Basic = "basic",
        /// Those of pairs of objects too.
        Detailed = "detailed",
        /// No message rates.
        None = "none",
    }
}
