//! Users, virtual hosts and permissions.

use super::{ImportOutcome, ImportedUser, ImportedVhost, compared};
use crate::admin::access::check_pattern;
use crate::admin::vhosts::{check_queue_type, check_vhost_name};
use crate::admin::{AdminError, user_limits};
use crate::broker::Broker;
use amqp::FieldValue;
use metadata::{Change, PermissionDefinition, TopicPermissionDefinition, UserDefinition, VhostDefinition};

impl Broker {
    pub(super) fn import_users(&self, users: Vec<ImportedUser>) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut hashed_users = Vec::with_capacity(users.len());
        // Hashing takes a while; others need not wait for it.
        for user in users {
            let ImportedUser { name, password, tags, limits } = user;
            let password = password.map(|password| self.hashed(&name, password)).transpose();
            hashed_users.push((name, password, tags, limits));
        }
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |name: &String| current.users.iter().find(|user| user.name == *name).cloned();
        let decide =
            |(name, password, tags, limits): (String, Result<Option<_>, AdminError>, _, Option<FieldValue>),
             known: Option<&UserDefinition>| {
                if name.is_empty() {
                    return Err(AdminError::Invalid("user name must not be empty".to_owned()));
                }
                // RabbitMQ: one without a password has none from now on.
                let (password_hash, hashing_algorithm) =
                    password?.unwrap_or_else(|| (String::new(), self.accounts().password_hashing.as_str().to_owned()));
                let mut user = known.cloned().unwrap_or_default();
                if let Some(limits) = &limits {
                    user_limits::check(limits)?;
                    user.limits = user_limits::from_table(limits);
                }
                let user = UserDefinition { name, password_hash, hashing_algorithm, tags, ..user };
                let outcome = compared(known, |known| {
                    [
                        ("password", known.password_hash != user.password_hash),
                        ("hashing_algorithm", known.hashing_algorithm != user.hashing_algorithm),
                        ("tags", known.tags != user.tags),
                        ("limits", known.limits != user.limits),
                    ]
                });
                Ok((user, outcome))
            };
        let (outcomes, _) =
            self.put_each(hashed_users, |user| user.0.clone(), existing, decide, Change::PutUser, &mut writer)?;
        Ok(outcomes)
    }

    pub(super) fn import_vhosts(&self, vhosts: Vec<ImportedVhost>) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |name: &String| current.vhosts.iter().find(|vhost| vhost.name == *name).cloned();
        let room = self.limits.vhosts().map(|most| (most, most.saturating_sub(self.vhosts().len() as u64)));
        let added = std::cell::Cell::new(0);
        let decide = |vhost: ImportedVhost, known: Option<&VhostDefinition>| {
            check_vhost_name(&vhost.name)?;
            vhost.default_queue_type.as_deref().map_or(Ok(()), check_queue_type)?;
            if known.is_none() {
                if let Some((most, _)) = room.filter(|(_, room)| added.get() >= *room) {
                    let name = vhost.name;
                    return Err(AdminError::Refused(format!(
                        "cannot create vhost '{name}': vhost limit of {most} is reached"
                    )));
                }
                added.set(added.get() + 1);
            }
            let base = known.cloned().unwrap_or_default();
            let vhost = VhostDefinition {
                name: vhost.name,
                description: vhost.description.unwrap_or(base.description),
                tags: vhost.tags.unwrap_or(base.tags),
                default_queue_type: vhost.default_queue_type.or(base.default_queue_type),
                tracing: vhost.tracing.unwrap_or(base.tracing),
                protected_from_deletion: vhost.protected_from_deletion.unwrap_or(base.protected_from_deletion),
            };
            let outcome = compared(known, |known| {
                [
                    ("description", known.description != vhost.description),
                    ("tags", known.tags != vhost.tags),
                    ("default_queue_type", known.default_queue_type != vhost.default_queue_type),
                    ("tracing", known.tracing != vhost.tracing),
                    ("protected_from_deletion", known.protected_from_deletion != vhost.protected_from_deletion),
                ]
            });
            Ok((vhost, outcome))
        };
        let (outcomes, changed) =
            self.put_each(vhosts, |vhost| vhost.name.clone(), existing, decide, Change::PutVhost, &mut writer)?;
        for definition in changed {
            match self.vhost(&definition.name) {
                Some(vhost) => vhost.set_definition(&definition),
                None => {
                    self.add_vhost_with(&definition.name, |vhost| vhost.set_definition(&definition));
                    self.add_vhost_defaults(&mut writer, &definition.name)?;
                }
            }
        }
        self.note_tracing();
        Ok(outcomes)
    }

    pub(super) fn import_permissions(
        &self,
        permissions: Vec<PermissionDefinition>,
    ) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |(user, vhost): &(String, String)| {
            current.permissions.iter().find(|known| known.user == *user && known.vhost == *vhost).cloned()
        };
        let decide = |permission: PermissionDefinition, known: Option<&PermissionDefinition>| {
            for pattern in [&permission.configure, &permission.write, &permission.read] {
                check_pattern(pattern)?;
            }
            self.check_user_and_vhost(&permission.user, &permission.vhost)?;
            let outcome = compared(known, |known| {
                [
                    ("configure", known.configure != permission.configure),
                    ("write", known.write != permission.write),
                    ("read", known.read != permission.read),
                ]
            });
            Ok((permission, outcome))
        };
        let key = |permission: &PermissionDefinition| (permission.user.clone(), permission.vhost.clone());
        Ok(self.put_each(permissions, key, existing, decide, Change::PutPermission, &mut writer)?.0)
    }

    pub(super) fn import_topic_permissions(
        &self,
        permissions: Vec<TopicPermissionDefinition>,
    ) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let key = |permission: &TopicPermissionDefinition| {
            (permission.user.clone(), permission.vhost.clone(), permission.exchange.clone())
        };
        let existing = |wanted: &(String, String, String)| {
            current.topic_permissions.iter().find(|known| key(known) == *wanted).cloned()
        };
        let decide = |permission: TopicPermissionDefinition, known: Option<&TopicPermissionDefinition>| {
            check_pattern(&permission.write)?;
            check_pattern(&permission.read)?;
            self.check_user_and_vhost(&permission.user, &permission.vhost)?;
            let outcome = compared(known, |known| {
                [("write", known.write != permission.write), ("read", known.read != permission.read)]
            });
            Ok((permission, outcome))
        };
        Ok(self.put_each(permissions, key, existing, decide, Change::PutTopicPermission, &mut writer)?.0)
    }
}
