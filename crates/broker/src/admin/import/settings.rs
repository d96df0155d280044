//! Parameters and policies.

use super::{INTERNAL_CLUSTER_ID, ImportOutcome, ImportedPolicy, compared};
use crate::admin::AdminError;
use crate::admin::parameters::{check_parameter, invalid};
use crate::broker::Broker;
use crate::policy::{Policy, definition_of_terms};
use metadata::{Change, GlobalParameterDefinition, ParameterDefinition, PolicyDefinition, PolicyKind};
use std::collections::HashMap;

impl Broker {
    pub(super) fn import_global_parameters(
        &self,
        parameters: Vec<GlobalParameterDefinition>,
    ) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |name: &String| current.global_parameters.iter().find(|known| known.name == *name).cloned();
        let decide = |parameter: GlobalParameterDefinition, known: Option<&GlobalParameterDefinition>| {
            if let Some(own) = known.filter(|known| known.name == INTERNAL_CLUSTER_ID) {
                // It names this node, whoever it was that exported the definitions.
                return Ok((own.clone(), ImportOutcome::Skipped("it is the identity of another cluster".to_owned())));
            }
            let outcome = compared(known, |known| [("value", known.value != parameter.value)]);
            Ok((parameter, outcome))
        };
        let key = |parameter: &GlobalParameterDefinition| parameter.name.clone();
        Ok(self.put_each(parameters, key, existing, decide, Change::PutGlobalParameter, &mut writer)?.0)
    }

    pub(super) fn import_parameters(
        &self,
        parameters: Vec<ParameterDefinition>,
    ) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let key = |parameter: &ParameterDefinition| {
            (parameter.vhost.clone(), parameter.component.clone(), parameter.name.clone())
        };
        let existing =
            |wanted: &(String, String, String)| current.parameters.iter().find(|known| key(known) == *wanted).cloned();
        let decide = |parameter: ParameterDefinition, known: Option<&ParameterDefinition>| {
            let ParameterDefinition { vhost, component, name, value } = &parameter;
            check_parameter(component, name, value).map_err(|error| {
                AdminError::Invalid(format!(
                    "{error} (vhost: \"{vhost}\" / component: \"{component}\" / key: \"{name}\")"
                ))
            })?;
            self.check_vhost_exists(vhost)?;
            let outcome = compared(known, |known| [("value", known.value != parameter.value)]);
            Ok((parameter, outcome))
        };
        let (outcomes, changed) =
            self.put_each(parameters, key, existing, decide, Change::PutParameter, &mut writer)?;
        for parameter in changed {
            self.parameter_changed(&parameter.vhost, &parameter.component, Some(&parameter.value));
        }
        Ok(outcomes)
    }

    pub(super) fn import_policies(&self, policies: Vec<ImportedPolicy>) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |wanted: &(PolicyKind, String, String)| {
            let is_meant =
                |known: &&PolicyDefinition| known.kind == wanted.0 && known.vhost == wanted.1 && known.name == wanted.2;
            current.policies.iter().find(is_meant).cloned()
        };
        let decide = |policy: ImportedPolicy, known: Option<&PolicyDefinition>| {
            let ImportedPolicy { kind, vhost, name, terms } = policy;
            let definition = definition_of_terms(kind, &vhost, &name, &terms).map_err(|errors| {
                AdminError::Invalid(format!("{} (vhost: \"{vhost}\" key: \"{name}\")", invalid(errors)))
            })?;
            self.check_vhost_exists(&vhost)?;
            Policy::compile(definition.clone()).map_err(|error| AdminError::Invalid(error.to_string()))?;
            let outcome = compared(known, |known| {
                [
                    ("pattern", known.pattern != definition.pattern),
                    ("apply-to", known.apply_to != definition.apply_to),
                    ("priority", known.priority != definition.priority),
                    ("definition", known.definition != definition.definition),
                ]
            });
            Ok((definition, outcome))
        };
        let key = |policy: &ImportedPolicy| (policy.kind, policy.vhost.clone(), policy.name.clone());
        let (outcomes, changed) = self.put_each(policies, key, existing, decide, Change::PutPolicy, &mut writer)?;
        self.apply_imported_policies(changed);
        Ok(outcomes)
    }

    /// Puts policies in force, going over the objects of each virtual host once.
    fn apply_imported_policies(&self, changed: Vec<PolicyDefinition>) {
        let mut by_vhost: HashMap<String, Vec<PolicyDefinition>> = HashMap::new();
        for definition in changed {
            by_vhost.entry(definition.vhost.clone()).or_default().push(definition);
        }
        for (name, definitions) in by_vhost {
            let Some(vhost) = self.vhost(&name) else { continue };
            // They have been compiled once already.
            let compiled = definitions.into_iter().filter_map(|definition| Policy::compile(definition).ok());
            let start = (*vhost.policies()).clone();
            self.apply_policies(&vhost, compiled.fold(start, |policies, policy| policies.with(policy)));
        }
    }
}
