//! Keys of backends and passwords.

use super::effects::Observed;
use crate::tests::load_all;
use crate::{
    Config, DefaultVhostUser, LdapBind, LdapLog, LdapQuery, OAuthLoginServer, OAuthProviderOptions,
    ResourceServerOptions,
};

fn server(config: &Config) -> Option<&ResourceServerOptions> {
    config.auth.oauth2.resource_servers.get("one")
}

fn provider(config: &Config) -> Option<&OAuthProviderOptions> {
    config.auth.oauth2.providers.get("one")
}

fn login(config: &Config) -> Option<&OAuthLoginServer> {
    config.auth.oauth_login.servers.get("one")
}

fn user(config: &Config) -> Option<&DefaultVhostUser> {
    config.auth.default_users.get("u")
}

pub(super) const OBSERVED: &[Observed] = &[
    ("auth_backends.1=http", |c| c.auth.backends.first().is_some_and(|link| link.authz.as_deref() == Some("http"))),
    ("auth_backends.1.authn=oauth2", |c| {
        c.auth.backends.first().is_some_and(|link| link.authn.as_deref() == Some("oauth2"))
    }),
    ("http_dispatch.auth_backends.1.authn=http", |c| {
        c.auth.http_backends.first().is_some_and(|link| link.authn.as_deref() == Some("http"))
    }),
    ("auth_backends.1.authz=oauth2", |c| {
        c.auth.backends.first().is_some_and(|link| link.authz.as_deref() == Some("oauth2"))
    }),
    ("http_dispatch.auth_backends.1.authz=http", |c| {
        c.auth.http_backends.first().is_some_and(|link| link.authz.as_deref() == Some("http"))
    }),
    ("http_dispatch.auth_backends.1=http", |c| {
        c.auth.http_backends.first().is_some_and(|link| link.authz.as_deref() == Some("http"))
    }),
    ("auth_cache.cached_backend=http", |c| c.auth.cache.backend.authz.as_deref() == Some("http")),
    ("auth_cache.cached_backend.authn=http", |c| c.auth.cache.backend.authn.as_deref() == Some("http")),
    ("auth_cache.cached_backend.authz=http", |c| c.auth.cache.backend.authz.as_deref() == Some("http")),
    ("auth_cache.cache_ttl=30", |c| c.auth.cache.ttl_ms == 30),
    ("auth_cache.cache_refusals=true", |c| c.auth.cache.refusals),
    ("auth_http.http_method=post", |c| c.auth.http.posts),
    ("auth_http.user_path=http://a/user", |c| c.auth.http.user_path == "http://a/user"),
    ("auth_http.vhost_path=http://a/vhost", |c| c.auth.http.vhost_path == "http://a/vhost"),
    ("auth_http.resource_path=http://a/resource", |c| c.auth.http.resource_path == "http://a/resource"),
    ("auth_http.topic_path=http://a/topic", |c| c.auth.http.topic_path == "http://a/topic"),
    ("auth_http.request_timeout=70", |c| c.auth.http.request_timeout_ms == 70),
    ("auth_http.connection_timeout=71", |c| c.auth.http.connection_timeout_ms == 71),
    ("auth_http.authorization_failure_disclosure=true", |c| c.auth.http.discloses_reasons),
    ("auth_http.ssl_options.verify=verify_none", |c| c.auth.http.https.verify_none),
    ("auth_http.ssl_options.cacertfile=/ca.pem", |c| c.auth.http.https.cacertfile.is_some()),
    ("auth_http.ssl_options.certfile=/c.pem", |c| c.auth.http.https.certfile.is_some()),
    ("auth_http.ssl_options.keyfile=/k.pem", |c| c.auth.http.https.keyfile.is_some()),
    ("auth_ldap.servers.1=ldap.example", |c| c.auth.ldap.servers == ["ldap.example"]),
    ("auth_ldap.port=3890", |c| c.auth.ldap.port == 3890),
    ("auth_ldap.connection_pool_size=3", |c| c.auth.ldap.pool_size == 3),
    ("auth_ldap.timeout=infinity", |c| c.auth.ldap.timeout_ms.is_none()),
    ("auth_ldap.idle_timeout=7", |c| c.auth.ldap.idle_timeout_ms == Some(7)),
    ("auth_ldap.log=network", |c| c.auth.ldap.log == LdapLog::Decisions),
    ("auth_ldap.user_bind_pattern=${username}@a", |c| {
        c.auth.ldap.user_bind_pattern.as_deref() == Some("${username}@a")
    }),
    ("auth_ldap.user_dn_pattern=cn=${username}", |c| c.auth.ldap.user_dn_pattern == "cn=${username}"),
    ("auth_ldap.dn_lookup_attribute=uid", |c| c.auth.ldap.dn_lookup_attribute.as_deref() == Some("uid")),
    ("auth_ldap.dn_lookup_base=dc=a", |c| c.auth.ldap.dn_lookup_base.as_deref() == Some("dc=a")),
    ("auth_ldap.dn_lookup_bind=anon", |c| c.auth.ldap.dn_lookup_bind == LdapBind::Anonymous),
    ("auth_ldap.other_bind=anon", |c| c.auth.ldap.other_bind == LdapBind::Anonymous),
    ("auth_ldap.group_lookup_base=dc=g", |c| c.auth.ldap.group_lookup_base.as_deref() == Some("dc=g")),
    ("auth_ldap.use_ssl=true", |c| c.auth.ldap.use_ssl),
    ("auth_ldap.use_starttls=true", |c| c.auth.ldap.use_starttls),
    ("auth_ldap.ssl_options.verify=verify_none", |c| c.auth.ldap.tls.verify_none),
    ("auth_ldap.ssl_options.cacertfile=/ca.pem", |c| c.auth.ldap.tls.cacertfile.is_some()),
    ("auth_ldap.ssl_options.certfile=/c.pem", |c| c.auth.ldap.tls.certfile.is_some()),
    ("auth_ldap.ssl_options.keyfile=/k.pem", |c| c.auth.ldap.tls.keyfile.is_some()),
    ("auth_ldap.queries.vhost_access={constant, false}", |c| c.auth.ldap.vhost_access == LdapQuery::Constant(false)),
    ("auth_ldap.queries.resource_access={constant, false}", |c| {
        c.auth.ldap.resource_access == LdapQuery::Constant(false)
    }),
    ("auth_ldap.queries.topic_access={constant, false}", |c| c.auth.ldap.topic_access == LdapQuery::Constant(false)),
    ("auth_ldap.queries.tags=[{management, {constant, true}}]", |c| {
        c.auth.ldap.tags == [("management".to_owned(), LdapQuery::Constant(true))]
    }),
    ("auth_oauth2.resource_server_id=rabbit", |c| c.auth.oauth2.root.id.as_deref() == Some("rabbit")),
    ("auth_oauth2.resource_server_type=x", |c| c.auth.oauth2.root.resource_server_type.as_deref() == Some("x")),
    ("auth_oauth2.scope_prefix=x", |c| c.auth.oauth2.root.scope_prefix.as_deref() == Some("x")),
    ("auth_oauth2.additional_scopes_key=x", |c| c.auth.oauth2.root.additional_scopes_key.as_deref() == Some("x")),
    ("auth_oauth2.default_oauth_provider=p", |c| c.auth.oauth2.root.oauth_provider_id.as_deref() == Some("p")),
    ("auth_oauth2.scope_aliases.admin=a b", |c| {
        c.auth.oauth2.root.scope_aliases.get("admin").is_some_and(|scopes| scopes == "a b")
    }),
    ("auth_oauth2.scope_pattern_syntax=regex", |c| c.auth.oauth2.root.uses_regex == Some(true)),
    ("auth_oauth2.verify_aud=false", |c| c.auth.oauth2.root.verify_aud == Some(false)),
    ("auth_oauth2.require_exp=false", |c| c.auth.oauth2.root.require_exp == Some(false)),
    ("auth_oauth2.preferred_username_claims.1=email", |c| c.auth.oauth2.root.preferred_username_claims == ["email"]),
    ("auth_oauth2.resource_servers.one.id=rabbit", |c| {
        server(c).is_some_and(|server| server.id.as_deref() == Some("rabbit"))
    }),
    ("auth_oauth2.resource_servers.one.resource_server_type=x", |c| {
        server(c).is_some_and(|server| server.resource_server_type.as_deref() == Some("x"))
    }),
    ("auth_oauth2.resource_servers.one.scope_prefix=x", |c| {
        server(c).is_some_and(|server| server.scope_prefix.as_deref() == Some("x"))
    }),
    ("auth_oauth2.resource_servers.one.additional_scopes_key=x", |c| {
        server(c).is_some_and(|server| server.additional_scopes_key.as_deref() == Some("x"))
    }),
    ("auth_oauth2.resource_servers.one.oauth_provider_id=p", |c| {
        server(c).is_some_and(|server| server.oauth_provider_id.as_deref() == Some("p"))
    }),
    ("auth_oauth2.resource_servers.one.scope_aliases.admin=a b", |c| {
        server(c).is_some_and(|server| server.scope_aliases.get("admin").is_some_and(|scopes| scopes == "a b"))
    }),
    ("auth_oauth2.resource_servers.one.scope_pattern_syntax=regex", |c| {
        server(c).is_some_and(|server| server.uses_regex == Some(true))
    }),
    ("auth_oauth2.resource_servers.one.verify_aud=false", |c| {
        server(c).is_some_and(|server| server.verify_aud == Some(false))
    }),
    ("auth_oauth2.resource_servers.one.require_exp=false", |c| {
        server(c).is_some_and(|server| server.require_exp == Some(false))
    }),
    ("auth_oauth2.resource_servers.one.preferred_username_claims.1=email", |c| {
        server(c).is_some_and(|server| server.preferred_username_claims == ["email"])
    }),
    ("auth_oauth2.issuer=https://x", |c| c.auth.oauth2.provider.issuer.as_deref() == Some("https://x")),
    ("auth_oauth2.jwks_uri=https://x", |c| c.auth.oauth2.provider.jwks_uri.as_deref() == Some("https://x")),
    ("auth_oauth2.end_session_endpoint=https://x", |c| {
        c.auth.oauth2.provider.end_session_endpoint.as_deref() == Some("https://x")
    }),
    ("auth_oauth2.discovery_endpoint_path=https://x", |c| {
        c.auth.oauth2.provider.discovery_endpoint_path.as_deref() == Some("https://x")
    }),
    ("auth_oauth2.default_key=https://x", |c| c.auth.oauth2.provider.default_key.as_deref() == Some("https://x")),
    ("auth_oauth2.discovery_endpoint_params.p=v", |c| {
        c.auth.oauth2.provider.discovery_endpoint_params.contains_key("p")
    }),
    ("auth_oauth2.signing_keys.k=/k.pem", |c| c.auth.oauth2.provider.signing_keys.contains_key("k")),
    ("auth_oauth2.algorithms.1=RS256", |c| c.auth.oauth2.provider.algorithms == ["RS256"]),
    ("auth_oauth2.https.verify=verify_none", |c| c.auth.oauth2.provider.https.verify_none),
    ("auth_oauth2.https.cacertfile=/ca.pem", |c| c.auth.oauth2.provider.https.cacertfile.is_some()),
    ("auth_oauth2.oauth_providers.one.issuer=https://x", |c| {
        provider(c).is_some_and(|provider| provider.issuer.as_deref() == Some("https://x"))
    }),
    ("auth_oauth2.oauth_providers.one.jwks_uri=https://x", |c| {
        provider(c).is_some_and(|provider| provider.jwks_uri.as_deref() == Some("https://x"))
    }),
    ("auth_oauth2.oauth_providers.one.end_session_endpoint=https://x", |c| {
        provider(c).is_some_and(|provider| provider.end_session_endpoint.as_deref() == Some("https://x"))
    }),
    ("auth_oauth2.oauth_providers.one.discovery_endpoint_path=https://x", |c| {
        provider(c).is_some_and(|provider| provider.discovery_endpoint_path.as_deref() == Some("https://x"))
    }),
    ("auth_oauth2.oauth_providers.one.default_key=https://x", |c| {
        provider(c).is_some_and(|provider| provider.default_key.as_deref() == Some("https://x"))
    }),
    ("auth_oauth2.oauth_providers.one.discovery_endpoint_params.p=v", |c| {
        provider(c).is_some_and(|provider| provider.discovery_endpoint_params.contains_key("p"))
    }),
    ("auth_oauth2.oauth_providers.one.signing_keys.k=/k.pem", |c| {
        provider(c).is_some_and(|provider| provider.signing_keys.contains_key("k"))
    }),
    ("auth_oauth2.oauth_providers.one.algorithms.1=RS256", |c| {
        provider(c).is_some_and(|provider| provider.algorithms == ["RS256"])
    }),
    ("auth_oauth2.oauth_providers.one.https.verify=verify_none", |c| {
        provider(c).is_some_and(|provider| provider.https.verify_none)
    }),
    ("auth_oauth2.oauth_providers.one.https.cacertfile=/ca.pem", |c| {
        provider(c).is_some_and(|provider| provider.https.cacertfile.is_some())
    }),
    ("auth_oauth2.jwks_url=https://x", |c| c.auth.oauth2.provider.jwks_uri.as_deref() == Some("https://x")),
    ("auth_oauth2.https.peer_verification=verify_none", |c| c.auth.oauth2.provider.https.verify_none),
    ("password_hashing_module=argon2", |c| c.auth.password_hashing == "argon2"),
    ("credential_validator.validation_backend=min_length", |c| c.auth.credentials.backend == "min_length"),
    ("credential_validator.min_length=12", |c| c.auth.credentials.min_length == 12),
    ("credential_validator.regexp=^x", |c| c.auth.credentials.regexp.as_deref() == Some("^x")),
    ("default_users.u.vhost_pattern=^x", |c| user(c).is_some_and(|user| user.vhost_pattern == "^x")),
    ("default_users.u.configure=^x", |c| user(c).is_some_and(|user| user.configure == "^x")),
    ("default_users.u.write=^x", |c| user(c).is_some_and(|user| user.write == "^x")),
    ("default_users.u.read=^x", |c| user(c).is_some_and(|user| user.read == "^x")),
    ("default_users.u.password=s", |c| user(c).is_some_and(|user| user.password.is_some())),
    ("default_users.u.tags=a", |c| user(c).is_some_and(|user| user.tags == ["a"])),
    ("management.oauth_enabled=true", |c| c.auth.oauth_login.enabled),
    ("management.oauth_disable_basic_auth=false", |c| !c.auth.oauth_login.disable_basic_auth),
    ("management.oauth_provider_url=x", |c| c.auth.oauth_login.all.provider_url.as_deref() == Some("x")),
    ("management.oauth_client_id=x", |c| c.auth.oauth_login.all.client_id.as_deref() == Some("x")),
    ("management.oauth_metadata_url=x", |c| c.auth.oauth_login.all.metadata_url.as_deref() == Some("x")),
    ("management.oauth_scopes=x", |c| c.auth.oauth_login.all.scopes.as_deref() == Some("x")),
    ("management.oauth_initiated_logon_type=idp_initiated", |c| {
        c.auth.oauth_login.all.initiated_logon_type.as_deref() == Some("idp_initiated")
    }),
    ("management.oauth_authorization_endpoint_params.p=v", |c| {
        c.auth.oauth_login.all.authorization_endpoint_params.contains_key("p")
    }),
    ("management.oauth_token_endpoint_params.p=v", |c| c.auth.oauth_login.all.token_endpoint_params.contains_key("p")),
    ("management.oauth_resource_servers.one.id=x", |c| {
        login(c).is_some_and(|server| server.id.as_deref() == Some("x"))
    }),
    ("management.oauth_resource_servers.one.label=x", |c| {
        login(c).is_some_and(|server| server.label.as_deref() == Some("x"))
    }),
    ("management.oauth_resource_servers.one.oauth_provider_url=x", |c| {
        login(c).is_some_and(|server| server.provider_url.as_deref() == Some("x"))
    }),
    ("management.oauth_resource_servers.one.oauth_client_id=x", |c| {
        login(c).is_some_and(|server| server.client_id.as_deref() == Some("x"))
    }),
    ("management.oauth_resource_servers.one.oauth_response_type=x", |c| {
        login(c).is_some_and(|server| server.response_type.as_deref() == Some("x"))
    }),
    ("management.oauth_resource_servers.one.oauth_scopes=x", |c| {
        login(c).is_some_and(|server| server.scopes.as_deref() == Some("x"))
    }),
    ("management.oauth_resource_servers.one.oauth_metadata_url=x", |c| {
        login(c).is_some_and(|server| server.metadata_url.as_deref() == Some("x"))
    }),
    ("management.oauth_resource_servers.one.disabled=true", |c| login(c).is_some_and(|server| server.disabled)),
    ("management.oauth_resource_servers.one.oauth_initiated_logon_type=idp_initiated", |c| {
        login(c).is_some_and(|server| server.initiated_logon_type.is_some())
    }),
    ("management.oauth_resource_servers.one.oauth_authorization_endpoint_params.p=v", |c| {
        login(c).is_some_and(|server| server.authorization_endpoint_params.contains_key("p"))
    }),
    ("management.oauth_resource_servers.one.oauth_token_endpoint_params.p=v", |c| {
        login(c).is_some_and(|server| server.token_endpoint_params.contains_key("p"))
    }),
    // These have an effect together with others, in the tests below.
    ("auth_ldap.servers=none", |c| c.settings.len() == 1),
    ("auth_ldap.dn_lookup_bind.user_dn=cn=a", |c| c.settings.len() == 1),
    ("auth_ldap.dn_lookup_bind.password=b", |c| c.settings.len() == 1),
    ("auth_ldap.other_bind.user_dn=cn=a", |c| c.settings.len() == 1),
    ("auth_ldap.other_bind.password=b", |c| c.settings.len() == 1),
    ("auth_oauth2.scope_aliases.1.alias=a", |c| c.settings.len() == 1),
    ("auth_oauth2.scope_aliases.1.scope=s", |c| c.settings.len() == 1),
    ("auth_oauth2.resource_servers.one.scope_aliases.1.alias=a", |c| c.settings.len() == 1),
    ("auth_oauth2.resource_servers.one.scope_aliases.1.scope=s", |c| c.settings.len() == 1),
];

