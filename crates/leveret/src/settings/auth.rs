//! Who authenticates and authorizes.

use anyhow::{Context, Result, bail};
use auth::{Cache, CacheSettings, Chain, CredentialRule, HashingAlgorithm, Link, Module, Pattern};
use backends::{
    HttpBackend, HttpSettings, HttpsSettings, Method, OAuth2Backend, OAuth2Settings, ProviderSettings, ResourceServer,
    ScopeSyntax, SigningKey, algorithm, is_allowed_url,
};
use broker::{Accounts, VhostUser};
use config::{BackendLink, Config, HttpsClientOptions, OAuthProviderOptions, ResourceServerOptions};
use management::{OAuthLogin, OAuthResourceServer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The chains of backends: for everything, and for HTTP where that has its own.
pub(crate) fn chains(config: &Config) -> Result<(Chain, Option<Chain>)> {
    let mut modules = Modules { config, http: None, oauth2: None, ldap: None, cache: None };
    let (all, http) = (&config.auth.backends, &config.auth.http_backends);
    let all = if all.is_empty() { Chain::default() } else { modules.chain(all)? };
    let http = if http.is_empty() { None } else { Some(modules.chain(http)?) };
    Ok((all, http))
}

/// Backends that were made: each is there once, however often it is named.
struct Modules<'a> {
    config: &'a Config,
    http: Option<Module>,
    oauth2: Option<Module>,
    ldap: Option<Module>,
    cache: Option<Module>,
}

impl Modules<'_> {
    fn chain(&mut self, links: &[BackendLink]) -> Result<Chain> {
        links.iter().map(|link| self.link(link)).collect::<Result<_>>().map(Chain)
    }

    /// A half that is not given is as the other, as in RabbitMQ.
    fn link(&mut self, link: &BackendLink) -> Result<Link> {
        let (Some(authn), Some(authz)) =
            (link.authn.as_ref().or(link.authz.as_ref()), link.authz.as_ref().or(link.authn.as_ref()))
        else {
            bail!("a backend in `auth_backends` has no name");
        };
        let is_one = full_name(authn) == full_name(authz);
        let (authn, authz) = (self.module(authn)?, if is_one { None } else { Some(self.module(authz)?) });
        Ok(Link { authn, authz })
    }

    fn module(&mut self, name: &str) -> Result<Module> {
        match full_name(name) {
            "rabbit_auth_backend_internal" => Ok(Module::Internal),
            "rabbit_auth_backend_internal_loopback" => Ok(Module::InternalLoopback),
            "rabbit_auth_backend_http" => {
                if self.http.is_none() {
                    let backend = HttpBackend::new(http(self.config)).context("bad value under `auth_http`")?;
                    self.http = Some(Module::External(Arc::new(backend)));
                }
                self.http.clone().context("no HTTP backend")
            }
            "rabbit_auth_backend_oauth2" => {
                if self.oauth2.is_none() {
                    let backend = OAuth2Backend::new(oauth2(self.config)?).context("bad value under `auth_oauth2`")?;
                    self.oauth2 = Some(Module::External(Arc::new(backend)));
                }
                self.oauth2.clone().context("no OAuth 2 backend")
            }
            "rabbit_auth_backend_ldap" => {
                if self.ldap.is_none() {
                    self.ldap = Some(ldap(self.config)?);
                }
                self.ldap.clone().context("no LDAP backend")
            }
            "rabbit_auth_backend_cache" => {
                if self.cache.is_none() {
                    self.cache = Some(self.cache()?);
                }
                self.cache.clone().context("no cache")
            }
            other => bail!("there is no backend {other}"),
        }
    }

    fn cache(&mut self) -> Result<Module> {
        let options = &self.config.auth.cache;
        let BackendLink { authn, authz } = &options.backend;
        let (Some(authn), Some(authz)) = (authn.as_ref().or(authz.as_ref()), authz.as_ref().or(authn.as_ref())) else {
            bail!("the backend `cache` needs `auth_cache.cached_backend`");
        };
        if [authn, authz].iter().any(|name| full_name(name) == "rabbit_auth_backend_cache") {
            bail!("bad value for `auth_cache.cached_backend`: the cache keeps answers of another backend");
        }
        let settings = CacheSettings { ttl: Duration::from_millis(options.ttl_ms), refusals: options.refusals };
        Ok(Module::Cache(Arc::new(Cache::new(self.module(authn)?, self.module(authz)?, settings))))
    }
}

fn full_name(name: &str) -> &str {
    match name {
        "internal" => "rabbit_auth_backend_internal",
        "internal_loopback" => "rabbit_auth_backend_internal_loopback",
        "http" => "rabbit_auth_backend_http",
        "oauth" | "oauth2" => "rabbit_auth_backend_oauth2",
        "ldap" => "rabbit_auth_backend_ldap",
        "cache" => "rabbit_auth_backend_cache",
        name => name,
    }
}

