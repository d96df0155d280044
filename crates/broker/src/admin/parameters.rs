//! Runtime parameters: those of virtual hosts, with the component that they are for, and those of the whole node.

use super::plugin_parameters::{self, is_without_effect};
use super::{AdminError, AdminReply, Missing};
use crate::broker::Broker;
use crate::core::sorted;
use crate::policy::{Invalid, integer_or_error, proplist, terms_of};
use amqp::FieldValue;
use metadata::{Change, GlobalParameterDefinition, ParameterDefinition, PolicyKind};
use tracing::{error, info, warn};

/// The component of a virtual host's limits, and the one name that it has.
pub(super) const VHOST_LIMITS: &str = "vhost-limits";
pub(super) const LIMITS: &str = "limits";
pub(super) const POLICY: &str = "policy";
/// The global parameter that is the name of the cluster.
const CLUSTER_NAME: &str = "cluster_name";
pub(super) const OPERATOR_POLICY: &str = "operator_policy";

/// Texts of RabbitMQ (`rabbit_runtime_parameters`).
const POLICY_SET: &str = "policies may not be set using this method";
const POLICY_CLEARED: &str = "policies may not be cleared using this method";

impl Broker {
    /// Those of a component, or of all but policies; operator policies are among them, as in RabbitMQ.
    pub(super) fn list_parameters(
        &self,
        component: Option<&str>,
        vhost: Option<&str>,
    ) -> Result<AdminReply, AdminError> {
        vhost.map_or(Ok(()), |vhost| self.check_vhost_exists(vhost))?;
        let snapshot = self.registry.current();
        let policies = snapshot.policies.iter().map(|policy| ParameterDefinition {
            vhost: policy.vhost.clone(),
            component: if policy.kind == PolicyKind::User { POLICY } else { OPERATOR_POLICY }.to_owned(),
            name: policy.name.clone(),
            value: FieldValue::Table(terms_of(policy)),
        });
        let mut all: Vec<ParameterDefinition> = snapshot.parameters.iter().cloned().chain(policies).collect();
        all.retain(|parameter| {
            let is_shown = component.map_or(parameter.component != POLICY, |wanted| parameter.component == wanted);
            is_shown && vhost.is_none_or(|vhost| parameter.vhost == vhost)
        });
        let key = |of: &ParameterDefinition| (of.vhost.clone(), of.component.clone(), of.name.clone());
        all.sort_by_key(key);
        Ok(AdminReply::Parameters(all))
    }

    pub(super) fn set_parameter(&self, parameter: ParameterDefinition) -> Result<AdminReply, AdminError> {
        let ParameterDefinition { vhost, component, name, value } = &parameter;
        if component == OPERATOR_POLICY {
            return self.set_policy(PolicyKind::Operator, vhost, name, value);
        }
        self.check_parameter_limit(component)?;
        check_parameter(component, name, value)?;
        let mut writer = self.writer();
        self.check_vhost_exists(vhost)?;
        self.commit_parameter(&mut writer, parameter)
    }

    pub(super) fn clear_parameter(&self, vhost: &str, component: &str, name: &str) -> Result<AdminReply, AdminError> {
        match component {
            POLICY => return Err(AdminError::Invalid(POLICY_CLEARED.to_owned())),
            OPERATOR_POLICY => return self.clear_policy(PolicyKind::Operator, vhost, name),
            _ => {}
        }
        let mut writer = self.writer();
        self.parameter(vhost, component, name).ok_or_else(|| Missing::Parameter.called(name))?;
        let [vhost_name, component_name, name] = [vhost, component, name].map(str::to_owned);
        info!("parameter '{name}' of component '{component}' in vhost '{vhost}' cleared");
        writer.commit(Change::DeleteParameter { vhost: vhost_name, component: component_name, name })?;
        self.parameter_changed(vhost, component, None);
        Ok(AdminReply::Done)
    }

