//! Backends that authenticate and authorize, and what passwords are like.

use super::ldap::LdapOptions;
use super::secret::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Who authenticates and authorizes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthOptions {
    /// `auth_backends.*`, in the order of their numbers; empty is the internal one.
    pub backends: Vec<BackendLink>,
    /// `http_dispatch.auth_backends.*`; empty is as for everything else.
    pub http_backends: Vec<BackendLink>,
    /// `auth_cache.*`.
    pub cache: AuthCacheOptions,
    /// `auth_http.*`.
    pub http: AuthHttpOptions,
    /// `auth_ldap.*`.
    pub ldap: LdapOptions,
    /// `auth_oauth2.*`.
    pub oauth2: OAuth2Options,
    /// `management.oauth_*`.
    pub oauth_login: OAuthLoginOptions,
    /// `password_hashing_module`.
    pub password_hashing: String,
    /// `credential_validator.*`.
    pub credentials: CredentialOptions,
    /// `default_users.*`, by name.
    pub default_users: BTreeMap<String, DefaultVhostUser>,
}

/// A link of the chain of backends; a half that is not given is as the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackendLink {
    /// Who authenticates.
    pub authn: Option<String>,
    /// Who authorizes.
    pub authz: Option<String>,
}

/// `auth_cache.*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthCacheOptions {
    /// `cached_backend`, `cached_backend.authn` and `cached_backend.authz`.
    pub backend: BackendLink,
    /// `cache_ttl`.
    pub ttl_ms: u64,
    /// `cache_refusals`.
    pub refusals: bool,
}

/// `auth_http.*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthHttpOptions {
    /// `http_method` is `post`.
    pub posts: bool,
    /// `user_path`.
    pub user_path: String,
    /// `vhost_path`.
    pub vhost_path: String,
    /// `resource_path`.
    pub resource_path: String,
    /// `topic_path`.
    pub topic_path: String,
    /// `request_timeout`.
    pub request_timeout_ms: u64,
    /// `connection_timeout`.
    pub connection_timeout_ms: u64,
    /// `authorization_failure_disclosure`.
    pub discloses_reasons: bool,
    /// `ssl_options.*`.
    pub https: HttpsClientOptions,
}

/// How a server's certificate is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpsClientOptions {
    /// Any certificate will do.
    pub verify_none: bool,
    /// Certificates that are trusted; `None` is the system's.
    pub cacertfile: Option<PathBuf>,
    /// Own certificate.
    pub certfile: Option<PathBuf>,
    /// Own private key.
    pub keyfile: Option<PathBuf>,
}

/// `auth_oauth2.*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OAuth2Options {
    /// `resource_server_id` and what stands beside it.
    pub root: ResourceServerOptions,
    /// `resource_servers.*`, by name.
    pub resource_servers: BTreeMap<String, ResourceServerOptions>,
    /// The provider that stands beside `resource_server_id`.
    pub provider: OAuthProviderOptions,
    /// `oauth_providers.*`, by name.
    pub providers: BTreeMap<String, OAuthProviderOptions>,
}

/// A resource server; `None` is as for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceServerOptions {
    /// `resource_server_id`, or `id`.
    pub id: Option<String>,
    /// `resource_server_type`.
    pub resource_server_type: Option<String>,
    /// `scope_prefix`.
    pub scope_prefix: Option<String>,
    /// `additional_scopes_key`.
    pub additional_scopes_key: Option<String>,
    /// `scope_aliases.*`: scopes with spaces between them, by alias.
    pub scope_aliases: BTreeMap<String, String>,
    /// `scope_pattern_syntax` is `regex`.
    pub uses_regex: Option<bool>,
    /// `verify_aud`.
    pub verify_aud: Option<bool>,
    /// `require_exp`.
    pub require_exp: Option<bool>,
    /// `preferred_username_claims.*`, in the order of their numbers.
    pub preferred_username_claims: Vec<String>,
    /// `default_oauth_provider`, or `oauth_provider_id`.
    pub oauth_provider_id: Option<String>,
}

/// A provider of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OAuthProviderOptions {
    /// `issuer`.
    pub issuer: Option<String>,
    /// `jwks_uri`, or `jwks_url`.
    pub jwks_uri: Option<String>,
    /// `end_session_endpoint`.
    pub end_session_endpoint: Option<String>,
    /// `discovery_endpoint_path`.
    pub discovery_endpoint_path: Option<String>,
    /// `discovery_endpoint_params.*`.
    pub discovery_endpoint_params: BTreeMap<String, String>,
    /// `default_key`.
    pub default_key: Option<String>,
    /// `signing_keys.*`: files, by id of the key.
    pub signing_keys: BTreeMap<String, PathBuf>,
    /// `algorithms.*`, in the order of their numbers.
    pub algorithms: Vec<String>,
    /// `https.*`.
    pub https: HttpsClientOptions,
}

/// `management.oauth_*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OAuthLoginOptions {
    /// `oauth_enabled`.
    pub enabled: bool,
    /// `oauth_disable_basic_auth`.
    pub disable_basic_auth: bool,
    /// What holds for all servers.
    pub all: OAuthLoginServer,
    /// `oauth_resource_servers.*`, by name.
    pub servers: BTreeMap<String, OAuthLoginServer>,
}

/// How the user interface logs in at a resource server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OAuthLoginServer {
    /// `id`.
    pub id: Option<String>,
    /// `disabled`.
    pub disabled: bool,
    /// `label`.
    pub label: Option<String>,
    /// `oauth_provider_url`.
    pub provider_url: Option<String>,
    /// `oauth_metadata_url`.
    pub metadata_url: Option<String>,
    /// `oauth_client_id`.
    pub client_id: Option<String>,
    /// `oauth_response_type`.
    pub response_type: Option<String>,
    /// `oauth_scopes`.
    pub scopes: Option<String>,
    /// `oauth_initiated_logon_type`.
    pub initiated_logon_type: Option<String>,
    /// `oauth_authorization_endpoint_params.*`.
    pub authorization_endpoint_params: BTreeMap<String, String>,
    /// `oauth_token_endpoint_params.*`.
    pub token_endpoint_params: BTreeMap<String, String>,
}

/// `credential_validator.*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CredentialOptions {
    /// `validation_backend`.
    pub backend: String,
    /// `min_length`, in bytes.
    pub min_length: usize,
    /// `regexp`.
    pub regexp: Option<String>,
}

/// `default_users.NAME.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultVhostUser {
    /// `vhost_pattern`.
    pub vhost_pattern: String,
    /// `password`.
    pub password: Option<Secret>,
    /// `configure`.
    pub configure: String,
    /// `write`.
    pub write: String,
    /// `read`.
    pub read: String,
    /// `tags`.
    pub tags: Vec<String>,
}

impl Default for DefaultVhostUser {
    fn default() -> Self {
        let all = || ".*".to_owned();
        Self { vhost_pattern: all(), password: None, configure: all(), write: all(), read: all(), tags: Vec::new() }
    }
}
