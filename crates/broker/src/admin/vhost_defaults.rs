//! What virtual hosts begin with: RabbitMQ's `default_limits.vhosts`, `default_policies.operator` and `default_users`.

use super::parameters::{LIMITS, VHOST_LIMITS};
use super::registry::Writer;
use super::{AdminError, Missing};
use crate::accounts::VhostUser;
use crate::broker::Broker;
use crate::policy::{Policy, definition_of_terms};
use crate::settings::VhostPolicy;
use amqp::{FieldTable, FieldValue};
use auth::hash_password;
use metadata::{Change, ParameterDefinition, PermissionDefinition, PolicyKind, UserDefinition, UserLimits};
use tracing::{info, warn};

impl Broker {
    /// Gives the virtual host that an empty data directory begins with what every new one gets.
    pub fn set_up_first_vhost(&self, vhost: &str) -> Result<(), AdminError> {
        self.add_vhost_defaults(&mut self.writer(), vhost)
    }

    /// Limits, operator policies and users whose pattern matches the name of a new virtual host, in RabbitMQ's order.
    pub(super) fn add_vhost_defaults(&self, writer: &mut Writer<'_>, vhost: &str) -> Result<(), AdminError> {
        let matches = |what: &str, pattern: &str| match auth::Pattern::compile_search(pattern) {
            Ok(compiled) => compiled.is_match(vhost),
            Err(error) => {
                warn!("{what} of new vhosts is left out: {error}");
                false
            }
        };
        self.add_default_limits(writer, vhost, &matches)?;
        for policy in &self.settings.default_operator_policies {
            if matches(&format!("operator policy '{}'", policy.name), &policy.vhost_pattern) {
                self.add_default_policy(writer, policy, vhost)?;
            }
        }
        for user in &self.accounts().default_users {
            if matches(&format!("user '{}'", user.name), &user.vhost_pattern) {
                self.add_default_user(writer, user, vhost)?;
            }
        }
        Ok(())
    }

    /// Of several limits the first that matches counts.
    fn add_default_limits(
        &self,
        writer: &mut Writer<'_>,
        vhost: &str,
        matches: &dyn Fn(&str, &str) -> bool,
    ) -> Result<(), AdminError> {
        let found = self.settings.default_vhost_limits.iter().find(|limits| matches("a limit", &limits.pattern));
        let Some(defaults) = found else { return Ok(()) };
        let mut limits = FieldTable::new();
        for (name, value) in [("max-connections", defaults.max_connections), ("max-queues", defaults.max_queues)] {
            if let Some(value) = value {
                limits.insert(name, value);
            }
        }
        let [vhost, component, name] = [vhost, VHOST_LIMITS, LIMITS].map(str::to_owned);
        let value = FieldValue::Table(limits);
        self.commit_parameter(writer, ParameterDefinition { vhost, component, name, value }).map(drop)
    }

    /// One that is not valid is left out: the virtual host is there already.
    fn add_default_policy(&self, writer: &mut Writer<'_>, policy: &VhostPolicy, vhost: &str) -> Result<(), AdminError> {
        let VhostPolicy { name, pattern, apply_to, definition, .. } = policy;
        let mut terms = FieldTable::new();
        terms.insert("apply-to", apply_to.as_str());
        terms.insert("definition", FieldValue::Table(definition.clone()));
        terms.insert("pattern", pattern.as_str());
        terms.insert("priority", 0_i64);
        let compiled = definition_of_terms(PolicyKind::Operator, vhost, name, &FieldValue::Table(terms))
            .map_err(|errors| errors.join("; "))
            .and_then(|definition| {
                let compiled = Policy::compile(definition.clone()).map_err(|error| error.to_string())?;
                Ok((definition, compiled))
            });
        let (definition, compiled) = match compiled {
            Ok(made) => made,
            Err(error) => {
                warn!("operator policy '{name}' of new vhosts is left out: {error}");
                return Ok(());
            }
        };
        let in_use = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        writer.commit(Change::PutPolicy(definition))?;
        self.apply_policies(&in_use, in_use.policies().with(compiled));
        info!("operator policy '{name}' set in vhost '{vhost}', which begins with it");
        Ok(())
    }

    fn add_default_user(&self, writer: &mut Writer<'_>, user: &VhostUser, vhost: &str) -> Result<(), AdminError> {
        let VhostUser { name, tags, configure, write, read, .. } = user.clone();
        if !self.registry.current().users.iter().any(|existing| existing.name == name) {
            let algorithm = self.accounts().password_hashing;
            let hash = |password: &String| hash_password(algorithm, password.as_bytes());
            let password_hash = user.password.as_ref().map(hash).transpose();
            let definition = UserDefinition {
                name: name.clone(),
                password_hash: password_hash
                    .map_err(|error| AdminError::Unavailable(error.to_string()))?
                    .unwrap_or_default(),
                hashing_algorithm: algorithm.as_str().to_owned(),
                tags,
                limits: UserLimits::default(),
            };
            writer.commit(Change::PutUser(definition))?;
            info!(target: "user", "default user '{name}' created");
        }
        let vhost = vhost.to_owned();
        writer.commit(Change::PutPermission(PermissionDefinition { user: name, vhost, configure, write, read }))
    }
}
