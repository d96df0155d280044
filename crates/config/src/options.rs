//! The typed configuration: one field per setting that has an effect.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::origin::Setting;

/// Everything the broker can be told, defaults filled in from the key table.
///
/// Fields are named after their keys with the unit last; `None` means no limit unless the field says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// AMQP listeners without TLS. A port alone yields `0.0.0.0` and `[::]`, of which a host without IPv6 serves the first;
    /// empty with `listeners.tcp = none`.
    pub listeners: Vec<SocketAddr>,
    /// Socket options of the listeners and the connections they accept.
    pub tcp_listen_options: TcpListenOptions,
    /// From accept to connection.open-ok.
    pub handshake_timeout_ms: Option<u64>,
    /// Proposed in connection.tune; 0 proposes none.
    pub heartbeat_s: u16,
    /// Proposed in connection.tune; 0 is no limit.
    pub frame_max_bytes: u32,
    /// Limit on frames before connection.tune-ok.
    pub initial_frame_max_bytes: u32,
    /// Proposed in connection.tune; 0 is no limit below the protocol's 65535.
    pub channel_max: u16,
    /// Connections this node accepts at once.
    pub connection_max: Option<u64>,
    /// Channels this node accepts at once, over all connections.
    pub channel_max_per_node: Option<u64>,
    /// Virtual hosts this node may have.
    pub vhost_max: Option<u64>,
    /// Queues this node may have.
    pub queue_limit: Option<u64>,
    /// Exchanges this node may have.
    pub exchange_limit: Option<u64>,
    /// Limits that new virtual hosts begin with, in the order of their ids.
    pub default_vhost_limits: Vec<DefaultVhostLimits>,
    /// Type of queues declared without one, where their virtual host has none.
    pub default_queue_type: &'static str,
    /// Durable classic queues stand in for quorum queues.
    pub quorum_as_classic: bool,
    /// What declaring a queue again with other properties or arguments leads to.
    pub on_redeclare: OnRedeclare,
    /// Attempts to log in are counted by where they come from.
    pub track_login_sources: bool,
    /// Consumers one channel may have.
    pub consumer_max_per_channel: Option<u64>,
    /// Largest message body, at most 512 MiB.
    pub max_message_size_bytes: u64,
    /// How long a delivery may stay unacked; `None` never times out.
    pub consumer_timeout_ms: Option<u64>,
    /// Prefetch of a consumer that never sent basic.qos; 0 is unlimited.
    pub default_consumer_prefetch: u16,
    /// When publishers are blocked for memory.
    pub vm_memory_high_watermark: MemoryWatermark,
    /// Memory to count as available instead of what the system reports.
    pub total_memory_available_bytes: Option<u64>,
    /// When publishers are blocked for disk space.
    pub disk_free_limit: DiskFreeLimit,
    /// The user created in an empty database.
    pub default_user: DefaultUser,
    /// The virtual host created in an empty database.
    pub default_vhost: String,
    /// Users that may connect from the loopback interface only.
    pub loopback_users: BTreeSet<String>,
    /// Whom mechanism ANONYMOUS logs in; `None` does not offer it.
    pub anonymous_login: Option<AnonymousLogin>,
    /// SASL mechanisms in the order they are offered.
    pub auth_mechanisms: Vec<AuthMechanism>,
    /// Name of the cluster in server-properties; `None` leaves it to the node's name.
    pub cluster_name: Option<String>,
    /// Name of this node, `NAME@HOST`; `None` is `rabbit@` and the host's name.
    pub node_name: Option<String>,
    /// What is logged.
    pub log: LogOptions,
    /// Where RabbitMQ's versions differ, which of them to follow.
    pub compat: Compat,
    /// Reactor threads; 0 is one per core.
    pub reactors: u16,
    /// Where everything durable is kept; relative to the working directory unless absolute.
    pub data_dir: PathBuf,
    /// When messages are synced to the disk.
    pub sync: Sync,
    /// Memory for messages that are on disk too.
    pub message_memory_bytes: u64,
    /// The HTTP API and the metrics.
    pub management: ManagementOptions,
    /// What is imported at the start.
    pub definitions: DefinitionsOptions,
    /// Keys given that RabbitMQ knows and nothing here uses, sorted.
    pub ignored: Vec<String>,
    /// Every key that was given, sorted by name; defaults are not among them.
    pub settings: Vec<Setting>,
}

/// `default_limits.vhosts.ID.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultVhostLimits {
    /// Regular expression over names of virtual hosts.
    pub pattern: String,
    /// Connections such a virtual host may have.
    pub max_connections: Option<i64>,
    /// Queues such a virtual host may have.
    pub max_queues: Option<i64>,
}

/// `tcp_listen_options.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpListenOptions {
    /// Length of the accept queue.
    pub backlog: u32,
    /// `TCP_NODELAY` on accepted sockets.
    pub nodelay: bool,
    /// `SO_KEEPALIVE` on accepted sockets.
    pub keepalive: bool,
    /// `SO_SNDBUF`; `None` leaves it to the system.
    pub sndbuf_bytes: Option<u32>,
    /// `SO_RCVBUF`; `None` leaves it to the system.
    pub recbuf_bytes: Option<u32>,
}

/// `vm_memory_high_watermark.*`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MemoryWatermark {
    /// Fraction of the available memory, 0 to 1.
    Relative(f64),
    /// Bytes.
    AbsoluteBytes(u64),
}

/// `disk_free_limit.*`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DiskFreeLimit {
    /// Multiple of the available memory.
    Relative(f64),
    /// Bytes.
    AbsoluteBytes(u64),
}

/// `leveret.sync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Before they are confirmed.
    Always,
    /// This often, whatever was confirmed meanwhile; at least 1 ms.
    Interval {
        /// Time between two syncs.
        ms: u64,
    },
    /// When the system does it, and at a clean end.
    Never,
}

