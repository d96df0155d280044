//! What virtual hosts begin with.

use amqp::FieldTable;
use broker::{DefaultVhostLimits, VhostPolicy};
use config::DefaultOperatorPolicy;

pub(super) fn limits(limits: &config::DefaultVhostLimits) -> DefaultVhostLimits {
    let config::DefaultVhostLimits { pattern, max_connections, max_queues } = limits.clone();
    DefaultVhostLimits { pattern, max_connections, max_queues }
}

pub(super) fn policy(policy: &DefaultOperatorPolicy) -> VhostPolicy {
    let mut definition = FieldTable::new();
    for (key, value) in &policy.definition {
        definition.insert(key, *value);
    }
    VhostPolicy {
        name: policy.name.clone(),
        vhost_pattern: policy.vhost_pattern.clone(),
        pattern: policy.queue_pattern.clone(),
        apply_to: policy.apply_to.clone(),
        definition,
    }
}