#[cfg(feature = "ldap")]
fn ldap(config: &Config) -> Result<Module> {
    super::ldap::backend(config)
}

#[cfg(not(feature = "ldap"))]
fn ldap(_: &Config) -> Result<Module> {
    bail!("the backend `ldap` is not in this binary; which was built without its default features")
}

fn http(config: &Config) -> HttpSettings {
    let options = &config.auth.http;
    HttpSettings {
        method: if options.posts { Method::Post } else { Method::Get },
        user_path: options.user_path.clone(),
        vhost_path: options.vhost_path.clone(),
        resource_path: options.resource_path.clone(),
        topic_path: options.topic_path.clone(),
        request_timeout: Duration::from_millis(options.request_timeout_ms),
        connection_timeout: Duration::from_millis(options.connection_timeout_ms),
        discloses_reasons: options.discloses_reasons,
        https: https(&options.https),
    }
}

pub(crate) fn https(options: &HttpsClientOptions) -> HttpsSettings {
    HttpsSettings {
        verify: !options.verify_none,
        cacertfile: options.cacertfile.clone(),
        identity: options.certfile.clone().zip(options.keyfile.clone()),
    }
}

fn oauth2(config: &Config) -> Result<OAuth2Settings> {
    let options = &config.auth.oauth2;
    let usual = resource_server(&options.root, &ResourceServer::default(), "");
    let root = options.root.id.as_ref().map(|id| ResourceServer { id: id.clone(), ..usual.clone() });
    let servers = options.resource_servers.iter().map(|(name, server)| {
        let server = resource_server(server, &usual, name);
        (server.id.clone(), server)
    });
    let provider_of = |(name, options): (&String, &OAuthProviderOptions)| {
        Ok((name.clone(), provider(options, &format!("auth_oauth2.oauth_providers.{name}"))?))
    };
    Ok(OAuth2Settings {
        root,
        resource_servers: servers.collect(),
        provider: provider(&options.provider, "auth_oauth2")?,
        providers: options.providers.iter().map(provider_of).collect::<Result<_>>()?,
    })
}

/// A resource server, with what it does not say itself as `usual` has it.
fn resource_server(options: &ResourceServerOptions, usual: &ResourceServer, name: &str) -> ResourceServer {
    let or = |given: &Option<String>, usual: &Option<String>| given.clone().or_else(|| usual.clone());
    let aliases = options.scope_aliases.iter();
    let aliases: BTreeMap<_, Vec<String>> = aliases
        .map(|(alias, scopes)| (alias.clone(), scopes.split_whitespace().map(str::to_owned).collect()))
        .collect();
    ResourceServer {
        id: options.id.clone().unwrap_or_else(|| name.to_owned()),
        resource_server_type: or(&options.resource_server_type, &usual.resource_server_type),
        verify_aud: options.verify_aud.unwrap_or(usual.verify_aud),
        require_exp: options.require_exp.unwrap_or(usual.require_exp),
        scope_prefix: or(&options.scope_prefix, &usual.scope_prefix),
        additional_scopes_key: or(&options.additional_scopes_key, &usual.additional_scopes_key),
        preferred_username_claims: if options.preferred_username_claims.is_empty() {
            usual.preferred_username_claims.clone()
        } else {
            options.preferred_username_claims.clone()
        },
        scope_aliases: if aliases.is_empty() { usual.scope_aliases.clone() } else { aliases },
        scope_pattern_syntax: match options.uses_regex {
            Some(true) => ScopeSyntax::Regex,
            Some(false) => ScopeSyntax::Wildcard,
            None => usual.scope_pattern_syntax,
        },
        oauth_provider_id: or(&options.oauth_provider_id, &usual.oauth_provider_id),
    }
}

fn provider(options: &OAuthProviderOptions, prefix: &str) -> Result<ProviderSettings> {
    for (key, url) in [("issuer", &options.issuer), ("jwks_uri", &options.jwks_uri)] {
        if let Some(url) = url.as_ref().filter(|url| !is_allowed_url(url)) {
            bail!("bad value `{url}` for `{prefix}.{key}`: keys come over https, or from this machine");
        }
    }
    let key = |(id, path): (&String, &std::path::PathBuf)| {
        let cannot = || format!("bad value `{}` for `{prefix}.signing_keys.{id}`", path.display());
        let pem = std::fs::read(path).with_context(cannot)?;
        Ok((id.clone(), SigningKey::from_pem(&pem).with_context(cannot)?))
    };
    let known = |name: &String| {
        algorithm(name).with_context(|| format!("bad value `{name}` for `{prefix}.algorithms`: it is not known"))
    };
    let usual = ProviderSettings::default();
    Ok(ProviderSettings {
        issuer: options.issuer.clone(),
        jwks_uri: options.jwks_uri.clone(),
        discovery_endpoint_path: options.discovery_endpoint_path.clone().unwrap_or(usual.discovery_endpoint_path),
        discovery_endpoint_params: options.discovery_endpoint_params.clone(),
        default_key: options.default_key.clone(),
        signing_keys: options.signing_keys.iter().map(key).collect::<Result<_>>()?,
        algorithms: options.algorithms.iter().map(known).collect::<Result<_>>()?,
        https: https(&options.https),
    })
}