/// `default_user`, `default_pass`, `default_user_tags.*` and `default_permissions.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultUser {
    /// The user's name.
    pub name: String,
    /// The user's password in clear.
    pub password: Secret,
    /// Tags, sorted.
    pub tags: BTreeSet<String>,
    /// What the user may do in the default virtual host.
    pub permissions: Permissions,
}

/// Three regular expressions over names, unanchored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Names that may be configured.
    pub configure: String,
    /// Names that may be written to.
    pub write: String,
    /// Names that may be read from.
    pub read: String,
}

/// `anonymous_login_user` and `anonymous_login_pass`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonymousLogin {
    /// The user ANONYMOUS logs in as.
    pub user: String,
    /// That user's password in clear.
    pub password: Secret,
}

/// `log.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// Whether there is output on the console at all.
    pub console: bool,
    /// What the console shows; nothing less severe reaches it whatever the categories say.
    pub console_level: LogLevel,
    /// Level of every category without one of its own.
    pub default_level: LogLevel,
    /// Level by category: `connection`, `channel`, `queue`, `user`, `upgrade`.
    pub category_levels: BTreeMap<String, LogLevel>,
}

/// `leveret.compat.*`: one setting for each difference between RabbitMQ's versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compat {
    /// The `version` of server-properties.
    pub version: String,
    /// What a delivery that was not acknowledged in time leads to.
    pub consumer_timeout: ConsumerTimeoutAction,
    /// The error that declaring an exchange of unknown type raises.
    pub unknown_exchange_type: UnknownExchangeType,
    /// The permission that a passive declare needs.
    pub passive_declare_permission: PassiveDeclarePermission,
    /// What an `x-death` header set by the publisher is taken for.
    pub publisher_x_death: PublisherXDeath,
    /// When messages with an expiration of their own leave their queue.
    pub message_expiry: MessageExpiry,
}

/// Text that is never shown: `Debug` prints asterisks and nothing implements `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for comparing or hashing and never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// An enum that is a word in the configuration: the words are what its table row accepts.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            pub(crate) const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word that stands for it in the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(crate) fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

/// Definitions to import before clients can connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DefinitionsOptions {
    /// Files and directories of `load_definitions`, `definitions.local.path` and `management.load_definitions`.
    pub paths: Vec<PathBuf>,
    /// Those that were imported at the last start are not imported again.
    pub skip_if_unchanged: bool,
}

/// The HTTP API and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementOptions {
    /// Where the API listens: every address of a host without `management.tcp.ip`; empty with `leveret.management = false`.
    pub listeners: Vec<SocketAddr>,
    /// Where the metrics are served, likewise.
    pub prometheus_listeners: Vec<SocketAddr>,
    /// Before every path; empty for nothing.
    pub path_prefix: String,
    /// Largest body of a request in bytes.
    pub max_body_bytes: usize,
    /// Connections to the API at once.
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
    /// SASL mechanisms, `auth_mechanisms.N`.
    AuthMechanism {
        /// RFC 4616.
        Plain = "PLAIN",
        /// LOGIN and PASSWORD in a field table.
        Amqplain = "AMQPLAIN",
        /// Logs in as [`Config::anonymous_login`].
        Anonymous = "ANONYMOUS",
        /// By the client's certificate.
        External = "EXTERNAL",
        /// RabbitMQ's demonstration of challenge and response.
        RabbitCrDemo = "RABBIT-CR-DEMO",
    }
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

words! {
    /// `leveret.on_redeclare`.
    OnRedeclare {
        /// The channel is closed with 406, as RabbitMQ does.
        Close = "close",
        /// The queue stays as it is, and the log says so.
        Warn = "warn",
        /// The queue takes the arguments that can change in place.
        Alter = "alter",
    }
}

words! {
    /// Severity from most to least verbose, and `none`.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// What an operator needs.
        Info = "info",
        /// Normal but significant.
        Notice = "notice",
        /// Something to look at.
        Warning = "warning",
        /// An operation failed.
        Error = "error",
        /// A component failed.
        Critical = "critical",
        /// Action must be taken at once.
        Alert = "alert",
        /// The node is unusable.
        Emergency = "emergency",
        /// Nothing.
        None = "none",
    }
}

words! {
    /// `leveret.compat.consumer_timeout`.
    ConsumerTimeoutAction {
        /// The channel is closed with 406, as 3.8 to 4.2 do for every queue type.
        CloseChannel = "close_channel",
        /// The consumer is cancelled, as 4.3 does.
        CancelConsumer = "cancel_consumer",
    }
}

words! {
    /// `leveret.compat.unknown_exchange_type`.
    UnknownExchangeType {
        /// Channel error 406, as from 3.13.3 on.
        Channel406 = "channel_406",
        /// Connection error 503, as before.
        Connection503 = "connection_503",
    }
}

words! {
    /// `leveret.compat.passive_declare_permission`.
    PassiveDeclarePermission {
        /// No permission, as 3.x to 4.2 have it.
        None = "none",
        /// Any one of the three, as from 4.3.1 on.
        Any = "any",
        /// `configure`, as in 4.3.0.
        Configure = "configure",
    }
}

words! {
    /// `leveret.compat.publisher_x_death`.
    PublisherXDeath {
        /// It is a header like any other, as in 4.x.
        Ignore = "ignore",
        /// It counts as the message's history, as in 3.x.
        Interpret = "interpret",
    }
}

words! {
    /// `leveret.compat.message_expiry`.
    MessageExpiry {
        /// When their time comes, wherever they stand.
        Exact = "exact",
        /// Once they are the first of their queue, as in RabbitMQ.
        Head = "head",
    }
}
