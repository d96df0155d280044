//! What virtual hosts begin with, and what they may have.

use super::{Checked, CheckedSetting};
use crate::key::Key;
use crate::kind::Value;
use crate::options::{DefaultOperatorPolicy, DefaultVhostLimits, VhostOptions};
use std::collections::BTreeMap;

impl Checked {
    pub(super) fn vhosts(&self) -> VhostOptions {
        let limits = self.members("runtime_parameters.limits.$category").filter_map(|(component, value)| match value {
            Value::Integer(most) => Some((component.to_owned(), most.unsigned_abs())),
            _ => None,
        });
        VhostOptions {
            default_limits: self.default_vhost_limits(),
            default_operator_policies: self.default_operator_policies(),
            parameter_limits: limits.collect(),
        }
    }

    /// By the id in their keys, `default_policies.operator.ID.FIELD`.
    fn default_operator_policies(&self) -> Vec<DefaultOperatorPolicy> {
        let mut policies: BTreeMap<String, DefaultOperatorPolicy> = BTreeMap::new();
        for CheckedSetting { setting, value, .. } in self.settings.values() {
            let Some(field) = setting.spec.pattern.strip_prefix("default_policies.operator.$id.") else { continue };
            let key = Key::parse(&setting.key);
            let id = key.and_then(|key| key.segments().get(2).cloned()).unwrap_or_default();
            let of = policies.entry(id.clone()).or_insert_with(|| DefaultOperatorPolicy {
                name: id,
                vhost_pattern: ".*".to_owned(),
                queue_pattern: ".*".to_owned(),
                apply_to: "all".to_owned(),
                definition: BTreeMap::new(),
            });
            match (field, value) {
                ("vhost_pattern", Value::Text(text)) => of.vhost_pattern.clone_from(text),
                ("queue_pattern", Value::Text(text)) => of.queue_pattern.clone_from(text),
                ("apply_to", Value::Word(word)) => of.apply_to = (*word).to_owned(),
                (field, Value::Integer(value)) if setting.spec.effect == crate::Effect::Takes => {
                    of.definition.insert(field.replace('_', "-"), *value);
                }
                _ => {}
            }
        }
        policies.into_values().collect()
    }

    /// By the id in their keys, `default_limits.vhosts.ID.FIELD`.
    fn default_vhost_limits(&self) -> Vec<DefaultVhostLimits> {
        let mut limits: BTreeMap<&str, DefaultVhostLimits> = BTreeMap::new();
        for CheckedSetting { setting, value, .. } in self.settings.values() {
            let Some(field) = setting.spec.pattern.strip_prefix("default_limits.vhosts.$id.") else { continue };
            let id = setting.key.split('.').nth(2).unwrap_or_default();
            let of = limits.entry(id).or_insert_with(|| DefaultVhostLimits {
                pattern: ".*".to_owned(),
                max_connections: None,
                max_queues: None,
            });
            match (field, value) {
                ("pattern", Value::Text(text)) => of.pattern.clone_from(text),
                ("max_connections", Value::Integer(most)) => of.max_connections = Some(*most),
                ("max_queues", Value::Integer(most)) => of.max_queues = Some(*most),
                _ => {}
            }
        }
        limits.into_values().collect()
    }
}
