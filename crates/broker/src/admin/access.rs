//! Users and their permissions.

use super::user_limits::{self, set_limits};
use super::{AdminError, AdminReply, Missing, NewPassword, Secret, WhenUserExists};
use crate::broker::Broker;
use crate::message::{ShardMessage, Which};
use amqp::FieldValue;
use auth::{Credentials, HashingAlgorithm, Pattern, hash_password};
use metadata::{Change, PermissionDefinition, TopicPermissionDefinition, UserDefinition};
use std::net::{IpAddr, Ipv4Addr};
use tracing::{error, info};

impl Broker {
    pub(super) fn put_user(
        &self,
        name: String,
        password: Option<NewPassword>,
        tags: Option<Vec<String>>,
        limits: Option<FieldValue>,
        when: WhenUserExists,
    ) -> Result<AdminReply, AdminError> {
        // Hashing takes a while; others need not wait for it.
        let password = password.map(|password| self.hashed(&name, password)).transpose()?;
        limits.as_ref().map_or(Ok(()), user_limits::check)?;
        let mut writer = self.writer();
        let existing = self.user_definition(&name);
        match (&existing, when) {
            (Some(_), WhenUserExists::Refuse) => return Err(AdminError::UserExists(name)),
            (None, WhenUserExists::Require) => return Err(Missing::User.called(&name)),
            (None, _) if name.is_empty() => return Err(AdminError::Invalid("user name must not be empty".to_owned())),
            _ => {}
        }
        let reply = if existing.is_some() { AdminReply::Done } else { AdminReply::Created };
        let mut user = existing.unwrap_or_else(|| UserDefinition {
            hashing_algorithm: self.accounts().password_hashing.as_str().to_owned(),
            ..UserDefinition::default()
        });
        if let Some((hash, algorithm)) = password {
            (user.password_hash, user.hashing_algorithm) = (hash, algorithm);
        }
        if let Some(tags) = tags {
            user.tags = tags;
        }
        if let Some(limits) = &limits {
            set_limits(&mut user.limits, limits);
        }
        user.name.clone_from(&name);
        writer.commit(Change::PutUser(user))?;
        info!(target: "user", "user '{name}' {}", if matches!(reply, AdminReply::Created) { "created" } else { "changed" });
        Ok(reply)
    }

    pub(super) fn delete_user(&self, name: String) -> Result<AdminReply, AdminError> {
        let mut writer = self.writer();
        self.user_definition(&name).ok_or_else(|| Missing::User.called(&name))?;
        writer.commit(Change::DeleteUser { name: name.clone() })?;
        info!(target: "user", "user '{name}' deleted");
        let reason = format!("user '{name}' is deleted");
        let which = Which::User(name);
        self.post_to_all(|| ShardMessage::Close { which: which.clone(), reason: reason.clone(), closed: None });
        Ok(AdminReply::Done)
    }

