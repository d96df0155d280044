//! From the configuration's terms to those of the engine and the driver.

use auth::{DefaultUser, LoginSettings, Mechanism};
use broker::{ConsumerTimeoutAction, DefaultVhostLimits, OnRedeclare, PassiveDeclare, PublisherDeaths, Settings};
use config::{Config, MemoryWatermark, MessageExpiry, PassiveDeclarePermission, PublisherXDeath, UnknownExchangeType};
use management::{
    AuditSettings, HeaderSettings, HttpSettings, PrometheusSettings, RatesMode, Retention, RetentionPolicies,
    ServerLimits, StatisticsSettings,
};
use server::{FreeLimit, SocketOptions, Watermark};
use std::time::Duration;

/// Longest time that stands for "no limit", in ms.
const FOREVER_MS: u64 = u64::MAX / 4;

pub(crate) fn settings(config: &Config) -> Settings {
    let node_name = node_name(config);
    Settings {
        cluster_name: config.cluster_name.clone().unwrap_or_else(|| node_name.clone()),
        node_name,
        version: config.compat.version.clone(),
        frame_max: config.frame_max_bytes,
        initial_frame_max: config.initial_frame_max_bytes,
        channel_max: config.channel_max,
        heartbeat_s: config.heartbeat_s,
        handshake_timeout_ms: config.handshake_timeout_ms.unwrap_or(FOREVER_MS),
        max_message_size: config.max_message_size_bytes,
        connection_limit: config.connection_max,
        channel_limit: config.channel_max_per_node,
        queue_limit: config.queue_limit,
        exchange_limit: config.exchange_limit,
        vhost_limit: config.vhost_max,
        default_queue_type: config.default_queue_type.to_owned(),
        quorum_as_classic: config.quorum_as_classic,
        track_login_sources: config.track_login_sources,
        on_redeclare: match config.on_redeclare {
            config::OnRedeclare::Close => OnRedeclare::Close,
            config::OnRedeclare::Warn => OnRedeclare::Warn,
            config::OnRedeclare::Alter => OnRedeclare::Alter,
        },
        default_vhost_limits: config.default_vhost_limits.iter().map(vhost_limits).collect(),
        consumers_per_channel: config.consumer_max_per_channel,
        default_prefetch: config.default_consumer_prefetch,
        consumer_timeout_ms: config.consumer_timeout_ms,
        consumer_timeout_action: match config.compat.consumer_timeout {
            config::ConsumerTimeoutAction::CloseChannel => ConsumerTimeoutAction::CloseChannel,
            config::ConsumerTimeoutAction::CancelConsumer => ConsumerTimeoutAction::CancelConsumer,
        },
        unknown_exchange_type_closes_connection: config.compat.unknown_exchange_type
            == UnknownExchangeType::Connection503,
        passive_declare: match config.compat.passive_declare_permission {
            PassiveDeclarePermission::None => PassiveDeclare::Free,
            PassiveDeclarePermission::Any => PassiveDeclare::Any,
            PassiveDeclarePermission::Configure => PassiveDeclare::Configure,
        },
        publisher_deaths: match config.compat.publisher_x_death {
            PublisherXDeath::Ignore => PublisherDeaths::Ignore,
            PublisherXDeath::Interpret => PublisherDeaths::Interpret,
        },
        detailed_rates: config.management.statistics.enabled
            && config.management.statistics.rates_mode == config::RatesMode::Detailed,
        expires_at_head_only: config.compat.message_expiry == MessageExpiry::Head,
        ..Settings::default()
    }
}

fn vhost_limits(limits: &config::DefaultVhostLimits) -> DefaultVhostLimits {
    let config::DefaultVhostLimits { pattern, max_connections, max_queues } = limits.clone();
    DefaultVhostLimits { pattern, max_connections, max_queues }
}

/// When messages are synced.
pub(crate) fn sync(config: &Config) -> store::Sync {
    match config.sync {
        config::Sync::Always => store::Sync::Always,
        config::Sync::Interval { ms } => store::Sync::Interval(Duration::from_millis(ms)),
        config::Sync::Never => store::Sync::Never,
    }
}

