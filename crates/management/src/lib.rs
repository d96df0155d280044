//! The administrative surface over HTTP: RabbitMQ's paths and JSON over [`broker::AdminCommand`].
//!
//! One router serves every listener: the unix socket in the data directory, which only the broker's own user and root
//! can open, so that whoever can connect may do everything, and TCP, where everybody has to log in. It has a thread of
//! its own and talks to the engine by commands and what it publishes of itself: it must never know a lock of the
//! message path.

mod access_log;
mod api;
mod application;
mod audit;
mod authenticate;
mod background;
mod binding_key;
mod caller;
mod compress;
mod definitions;
mod error;
mod fields;
mod headers;
mod json;
mod list;
mod multipart;
mod oauth_login;
mod openapi;
mod pid;
mod process;
mod prometheus;
mod request;
mod routes;
mod server;
mod service;
mod settings;
mod shared;
mod socket;
mod statistics;
mod time;

pub use api::Access;
pub use application::{Application, BackupSummary, DiskFreeLimit, EnabledPlugins, Node};
pub use audit::AuditSettings;
pub use definitions::{DefinitionsError, import_definitions};
pub use oauth_login::{OAuthLogin, OAuthResourceServer};
pub use openapi::document;
pub use routes::{Route, routes};
pub use service::{Management, StartError};
pub use settings::{HeaderSettings, HttpSettings, HttpsSettings, PrometheusSettings, ServerLimits};
pub use socket::SOCKET_NAME;
pub use statistics::{RatesMode, Retention, RetentionPolicies, StatisticsSettings};
