//! Policies and operator policies.

use super::parameters::{OPERATOR_POLICY, POLICY, invalid};
use super::{AdminError, AdminReply, Missing};
use crate::broker::Broker;
use crate::policy::{Policy, definition_of_terms, without_effect};
use amqp::FieldValue;
use metadata::{Change, PolicyDefinition, PolicyKind};
use tracing::{info, warn};

impl Broker {
    /// By priority, the lowest first, and by name.
    pub(super) fn list_policies(&self, kind: PolicyKind, vhost: Option<&str>) -> Result<AdminReply, AdminError> {
        vhost.map_or(Ok(()), |vhost| self.check_vhost_exists(vhost))?;
        let of = |policy: &&PolicyDefinition| policy.kind == kind && vhost.is_none_or(|vhost| policy.vhost == vhost);
        let mut policies: Vec<_> = self.registry.current().policies.iter().filter(of).cloned().collect();
        policies.sort_by_key(|policy| policy.priority);
        Ok(AdminReply::Policies(policies))
    }

    /// Sets a policy; answered when it is durable and in force everywhere.
    pub(super) fn set_policy(
        &self,
        kind: PolicyKind,
        vhost: &str,
        name: &str,
        terms: &FieldValue,
    ) -> Result<AdminReply, AdminError> {
        self.check_parameter_limit(match kind {
            PolicyKind::User => POLICY,
            PolicyKind::Operator => OPERATOR_POLICY,
        })?;
        // RabbitMQ validates before it looks whether there is such a virtual host.
        let definition = definition_of_terms(kind, vhost, name, terms).map_err(invalid)?;
        let compiled = Policy::compile(definition.clone()).map_err(|error| AdminError::Invalid(error.to_string()))?;
        let change = Change::PutPolicy(definition.clone());
        if !change.is_storable() {
            return Err(AdminError::Invalid(
                "the policy is larger than 256 KiB, nested too deeply or has names that are too long".to_owned(),
            ));
        }
        let mut writer = self.writer();
        self.check_vhost_exists(vhost)?;
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        let existing = self.policy(kind, &vhost.name, name);
        if existing.as_ref() == Some(&definition) {
            return Ok(AdminReply::Done);
        }
        writer.commit(change)?;
        self.apply_policies(&vhost, vhost.policies().with(compiled));
        let what = word(kind);
        info!(
            "{what} '{name}' matching {} names in vhost '{}' set, pattern '{}'",
            definition.apply_to.as_str(),
            vhost.name,
            definition.pattern
        );
        let inert = without_effect(definition.definition.iter().map(|(key, _)| key));
        if !inert.is_empty() {
            warn!("{what} '{name}' in vhost '{}' has keys without an effect here: {}", vhost.name, inert.join(", "));
        }
        Ok(if existing.is_some() { AdminReply::Done } else { AdminReply::Created })
    }

    pub(super) fn clear_policy(&self, kind: PolicyKind, vhost: &str, name: &str) -> Result<AdminReply, AdminError> {
        let mut writer = self.writer();
        self.policy(kind, vhost, name).ok_or_else(|| Missing::Policy.called(name))?;
        writer.commit(Change::DeletePolicy { vhost: vhost.to_owned(), kind, name: name.to_owned() })?;
        if let Some(vhost) = self.vhost(vhost) {
            self.apply_policies(&vhost, vhost.policies().without(kind, name));
        }
        info!("{} '{name}' in vhost '{vhost}' cleared", word(kind));
        Ok(AdminReply::Done)
    }

    fn policy(&self, kind: PolicyKind, vhost: &str, name: &str) -> Option<PolicyDefinition> {
        let is_meant = |policy: &&PolicyDefinition| policy.kind == kind && policy.vhost == vhost && policy.name == name;
        self.registry.current().policies.iter().find(is_meant).cloned()
    }
}

fn word(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::User => "policy",
        PolicyKind::Operator => "operator policy",
    }
}
