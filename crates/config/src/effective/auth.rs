//! Backends that authenticate and authorize, and what passwords are like.

use super::Checked;
use crate::key::Key;
use crate::kind::Value;
use crate::options::{
    AuthCacheOptions, AuthHttpOptions, AuthOptions, BackendLink, CredentialOptions, DefaultVhostUser,
    HttpsClientOptions, OAuth2Options, OAuthLoginOptions, OAuthLoginServer, OAuthProviderOptions,
    ResourceServerOptions, Secret,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What was given under a prefix: the segments behind it, and the value.
pub(super) struct Given<'a>(Vec<(Vec<String>, &'a Value)>);

impl<'a> Given<'a> {
    fn one(&self, path: &[&str]) -> Option<&'a Value> {
        self.0.iter().find(|(key, _)| key == path).map(|(_, value)| *value)
    }

    fn text(&self, path: &[&str]) -> Option<String> {
        match self.one(path)? {
            Value::Text(text) => Some(text.clone()),
            Value::Word(word) => Some((*word).to_owned()),
            _ => None,
        }
    }

    fn path(&self, path: &[&str]) -> Option<PathBuf> {
        self.text(path).map(PathBuf::from)
    }

    fn boolean(&self, path: &[&str]) -> Option<bool> {
        match self.one(path)? {
            Value::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// What stands under a further name.
    fn under(&self, name: &str) -> Given<'a> {
        let inner = self.0.iter().filter(|(key, _)| key.len() > 1 && key[0] == name);
        Given(inner.map(|(key, value)| (key[1..].to_vec(), *value)).collect())
    }

    /// The same for every name.
    fn groups(&self) -> BTreeMap<String, Given<'a>> {
        let names = self.0.iter().filter(|(key, _)| key.len() > 1).map(|(key, _)| key[0].clone());
        names.map(|name| (name.clone(), self.under(&name))).collect()
    }

    /// Texts by name.
    fn texts(&self, name: &str) -> BTreeMap<String, String> {
        let given = self.under(name);
        let names = given.0.iter().filter(|(key, _)| key.len() == 1).map(|(key, _)| key[0].clone());
        names.filter_map(|name| Some((name.clone(), given.text(&[&name])?))).collect()
    }

    /// Texts in the order of their numbers, and those without one behind.
    pub(super) fn ordered(&self, name: &str) -> Vec<String> {
        let mut texts: Vec<_> = self.texts(name).into_iter().collect();
        texts.sort_by_key(|(name, _)| (name.parse().unwrap_or(u64::MAX), name.clone()));
        texts.into_iter().map(|(_, text)| text).collect()
    }

    pub(super) fn https(&self) -> HttpsClientOptions {
        let verify = self.text(&["verify"]).or_else(|| self.text(&["peer_verification"]));
        HttpsClientOptions {
            verify_none: verify.as_deref() == Some("verify_none"),
            cacertfile: self.path(&["cacertfile"]),
            certfile: self.path(&["certfile"]),
            keyfile: self.path(&["keyfile"]),
        }
    }

    fn link(&self) -> BackendLink {
        let both = || self.text(&[]);
        let (authn, authz) = (self.text(&["authn"]), self.text(&["authz"]));
        BackendLink { authn: authn.or_else(both), authz: authz.or_else(both) }
    }

    fn resource_server(&self, id: &str, provider: &str) -> ResourceServerOptions {
        let mut scope_aliases = self.texts("scope_aliases");
        // The other form: an alias and its scopes under one number.
        for pair in self.under("scope_aliases").groups().values() {
            if let (Some(alias), Some(scope)) = (pair.text(&["alias"]), pair.text(&["scope"])) {
                scope_aliases.insert(alias, scope);
            }
        }
        ResourceServerOptions {
            id: self.text(&[id]),
            resource_server_type: self.text(&["resource_server_type"]),
            scope_prefix: self.text(&["scope_prefix"]),
            additional_scopes_key: self.text(&["additional_scopes_key"]),
            scope_aliases,
            uses_regex: self.text(&["scope_pattern_syntax"]).map(|syntax| syntax == "regex"),
            verify_aud: self.boolean(&["verify_aud"]),
            require_exp: self.boolean(&["require_exp"]),
            preferred_username_claims: self.ordered("preferred_username_claims"),
            oauth_provider_id: self.text(&[provider]),
        }
    }

    fn oauth_provider(&self) -> OAuthProviderOptions {
        let keys = self.texts("signing_keys").into_iter();
        OAuthProviderOptions {
            issuer: self.text(&["issuer"]),
            jwks_uri: self.text(&["jwks_uri"]).or_else(|| self.text(&["jwks_url"])),
            end_session_endpoint: self.text(&["end_session_endpoint"]),
            discovery_endpoint_path: self.text(&["discovery_endpoint_path"]),
            discovery_endpoint_params: self.texts("discovery_endpoint_params"),
            default_key: self.text(&["default_key"]),
            signing_keys: keys.map(|(id, path)| (id, path.into())).collect(),
            algorithms: self.ordered("algorithms"),
            https: self.under("https").https(),
        }
    }

    /// The keys of all servers begin with `oauth_`, and so do most of one.
    fn login_server(&self) -> OAuthLoginServer {
        OAuthLoginServer {
            id: self.text(&["id"]),
            disabled: self.boolean(&["disabled"]).unwrap_or_default(),
            label: self.text(&["label"]),
            provider_url: self.text(&["oauth_provider_url"]),
            metadata_url: self.text(&["oauth_metadata_url"]),
            client_id: self.text(&["oauth_client_id"]),
            response_type: self.text(&["oauth_response_type"]),
            scopes: self.text(&["oauth_scopes"]),
            initiated_logon_type: self.text(&["oauth_initiated_logon_type"]),
            authorization_endpoint_params: self.texts("oauth_authorization_endpoint_params"),
            token_endpoint_params: self.texts("oauth_token_endpoint_params"),
        }
    }
}

