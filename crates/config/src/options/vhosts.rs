//! What virtual hosts begin with, and what they may have.

use std::collections::BTreeMap;

/// `default_limits`, `default_policies` and `runtime_parameters.limits`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VhostOptions {
    /// Limits that new virtual hosts begin with, in the order of their ids.
    pub default_limits: Vec<DefaultVhostLimits>,
    /// Operator policies that they begin with, in the order of their ids.
    pub default_operator_policies: Vec<DefaultOperatorPolicy>,
    /// Parameters that there may be, by component.
    pub parameter_limits: BTreeMap<String, u64>,
}

/// `default_limits.vhosts.ID.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultVhostLimits {
    /// Regular expression over names of virtual hosts.
    pub pattern: String,
    /// Connections such a virtual host may have.
    pub max_connections: Option<i64>,
    /// Queues such a virtual host may have.
    pub max_queues: Option<i64>,
}

/// `default_policies.operator.ID.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultOperatorPolicy {
    /// The id, which is the name of the policy.
    pub name: String,
    /// Regular expression over names of virtual hosts.
    pub vhost_pattern: String,
    /// Regular expression over names of queues.
    pub queue_pattern: String,
    /// As `queues`.
    pub apply_to: String,
    /// Keys of the policy as policies have them, such as `max-length`.
    pub definition: BTreeMap<String, i64>,
}
