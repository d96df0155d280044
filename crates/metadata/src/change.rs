//! One change of the durable definitions.

use crate::model::{
    BindingDefinition, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition, PermissionDefinition,
    PolicyDefinition, PolicyKind, QueueDefinition, TopicPermissionDefinition, UserDefinition, VhostDefinition,
};

/// One change; putting replaces what has the same identity, deleting what is not there changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Creates or replaces a virtual host.
    PutVhost(VhostDefinition),
    /// Deletes a virtual host and everything in it, permissions included.
    DeleteVhost {
        /// Its name.
        name: String,
    },
    /// Creates or replaces a user.
    PutUser(UserDefinition),
    /// Deletes a user and its permissions.
    DeleteUser {
        /// Its name.
        name: String,
    },
    /// Sets a user's permissions in a virtual host.
    PutPermission(PermissionDefinition),
    /// Clears a user's permissions in a virtual host; topic permissions stay.
    DeletePermission {
        /// The user's name.
        user: String,
        /// The virtual host's name.
        vhost: String,
    },
    /// Sets a user's permissions on a topic exchange.
    PutTopicPermission(TopicPermissionDefinition),
    /// Clears a user's topic permissions in a virtual host.
    DeleteTopicPermission {
        /// The user's name.
        user: String,
        /// The virtual host's name.
        vhost: String,
        /// The exchange, or `None` for all of them.
        exchange: Option<String>,
    },
    /// Creates or replaces an exchange.
    PutExchange(ExchangeDefinition),
    /// Deletes an exchange and the bindings from and to it.
    DeleteExchange {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
    },
    /// Creates or replaces a queue, and reserves its id.
    PutQueue(QueueDefinition),
    /// Deletes a queue and the bindings to it.
    DeleteQueue {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
    },
    /// Creates a binding.
    PutBinding(BindingDefinition),
    /// Deletes exactly this binding.
    DeleteBinding(BindingDefinition),
    /// Creates or replaces a policy.
    PutPolicy(PolicyDefinition),
    /// Deletes a policy.
    DeletePolicy {
        /// The virtual host's name.
        vhost: String,
        /// User or operator policy.
        kind: PolicyKind,
        /// Its name.
        name: String,
    },
    /// Sets a runtime parameter.
    PutParameter(ParameterDefinition),
    /// Clears a runtime parameter.
    DeleteParameter {
        /// The virtual host's name.
        vhost: String,
        /// What it configures.
        component: String,
        /// Its name.
        name: String,
    },
    /// Sets a global runtime parameter.
    PutGlobalParameter(GlobalParameterDefinition),
    /// Clears a global runtime parameter.
    DeleteGlobalParameter {
        /// Its name.
        name: String,
    },
    /// Reserves every queue id below this one: after a restart ids are given from here. It never goes back.
    ReserveIds(u64),
}