    /// Changes one limit of a virtual host and keeps the others; `None` lifts it.
    pub(super) fn set_vhost_limit(
        &self,
        vhost: &str,
        limit: &str,
        value: Option<FieldValue>,
    ) -> Result<AdminReply, AdminError> {
        self.check_parameter_limit(VHOST_LIMITS)?;
        let mut writer = self.writer();
        self.check_vhost_exists(vhost)?;
        let current = self.parameter(vhost, VHOST_LIMITS, LIMITS);
        let mut limits = current.and_then(|parameter| parameter.value.as_table().cloned()).unwrap_or_default();
        limits.remove(limit);
        if let Some(value) = value {
            limits.insert(limit, value);
        }
        let value = FieldValue::Table(sorted(limits));
        check_vhost_limits(&value).map_err(invalid)?;
        let [vhost, component, name] = [vhost, VHOST_LIMITS, LIMITS].map(str::to_owned);
        self.commit_parameter(&mut writer, ParameterDefinition { vhost, component, name, value })?;
        Ok(AdminReply::Done)
    }

    /// Refuses a parameter of a component that has as many as the configuration allows. As in RabbitMQ, policies are
    /// parameters here, and one that exists is not changed either.
    pub(super) fn check_parameter_limit(&self, component: &str) -> Result<(), AdminError> {
        let Some(most) = self.settings.parameter_limits.get(component) else { return Ok(()) };
        let snapshot = self.registry.current();
        let policies = |kind| snapshot.policies.iter().filter(|policy| policy.kind == kind).count();
        let count = match component {
            POLICY => policies(PolicyKind::User),
            OPERATOR_POLICY => policies(PolicyKind::Operator),
            _ => snapshot.parameters.iter().filter(|parameter| parameter.component == component).count(),
        };
        if (count as u64) < *most {
            return Ok(());
        }
        error!("Limit reached: component {component} is limited to {most}");
        Err(invalid(vec![format!("component {component} is limited to {most}")]))
    }

    pub(super) fn commit_parameter(
        &self,
        writer: &mut super::registry::Writer<'_>,
        parameter: ParameterDefinition,
    ) -> Result<AdminReply, AdminError> {
        let ParameterDefinition { vhost, component, name, value } = parameter.clone();
        let existed = self.parameter(&vhost, &component, &name).is_some();
        let change = Change::PutParameter(parameter);
        if !change.is_storable() {
            return Err(too_large());
        }
        writer.commit(change)?;
        info!("parameter '{name}' of component '{component}' in vhost '{vhost}' set");
        self.parameter_changed(&vhost, &component, Some(&value));
        Ok(if existed { AdminReply::Done } else { AdminReply::Created })
    }

    fn parameter(&self, vhost: &str, component: &str, name: &str) -> Option<ParameterDefinition> {
        let is_meant = |parameter: &&ParameterDefinition| {
            parameter.vhost == vhost && parameter.component == component && parameter.name == name
        };
        self.registry.current().parameters.iter().find(is_meant).cloned()
    }

    /// Makes a parameter's value effective, or says that it is not.
    pub(crate) fn parameter_changed(&self, vhost: &str, component: &str, value: Option<&FieldValue>) {
        if value.is_some() && is_without_effect(component) {
            warn!("a parameter of component '{component}' in vhost '{vhost}' has no effect here");
        }
        let (true, Some(vhost)) = (component == VHOST_LIMITS, self.vhost(vhost)) else { return };
        let limit = |name| value.and_then(FieldValue::as_table)?.get(name)?.as_i64();
        vhost.limits.max_connections.set(limit("max-connections"));
        vhost.limits.max_queues.set(limit("max-queues"));
    }

    /// Gives the node the id that tells its cluster from others, unless it has one, and makes it durable.
    pub fn ensure_cluster_id(&self) -> Result<(), AdminError> {
        let mut writer = self.writer();
        if self.cluster_id().is_some() {
            return Ok(());
        }
        let value = FieldValue::LongString(self.unique_name("rabbitmq-cluster-id-").into_bytes());
        let name = super::INTERNAL_CLUSTER_ID.to_owned();
        writer.commit(Change::PutGlobalParameter(GlobalParameterDefinition { name, value }))
    }

