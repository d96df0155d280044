//! Every key that has an effect changes the field it is for.

use std::path::{Path, PathBuf};

use crate::tests::load_all;
use crate::{
    AnonymousLogin, AuthMechanism, CertificateLogin, Config, ConsumerTimeoutAction, CrlCheck, DiskFreeLimit, Effect,
    HttpLimits, HttpsOptions, LogLevel, MemoryWatermark, MessageExpiry, OnRedeclare, PassiveDeclarePermission,
    PublisherXDeath, RatesMode, RetentionPolicy, Sync, TlsServerOptions, UnknownExchangeType, table,
};

fn https(options: &Option<HttpsOptions>) -> Option<&TlsServerOptions> {
    options.as_ref().map(|options| &options.server)
}

fn limits(options: &Option<HttpsOptions>) -> Option<&HttpLimits> {
    options.as_ref().map(|options| &options.limits)
}

fn https_port(options: &Option<HttpsOptions>) -> Option<u16> {
    options.as_ref()?.listeners.first().map(std::net::SocketAddr::port)
}

/// An assignment, and whether the configuration it leads to is the one expected.
pub(super) type Observed = (&'static str, fn(&Config) -> bool);

const OBSERVED: &[Observed] = &[
    ("leveret.data_dir=/var/lib/leveret", |c| c.data_dir.to_str() == Some("/var/lib/leveret")),
    ("leveret.node_name=rabbit@host", |c| c.node_name.as_deref() == Some("rabbit@host")),
    ("leveret.event_exchange=true", |c| c.events.exchange_vhost.as_deref() == Some("/")),
    ("event_exchange.vhost=audit", |c| c.events.exchange_vhost.as_deref() == Some("audit")),
    ("leveret.long_names=true", |c| c.long_names),
    ("leveret.pid_file=/run/leveret.pid", |c| c.pid_file.as_deref() == Some(Path::new("/run/leveret.pid"))),
    ("leveret.reactors=4", |c| c.reactors == 4),
    ("leveret.sync=interval:50", |c| c.sync == Sync::Interval { ms: 50 }),
    ("leveret.sync=interval:2s", |c| c.sync == Sync::Interval { ms: 2000 }),
    ("leveret.sync=never", |c| c.sync == Sync::Never),
    ("leveret.message_memory=1GiB", |c| c.message_memory_bytes == 1 << 30),
    ("leveret.compat.version=3.13.7", |c| c.compat.version == "3.13.7"),
    ("leveret.compat.consumer_timeout=cancel_consumer", |c| {
        c.compat.consumer_timeout == ConsumerTimeoutAction::CancelConsumer
    }),
    ("leveret.compat.unknown_exchange_type=connection_503", |c| {
        c.compat.unknown_exchange_type == UnknownExchangeType::Connection503
    }),
    ("leveret.compat.passive_declare_permission=any", |c| {
        c.compat.passive_declare_permission == PassiveDeclarePermission::Any
    }),
    ("leveret.compat.message_expiry=head", |c| c.compat.message_expiry == MessageExpiry::Head),
    ("leveret.compat.publisher_x_death=interpret", |c| c.compat.publisher_x_death == PublisherXDeath::Interpret),
    ("listeners.tcp=none", |c| c.listeners.is_empty()),
    ("listeners.tcp.default=127.0.0.1:5673", |c| c.listeners == ["127.0.0.1:5673".parse().unwrap()]),
    ("tcp_listen_options.backlog=4096", |c| c.tcp_listen_options.backlog == 4096),
    ("tcp_listen_options.nodelay=false", |c| !c.tcp_listen_options.nodelay),
    ("tcp_listen_options.keepalive=true", |c| c.tcp_listen_options.keepalive),
    ("tcp_listen_options.sndbuf=192KB", |c| c.tcp_listen_options.sndbuf_bytes == Some(196_608)),
    ("tcp_listen_options.recbuf=196608", |c| c.tcp_listen_options.recbuf_bytes == Some(196_608)),
    ("handshake_timeout=infinity", |c| c.handshake_timeout_ms.is_none()),
    ("heartbeat=0", |c| c.heartbeat_s == 0),
    ("frame_max=0", |c| c.frame_max_bytes == 0),
    ("initial_frame_max=16KB", |c| c.initial_frame_max_bytes == 16_384),
    ("max_channels_per_connection=128", |c| c.channel_max == 128),
    ("max_connections=1000", |c| c.connection_max == Some(1000)),
    ("channel_max_per_node=500", |c| c.channel_max_per_node == Some(500)),
    ("vhost_max=7", |c| c.vhost_max == Some(7)),
    ("cluster_queue_limit=7", |c| c.queue_limit == Some(7)),
    ("cluster_exchange_limit=7", |c| c.exchange_limit == Some(7)),
    ("default_limits.vhosts.1.pattern=^t", |c| c.vhosts.default_limits.iter().any(|limits| limits.pattern == "^t")),
    ("default_limits.vhosts.1.max_connections=5", |c| {
        c.vhosts.default_limits.iter().any(|limits| limits.max_connections == Some(5) && limits.pattern == ".*")
    }),
    ("default_limits.vhosts.1.max_queues=5", |c| {
        c.vhosts.default_limits.iter().any(|limits| limits.max_queues == Some(5))
    }),
    ("default_queue_type=quorum", |c| c.default_queue_type == "quorum"),
    ("leveret.quorum_as_classic=true", |c| c.quorum_as_classic),
    ("leveret.on_redeclare=alter", |c| c.on_redeclare == OnRedeclare::Alter),
    ("leveret.event_exchange=true", |c| c.events.exchange_vhost.as_deref() == Some("/")),
    ("event_exchange.vhost=events", |c| c.events.exchange_vhost.as_deref() == Some("events")),
    ("leveret.track_login_sources=true", |c| c.track_login_sources),
    ("consumer_max_per_channel=16", |c| c.consumer_max_per_channel == Some(16)),
    ("max_message_size=512MiB", |c| c.max_message_size_bytes == 536_870_912),
    ("consumer_timeout=undefined", |c| c.consumer_timeout_ms.is_none()),
    ("default_consumer_prefetch=250", |c| c.default_consumer_prefetch == 250),
    ("vm_memory_high_watermark.relative=0.4", |c| c.vm_memory_high_watermark == MemoryWatermark::Relative(0.4)),
    ("vm_memory_high_watermark.absolute=1GiB", |c| {
        c.vm_memory_high_watermark == MemoryWatermark::AbsoluteBytes(1 << 30)
    }),
    ("total_memory_available_override_value=4GB", |c| c.total_memory_available_bytes == Some(4_000_000_000)),
    ("disk_free_limit.relative=1.5", |c| c.disk_free_limit == DiskFreeLimit::Relative(1.5)),
    ("disk_free_limit.absolute=2GB", |c| c.disk_free_limit == DiskFreeLimit::AbsoluteBytes(2_000_000_000)),
    ("default_user=admin", |c| c.default_user.name == "admin"),
    ("default_pass=encryption", |c| c.default_user.password.expose() == "encryption"),
    ("default_vhost=orders", |c| c.default_vhost == "orders"),
    ("default_user_tags.monitoring=true", |c| c.default_user.tags == ["monitoring".to_owned()].into()),
    ("default_permissions.configure=^c", |c| c.default_user.permissions.configure == "^c"),
    ("default_permissions.write=^w", |c| c.default_user.permissions.write == "^w"),
    ("default_permissions.read=", |c| c.default_user.permissions.read.is_empty()),
    ("loopback_users=none", |c| c.loopback_users.is_empty()),
    ("loopback_users.guest=false", |c| c.loopback_users.is_empty()),
    ("anonymous_login_user=none", |c| c.anonymous_login.is_none()),
    (
        "anonymous_login_pass=secret",
        |c| matches!(&c.anonymous_login, Some(AnonymousLogin { user, password }) if user == "guest" && password.expose() == "secret"),
    ),
    ("auth_mechanisms.1=AMQPLAIN", |c| c.auth_mechanisms == [AuthMechanism::Amqplain]),
    ("load_definitions=/etc/a.json", |c| c.definitions.paths == [Path::new("/etc/a.json")]),
    ("definitions.local.path=/etc/d", |c| c.definitions.paths == [Path::new("/etc/d")]),
    ("management.load_definitions=/etc/a.json", |c| c.definitions.paths == [Path::new("/etc/a.json")]),
    ("definitions.skip_if_unchanged=true", |c| c.definitions.skip_if_unchanged),
    ("cluster_name=orders", |c| c.cluster_name.as_deref() == Some("orders")),
    ("log.default.level=error", |c| c.log.default_level == Some(LogLevel::Error)),
    ("log.connection.level=none", |c| c.log.category_levels.get("connection") == Some(&LogLevel::None)),
    ("log.channel.level=warning", |c| c.log.category_levels.get("channel") == Some(&LogLevel::Warning)),
    ("log.queue.level=notice", |c| c.log.category_levels.get("queue") == Some(&LogLevel::Notice)),
    ("log.user.level=critical", |c| c.log.category_levels.get("user") == Some(&LogLevel::Critical)),
    ("leveret.management=false", |c| c.management.listeners.is_empty()),
    ("leveret.prometheus=false", |c| c.management.prometheus_listeners.is_empty()),
    ("leveret.audit=false", |c| !c.management.audit.is_enabled),
    ("leveret.audit.file_size=1MiB", |c| c.management.audit.file_size_bytes == 1 << 20),
    ("leveret.audit.files=2", |c| c.management.audit.files == 2),
    ("management.tcp.port=15673", |c| c.management.listeners.iter().all(|address| address.port() == 15673)),
    ("management.tcp.ip=127.0.0.1", |c| c.management.listeners == ["127.0.0.1:15672".parse().unwrap()]),
    ("management.tcp.max_connections=infinity", |c| c.management.limits.max_connections.is_none()),
    ("management.tcp.compress=true", |c| c.management.limits.compress),
    ("management.tcp.idle_timeout=120000", |c| c.management.limits.idle_timeout_ms == 120_000),
    ("management.tcp.inactivity_timeout=120000", |c| c.management.limits.inactivity_timeout_ms == 120_000),
    ("management.tcp.request_timeout=10000", |c| c.management.limits.request_timeout_ms == 10_000),
    ("management.tcp.max_keepalive=3", |c| c.management.limits.max_keepalive == 3),
    ("prometheus.tcp.port=15693", |c| c.management.prometheus_listeners.iter().all(|address| address.port() == 15693)),
    ("prometheus.tcp.ip=::1", |c| c.management.prometheus_listeners == ["[::1]:15692".parse().unwrap()]),
    ("management.path_prefix=/rabbit", |c| c.management.path_prefix == "/rabbit"),
    ("management.http.max_body_size=1000", |c| c.management.max_body_bytes == 1000),
    ("management.http.hide_allow_header=true", |c| c.management.hide_allow_header),
    ("management.cors.allow_origins.1=http://a", |c| c.management.headers.cors_allow_origins == ["http://a"]),
    ("management.cors.max_age=60", |c| c.management.headers.cors_max_age_s == 60),
    ("management.csp.policy=default-src 'self'", |c| {
        c.management.headers.content_security_policy.as_deref() == Some("default-src 'self'")
    }),
    ("management.hsts.policy=max-age=5", |c| {
        c.management.headers.strict_transport_security.as_deref() == Some("max-age=5")
    }),
    ("management.headers.content_type_options=nosniff", |c| {
        c.management.headers.content_type_options.as_deref() == Some("nosniff")
    }),
    ("management.headers.xss_protection=1", |c| c.management.headers.xss_protection.as_deref() == Some("1")),
    ("management.headers.frame_options=DENY", |c| c.management.headers.frame_options.as_deref() == Some("DENY")),
    ("management.headers.referrer_policy=origin", |c| {
        c.management.headers.referrer_policy.as_deref() == Some("origin")
    }),
    ("management.disable_basic_auth=true", |c| c.management.disable_basic_auth),
    ("management.disable_stats=true", |c| c.management.disable_stats && !c.management.statistics.enabled),
    ("management_agent.disable_metrics_collector=true", |c| !c.management.statistics.enabled),
    ("collect_statistics_interval=30000", |c| c.management.statistics.interval_ms == 30_000),
    ("management.rates_mode=detailed", |c| c.management.statistics.rates_mode == RatesMode::Detailed),
    ("management.sample_retention_policies.basic.hour=30", |c| {
        let policy = RetentionPolicy { section: "basic".to_owned(), span_s: 3600, interval_s: 30 };
        c.management.statistics.retention == [policy]
    }),
    ("management_agent.filter_aggregated_queue_metrics_pattern=^amq", |c| {
        c.management.prometheus.filter_aggregated_queue_metrics_pattern.as_deref() == Some("^amq")
    }),
    ("prometheus.return_per_object_metrics=true", |c| c.management.prometheus.return_per_object_metrics),
    ("prometheus.path=/rabbits", |c| c.management.prometheus.path == "/rabbits"),
    ("prometheus.filter_aggregated_queue_metrics_pattern=^amq", |c| {
        c.management.prometheus.filter_aggregated_queue_metrics_pattern.as_deref() == Some("^amq")
    }),
    ("prometheus.authentication.enabled=true", |c| c.management.prometheus.authentication),
    ("leveret.otlp.endpoint=http://h/v1/traces", |c| c.otlp.endpoint.as_deref() == Some("http://h/v1/traces")),
    ("leveret.otlp.sample=0.25", |c| c.otlp.sample == 0.25),
    ("leveret.otlp.service_name=orders", |c| c.otlp.service_name == "orders"),
    ("listeners.ssl.default=127.0.0.1:5671", |c| c.tls.listeners == ["127.0.0.1:5671".parse().unwrap()]),
    ("ssl_handshake_timeout=1000", |c| c.tls.handshake_timeout_ms == 1000),
    ("ssl_cert_login_from=common_name", |c| c.tls.login_from == CertificateLogin::CommonName),
    ("ssl_cert_login_san_type=email", |c| c.tls.login_san_type == "email"),
    ("ssl_cert_login_san_index=2", |c| c.tls.login_san_index == 2),
    ("proxy_protocol=true", |c| c.tls.proxy_protocol),
    ("leveret.tls.reload=1", |c| c.tls.reload_s == 1),
    ("ssl_options.crl_check=peer", |c| c.tls.server.crl_check == CrlCheck::Peer),
    ("ssl_options.crl_sources.1.path=/crl", |c| c.tls.server.crl_paths == [PathBuf::from("/crl")]),
    ("ssl_options.certfile=/c.pem", |c| Some(&c.tls.server).is_some_and(|o| o.certfile == Some("/c.pem".into()))),
    ("ssl_options.keyfile=/k.pem", |c| Some(&c.tls.server).is_some_and(|o| o.keyfile == Some("/k.pem".into()))),
    ("ssl_options.cacertfile=/a.pem", |c| Some(&c.tls.server).is_some_and(|o| o.cacertfile == Some("/a.pem".into()))),
    ("ssl_options.verify=verify_peer", |c| Some(&c.tls.server).is_some_and(|o| o.verify_peer)),
    ("ssl_options.fail_if_no_peer_cert=true", |c| Some(&c.tls.server).is_some_and(|o| o.fail_if_no_peer_cert)),
    ("ssl_options.depth=3", |c| Some(&c.tls.server).is_some_and(|o| o.depth == Some(3))),
    ("ssl_options.versions.1=tlsv1.3", |c| Some(&c.tls.server).is_some_and(|o| o.versions == ["tlsv1.3"])),
    ("ssl_options.honor_cipher_order=true", |c| Some(&c.tls.server).is_some_and(|o| o.honor_cipher_order)),
    ("ssl_options.reuse_sessions=false", |c| Some(&c.tls.server).is_some_and(|o| !o.reuse_sessions)),
    ("ssl_options.ciphers.1=X", |c| Some(&c.tls.server).is_some_and(|o| o.ciphers == ["X"])),
    ("management.ssl.certfile=/c.pem", |c| {
        https(&c.management.https).is_some_and(|o| o.certfile == Some("/c.pem".into()))
    }),
    ("management.ssl.keyfile=/k.pem", |c| {
        https(&c.management.https).is_some_and(|o| o.keyfile == Some("/k.pem".into()))
    }),
    ("management.ssl.cacertfile=/a.pem", |c| {
        https(&c.management.https).is_some_and(|o| o.cacertfile == Some("/a.pem".into()))
    }),
    ("management.ssl.verify=verify_peer", |c| https(&c.management.https).is_some_and(|o| o.verify_peer)),
    ("management.ssl.fail_if_no_peer_cert=true", |c| {
        https(&c.management.https).is_some_and(|o| o.fail_if_no_peer_cert)
    }),
    ("management.ssl.depth=3", |c| https(&c.management.https).is_some_and(|o| o.depth == Some(3))),
    ("management.ssl.versions.1=tlsv1.3", |c| https(&c.management.https).is_some_and(|o| o.versions == ["tlsv1.3"])),
    ("management.ssl.honor_cipher_order=true", |c| https(&c.management.https).is_some_and(|o| o.honor_cipher_order)),
    ("management.ssl.reuse_sessions=false", |c| https(&c.management.https).is_some_and(|o| !o.reuse_sessions)),
    ("management.ssl.ciphers.1=X", |c| https(&c.management.https).is_some_and(|o| o.ciphers == ["X"])),
    ("prometheus.ssl.certfile=/c.pem", |c| {
        https(&c.management.prometheus_https).is_some_and(|o| o.certfile == Some("/c.pem".into()))
    }),
    ("prometheus.ssl.keyfile=/k.pem", |c| {
        https(&c.management.prometheus_https).is_some_and(|o| o.keyfile == Some("/k.pem".into()))
    }),
    ("prometheus.ssl.cacertfile=/a.pem", |c| {
        https(&c.management.prometheus_https).is_some_and(|o| o.cacertfile == Some("/a.pem".into()))
    }),
    ("prometheus.ssl.verify=verify_peer", |c| https(&c.management.prometheus_https).is_some_and(|o| o.verify_peer)),
    ("prometheus.ssl.fail_if_no_peer_cert=true", |c| {
        https(&c.management.prometheus_https).is_some_and(|o| o.fail_if_no_peer_cert)
    }),
    ("prometheus.ssl.depth=3", |c| https(&c.management.prometheus_https).is_some_and(|o| o.depth == Some(3))),
    ("prometheus.ssl.versions.1=tlsv1.3", |c| {
        https(&c.management.prometheus_https).is_some_and(|o| o.versions == ["tlsv1.3"])
    }),
    ("prometheus.ssl.honor_cipher_order=true", |c| {
        https(&c.management.prometheus_https).is_some_and(|o| o.honor_cipher_order)
    }),
    ("prometheus.ssl.reuse_sessions=false", |c| {
        https(&c.management.prometheus_https).is_some_and(|o| !o.reuse_sessions)
    }),
    ("prometheus.ssl.ciphers.1=X", |c| https(&c.management.prometheus_https).is_some_and(|o| o.ciphers == ["X"])),
    ("management.ssl.port=15000", |c| https_port(&c.management.https) == Some(15000)),
    ("management.ssl.ip=127.0.0.1", |c| {
        c.management.listeners.is_empty()
            && c.management.https.as_ref().is_some_and(|https| https.listeners == ["127.0.0.1:15671".parse().unwrap()])
    }),
    ("prometheus.ssl.port=15001", |c| https_port(&c.management.prometheus_https) == Some(15001)),
    ("prometheus.ssl.ip=127.0.0.1", |c| {
        c.management.prometheus_listeners.is_empty() && https_port(&c.management.prometheus_https) == Some(15691)
    }),
    ("management.listener.ssl=true", |c| {
        c.management.listeners.is_empty() && https_port(&c.management.https) == Some(15672)
    }),
    ("management.ssl.max_connections=infinity", |c| {
        limits(&c.management.https).is_some_and(|l| l.max_connections.is_none())
    }),
    ("management.ssl.compress=true", |c| limits(&c.management.https).is_some_and(|l| l.compress)),
    ("management.ssl.idle_timeout=7", |c| limits(&c.management.https).is_some_and(|l| l.idle_timeout_ms == 7)),
    ("management.ssl.inactivity_timeout=8", |c| {
        limits(&c.management.https).is_some_and(|l| l.inactivity_timeout_ms == 8)
    }),
    ("management.ssl.request_timeout=9", |c| limits(&c.management.https).is_some_and(|l| l.request_timeout_ms == 9)),
    ("management.ssl.max_keepalive=3", |c| limits(&c.management.https).is_some_and(|l| l.max_keepalive == 3)),
    ("prometheus.tcp.max_connections=infinity", |c| {
        Some(&c.management.prometheus_limits).is_some_and(|l| l.max_connections.is_none())
    }),
    ("prometheus.tcp.compress=true", |c| Some(&c.management.prometheus_limits).is_some_and(|l| l.compress)),
    ("prometheus.tcp.idle_timeout=7", |c| {
        Some(&c.management.prometheus_limits).is_some_and(|l| l.idle_timeout_ms == 7)
    }),
    ("prometheus.tcp.inactivity_timeout=8", |c| {
        Some(&c.management.prometheus_limits).is_some_and(|l| l.inactivity_timeout_ms == 8)
    }),
    ("prometheus.tcp.request_timeout=9", |c| {
        Some(&c.management.prometheus_limits).is_some_and(|l| l.request_timeout_ms == 9)
    }),
    ("prometheus.tcp.max_keepalive=3", |c| Some(&c.management.prometheus_limits).is_some_and(|l| l.max_keepalive == 3)),
    ("prometheus.ssl.max_connections=infinity", |c| {
        limits(&c.management.prometheus_https).is_some_and(|l| l.max_connections.is_none())
    }),
    ("prometheus.ssl.compress=true", |c| limits(&c.management.prometheus_https).is_some_and(|l| l.compress)),
    ("prometheus.ssl.idle_timeout=7", |c| {
        limits(&c.management.prometheus_https).is_some_and(|l| l.idle_timeout_ms == 7)
    }),
    ("prometheus.ssl.inactivity_timeout=8", |c| {
        limits(&c.management.prometheus_https).is_some_and(|l| l.inactivity_timeout_ms == 8)
    }),
    ("prometheus.ssl.request_timeout=9", |c| {
        limits(&c.management.prometheus_https).is_some_and(|l| l.request_timeout_ms == 9)
    }),
    ("prometheus.ssl.max_keepalive=3", |c| {
        limits(&c.management.prometheus_https).is_some_and(|l| l.max_keepalive == 3)
    }),
    ("ssl_options.password=secret", |c| {
        Some(&c.tls.server).is_some_and(|o| o.password.as_ref().is_some_and(|p| p.expose() == "secret"))
    }),
    ("management.ssl.password=secret", |c| {
        https(&c.management.https).is_some_and(|o| o.password.as_ref().is_some_and(|p| p.expose() == "secret"))
    }),
    ("prometheus.ssl.password=secret", |c| {
        https(&c.management.prometheus_https)
            .is_some_and(|o| o.password.as_ref().is_some_and(|p| p.expose() == "secret"))
    }),
    ("management.enable_queue_totals=true", |c| c.management.enable_queue_totals),
    ("management.login_session_timeout=60", |c| c.management.login_session_timeout_min == Some(60)),
    ("tcp_listen_options.tos=16", |c| c.tcp_listen_options.tos == Some(16)),
    ("tcp_listen_options.priority=3", |c| c.tcp_listen_options.priority == Some(3)),
    ("tcp_listen_options.send_timeout=15000", |c| c.tcp_listen_options.send_timeout_ms == Some(15_000)),
    ("tcp_listen_options.linger.on=true", |c| c.tcp_listen_options.resets),
    ("default_policies.operator.a.vhost_pattern=^t", |c| {
        c.vhosts.default_operator_policies.iter().any(|policy| policy.vhost_pattern == "^t")
    }),
    ("default_policies.operator.a.queue_pattern=^t", |c| {
        c.vhosts.default_operator_policies.iter().any(|policy| policy.queue_pattern == "^t")
    }),
    ("default_policies.operator.a.apply_to=queues", |c| {
        c.vhosts.default_operator_policies.iter().any(|policy| policy.apply_to == "queues")
    }),
    ("default_policies.operator.a.expires=2s", |c| operator_key(c, "expires") == Some(2000)),
    ("default_policies.operator.a.message_ttl=2s", |c| operator_key(c, "message-ttl") == Some(2000)),
    ("default_policies.operator.a.max_length=7", |c| operator_key(c, "max-length") == Some(7)),
    ("default_policies.operator.a.max_length_bytes=1MB", |c| operator_key(c, "max-length-bytes") == Some(1 << 20)),
    ("default_policies.operator.a.delivery_limit=7", |c| operator_key(c, "delivery-limit") == Some(7)),
    ("runtime_parameters.limits.policy=7", |c| c.vhosts.parameter_limits.get("policy") == Some(&7)),
    ("cluster_tags.region=north", |c| c.cluster_tags.get("region").is_some_and(|value| value == "north")),
    ("node_tags.rack=3", |c| c.node_tags.get("rack").is_some_and(|value| value == "3")),
    ("management.http_log_dir=/var/log/http", |c| c.management.access_log_dir == Some("/var/log/http".into())),
    ("http_dispatch.access_log_dir=/var/log/http", |c| c.management.access_log_dir == Some("/var/log/http".into())),
    ("management.definitions.require_json_extension=true", |c| c.management.requires_json_extension),
    ("management.restrictions.operator_policy_changes.disabled=true", |c| c.management.fixes_operator_policies),
];

fn operator_key(config: &Config, key: &str) -> Option<i64> {
    config.vhosts.default_operator_policies.first()?.definition.get(key).copied()
}

#[test]
fn every_key_with_an_effect_has_it() {
    for (assignment, holds) in OBSERVED.iter().chain(super::auth::OBSERVED) {
        assert!(!holds(&Config::default()), "{assignment} is the default already");
        let config = load_all(&[], &[assignment]).unwrap();
        assert!(holds(&config), "{assignment}: {config:?}");
    }
}

#[test]
fn every_key_with_an_effect_is_observed() {
    let mut unobserved: Vec<_> =
        table().filter(|row| row.effect == Effect::Takes).map(|row| row.pattern.as_str()).collect();
    // They are observed together with others, below.
    let together =
        ["management.listener.ssl_opts.", "definitions.https.", "definitions.import_backend", "definitions.tls."];
    let alone = ["listeners.ssl", "tcp_listen_options.linger.timeout", "management.cors.allow_origins"];
    unobserved.retain(|pattern| !alone.contains(pattern) && !together.iter().any(|begin| pattern.starts_with(begin)));
    let further = super::log::OBSERVED.iter().filter_map(|(assignments, _)| assignments.last());
    let observed = OBSERVED.iter().chain(super::auth::OBSERVED).map(|(assignment, _)| assignment);
    for assignment in observed.chain(further) {
        let config = load_all(&[], &[assignment]).unwrap();
        unobserved.retain(|pattern| *pattern != config.settings[0].spec.pattern);
    }
    assert_eq!(unobserved, Vec::<&str>::new());
}

#[test]
fn definitions_are_fetched_where_the_backend_says_so() {
    let given = [
        "definitions.https.url=https://host/definitions",
        "definitions.tls.verify=verify_none",
        "definitions.tls.cacertfile=/a",
        "definitions.tls.certfile=/c",
        "definitions.tls.keyfile=/k",
        "definitions.local.path=/local",
    ];
    let local = load_all(&[], &given).unwrap().definitions;
    assert_eq!((local.paths, local.remote), (vec![PathBuf::from("/local")], None));
    for backend in ["https", "http", "rabbit_definitions_import_https", "rabbitmq_definitions_import_http"] {
        let mut given = given.to_vec();
        let backend = format!("definitions.import_backend={backend}");
        given.push(&backend);
        let options = load_all(&[], &given).unwrap().definitions;
        let remote = options.remote.unwrap();
        assert_eq!((options.paths, remote.url.as_str()), (Vec::new(), "https://host/definitions"));
        assert!(remote.tls.verify_none);
        let files = [remote.tls.cacertfile, remote.tls.certfile, remote.tls.keyfile].map(Option::unwrap);
        assert_eq!(files, ["/a", "/c", "/k"].map(PathBuf::from));
    }
}

#[test]
fn connections_are_reset_only_without_a_time_to_linger() {
    let of = |given: &[&str]| load_all(&[], given).unwrap().tcp_listen_options.resets;
    assert!(of(&["tcp_listen_options.linger.on=true", "tcp_listen_options.linger.timeout=0"]));
    assert!(!of(&["tcp_listen_options.linger.on=true", "tcp_listen_options.linger.timeout=1"]));
    assert!(!of(&["tcp_listen_options.linger.timeout=0"]));
}

#[test]
fn origins_can_be_taken_back() {
    let text = "management.cors.allow_origins.1 = http://a";
    assert!(
        load_all(&[text], &["management.cors.allow_origins=none"])
            .unwrap()
            .management
            .headers
            .cors_allow_origins
            .is_empty()
    );
}

#[test]
fn auth_mechanisms_are_in_the_order_of_their_numbers() {
    let config =
        load_all(&["auth_mechanisms.10 = PLAIN\nauth_mechanisms.9 = AMQPLAIN\nauth_mechanisms.x = EXTERNAL"], &[])
            .unwrap();
    assert_eq!(config.auth_mechanisms, [AuthMechanism::Amqplain, AuthMechanism::Plain, AuthMechanism::External]);
}

#[test]
fn listeners_add_up_and_repeat_nothing() {
    let text = "listeners.tcp.1 = 127.0.0.1:5672\nlisteners.tcp.2 = ::1:5672\nlisteners.tcp.3 = 127.0.0.1:5672";
    let config = load_all(&[text], &[]).unwrap();
    assert_eq!(config.listeners, ["127.0.0.1:5672".parse().unwrap(), "[::1]:5672".parse().unwrap()]);
}

/// RabbitMQ keeps only those that were given as true, and guest is not among them by itself.
#[test]
fn naming_loopback_users_replaces_guest() {
    let config = load_all(&["loopback_users.one = true\nloopback_users.two = false"], &[]).unwrap();
    assert_eq!(config.loopback_users, ["one".to_owned()].into());
}

#[test]
fn a_listener_of_the_old_form_has_its_own_tls_or_that_of_amqp() {
    let of = |more: &[&str]| {
        let mut given =
            vec!["management.listener.ssl=true", "management.listener.port=15671", "ssl_options.certfile=/amqp"];
        given.extend(more);
        load_all(&[], &given).unwrap().management.https.unwrap()
    };
    assert_eq!(of(&[]).server.prefix, "ssl_options");
    assert_eq!(of(&[]).listeners[0].port(), 15671);
    for (assignment, holds) in [
        ("certfile=/c", (|o| o.certfile == Some("/c".into())) as fn(&TlsServerOptions) -> bool),
        ("keyfile=/k", |o| o.keyfile == Some("/k".into())),
        ("cacertfile=/a", |o| o.cacertfile == Some("/a".into())),
        ("verify=verify_peer", |o| o.verify_peer),
        ("fail_if_no_peer_cert=true", |o| o.fail_if_no_peer_cert),
        ("depth=3", |o| o.depth == Some(3)),
        ("versions.1=tlsv1.3", |o| o.versions == ["tlsv1.3"]),
        ("honor_cipher_order=true", |o| o.honor_cipher_order),
        ("reuse_sessions=false", |o| !o.reuse_sessions),
        ("password=secret", |o| o.password.as_ref().is_some_and(|password| password.expose() == "secret")),
        ("crl_check=peer", |o| o.crl_check == CrlCheck::Peer),
    ] {
        let options = of(&[&format!("management.listener.ssl_opts.{assignment}")]).server;
        assert!(holds(&options) && options.prefix == "management.listener.ssl_opts", "{assignment}: {options:?}");
    }
}

#[test]
fn tls_listeners_can_be_taken_back() {
    let given = ["listeners.ssl.default=5671"];
    assert_eq!(load_all(&[], &given).unwrap().tls.listeners.len(), 2);
    assert!(load_all(&["listeners.ssl.default = 5671"], &["listeners.ssl=none"]).unwrap().tls.listeners.is_empty());
}

#[test]
fn http_is_served_beside_https_where_it_is_asked_for() {
    let config = load_all(&[], &["management.ssl.port=15671", "management.tcp.port=15672"]).unwrap().management;
    assert!(!config.listeners.is_empty() && config.https.is_some());
}
