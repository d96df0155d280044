//! How the administrative surface is served over the network.

use crate::audit::AuditSettings;
use crate::oauth_login::OAuthLogin;
use crate::statistics::StatisticsSettings;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tls::Endpoint;

/// What the configuration says of HTTP.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where the API listens; none for nowhere.
    pub listeners: Vec<SocketAddr>,
    /// Where the metrics are served; none for nowhere.
    pub prometheus_listeners: Vec<SocketAddr>,
    /// Where the API is served with TLS.
    pub https: Option<HttpsSettings>,
    /// Where the metrics are, likewise.
    pub prometheus_https: Option<HttpsSettings>,
    /// Before every path of the API; empty, or beginning with a slash.
    pub path_prefix: String,
    /// Largest body of a request in bytes (RabbitMQ's `management.http.max_body_size`).
    pub max_body_bytes: usize,
    /// Limits on connections to the API without TLS, and on the socket.
    pub limits: ServerLimits,
    /// Limits on connections to the metrics.
    pub prometheus_limits: ServerLimits,
    /// What is sampled, and for how long.
    pub statistics: StatisticsSettings,
    /// What the listeners of metrics serve.
    pub prometheus: PrometheusSettings,
    /// What answers say to browsers.
    pub headers: HeaderSettings,
    /// No `allow` header but with 405.
    pub hide_allow_header: bool,
    /// Nobody logs in with a password.
    pub disable_basic_auth: bool,
    /// Answers without statistics, whatever a request says.
    pub disable_stats: bool,
    /// With the counts of queues all the same.
    pub enable_queue_totals: bool,
    /// What the user interface is told of how long a session lasts, in minutes.
    pub login_session_timeout_min: Option<u64>,
    /// How the user interface logs in with OAuth 2.
    pub oauth: OAuthLogin,
    /// The log of changes.
    pub audit: AuditSettings,
    /// Where the log of requests is; `None` for none.
    pub access_log_dir: Option<PathBuf>,
    /// Definitions are taken from uploaded files that end in `.json` only.
    pub requires_json_extension: bool,
    /// Operator policies cannot be changed over the network.
    pub fixes_operator_policies: bool,
}

/// Listeners with TLS.
#[derive(Clone, Debug)]
pub struct HttpsSettings {
    /// Where they listen.
    pub listeners: Vec<SocketAddr>,
    /// Certificates and options.
    pub endpoint: Arc<Endpoint>,
    /// Limits on connections to them.
    pub limits: ServerLimits,
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

/// Headers for browsers; RabbitMQ's `management.cors.*`, `management.csp.*`, `management.hsts.*` and
/// `management.headers.*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderSettings {
    /// Origins whose pages may use the API; `*` for all, without credentials.
    pub cors_allow_origins: Vec<String>,
    /// How long a browser keeps the answer to a preflight request, in seconds.
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

/// What a client may make an HTTP server wait for: RabbitMQ's `management.tcp.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once; further ones wait until one ends. `None` is no limit.
    pub max_connections: Option<u64>,
    /// Milliseconds until the head of a request has arrived, from when the connection is ready for it; 0 is no limit.
    pub request_timeout_ms: u64,
    /// Milliseconds a client may send nothing of a body, or read nothing of an answer; 0 is no limit.
    pub idle_timeout_ms: u64,
    /// The same; the shorter of the two counts.
    pub inactivity_timeout_ms: u64,
    /// Requests on one connection; `None` is no limit.
    pub max_keepalive: Option<u64>,
    /// Whether answers are compressed for clients that take it.
    pub compress: bool,
}

impl Default for ServerLimits {
    /// What the server that RabbitMQ is built on has.
    fn default() -> ServerLimits {
        ServerLimits {
            max_connections: Some(1_024),
            request_timeout_ms: 5_000,
            idle_timeout_ms: 60_000,
            inactivity_timeout_ms: 300_000,
            max_keepalive: Some(1_000),
            compress: false,
        }
    }
}

impl ServerLimits {
    /// How long a client may leave us waiting in the middle of a request or an answer.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let limits = [self.idle_timeout_ms, self.inactivity_timeout_ms];
        limits.into_iter().filter(|ms| *ms > 0).min().map(Duration::from_millis)
    }

    pub(crate) fn request_timeout(&self) -> Option<Duration> {
        (self.request_timeout_ms > 0).then(|| Duration::from_millis(self.request_timeout_ms))
    }
}

impl Default for HttpSettings {
    /// Nothing over the network.
    fn default() -> HttpSettings {
        HttpSettings {
            listeners: Vec::new(),
            prometheus_listeners: Vec::new(),
            https: None,
            prometheus_https: None,
            path_prefix: String::new(),
            max_body_bytes: 20_000_000,
            limits: ServerLimits::default(),
            prometheus_limits: ServerLimits::default(),
            statistics: StatisticsSettings::default(),
            prometheus: PrometheusSettings::default(),
            headers: HeaderSettings::default(),
            hide_allow_header: false,
            disable_basic_auth: false,
            disable_stats: false,
            enable_queue_totals: false,
            login_session_timeout_min: None,
            oauth: OAuthLogin::default(),
            audit: AuditSettings::default(),
            access_log_dir: None,
            requires_json_extension: false,
            fixes_operator_policies: false,
        }
    }
}
