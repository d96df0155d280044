//! The typed configuration: one field per setting that has an effect.

mod auth;
mod compat;
mod definitions;
mod events;
mod ldap;
mod log;
mod management;
mod secret;
mod tls;
mod users;
mod vhosts;
mod words;

pub use auth::{
    AuthCacheOptions, AuthHttpOptions, AuthOptions, BackendLink, CredentialOptions, DefaultVhostUser,
    HttpsClientOptions, OAuth2Options, OAuthLoginOptions, OAuthLoginServer, OAuthProviderOptions,
    ResourceServerOptions,
};
pub use compat::{
    Compat, ConsumerTimeoutAction, MessageExpiry, PassiveDeclarePermission, PublisherXDeath, UnknownExchangeType,
};
pub use definitions::{DefinitionsOptions, RemoteDefinitions};
pub use events::EventOptions;
pub use ldap::{LdapBind, LdapLog, LdapOptions};
pub use log::{
    ConsoleOptions, LogFileOptions, LogFormatter, LogLevel, LogLevelFormat, LogOptions, LogOutputOptions, LogPlace,
    LogRotation, LogStdio, LogStyle, LogTimeFormat, RotationDate,
};
pub use management::{
    AuditOptions, HeaderOptions, HttpLimits, ManagementOptions, OtlpOptions, PrometheusOptions, RatesMode,
    RetentionPolicy, StatisticsOptions,
};
pub use secret::Secret;
pub use tls::{CertificateLogin, CrlCheck, HttpsOptions, TlsOptions, TlsServerOptions};
pub use users::{AnonymousLogin, AuthMechanism, DefaultUser, Permissions};
pub use vhosts::{DefaultOperatorPolicy, DefaultVhostLimits, VhostOptions};

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::origin::Setting;
use crate::plugins::Plugins;
use words::words;

/// Everything the broker can be told, defaults filled in from the key table.
///
/// Fields are named after their keys with the unit last; `None` means no limit unless the field says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// AMQP listeners without TLS. A port alone yields `0.0.0.0` and `[::]`, of which a host without IPv6 serves the first;
    /// empty with `listeners.tcp = none`.
    pub listeners: Vec<SocketAddr>,
    /// AMQP listeners with TLS, and what precedes AMQP.
    pub tls: TlsOptions,
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
    /// What virtual hosts begin with.
    pub vhosts: VhostOptions,
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
    /// Backends that authenticate and authorize, and what passwords are like.
    pub auth: AuthOptions,
    /// Name of the cluster, which every start sets; `None` leaves it to operators, and before them to the node's name.
    pub cluster_name: Option<String>,
    /// Tags of the cluster, which every start sets; without any they are left to operators.
    pub cluster_tags: BTreeMap<String, String>,
    /// Tags of this node.
    pub node_tags: BTreeMap<String, String>,
    /// Name of this node, `NAME@HOST` or `NAME`, to which the host's name is added; `None` is `rabbit`.
    pub node_name: Option<String>,
    /// What is logged.
    pub log: LogOptions,
    /// What the broker publishes of itself.
    pub events: EventOptions,
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
    /// Where spans go.
    pub otlp: OtlpOptions,
    /// What is imported at the start.
    pub definitions: DefinitionsOptions,
    /// Which plugins count as enabled.
    pub plugins: Plugins,
    /// Where the process id is written; `None` for nowhere.
    pub pid_file: Option<PathBuf>,
    /// The whole name of the host is in the node's name, not only what precedes the first dot.
    pub long_names: bool,
    /// Keys given that RabbitMQ knows and nothing here uses, sorted.
    pub ignored: Vec<String>,
    /// Every key that was given, sorted by name; defaults are not among them.
    pub settings: Vec<Setting>,
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
    /// `SO_LINGER` with 0 s: connections are reset at their end.
    pub resets: bool,
    /// How long what is sent may stay unread by the client's system; `None` for ever.
    pub send_timeout_ms: Option<u32>,
    /// `IP_TOS` on accepted sockets; `None` leaves it to the system.
    pub tos: Option<u8>,
    /// `SO_PRIORITY` on accepted sockets; `None` leaves it to the system.
    pub priority: Option<u32>,
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