/// The same for the log at the start.
pub(crate) fn sync_words(config: &Config) -> String {
    match config.sync {
        config::Sync::Always => "before they are confirmed (leveret.sync = always)".to_owned(),
        config::Sync::Interval { ms } => {
            format!("every {ms} ms: a power cut can lose what was confirmed since (leveret.sync = interval:{ms})")
        }
        config::Sync::Never => {
            "when the system does it: a power cut can lose what was confirmed (leveret.sync = never)".to_owned()
        }
    }
}

pub(crate) fn disk_free_limit(config: &Config) -> FreeLimit {
    match config.disk_free_limit {
        config::DiskFreeLimit::AbsoluteBytes(bytes) => FreeLimit::Absolute(bytes),
        config::DiskFreeLimit::Relative(multiple) => FreeLimit::Relative(multiple),
    }
}

/// Name of the node, as `rabbit@host`.
pub(crate) fn node_name(config: &Config) -> String {
    config.node_name.clone().unwrap_or_else(|| format!("rabbit@{}", host_name()))
}

pub(crate) fn login_settings(config: &Config) -> LoginSettings {
    LoginSettings {
        // Mechanisms that do not exist here are not offered.
        mechanisms: config.auth_mechanisms.iter().filter_map(|name| Mechanism::from_name(name.as_str())).collect(),
        loopback_users: config.loopback_users.iter().cloned().collect(),
        anonymous_login_user: config.anonymous_login.as_ref().map(|login| login.user.clone()),
        anonymous_login_pass: config.anonymous_login.as_ref().map(|login| login.password.expose().to_owned()),
        anonymous_loopback_only: true,
    }
}

/// The user and virtual host of a fresh node.
pub(crate) fn default_user(config: &Config) -> DefaultUser {
    let user = &config.default_user;
    DefaultUser {
        name: user.name.clone(),
        password: user.password.expose().to_owned(),
        tags: user.tags.iter().cloned().collect(),
        vhost: config.default_vhost.clone(),
        configure: user.permissions.configure.clone(),
        write: user.permissions.write.clone(),
        read: user.permissions.read.clone(),
        default_queue_type: None,
    }
}

pub(crate) fn socket_options(config: &Config) -> SocketOptions {
    let options = &config.tcp_listen_options;
    SocketOptions {
        backlog: i32::try_from(options.backlog).unwrap_or(i32::MAX),
        nodelay: options.nodelay,
        keepalive: options.keepalive,
        sndbuf_bytes: options.sndbuf_bytes.map(|bytes| bytes as usize),
        recbuf_bytes: options.recbuf_bytes.map(|bytes| bytes as usize),
    }
}

pub(crate) fn watermark(config: &Config) -> Watermark {
    match config.vm_memory_high_watermark {
        MemoryWatermark::Relative(share) => Watermark::Relative(share),
        MemoryWatermark::AbsoluteBytes(bytes) => Watermark::Absolute(bytes),
    }
}

/// How the administrative surface is served over the network.
pub(crate) fn http_settings(config: &Config) -> HttpSettings {
    let options = &config.management;
    // A prefix is given as `/path`, `path` or `/path/`.
    let prefix = options.path_prefix.trim_matches('/');
    HttpSettings {
        listeners: options.listeners.clone(),
        prometheus_listeners: options.prometheus_listeners.clone(),
        path_prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
        max_body_bytes: options.max_body_bytes,
        limits: ServerLimits {
            max_connections: options.max_connections,
            request_timeout_ms: options.request_timeout_ms,
            idle_timeout_ms: options.idle_timeout_ms,
            inactivity_timeout_ms: options.inactivity_timeout_ms,
            max_keepalive: Some(options.max_keepalive),
            compress: options.compress,
        },
        headers: header_settings(&options.headers),
        hide_allow_header: options.hide_allow_header,
        disable_basic_auth: options.disable_basic_auth,
        disable_stats: options.disable_stats,
        enable_queue_totals: options.enable_queue_totals,
        login_session_timeout_min: options.login_session_timeout_min,
        audit: AuditSettings {
            is_enabled: options.audit.is_enabled,
            file_size_bytes: options.audit.file_size_bytes,
            files: options.audit.files,
        },
        statistics: statistics(&options.statistics),
        prometheus: prometheus(&options.prometheus),
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

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().split('.').next().unwrap_or_default().to_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