#[test]
fn an_alias_may_stand_beside_its_scopes() {
    let text = "auth_oauth2.scope_aliases.1.alias = admin\nauth_oauth2.scope_aliases.1.scope = a b\n\
                auth_oauth2.scope_aliases.2.alias = alone\n\
                auth_oauth2.resource_servers.one.scope_aliases.1.alias = x\n\
                auth_oauth2.resource_servers.one.scope_aliases.1.scope = y";
    let config = load_all(&[text], &[]).unwrap();
    let aliases: Vec<_> = config.auth.oauth2.root.scope_aliases.iter().collect();
    assert_eq!(aliases, [(&"admin".to_owned(), &"a b".to_owned())]);
    assert_eq!(server(&config).unwrap().scope_aliases.get("x").map(String::as_str), Some("y"));
}

#[test]
fn backends_are_in_the_order_of_their_numbers() {
    let text = "auth_backends.10 = http\nauth_backends.2.authn = oauth2\nauth_backends.2.authz = internal\n\
                auth_backends.1 = internal";
    let config = load_all(&[text], &[]).unwrap();
    let of = |link: &crate::BackendLink| (link.authn.clone().unwrap(), link.authz.clone().unwrap());
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let links: Vec<_> = config.auth.backends.iter().map(of).collect();
    assert_eq!(links, [pair("internal", "internal"), pair("oauth2", "internal"), pair("http", "http")]);
}

