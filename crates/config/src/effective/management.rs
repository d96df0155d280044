//! `management.*` and what else the administrative surface takes.

use super::Checked;
use crate::kind::Value;
use crate::options::{
    AuditOptions, HeaderOptions, HttpLimits, HttpsOptions, ManagementOptions, PrometheusOptions, RatesMode,
    RetentionPolicy, StatisticsOptions,
};
use crate::plugins::Plugins;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

impl Checked {
    pub(super) fn management(&self, plugins: &Plugins) -> ManagementOptions {
        let (listeners, https) =
            if plugins.is_enabled("rabbitmq_management") { self.api() } else { Default::default() };
        let (prometheus_listeners, prometheus_https) =
            if plugins.is_enabled("rabbitmq_prometheus") { self.metrics() } else { Default::default() };
        ManagementOptions {
            listeners,
            https,
            prometheus_listeners,
            prometheus_https,
            path_prefix: self.optional_text("management.path_prefix").unwrap_or_default(),
            max_body_bytes: self.integer("management.http.max_body_size"),
            limits: self.http_limits("management.tcp"),
            prometheus_limits: self.http_limits("prometheus.tcp"),
            hide_allow_header: self.boolean("management.http.hide_allow_header"),
            headers: self.http_headers(),
            disable_basic_auth: self.boolean("management.disable_basic_auth"),
            disable_stats: self.boolean("management.disable_stats"),
            enable_queue_totals: self.boolean("management.enable_queue_totals"),
            login_session_timeout_min: self.limit("management.login_session_timeout"),
            access_log_dir: ["http_dispatch.access_log_dir", "management.http_log_dir"]
                .into_iter()
                .find_map(|key| self.optional_text(key))
                .map(PathBuf::from),
            requires_json_extension: self.boolean("management.definitions.require_json_extension"),
            fixes_operator_policies: self.boolean("management.restrictions.operator_policy_changes.disabled"),
            audit: AuditOptions {
                is_enabled: self.boolean("leveret.audit"),
                file_size_bytes: self.integer("leveret.audit.file_size"),
                files: self.integer("leveret.audit.files"),
            },
            statistics: self.statistics(),
            prometheus: self.prometheus(),
        }
    }

    /// Where the API is served without TLS and with it. As in RabbitMQ, keys of TLS alone leave the other one out.
    fn api(&self) -> (Vec<SocketAddr>, Option<HttpsOptions>) {
        let plain = self.http_listeners("leveret.management", "management.tcp.ip", "management.tcp.port");
        if self.boolean("management.listener.ssl") && !plain.is_empty() {
            let own = "management.listener.ssl_opts";
            // RabbitMQ: without options of its own it has those of AMQP.
            let server = if self.is_any_given(&format!("{own}.")) { self.tls_server(own) } else { self.tls().server };
            return (
                Vec::new(),
                Some(HttpsOptions { listeners: plain, server, limits: self.http_limits("management.tcp") }),
            );
        }
        let https = self.https("leveret.management", "management.ssl.ip", "management.ssl.port", "management.ssl");
        let is_alone = https.is_some() && !self.is_any_given("management.tcp.");
        (if is_alone { Vec::new() } else { plain }, https)
    }

    /// The same of the metrics.
    fn metrics(&self) -> (Vec<SocketAddr>, Option<HttpsOptions>) {
        let plain = self.http_listeners("leveret.prometheus", "prometheus.tcp.ip", "prometheus.tcp.port");
        let https = self.https("leveret.prometheus", "prometheus.ssl.ip", "prometheus.ssl.port", "prometheus.ssl");
        let is_alone = https.is_some() && !self.is_any_given("prometheus.tcp.");
        (if is_alone { Vec::new() } else { plain }, https)
    }

    /// Limits on the connections of listeners whose keys begin like this.
    pub(super) fn http_limits(&self, prefix: &str) -> HttpLimits {
        let key = |name: &str| format!("{prefix}.{name}");
        HttpLimits {
            max_connections: self.limit(&key("max_connections")),
            request_timeout_ms: self.integer(&key("request_timeout")),
            idle_timeout_ms: self.integer(&key("idle_timeout")),
            inactivity_timeout_ms: self.integer(&key("inactivity_timeout")),
            max_keepalive: self.integer(&key("max_keepalive")),
            compress: self.boolean(&key("compress")),
        }
    }

    pub(super) fn http_headers(&self) -> HeaderOptions {
        let origins = self.members("management.cors.allow_origins.$name");
        let origin = |(_, value): (&str, &Value)| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        HeaderOptions {
            cors_allow_origins: origins.filter_map(origin).collect(),
            cors_max_age_s: self.integer("management.cors.max_age"),
            content_security_policy: self.optional_text("management.csp.policy"),
            strict_transport_security: self.optional_text("management.hsts.policy"),
            content_type_options: self.optional_text("management.headers.content_type_options"),
            xss_protection: self.optional_text("management.headers.xss_protection"),
            frame_options: self.optional_text("management.headers.frame_options"),
            referrer_policy: self.optional_text("management.headers.referrer_policy"),
        }
    }

    pub(super) fn statistics(&self) -> StatisticsOptions {
        let disabled = ["management.disable_stats", "management_agent.disable_metrics_collector"];
        StatisticsOptions {
            enabled: !disabled.iter().any(|key| self.boolean(key)),
            interval_ms: self.integer("collect_statistics_interval"),
            rates_mode: self.choice("management.rates_mode", RatesMode::from_word),
            retention: self.retention(),
        }
    }

    /// Words for spans as in RabbitMQ; others that are no number of seconds count for nothing.
    pub(super) fn retention(&self) -> Vec<RetentionPolicy> {
        let family = "management.sample_retention_policies.";
        let given = self.settings.iter().filter_map(|(key, checked)| {
            let (section, span) = key.strip_prefix(family)?.rsplit_once('.')?;
            let span_s = match span {
                "minute" => 60,
                "hour" => 3600,
                "day" => 86_400,
                seconds => seconds.parse().ok()?,
            };
            let Value::Integer(interval_s) = checked.value else { return None };
            let interval_s = u32::try_from(interval_s).ok().filter(|interval_s| *interval_s > 0)?;
            Some(RetentionPolicy { section: section.to_owned(), span_s, interval_s })
        });
        given.collect()
    }

    pub(super) fn prometheus(&self) -> PrometheusOptions {
        let pattern = self.optional_text("prometheus.filter_aggregated_queue_metrics_pattern");
        let pattern =
            pattern.or_else(|| self.optional_text("management_agent.filter_aggregated_queue_metrics_pattern"));
        PrometheusOptions {
            path: self.text("prometheus.path"),
            return_per_object_metrics: self.boolean("prometheus.return_per_object_metrics"),
            filter_aggregated_queue_metrics_pattern: pattern.filter(|pattern| !pattern.is_empty()),
            authentication: self.boolean("prometheus.authentication.enabled"),
        }
    }

    pub(super) fn http_listeners(&self, enabled: &str, ip: &str, port: &str) -> Vec<SocketAddr> {
        if !self.boolean(enabled) {
            return Vec::new();
        }
        let port = self.integer(port);
        let ip = self.optional_text(ip);
        match ip.and_then(|ip| ip.parse::<IpAddr>().ok()) {
            Some(ip) => vec![SocketAddr::new(ip, port)],
            None => vec![SocketAddr::from(([0, 0, 0, 0], port)), SocketAddr::from(([0u16; 8], port))],
        }
    }
}
