//! How the administrative surface is served.

use config::Config;
use management::{
    AuditSettings, HeaderSettings, HttpSettings, PrometheusSettings, RatesMode, Retention, RetentionPolicies,
    ServerLimits, StatisticsSettings,
};
use std::time::Duration;

/// How the administrative surface is served over the network.
pub(crate) fn http_settings(config: &Config, endpoints: &super::Endpoints) -> HttpSettings {
    let options = &config.management;
    // A prefix is given as `/path`, `path` or `/path/`.
    let prefix = options.path_prefix.trim_matches('/');
    HttpSettings {
        listeners: options.listeners.clone(),
        prometheus_listeners: options.prometheus_listeners.clone(),
        https: super::tls::https(&options.https, &endpoints.management),
        prometheus_https: super::tls::https(&options.prometheus_https, &endpoints.prometheus),
        path_prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
        max_body_bytes: options.max_body_bytes,
        limits: limits(&options.limits),
        prometheus_limits: limits(&options.prometheus_limits),
        headers: header_settings(&options.headers),
        hide_allow_header: options.hide_allow_header,
        disable_basic_auth: options.disable_basic_auth,
        disable_stats: options.disable_stats,
        enable_queue_totals: options.enable_queue_totals,
        login_session_timeout_min: options.login_session_timeout_min,
        oauth: super::auth::oauth_login(config),
        audit: AuditSettings {
            is_enabled: options.audit.is_enabled,
            file_size_bytes: options.audit.file_size_bytes,
            files: options.audit.files,
        },
        access_log_dir: options.access_log_dir.clone(),
        requires_json_extension: options.requires_json_extension,
        fixes_operator_policies: options.fixes_operator_policies,
        statistics: statistics(&options.statistics),
        prometheus: prometheus(&options.prometheus),
    }
}

/// Limits on connections.
pub(super) fn limits(options: &config::HttpLimits) -> ServerLimits {
    ServerLimits {
        max_connections: options.max_connections,
        request_timeout_ms: options.request_timeout_ms,
        idle_timeout_ms: options.idle_timeout_ms,
        inactivity_timeout_ms: options.inactivity_timeout_ms,
        max_keepalive: Some(options.max_keepalive),
        compress: options.compress,
    }
}

fn header_settings(options: &config::HeaderOptions) -> HeaderSettings {
    HeaderSettings {
        cors_allow_origins: options.cors_allow_origins.clone(),
        cors_max_age_s: options.cors_max_age_s,
        content_security_policy: options.content_security_policy.clone(),
        strict_transport_security: options.strict_transport_security.clone(),
        content_type_options: options.content_type_options.clone(),
        xss_protection: options.xss_protection.clone(),
        frame_options: options.frame_options.clone(),
        referrer_policy: options.referrer_policy.clone(),
    }
}

/// What is sampled; sections without a policy have RabbitMQ's.
fn statistics(options: &config::StatisticsOptions) -> StatisticsSettings {
    let usual = RetentionPolicies::default();
    let policies = |section: &str, usual: Vec<Retention>| {
        let given = options.retention.iter().filter(|policy| policy.section == section);
        let given: Vec<Retention> =
            given.map(|policy| Retention { span_s: policy.span_s, interval_s: policy.interval_s }).collect();
        if given.is_empty() { usual } else { given }
    };
    StatisticsSettings {
        enabled: options.enabled,
        interval: Duration::from_millis(options.interval_ms),
        rates_mode: match options.rates_mode {
            config::RatesMode::Basic => RatesMode::Basic,
            config::RatesMode::Detailed => RatesMode::Detailed,
            config::RatesMode::None => RatesMode::None,
        },
        retention: RetentionPolicies {
            global: policies("global", usual.global),
            basic: policies("basic", usual.basic),
            detailed: policies("detailed", usual.detailed),
        },
    }
}

fn prometheus(options: &config::PrometheusOptions) -> PrometheusSettings {
    // A path is given as `/path`, `path` or `/path/`.
    let path = options.path.trim_matches('/');
    PrometheusSettings {
        path: format!("/{path}"),
        return_per_object_metrics: options.return_per_object_metrics,
        filter_aggregated_queue_metrics_pattern: options.filter_aggregated_queue_metrics_pattern.clone(),
        authentication: options.authentication,
    }
}