#[test]
fn a_name_and_its_password_are_who_binds() {
    for key in ["dn_lookup_bind", "other_bind"] {
        let bind = |more: &str| {
            let text = format!("auth_ldap.{key}.user_dn = cn=a\n{more}");
            let ldap = load_all(&[&text], &[]).unwrap().auth.ldap;
            if key == "other_bind" { ldap.other_bind } else { ldap.dn_lookup_bind }
        };
        let LdapBind::Fixed { user_dn, password } = bind(&format!("auth_ldap.{key}.password = secret")) else {
            panic!("{key} takes a name and its password");
        };
        assert_eq!((&*user_dn, password.expose(), &*format!("{password:?}")), ("cn=a", "secret", "********"));
        assert_eq!(bind(""), LdapBind::AsUser, "a name alone is nobody, as in RabbitMQ");
        assert_eq!(bind(&format!("auth_ldap.{key} = anon")), LdapBind::Anonymous);
    }
}

#[test]
fn servers_are_in_the_order_of_their_numbers_and_none_clears_them() {
    let text = "auth_ldap.servers.10 = c\nauth_ldap.servers.2 = b\nauth_ldap.servers.1 = a";
    assert_eq!(load_all(&[text], &[]).unwrap().auth.ldap.servers, ["a", "b", "c"]);
    assert!(load_all(&[text], &["auth_ldap.servers=none"]).unwrap().auth.ldap.servers.is_empty());
}

#[test]
fn what_is_no_query_is_refused() {
    let text = "auth_ldap.queries.vhost_access = {in_group, 7}";
    let error = load_all(&[text], &[]).unwrap_err().to_string();
    assert!(error.contains("expected a query such as"), "{error}");
}
