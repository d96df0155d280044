//! Authentication and authorization by others than the internal database.
//!
//! Each is an [`auth::Backend`]: it is asked on a thread that may wait, and answers with RabbitMQ's words. [`HttpBackend`]
//! asks a service for everything; [`OAuth2Backend`] verifies the token that a client brings as its password, and lets it
//! answer for itself; with the feature `ldap`, `LdapBackend` asks an LDAP server. This crate knows nothing of the engine, and no secret that it is given reaches a log.

mod client;
mod http;
#[cfg(feature = "ldap")]
mod ldap;
mod oauth2;

pub use client::{ClientError, FetchError, HttpsSettings, fetch};
pub use http::{HttpBackend, HttpSettings, Method};
#[cfg(feature = "ldap")]
pub use ldap::{LdapBackend, LdapSettings, LdapTls};
pub use oauth2::{
    KeyError, OAuth2Backend, OAuth2Settings, ProviderSettings, ResourceServer, ScopeSyntax, SigningKey, algorithm,
    is_allowed_url,
};
