//! All definitions at one moment, as a restart finds them, and their image in memory.

use std::collections::BTreeMap;

use crate::Change;
use crate::model::{
    BindingDefinition, DestinationKind, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition,
    PermissionDefinition, PolicyDefinition, PolicyKind, QueueDefinition, TopicPermissionDefinition, UserDefinition,
    VhostDefinition,
};
use crate::store::encoded_table;

/// All definitions at one moment, each list sorted by identity.
///
/// The lists are owned so that a reader takes them apart one by one, without a second copy of a large topology.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// By name.
    pub vhosts: Vec<VhostDefinition>,
    /// By name.
    pub users: Vec<UserDefinition>,
    /// By user and virtual host.
    pub permissions: Vec<PermissionDefinition>,
    /// By user, virtual host and exchange.
    pub topic_permissions: Vec<TopicPermissionDefinition>,
    /// By virtual host and name.
    pub exchanges: Vec<ExchangeDefinition>,
    /// By virtual host and name.
    pub queues: Vec<QueueDefinition>,
    /// By virtual host, source, kind of destination, destination, routing key and encoded arguments.
    pub bindings: Vec<BindingDefinition>,
    /// By virtual host, kind and name.
    pub policies: Vec<PolicyDefinition>,
    /// By virtual host, component and name.
    pub parameters: Vec<ParameterDefinition>,
    /// By name.
    pub global_parameters: Vec<GlobalParameterDefinition>,
    /// No queue ever had this id or a higher one.
    pub next_quid: u64,
}

impl Snapshot {
    /// True for a node that has never had a virtual host or a user.
    pub fn is_fresh(&self) -> bool {
        self.vhosts.is_empty() && self.users.is_empty()
    }
}

type BindingKey = (String, String, DestinationKind, String, String, Vec<u8>);

/// The definitions as maps that changes are applied to: what a [`Store`](crate::Store) keeps on disk, in memory.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    vhosts: BTreeMap<String, VhostDefinition>,
    users: BTreeMap<String, UserDefinition>,
    permissions: BTreeMap<(String, String), PermissionDefinition>,
    topic_permissions: BTreeMap<(String, String, String), TopicPermissionDefinition>,
    exchanges: BTreeMap<(String, String), ExchangeDefinition>,
    queues: BTreeMap<(String, String), QueueDefinition>,
    bindings: BTreeMap<BindingKey, BindingDefinition>,
    policies: BTreeMap<(String, PolicyKind, String), PolicyDefinition>,
    parameters: BTreeMap<(String, String, String), ParameterDefinition>,
    global_parameters: BTreeMap<String, GlobalParameterDefinition>,
    next_quid: u64,
}