    pub(super) fn authenticate(
        &self,
        name: &str,
        password: &Secret,
        peer: Option<IpAddr>,
    ) -> Result<AdminReply, AdminError> {
        let credentials =
            Credentials::Password { user: name.as_bytes().to_vec(), password: password.0.as_bytes().to_vec() };
        match self.access.login(&credentials, peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))) {
            Ok(_) => Ok(AdminReply::Done),
            Err(error) => Err(AdminError::NotAuthenticated(error.to_string())),
        }
    }

    pub(super) fn set_permissions(&self, permission: PermissionDefinition) -> Result<AdminReply, AdminError> {
        for pattern in [&permission.configure, &permission.write, &permission.read] {
            check_pattern(pattern)?;
        }
        let mut writer = self.writer();
        self.check_user_and_vhost(&permission.user, &permission.vhost)?;
        let of = |other: &PermissionDefinition| other.user == permission.user && other.vhost == permission.vhost;
        let existed = self.registry.current().permissions.iter().any(of);
        info!(target: "user", "permissions of '{}' in vhost '{}' set", permission.user, permission.vhost);
        writer.commit(Change::PutPermission(permission))?;
        Ok(if existed { AdminReply::Done } else { AdminReply::Created })
    }

    /// Clearing permissions that are not there is fine, as in RabbitMQ.
    pub(super) fn clear_permissions(&self, user: String, vhost: String) -> Result<AdminReply, AdminError> {
        let mut writer = self.writer();
        self.check_user_and_vhost(&user, &vhost)?;
        info!(target: "user", "permissions of '{user}' in vhost '{vhost}' cleared");
        writer.commit(Change::DeletePermission { user, vhost })?;
        Ok(AdminReply::Done)
    }

    pub(super) fn set_topic_permissions(
        &self,
        permission: TopicPermissionDefinition,
    ) -> Result<AdminReply, AdminError> {
        check_pattern(&permission.write)?;
        check_pattern(&permission.read)?;
        let mut writer = self.writer();
        self.check_user_and_vhost(&permission.user, &permission.vhost)?;
        let of = |other: &TopicPermissionDefinition| {
            (&other.user, &other.vhost, &other.exchange) == (&permission.user, &permission.vhost, &permission.exchange)
        };
        let existed = self.registry.current().topic_permissions.iter().any(of);
        info!(target: "user", "topic permissions of '{}' in vhost '{}' set", permission.user, permission.vhost);
        writer.commit(Change::PutTopicPermission(permission))?;
        Ok(if existed { AdminReply::Done } else { AdminReply::Created })
    }

    pub(super) fn clear_topic_permissions(
        &self,
        user: String,
        vhost: String,
        exchange: Option<String>,
    ) -> Result<AdminReply, AdminError> {
        let mut writer = self.writer();
        self.check_user_and_vhost(&user, &vhost)?;
        info!(target: "user", "topic permissions of '{user}' in vhost '{vhost}' cleared");
        writer.commit(Change::DeleteTopicPermission { user, vhost, exchange })?;
        Ok(AdminReply::Done)
    }

    fn user_definition(&self, name: &str) -> Option<UserDefinition> {
        self.registry.current().users.iter().find(|user| user.name == name).cloned()
    }

    /// RabbitMQ names the user first when both are missing.
    pub(super) fn check_user_and_vhost(&self, user: &str, vhost: &str) -> Result<(), AdminError> {
        self.user_definition(user).ok_or_else(|| Missing::User.called(user))?;
        self.check_vhost_exists(vhost)
    }
}

/// Variables of topic permissions are braces, which are literal in a pattern that would not be a repetition.
pub(super) fn check_pattern(pattern: &str) -> Result<(), AdminError> {
    let filled = ["{username}", "{vhost}", "{client_id}"]
        .iter()
        .fold(pattern.to_owned(), |text, variable| text.replace(variable, "x"));
    Pattern::compile(&filled).map(drop).map_err(|error| AdminError::Invalid(error.to_string()))
}

impl Broker {
    /// The hash of a new password, if it is one that is allowed, and its algorithm. Hashes are not held to any rule, as
    /// in RabbitMQ.
    pub(super) fn hashed(&self, user: &str, password: NewPassword) -> Result<(String, String), AdminError> {
        match password {
            NewPassword::Plain(Secret(plain)) => {
                self.accounts().credential_rule.check(Some(&plain)).map_err(|text| invalid_credentials(user, text))?;
                let algorithm = self.accounts().password_hashing;
                let hash = hash_password(algorithm, plain.as_bytes())
                    .map_err(|error| AdminError::Unavailable(error.to_string()))?;
                Ok((hash, algorithm.as_str().to_owned()))
            }
            NewPassword::Nobody => {
                self.accounts().credential_rule.check(None).map_err(|text| invalid_credentials(user, text))?;
                Ok((String::new(), self.accounts().password_hashing.as_str().to_owned()))
            }
            NewPassword::Hash { hash, algorithm } => match HashingAlgorithm::from_name(&algorithm) {
                Some(known) if known.is_hash(&hash) => Ok((hash, known.as_str().to_owned())),
                Some(known) => Err(AdminError::Invalid(format!("not a hash of {}", known.as_str()))),
                None => Err(AdminError::Invalid(format!("unknown hashing algorithm '{algorithm}'"))),
            },
        }
    }
}

fn invalid_credentials(user: &str, text: String) -> AdminError {
    error!(target: "user", "credential validation for user '{user}' failed: {text}");
    AdminError::Credentials(text)
}
