//! `auth_ldap.*`.

use super::auth::HttpsClientOptions;
use super::secret::Secret;
use crate::ldap_query::LdapQuery;

/// An LDAP server that authenticates and authorizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapOptions {
    /// `servers.*`, in the order of their numbers.
    pub servers: Vec<String>,
    /// `port`.
    pub port: u16,
    /// `timeout`; `None` waits for ever.
    pub timeout_ms: Option<u64>,
    /// `idle_timeout`; `None` keeps connections for ever, 0 keeps none.
    pub idle_timeout_ms: Option<u64>,
    /// `connection_pool_size`.
    pub pool_size: usize,
    /// `log`.
    pub log: LdapLog,
    /// `user_bind_pattern`; `None` binds with the distinguished name.
    pub user_bind_pattern: Option<String>,
    /// `user_dn_pattern`.
    pub user_dn_pattern: String,
    /// `dn_lookup_attribute`; `None` looks nobody up.
    pub dn_lookup_attribute: Option<String>,
    /// `dn_lookup_base`.
    pub dn_lookup_base: Option<String>,
    /// `dn_lookup_bind`.
    pub dn_lookup_bind: LdapBind,
    /// `other_bind`.
    pub other_bind: LdapBind,
    /// `group_lookup_base`; `None` is `dn_lookup_base`.
    pub group_lookup_base: Option<String>,
    /// `use_ssl`.
    pub use_ssl: bool,
    /// `use_starttls`.
    pub use_starttls: bool,
    /// `ssl_options.*`.
    pub tls: HttpsClientOptions,
    /// `queries.vhost_access`.
    pub vhost_access: LdapQuery,
    /// `queries.resource_access`.
    pub resource_access: LdapQuery,
    /// `queries.topic_access`.
    pub topic_access: LdapQuery,
    /// `queries.tags`.
    pub tags: Vec<(String, LdapQuery)>,
}

/// Who a connection binds as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LdapBind {
    /// The user who logs in.
    AsUser,
    /// Nobody.
    Anonymous,
    /// A fixed name.
    Fixed {
        /// Its distinguished name.
        user_dn: String,
        /// Its password.
        password: Secret,
    },
}

/// What is logged of LDAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdapLog {
    /// Nothing but what goes wrong.
    Nothing,
    /// Questions and answers.
    Decisions,
}
