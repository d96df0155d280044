//! Limits of users.

use super::{AdminError, AdminReply, Missing};
use crate::broker::Broker;
use crate::policy::{integer_or_error, proplist};
use amqp::FieldValue;
use metadata::{Change, UserDefinition, UserLimits};
use tracing::info;

const MAX_CONNECTIONS: &str = "max-connections";
const MAX_CHANNELS: &str = "max-channels";

/// Checks a table of limits.
pub(super) fn check(limits: &FieldValue) -> Result<(), AdminError> {
    let checks = [
        (MAX_CONNECTIONS, integer_or_error as fn(&str, &FieldValue) -> _, false),
        (MAX_CHANNELS, integer_or_error, false),
    ];
    // RabbitMQ has no `Validation failed` before these.
    proplist("user-limits", &checks, limits).map_err(|errors| AdminError::Invalid(errors.join("\n")))
}

/// The limits of a table that has been checked.
pub(super) fn from_table(limits: &FieldValue) -> UserLimits {
    let limit = |key| limits.as_table()?.get(key)?.as_i64();
    UserLimits { max_connections: limit(MAX_CONNECTIONS), max_channels: limit(MAX_CHANNELS) }
}

impl Broker {
    /// Sets those limits of a user that `limits` names and keeps the others.
    pub(super) fn set_user_limits(&self, name: &str, limits: &FieldValue) -> Result<AdminReply, AdminError> {
        check(limits)?;
        self.change_limits(name, |user| set_limits(&mut user.limits, limits))?;
        info!(target: "user", "limits of user '{name}' set");
        Ok(AdminReply::Done)
    }

    /// Lifts one limit of a user, or all; one that does not exist is fine, as in RabbitMQ.
    pub(super) fn clear_user_limits(&self, name: &str, limit: Option<&str>) -> Result<AdminReply, AdminError> {
        self.change_limits(name, |user| {
            if limit.is_none_or(|limit| limit == MAX_CONNECTIONS) {
                user.limits.max_connections = None;
            }
            if limit.is_none_or(|limit| limit == MAX_CHANNELS) {
                user.limits.max_channels = None;
            }
        })?;
        info!(target: "user", "limits of user '{name}' cleared");
        Ok(AdminReply::Done)
    }

    fn change_limits(&self, name: &str, change: impl FnOnce(&mut UserDefinition)) -> Result<(), AdminError> {
        let mut writer = self.writer();
        let users = &self.registry.current().users;
        let mut user =
            users.iter().find(|user| user.name == name).cloned().ok_or_else(|| Missing::User.called(name))?;
        change(&mut user);
        writer.commit(Change::PutUser(user))
    }
}

/// Sets those that `limits` names and keeps the others.
pub(super) fn set_limits(of: &mut UserLimits, limits: &FieldValue) {
    let limits = from_table(limits);
    of.max_connections = limits.max_connections.or(of.max_connections);
    of.max_channels = limits.max_channels.or(of.max_channels);
}
