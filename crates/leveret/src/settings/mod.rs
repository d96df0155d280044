//! From the configuration's terms to those of the engine and the driver.

mod auth;
mod check;
#[cfg(feature = "ldap")]
mod ldap;
mod management;
mod tls;
mod users;
mod vhosts;

pub(crate) use auth::{accounts, chains, credential_rule, https};
pub(crate) use check::{Unusable, check};
pub(crate) use management::http_settings;
pub(crate) use tls::{Endpoints, entrance};
pub(crate) use users::{default_user, login_settings};

use broker::{ConsumerTimeoutAction, OnRedeclare, PassiveDeclare, PublisherDeaths, Settings};
use config::{Config, MemoryWatermark, MessageExpiry, PassiveDeclarePermission, PublisherXDeath, UnknownExchangeType};
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
        default_vhost_limits: config.vhosts.default_limits.iter().map(vhosts::limits).collect(),
        default_operator_policies: config.vhosts.default_operator_policies.iter().map(vhosts::policy).collect(),
        parameter_limits: config.vhosts.parameter_limits.clone(),
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
    named(config, &long_host_name())
}

/// The same on a host of this name.
fn named(config: &Config, host: &str) -> String {
    match config.node_name.as_deref().unwrap_or("rabbit") {
        name if name.contains('@') => name.to_owned(),
        name if config.long_names => format!("{name}@{host}"),
        name => format!("{name}@{}", host.split('.').next().unwrap_or_default()),
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
        resets: options.resets,
        send_timeout_ms: options.send_timeout_ms,
        tos: options.tos,
        priority: options.priority,
    }
}

pub(crate) fn watermark(config: &Config) -> Watermark {
    match config.vm_memory_high_watermark {
        MemoryWatermark::Relative(share) => Watermark::Relative(share),
        MemoryWatermark::AbsoluteBytes(bytes) => Watermark::Absolute(bytes),
    }
}

/// The host's name up to the first dot.
pub(crate) fn host_name() -> String {
    long_host_name().split('.').next().unwrap_or_default().to_owned()
}

/// The host's whole name.
pub(crate) fn long_host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() || name.starts_with('.') { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Sources;

    #[test]
    fn long_names_have_the_whole_name_of_the_host() {
        let name = |settings: &[&str]| {
            let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
            let config = Sources { settings, ..Sources::default() }.load().unwrap().config;
            named(&config, "host.example.com")
        };
        assert_eq!(name(&[]), "rabbit@host");
        assert_eq!(name(&["leveret.long_names=true"]), "rabbit@host.example.com");
        assert_eq!(name(&["leveret.long_names=true", "leveret.node_name=hare"]), "hare@host.example.com");
        assert_eq!(name(&["leveret.long_names=true", "leveret.node_name=hare@burrow"]), "hare@burrow");
    }
}