/// What new users are like.
pub(crate) fn accounts(config: &Config) -> Result<Accounts> {
    Ok(Accounts {
        password_hashing: password_hashing(config),
        credential_rule: credential_rule(config)?,
        default_users: default_users(config),
    })
}

/// How new passwords are hashed.
pub(super) fn password_hashing(config: &Config) -> HashingAlgorithm {
    match &*config.auth.password_hashing {
        "argon2" => HashingAlgorithm::Argon2,
        name => HashingAlgorithm::from_name(name).unwrap_or_default(),
    }
}

/// What new passwords have to be like.
pub(crate) fn credential_rule(config: &Config) -> Result<CredentialRule> {
    let options = &config.auth.credentials;
    match &*options.backend {
        "min_length" | "rabbit_credential_validator_min_password_length" => {
            Ok(CredentialRule::MinLength(options.min_length))
        }
        "regexp" | "rabbit_credential_validator_password_regexp" => {
            let text = options.regexp.as_deref();
            let text = text.context("the credential validator `regexp` needs `credential_validator.regexp`")?;
            let pattern = Pattern::compile_search(text)
                .with_context(|| format!("bad value `{text}` for `credential_validator.regexp`"))?;
            Ok(CredentialRule::Regexp(pattern))
        }
        _ => Ok(CredentialRule::AcceptEverything),
    }
}

/// Users that new virtual hosts begin with.
fn default_users(config: &Config) -> Vec<VhostUser> {
    let user = |(name, user): (&String, &config::DefaultVhostUser)| VhostUser {
        name: name.clone(),
        vhost_pattern: user.vhost_pattern.clone(),
        password: user.password.as_ref().map(|password| password.expose().to_owned()),
        tags: user.tags.clone(),
        configure: user.configure.clone(),
        write: user.write.clone(),
        read: user.read.clone(),
    };
    config.auth.default_users.iter().map(user).collect()
}

/// What the page that logs in with OAuth 2 needs to know.
pub(crate) fn oauth_login(config: &Config) -> OAuthLogin {
    let (login, oauth2) = (&config.auth.oauth_login, &config.auth.oauth2);
    let all = &login.all;
    let declared = oauth2
        .resource_servers
        .iter()
        .map(|(name, server)| (server.id.clone().unwrap_or_else(|| name.clone()), server.oauth_provider_id.as_ref()));
    let root = oauth2.root.id.clone().map(|id| (id, None));
    let mut resource_servers = BTreeMap::new();
    for (id, provider) in declared.chain(root) {
        let own = login.servers.iter().find(|(name, server)| server.id.as_ref().unwrap_or(name) == &id);
        let own = own.map(|(_, server)| server.clone()).unwrap_or_default();
        if own.disabled {
            continue;
        }
        let provider = provider.or(oauth2.root.oauth_provider_id.as_ref());
        let provider = provider.and_then(|name| oauth2.providers.get(name)).unwrap_or(&oauth2.provider);
        let metadata_of = |issuer: &String| {
            let path = provider.discovery_endpoint_path.as_deref().unwrap_or(".well-known/openid-configuration");
            format!("{}/{}", issuer.trim_end_matches('/'), path.trim_start_matches('/'))
        };
        let or_all = |own: BTreeMap<String, String>, all: &BTreeMap<String, String>| {
            if own.is_empty() { all.clone() } else { own }
        };
        let server = OAuthResourceServer {
            label: own.label,
            metadata_url: own
                .metadata_url
                .or_else(|| all.metadata_url.clone())
                .or_else(|| provider.issuer.as_ref().map(metadata_of)),
            provider_url: own.provider_url.or_else(|| all.provider_url.clone()).or_else(|| provider.issuer.clone()),
            end_session_endpoint: provider.end_session_endpoint.clone(),
            client_id: own.client_id,
            response_type: own.response_type,
            scopes: own.scopes,
            initiated_logon_type: own.initiated_logon_type,
            authorization_endpoint_params: or_all(
                own.authorization_endpoint_params,
                &all.authorization_endpoint_params,
            ),
            token_endpoint_params: or_all(own.token_endpoint_params, &all.token_endpoint_params),
        };
        resource_servers.insert(id, server);
    }
    OAuthLogin {
        enabled: login.enabled,
        disable_basic_auth: login.disable_basic_auth,
        client_id: all.client_id.clone(),
        scopes: all.scopes.clone(),
        idp_initiated: all.initiated_logon_type.as_deref() == Some("idp_initiated"),
        authorization_endpoint_params: all.authorization_endpoint_params.clone(),
        token_endpoint_params: all.token_endpoint_params.clone(),
        resource_servers,
    }
}