    /// That id, `rabbitmq-cluster-id-` and 22 characters.
    pub fn cluster_id(&self) -> Option<String> {
        let current = self.registry.current();
        let found = current.global_parameters.iter().find(|known| known.name == super::INTERNAL_CLUSTER_ID)?;
        found.value.as_str().map(str::to_owned)
    }

    pub(super) fn set_global_parameter(&self, parameter: GlobalParameterDefinition) -> Result<AdminReply, AdminError> {
        let name = parameter.name.clone();
        let change = Change::PutGlobalParameter(parameter);
        if !change.is_storable() {
            return Err(too_large());
        }
        let mut writer = self.writer();
        let existed = self.registry.current().global_parameters.iter().any(|known| known.name == name);
        writer.commit(change)?;
        info!("global parameter '{name}' set");
        Ok(if existed { AdminReply::Done } else { AdminReply::Created })
    }

    /// The name of the cluster: what an operator gave it, or what the configuration says.
    pub fn cluster_name(&self) -> String {
        let given = self.global_parameter(CLUSTER_NAME);
        let given = given.as_ref().and_then(FieldValue::as_str).map(str::to_owned);
        given.unwrap_or_else(|| self.settings.cluster_name.clone())
    }

    /// The value of a global parameter.
    pub fn global_parameter(&self, name: &str) -> Option<FieldValue> {
        let snapshot = self.registry.current();
        snapshot.global_parameters.iter().find(|parameter| parameter.name == name).map(|found| found.value.clone())
    }

    /// RabbitMQ keeps the name as a global parameter, so that definitions have it.
    pub(super) fn set_cluster_name(&self, name: String) -> Result<AdminReply, AdminError> {
        let value = FieldValue::LongString(name.into_bytes());
        self.set_global_parameter(GlobalParameterDefinition { name: CLUSTER_NAME.to_owned(), value })
    }

    pub(super) fn clear_global_parameter(&self, name: &str) -> Result<AdminReply, AdminError> {
        let mut writer = self.writer();
        if !self.registry.current().global_parameters.iter().any(|known| known.name == name) {
            return Err(Missing::Parameter.called(name));
        }
        writer.commit(Change::DeleteGlobalParameter { name: name.to_owned() })?;
        info!("global parameter '{name}' cleared");
        Ok(AdminReply::Done)
    }
}

/// Checks a parameter of a component that is not one of policies.
pub(super) fn check_parameter(component: &str, name: &str, value: &FieldValue) -> Result<(), AdminError> {
    match component {
        POLICY => Err(AdminError::Invalid(POLICY_SET.to_owned())),
        VHOST_LIMITS if name == LIMITS => check_vhost_limits(value).map_err(invalid),
        VHOST_LIMITS => Err(invalid(vec![format!("the limits of a vhost are called {LIMITS}, not {name}")])),
        inert if is_without_effect(inert) => plugin_parameters::check(inert, name, value).map_err(invalid),
        other => Err(invalid(vec![format!("component {other} not found")])),
    }
}

fn check_vhost_limits(value: &FieldValue) -> Result<(), Invalid> {
    proplist(LIMITS, &[("max-connections", integer_or_error, false), ("max-queues", integer_or_error, false)], value)
}

/// What validation has against a value, as RabbitMQ puts it together (`rabbit_runtime_parameters:format_error`).
pub(super) fn invalid(errors: Invalid) -> AdminError {
    AdminError::Invalid(format!("Validation failed\n\n{}\n", errors.join("\n")))
}

pub(super) fn too_large() -> AdminError {
    AdminError::Invalid("the value is larger than 256 KiB, nested too deeply or has names that are too long".to_owned())
}