impl Checked {
    pub(super) fn auth(&self) -> AuthOptions {
        AuthOptions {
            backends: self.links("auth_backends"),
            http_backends: self.links("http_dispatch.auth_backends"),
            cache: AuthCacheOptions {
                backend: self.given("auth_cache").under_or_self("cached_backend").link(),
                ttl_ms: self.integer("auth_cache.cache_ttl"),
                refusals: self.boolean("auth_cache.cache_refusals"),
            },
            http: self.auth_http(),
            ldap: self.ldap(),
            oauth2: self.oauth2(),
            oauth_login: self.oauth_login(),
            password_hashing: self.word_of("password_hashing_module"),
            credentials: CredentialOptions {
                backend: self.word_of("credential_validator.validation_backend"),
                min_length: self.integer("credential_validator.min_length"),
                regexp: self.optional_text("credential_validator.regexp"),
            },
            default_users: self.default_users(),
        }
    }

    pub(super) fn given(&self, prefix: &str) -> Given<'_> {
        let of = prefix.split('.').count();
        let begins = format!("{prefix}.");
        let given = self.settings.values().filter(|checked| {
            let key = &checked.setting.key;
            *key == prefix || key.starts_with(&begins)
        });
        let behind = |key: &str| Key::parse(key).map(|key| key.segments()[of..].to_vec());
        Given(given.filter_map(|checked| Some((behind(&checked.setting.key)?, &checked.value))).collect())
    }

    /// The word of a key with a default.
    pub(super) fn word_of(&self, key: &str) -> String {
        match self.value(key) {
            Some(Value::Word(word)) => word.to_owned(),
            _ => String::new(),
        }
    }

    /// In the order of their numbers.
    fn links(&self, prefix: &str) -> Vec<BackendLink> {
        let given = self.given(prefix);
        let mut names: Vec<_> = given.0.iter().filter_map(|(key, _)| key.first().cloned()).collect();
        names.sort_by_key(|name| (name.parse().unwrap_or(u64::MAX), name.clone()));
        names.dedup();
        names.iter().map(|name| given.under_or_self(name).link()).collect()
    }

    fn auth_http(&self) -> AuthHttpOptions {
        AuthHttpOptions {
            posts: self.word_of("auth_http.http_method") == "post",
            user_path: self.text("auth_http.user_path"),
            vhost_path: self.text("auth_http.vhost_path"),
            resource_path: self.text("auth_http.resource_path"),
            topic_path: self.text("auth_http.topic_path"),
            request_timeout_ms: self.integer("auth_http.request_timeout"),
            connection_timeout_ms: self.integer("auth_http.connection_timeout"),
            discloses_reasons: self.boolean("auth_http.authorization_failure_disclosure"),
            https: self.given("auth_http.ssl_options").https(),
        }
    }

    fn oauth2(&self) -> OAuth2Options {
        let given = self.given("auth_oauth2");
        let servers = given.under("resource_servers").groups().into_iter();
        let providers = given.under("oauth_providers").groups().into_iter();
        OAuth2Options {
            root: given.resource_server("resource_server_id", "default_oauth_provider"),
            resource_servers: servers
                .map(|(name, server)| (name, server.resource_server("id", "oauth_provider_id")))
                .collect(),
            provider: given.oauth_provider(),
            providers: providers.map(|(name, provider)| (name, provider.oauth_provider())).collect(),
        }
    }

    fn oauth_login(&self) -> OAuthLoginOptions {
        let given = self.given("management");
        let servers = given.under("oauth_resource_servers").groups().into_iter();
        OAuthLoginOptions {
            enabled: self.boolean("management.oauth_enabled"),
            disable_basic_auth: self.boolean("management.oauth_disable_basic_auth"),
            all: given.login_server(),
            servers: servers.map(|(name, server)| (name, server.login_server())).collect(),
        }
    }

    fn default_users(&self) -> BTreeMap<String, DefaultVhostUser> {
        let user = |(name, given): (String, Given<'_>)| {
            let usual = DefaultVhostUser::default();
            let tags = given.text(&["tags"]).unwrap_or_default();
            let user = DefaultVhostUser {
                vhost_pattern: given.text(&["vhost_pattern"]).unwrap_or(usual.vhost_pattern),
                password: given.text(&["password"]).map(Secret::new),
                configure: given.text(&["configure"]).unwrap_or(usual.configure),
                write: given.text(&["write"]).unwrap_or(usual.write),
                read: given.text(&["read"]).unwrap_or(usual.read),
                tags: tags.split([',', ' ']).filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            };
            (name, user)
        };
        self.given("default_users").groups().into_iter().map(user).collect()
    }
}

impl<'a> Given<'a> {
    /// What stands under a name, and what is given for the name itself under nothing.
    fn under_or_self(&self, name: &str) -> Given<'a> {
        let inner = self.0.iter().filter(|(key, _)| key.first().is_some_and(|first| first == name));
        Given(inner.map(|(key, value)| (key[1..].to_vec(), *value)).collect())
    }
}
