//! rabbitmq.conf: syntax, the key table, validation.
//!
//! A [`Loader`] collects files, a conf.d directory and `--set` arguments in order of precedence; [`Loader::load`] checks
//! every key against the [table](table()) and yields a [`Config`] of typed fields. The table alone decides which keys exist,
//! what their values look like, what the defaults are and which of them have an effect here.
//!
//! This crate never knows the rest of the broker: it opens no socket, creates no user and reads no definitions file.

mod advanced;
mod check;
mod effective;
mod environment_file;
mod error;
mod key;
mod kind;
mod ldap_query;
mod load;
mod log_variables;
mod markdown;
mod nearest;
mod options;
mod origin;
mod plugins;
mod sources;
mod substitute;
mod syntax;
mod table;
mod terms;
mod variables;

#[cfg(test)]
mod tests;

pub use error::{Error, Instead};
pub use key::{Change, Effect, KeySpec};
pub use kind::Kind;
pub use ldap_query::LdapQuery;
pub use load::Loader;
pub use markdown::markdown_table;
pub use options::{
    AnonymousLogin, AuditOptions, AuthCacheOptions, AuthHttpOptions, AuthMechanism, AuthOptions, BackendLink,
    CertificateLogin, Compat, Config, ConsoleOptions, ConsumerTimeoutAction, CredentialOptions, CrlCheck,
    DefaultOperatorPolicy, DefaultUser, DefaultVhostLimits, DefaultVhostUser, DefinitionsOptions, DiskFreeLimit,
    EventOptions, HeaderOptions, HttpLimits, HttpsClientOptions, HttpsOptions, LdapBind, LdapLog, LdapOptions,
    LogFileOptions, LogFormatter, LogLevel, LogLevelFormat, LogOptions, LogOutputOptions, LogPlace, LogRotation,
    LogStdio, LogStyle, LogTimeFormat, ManagementOptions, MemoryWatermark, MessageExpiry, OAuth2Options,
    OAuthLoginOptions, OAuthLoginServer, OAuthProviderOptions, OnRedeclare, OtlpOptions, PassiveDeclarePermission,
    Permissions, PrometheusOptions, PublisherXDeath, RatesMode, RemoteDefinitions, ResourceServerOptions,
    RetentionPolicy, RotationDate, Secret, StatisticsOptions, Sync, TcpListenOptions, TlsOptions, TlsServerOptions,
    UnknownExchangeType, VhostOptions,
};
pub use origin::{Origin, Setting};
pub use plugins::Plugins;
pub use sources::{Loaded, Problems, Sources};
pub use table::table;
pub use variables::UnknownVariable;
