//! `auth_ldap.*`.

use super::Checked;
use crate::ldap_query::LdapQuery;
use crate::options::{LdapBind, LdapLog, LdapOptions, Secret};

impl Checked {
    pub(super) fn ldap(&self) -> LdapOptions {
        let given = self.given("auth_ldap");
        LdapOptions {
            servers: if self.settings.contains_key("auth_ldap.servers") {
                Vec::new()
            } else {
                given.ordered("servers")
            },
            port: self.integer("auth_ldap.port"),
            timeout_ms: self.limit("auth_ldap.timeout"),
            idle_timeout_ms: self.limit("auth_ldap.idle_timeout"),
            pool_size: self.integer("auth_ldap.connection_pool_size"),
            log: if self.word_of("auth_ldap.log") == "false" { LdapLog::Nothing } else { LdapLog::Decisions },
            user_bind_pattern: self.optional_text("auth_ldap.user_bind_pattern"),
            user_dn_pattern: self.text("auth_ldap.user_dn_pattern"),
            dn_lookup_attribute: self.optional_text("auth_ldap.dn_lookup_attribute"),
            dn_lookup_base: self.optional_text("auth_ldap.dn_lookup_base"),
            dn_lookup_bind: self.ldap_bind("auth_ldap.dn_lookup_bind"),
            other_bind: self.ldap_bind("auth_ldap.other_bind"),
            group_lookup_base: self.optional_text("auth_ldap.group_lookup_base"),
            use_ssl: self.boolean("auth_ldap.use_ssl"),
            use_starttls: self.boolean("auth_ldap.use_starttls"),
            tls: self.given("auth_ldap.ssl_options").https(),
            vhost_access: self.ldap_query("auth_ldap.queries.vhost_access"),
            resource_access: self.ldap_query("auth_ldap.queries.resource_access"),
            topic_access: self.ldap_query("auth_ldap.queries.topic_access"),
            tags: LdapQuery::parse_tags(&self.text("auth_ldap.queries.tags")).unwrap_or_default(),
        }
    }

    /// A name without a password, or the other way round, is as nothing at all, as in RabbitMQ.
    fn ldap_bind(&self, key: &str) -> LdapBind {
        let fixed = |what: &str| self.optional_text(&format!("{key}.{what}"));
        match (self.word_of(key).as_str(), fixed("user_dn"), fixed("password")) {
            ("anon", ..) => LdapBind::Anonymous,
            ("", Some(user_dn), Some(password)) => LdapBind::Fixed { user_dn, password: Secret::new(password) },
            _ => LdapBind::AsUser,
        }
    }

    /// Its text has passed the table, so that it is one.
    fn ldap_query(&self, key: &str) -> LdapQuery {
        LdapQuery::parse(&self.text(key)).unwrap_or(LdapQuery::Constant(false))
    }
}
