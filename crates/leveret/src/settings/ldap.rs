//! `auth_ldap.*` as the backend takes it.

use anyhow::{Context, Result, bail};
use auth::Module;
use backends::{LdapBackend, LdapSettings, LdapTls};
use config::{Config, LdapLog, LdapOptions};
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
        dn_lookup_bind: options.dn_lookup_bind.clone(),
        other_bind: options.other_bind.clone(),
        group_lookup_base: groups.unwrap_or_default(),
        tls: tls(options)?,
        vhost_access: options.vhost_access.clone(),
        resource_access: options.resource_access.clone(),
        topic_access: options.topic_access.clone(),
        tags: options.tags.clone(),
    })
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
