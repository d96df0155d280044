//! Who is there at first, and who may log in how.

use super::{Checked, word};
use crate::options::{AnonymousLogin, AuthMechanism, DefaultUser, Permissions, Secret};
use std::collections::BTreeSet;

impl Checked {
    pub(super) fn default_user(&self) -> DefaultUser {
        DefaultUser {
            name: self.text("default_user"),
            password: Secret::new(self.text("default_pass")),
            tags: self.named_true("default_user_tags.$tag", "administrator"),
            permissions: Permissions {
                configure: self.text("default_permissions.configure"),
                write: self.text("default_permissions.write"),
                read: self.text("default_permissions.read"),
            },
        }
    }

    pub(super) fn loopback_users(&self) -> BTreeSet<String> {
        if self.settings.contains_key("loopback_users") && self.members("loopback_users.$user").next().is_none() {
            return BTreeSet::new();
        }
        self.named_true("loopback_users.$user", "guest")
    }

    pub(super) fn anonymous_login(&self) -> Option<AnonymousLogin> {
        let user = self.optional_text("anonymous_login_user")?;
        let password = Secret::new(self.optional_text("anonymous_login_pass")?);
        Some(AnonymousLogin { user, password })
    }

    /// In the order of `N`, numbers before names, as RabbitMQ offers them.
    pub(super) fn auth_mechanisms(&self) -> Vec<AuthMechanism> {
        let mut given: Vec<_> = self
            .members("auth_mechanisms.$name")
            .filter_map(|(name, value)| {
                Some(((name.parse().unwrap_or(u64::MAX), name), word(value, AuthMechanism::from_word)?))
            })
            .collect();
        given.sort_unstable();
        if given.is_empty() {
            return vec![AuthMechanism::Plain, AuthMechanism::Amqplain, AuthMechanism::Anonymous];
        }
        given.into_iter().map(|(_, mechanism)| mechanism).collect()
    }
}
