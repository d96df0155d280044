//! TLS: from options, as `rabbitmq.conf` has them, to what listeners and clients of other servers run with.
//!
//! An [`Endpoint`] is what a group of keys such as `ssl_options.*` comes to: a rustls configuration that is made from
//! files, and made anew when they change. [`Certificate`] says of a certificate what RabbitMQ says of it, and which user
//! it names. Nothing here knows sockets, AMQP or HTTP; who accepts connections asks for the configuration of each anew.

mod certificate;
mod client;
mod der;
mod encrypted;
mod endpoint;
mod error;
mod files;
mod names;
mod options;
mod server;
mod session;
mod suites;
mod verifier;

pub use certificate::{AlternativeName, Certificate, LoginFrom};
pub use client::{ClientOptions, client_config};
pub use endpoint::{Endpoint, Prepared, Source};
pub use error::TlsError;
pub use options::{Password, RevocationCheck, ServerOptions};
pub use rustls;
pub use session::Session;
pub use suites::{suite_parts, supported_suites};
