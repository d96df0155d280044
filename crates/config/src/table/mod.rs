//! The key table: every key there is, in one place.
//!
//! It decides what is parsed and how, what the defaults are, and what the documentation of keys says. Keys that RabbitMQ
//! has under several prefixes are written once, in `shared` and `log`.

mod amqp;
mod backends;
mod cluster;
mod core;
mod leveret;
mod log;
mod management;
mod protocols;
mod queues;
mod reload;
mod shared;
mod tls;

use std::sync::LazyLock;

use crate::key::{Effect, Key, KeySpec};
use crate::kind::Kind;

/// The groups in the order the documentation lists them, each with the prefix its keys stand under.
const GROUPS: &[(&str, &[Row])] = &[
    ("", leveret::KEYS),
    ("", amqp::KEYS),
    ("tcp_listen_options.", shared::MORE_SOCKET_OPTIONS),
    ("", core::KEYS),
    ("definitions.tls.", shared::TLS_CLIENT_FILES),
    ("", tls::KEYS),
    ("ssl_options.", tls::LISTENER),
    ("ssl_options.", tls::CIPHERS),
    ("ssl_options.", tls::LISTENER_IGNORED),
    ("ssl_options.", tls::LISTENER_MORE_IGNORED),
    ("amqp_client.ssl_options.", shared::TLS),
    ("amqp_client.ssl_options.", shared::TLS_SERVER_NAME),
    ("amqp10_client.ssl_options.", shared::TLS),
    ("amqp10_client.ssl_options.", shared::TLS_SERVER_NAME),
    ("", log::KEYS),
    ("log.console.", log::FORMATTER),
    ("log.file.", log::FORMATTER),
    ("log.file.", log::ROTATION),
    ("log.exchange.", log::FORMATTER),
    ("log.syslog.", log::SYSLOG_FORMATTER),
    ("log.syslog.ssl_options.", shared::TLS),
    ("log.syslog.ssl_options.", shared::TLS_SERVER),
    ("log.syslog.ssl_options.", shared::TLS_PREFERENCES),
    ("log.default.", log::NO_ROTATION),
    ("log.connection.", log::FILE),
    ("log.connection.", log::ROTATION),
    ("log.channel.", log::FILE),
    ("log.channel.", log::ROTATION),
    ("log.queue.", log::FILE),
    ("log.queue.", log::ROTATION),
    ("log.user.", log::FILE),
    ("log.user.", log::ROTATION),
    ("log.upgrade.", log::NO_FILE),
    ("log.upgrade.", log::NO_ROTATION),
    ("log.federation.", log::NO_FILE),
    ("log.federation.", log::NO_ROTATION),
    ("log.mirroring.", log::NO_FILE),
    ("log.mirroring.", log::NO_ROTATION),
    ("log.ra.", log::NO_FILE),
    ("log.ra.", log::NO_ROTATION),
    ("", queues::KEYS),
    ("stream.tcp_listen_options.", shared::SOCKET_OPTIONS),
    ("stream.tcp_listen_options.", shared::MORE_SOCKET_OPTIONS),
    ("stream.tcp_listen_options.", shared::OTHER_SOCKET_OPTIONS),
    ("", cluster::KEYS),
    ("cluster_formation.consul.ssl_options.", shared::TLS),
    ("cluster_formation.consul.ssl_options.", shared::TLS_SERVER),
    ("cluster_formation.consul.ssl_options.", shared::TLS_CIPHERS),
    ("cluster_formation.etcd.ssl_options.", shared::TLS),
    ("cluster_formation.etcd.ssl_options.", shared::TLS_SERVER),
    ("cluster_formation.etcd.ssl_options.", shared::TLS_CIPHERS),
    ("", backends::KEYS),
    ("auth_http.ssl_options.", shared::TLS_CLIENT_FILES),
    ("auth_http.ssl_options.", shared::TLS_CLIENT),
    ("auth_http.ssl_options.", shared::TLS_SERVER),
    ("auth_http.ssl_options.", shared::TLS_CIPHERS),
    ("auth_http.ssl_options.", shared::TLS_PREFERENCES),
    ("auth_http.ssl_options.", shared::TLS_SERVER_NAME),
    ("auth_ldap.ssl_options.", shared::TLS_CLIENT_FILES),
    ("auth_ldap.ssl_options.", shared::TLS_CLIENT),
    ("auth_ldap.ssl_options.", shared::TLS_SERVER),
    ("auth_ldap.ssl_options.", shared::TLS_CIPHERS),
    ("auth_ldap.ssl_options.", shared::TLS_PREFERENCES),
    ("auth_ldap.ssl_options.", shared::TLS_SERVER_NAME),
    ("trust_store.ssl_options.", shared::TLS),
    ("trust_store.ssl_options.", shared::TLS_SERVER),
    ("trust_store.ssl_options.", shared::TLS_CIPHERS),
    ("trust_store.ssl_options.", shared::TLS_PREFERENCES),
    ("", management::KEYS),
    ("management.tcp.", management::SERVER),
    ("management.ssl.", management::OTHER_SERVER),
    ("management.ssl.", tls::LISTENER),
    ("management.ssl.", tls::CIPHERS),
    ("management.ssl.", tls::LISTENER_IGNORED),
    ("management.listener.ssl_opts.", tls::LISTENER),
    ("management.listener.ssl_opts.", tls::LISTENER_IGNORED),
    ("management.listener.ssl_opts.", tls::LISTENER_MORE_IGNORED),
    ("prometheus.tcp.", management::OTHER_SERVER),
    ("prometheus.ssl.", management::OTHER_SERVER),
    ("prometheus.ssl.", tls::LISTENER),
    ("prometheus.ssl.", tls::CIPHERS),
    ("prometheus.ssl.", tls::LISTENER_IGNORED),
    ("", protocols::KEYS),
    ("mqtt.tcp_listen_options.", shared::SOCKET_OPTIONS),
    ("mqtt.tcp_listen_options.", shared::MORE_SOCKET_OPTIONS),
    ("mqtt.tcp_listen_options.", shared::OTHER_SOCKET_OPTIONS),
    ("stomp.tcp_listen_options.", shared::SOCKET_OPTIONS),
    ("stomp.tcp_listen_options.", shared::MORE_SOCKET_OPTIONS),
    ("stomp.tcp_listen_options.", shared::OTHER_SOCKET_OPTIONS),
    ("web_mqtt.", shared::CONNECTION_LIMIT),
    ("web_mqtt.", shared::WEB_SOCKET),
    ("web_mqtt.ssl.", shared::LISTENER),
    ("web_mqtt.ssl.", shared::HTTPS),
    ("web_stomp.", shared::CONNECTION_LIMIT),
    ("web_stomp.", shared::WEB_SOCKET),
    ("web_stomp.ssl.", shared::LISTENER),
    ("web_stomp.ssl.", shared::HTTPS),
];

