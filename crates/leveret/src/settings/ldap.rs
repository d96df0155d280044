//! `auth_ldap.*` as the backend takes it.

use anyhow::{Context, Result, bail};
use auth::Module;
use backends::{BindAs, LdapBackend, LdapSettings, LdapTls, Query};
use config::{Config, LdapBind, LdapLog, LdapOptions, LdapQuery};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn backend(config: &Config) -> Result<Module> {
    let settings = settings(&config.auth.ldap).context("bad value under `auth_ldap`")?;
    Ok(Module::External(Arc::new(LdapBackend::new(settings))))
}

fn settings(options: &LdapOptions) -> Result<LdapSettings> {
    if options.servers.is_empty() {
        bail!("the backend `ldap` needs `auth_ldap.servers.1`");
    }
    let lookup = options.dn_lookup_attribute.clone();
    let base = || options.dn_lookup_base.clone().context("`auth_ldap.dn_lookup_attribute` needs `dn_lookup_base`");
    let groups = options.group_lookup_base.clone().or_else(|| options.dn_lookup_base.clone());
    Ok(LdapSettings {
        servers: options.servers.clone(),
        port: options.port,
        timeout: options.timeout_ms.map(Duration::from_millis),
        idle_timeout: options.idle_timeout_ms.map(Duration::from_millis),
        pool_size: options.pool_size,
        logs_decisions: options.log == LdapLog::Decisions,
        user_bind_pattern: options.user_bind_pattern.clone(),
        user_dn_pattern: options.user_dn_pattern.clone(),
        dn_lookup: lookup.map(|attribute| Ok::<_, anyhow::Error>((attribute, base()?))).transpose()?,
        dn_lookup_bind: bind(&options.dn_lookup_bind),
        other_bind: bind(&options.other_bind),
        group_lookup_base: groups.unwrap_or_default(),
        tls: tls(options)?,
        vhost_access: query(&options.vhost_access),
        resource_access: query(&options.resource_access),
        topic_access: query(&options.topic_access),
        tags: options.tags.iter().map(|(tag, of)| (tag.clone(), query(of))).collect(),
    })
}

fn bind(bind: &LdapBind) -> BindAs {
    match bind {
        LdapBind::AsUser => BindAs::User,
        LdapBind::Anonymous => BindAs::Nobody,
        LdapBind::Fixed { user_dn, password } => {
            BindAs::Fixed { dn: user_dn.clone(), password: password.expose().to_owned() }
        }
    }
}

fn tls(options: &LdapOptions) -> Result<LdapTls> {
    if !options.use_ssl && !options.use_starttls {
        return Ok(LdapTls::Off);
    }
    let client = tls::client_config(&tls::ClientOptions {
        prefix: "auth_ldap.ssl_options".to_owned(),
        cacertfile: options.tls.cacertfile.clone(),
        certfile: options.tls.certfile.clone(),
        keyfile: options.tls.keyfile.clone(),
        verify_peer: !options.tls.verify_none,
        ..tls::ClientOptions::default()
    })?;
    Ok(if options.use_ssl { LdapTls::FromStart(client) } else { LdapTls::StartTls(client) })
}

fn query(of: &LdapQuery) -> Query {
    let boxed = |of: &LdapQuery| Box::new(query(of));
    let list = |of: &[LdapQuery]| of.iter().map(query).collect();
    match of {
        LdapQuery::Constant(constant) => Query::Constant(*constant),
        LdapQuery::For(cases) => {
            Query::For(cases.iter().map(|(name, value, then)| (name.clone(), value.clone(), query(then))).collect())
        }
        LdapQuery::Exists(dn) => Query::Exists(dn.clone()),
        LdapQuery::InGroup { dn, attribute } => Query::InGroup { dn: dn.clone(), attribute: attribute.clone() },
        LdapQuery::InGroupNested { dn, attribute, is_subtree } => {
            Query::InGroupNested { dn: dn.clone(), attribute: attribute.clone(), is_subtree: *is_subtree }
        }
        LdapQuery::Not(of) => Query::Not(boxed(of)),
        LdapQuery::And(of) => Query::And(list(of)),
        LdapQuery::Or(of) => Query::Or(list(of)),
        LdapQuery::Equals(one, other) => Query::Equals(boxed(one), boxed(other)),
        LdapQuery::Match(text, expression) => Query::Match(boxed(text), boxed(expression)),
        LdapQuery::Text(text) => Query::Text(text.clone()),
        LdapQuery::Attribute { dn, name } => Query::Attribute { dn: dn.clone(), name: name.clone() },
    }
}