impl Definitions {
    /// Applies one change, with everything that goes along with it.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::PutVhost(vhost) => drop(self.vhosts.insert(vhost.name.clone(), vhost)),
            Change::DeleteVhost { name } => self.delete_vhost(&name),
            Change::PutUser(user) => drop(self.users.insert(user.name.clone(), user)),
            Change::DeleteUser { name } => self.delete_user(&name),
            Change::PutPermission(permission) => {
                self.permissions.insert((permission.user.clone(), permission.vhost.clone()), permission);
            }
            Change::DeletePermission { user, vhost } => drop(self.permissions.remove(&(user, vhost))),
            Change::PutTopicPermission(permission) => {
                let key = (permission.user.clone(), permission.vhost.clone(), permission.exchange.clone());
                self.topic_permissions.insert(key, permission);
            }
            Change::DeleteTopicPermission { user, vhost, exchange } => self.topic_permissions.retain(|key, _| {
                !(key.0 == user && key.1 == vhost && exchange.as_ref().is_none_or(|exchange| key.2 == *exchange))
            }),
            Change::PutExchange(exchange) => {
                self.exchanges.insert((exchange.vhost.clone(), exchange.name.clone()), exchange);
            }
            Change::DeleteExchange { vhost, name } => self.delete_exchange(vhost, name),
            Change::PutQueue(queue) => {
                self.next_quid = self.next_quid.max(queue.quid.saturating_add(1));
                self.queues.insert((queue.vhost.clone(), queue.name.clone()), queue);
            }
            Change::DeleteQueue { vhost, name } => {
                self.delete_bindings_to(&vhost, DestinationKind::Queue, &name);
                self.queues.remove(&(vhost, name));
            }
            Change::PutBinding(binding) => drop(self.bindings.insert(binding_key(&binding), binding)),
            Change::DeleteBinding(binding) => drop(self.bindings.remove(&binding_key(&binding))),
            Change::PutPolicy(policy) => {
                self.policies.insert((policy.vhost.clone(), policy.kind, policy.name.clone()), policy);
            }
            Change::DeletePolicy { vhost, kind, name } => drop(self.policies.remove(&(vhost, kind, name))),
            Change::PutParameter(parameter) => {
                let key = (parameter.vhost.clone(), parameter.component.clone(), parameter.name.clone());
                self.parameters.insert(key, parameter);
            }
            Change::DeleteParameter { vhost, component, name } => {
                self.parameters.remove(&(vhost, component, name));
            }
            Change::PutGlobalParameter(parameter) => {
                self.global_parameters.insert(parameter.name.clone(), parameter);
            }
            Change::DeleteGlobalParameter { name } => drop(self.global_parameters.remove(&name)),
            Change::ReserveIds(below) => self.next_quid = self.next_quid.max(below),
        }
    }

    fn delete_vhost(&mut self, name: &str) {
        self.vhosts.remove(name);
        self.permissions.retain(|key, _| key.1 != name);
        self.topic_permissions.retain(|key, _| key.1 != name);
        self.exchanges.retain(|key, _| key.0 != name);
        self.queues.retain(|key, _| key.0 != name);
        self.bindings.retain(|key, _| key.0 != name);
        self.policies.retain(|key, _| key.0 != name);
        self.parameters.retain(|key, _| key.0 != name);
    }

    fn delete_user(&mut self, name: &str) {
        self.users.remove(name);
        self.permissions.retain(|key, _| key.0 != name);
        self.topic_permissions.retain(|key, _| key.0 != name);
    }

    fn delete_exchange(&mut self, vhost: String, name: String) {
        self.bindings.retain(|key, _| key.0 != vhost || key.1 != name);
        self.delete_bindings_to(&vhost, DestinationKind::Exchange, &name);
        self.exchanges.remove(&(vhost, name));
    }

    fn delete_bindings_to(&mut self, vhost: &str, kind: DestinationKind, name: &str) {
        self.bindings.retain(|key, _| key.0 != vhost || key.2 != kind || key.3 != name);
    }
}

fn binding_key(binding: &BindingDefinition) -> BindingKey {
    (
        binding.vhost.clone(),
        binding.source.clone(),
        binding.destination_kind,
        binding.destination.clone(),
        binding.routing_key.clone(),
        encoded_table(&binding.arguments),
    )
}

impl From<Snapshot> for Definitions {
    fn from(snapshot: Snapshot) -> Definitions {
        let mut definitions = Definitions { next_quid: snapshot.next_quid, ..Definitions::default() };
        let changes = (snapshot.vhosts.into_iter().map(Change::PutVhost))
            .chain(snapshot.users.into_iter().map(Change::PutUser))
            .chain(snapshot.permissions.into_iter().map(Change::PutPermission))
            .chain(snapshot.topic_permissions.into_iter().map(Change::PutTopicPermission))
            .chain(snapshot.exchanges.into_iter().map(Change::PutExchange))
            .chain(snapshot.queues.into_iter().map(Change::PutQueue))
            .chain(snapshot.bindings.into_iter().map(Change::PutBinding))
            .chain(snapshot.policies.into_iter().map(Change::PutPolicy))
            .chain(snapshot.parameters.into_iter().map(Change::PutParameter))
            .chain(snapshot.global_parameters.into_iter().map(Change::PutGlobalParameter));
        for change in changes {
            definitions.apply(change);
        }
        definitions
    }
}

impl From<Definitions> for Snapshot {
    fn from(definitions: Definitions) -> Snapshot {
        Snapshot {
            vhosts: definitions.vhosts.into_values().collect(),
            users: definitions.users.into_values().collect(),
            permissions: definitions.permissions.into_values().collect(),
            topic_permissions: definitions.topic_permissions.into_values().collect(),
            exchanges: definitions.exchanges.into_values().collect(),
            queues: definitions.queues.into_values().collect(),
            bindings: definitions.bindings.into_values().collect(),
            policies: definitions.policies.into_values().collect(),
            parameters: definitions.parameters.into_values().collect(),
            global_parameters: definitions.global_parameters.into_values().collect(),
            next_quid: definitions.next_quid,
        }
    }
}