/// A key without the prefix of its group.
#[derive(Clone, Copy)]
struct Row {
    pattern: &'static str,
    aliases: &'static [&'static str],
    kind: Kind,
    default: &'static str,
    effect: Effect,
    doc: &'static str,
}

static TABLE: LazyLock<Vec<KeySpec>> = LazyLock::new(|| {
    let rows = GROUPS.iter().flat_map(|(prefix, rows)| rows.iter().map(|row| row.under(prefix)));
    rows.collect()
});

impl Row {
    fn under(self, prefix: &str) -> KeySpec {
        let Self { pattern, aliases, kind, default, effect, doc } = self;
        let pattern = format!("{prefix}{pattern}");
        let change = reload::change(&pattern);
        KeySpec { pattern, aliases, kind, default, effect, change, doc }
    }
}

/// Bounds of sizes that nothing here uses.
const SIZE: Kind = Kind::Size { min: 0, max: i64::MAX };
const INFORMATION_UNIT: Kind = Kind::InformationUnit { min: 0, max: i64::MAX };
const ANY_FRACTION: Kind = Kind::Fraction { min: 0.0, max: f64::INFINITY };

/// Every row, in the order the documentation lists them.
pub fn table() -> impl Iterator<Item = &'static KeySpec> {
    TABLE.iter()
}

/// The row with this pattern.
pub(crate) fn row(pattern: &str) -> Option<&'static KeySpec> {
    table().find(|row| row.pattern == pattern)
}

/// The row that describes a key, with the name its settings are kept under. A row for the key alone comes before a family.
pub(crate) fn find(key: &Key) -> Option<(&'static KeySpec, String)> {
    let find =
        |family| table().filter(|row| row.is_family() == family).find_map(|row| Some((row, row.canonical(key)?)));
    find(false).or_else(|| find(true))
}

/// A key that sets a field of `Config`.
const fn takes(pattern: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Row {
    Row { pattern, aliases: &[], kind, default, effect: Effect::Takes, doc }
}

/// A key that RabbitMQ knows and nothing here uses.
const fn ignored(pattern: &'static str, kind: Kind, doc: &'static str) -> Row {
    Row { pattern, aliases: &[], kind, default: "", effect: Effect::Ignored, doc }
}

/// A key of which only the values in `accepted` can be honoured; the first is the default.
const fn refused(pattern: &'static str, kind: Kind, accepted: &'static [&'static str], doc: &'static str) -> Row {
    let default = match accepted {
        [first, ..] => first,
        [] => "",
    };
    Row { pattern, aliases: &[], kind, default, effect: Effect::Refused { accepted }, doc }
}

/// The same key under more names.
const fn aliased(row: Row, aliases: &'static [&'static str]) -> Row {
    Row { aliases, ..row }
}
