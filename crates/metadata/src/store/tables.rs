//! The tables of `metadata.redb`, and what each change does to them.

use redb::{ReadableTable, StorageError, Table, TableDefinition, TableError, WriteTransaction};

use super::codec::encoded_table;
use super::{FORMAT_VERSION, record};
use crate::Change;
use crate::model::{BindingDefinition, DestinationKind};

pub(super) type Name = &'static str;
pub(super) type Pair = (&'static str, &'static str);
pub(super) type Triple = (&'static str, &'static str, &'static str);
pub(super) type PolicyKey = (&'static str, u8, &'static str);
/// Virtual host, source, kind of destination, destination, routing key, arguments.
pub(super) type BindingKey = (&'static str, &'static str, u8, &'static str, &'static str, &'static [u8]);
/// Virtual host, kind of destination, destination, source, routing key, arguments.
pub(super) type DestinationKey = (&'static str, u8, &'static str, &'static str, &'static str, &'static [u8]);
pub(super) type Record = &'static [u8];

/// Marks the file as ours: the format version, the queue id reservation and the position in the log.
pub(super) const LEVERET: TableDefinition<'_, Name, u64> = TableDefinition::new("leveret");
pub(super) const FORMAT: &str = "format";
pub(super) const NEXT_QUID: &str = "next_quid";
pub(super) const APPLIED: &str = "applied";

pub(super) const VHOSTS: TableDefinition<'_, Name, Record> = TableDefinition::new("vhosts");
pub(super) const USERS: TableDefinition<'_, Name, Record> = TableDefinition::new("users");
pub(super) const PERMISSIONS: TableDefinition<'_, Pair, Record> = TableDefinition::new("permissions");
pub(super) const TOPIC_PERMISSIONS: TableDefinition<'_, Triple, Record> = TableDefinition::new("topic_permissions");
pub(super) const EXCHANGES: TableDefinition<'_, Pair, Record> = TableDefinition::new("exchanges");
pub(super) const QUEUES: TableDefinition<'_, Pair, Record> = TableDefinition::new("queues");
pub(super) const BINDINGS: TableDefinition<'_, BindingKey, Record> = TableDefinition::new("bindings");
/// The same bindings by destination, so that deleting one queue of many does not read every binding.
pub(super) const BINDINGS_TO: TableDefinition<'_, DestinationKey, ()> = TableDefinition::new("bindings_to");
pub(super) const POLICIES: TableDefinition<'_, PolicyKey, Record> = TableDefinition::new("policies");
pub(super) const PARAMETERS: TableDefinition<'_, Triple, Record> = TableDefinition::new("parameters");
pub(super) const GLOBAL_PARAMETERS: TableDefinition<'_, Name, Record> = TableDefinition::new("global_parameters");

/// Every table, open in one transaction.
pub(super) struct Tables<'txn> {
    leveret: Table<'txn, Name, u64>,
    vhosts: Table<'txn, Name, Record>,
    users: Table<'txn, Name, Record>,
    permissions: Table<'txn, Pair, Record>,
    topic_permissions: Table<'txn, Triple, Record>,
    exchanges: Table<'txn, Pair, Record>,
    queues: Table<'txn, Pair, Record>,
    bindings: Table<'txn, BindingKey, Record>,
    bindings_to: Table<'txn, DestinationKey, ()>,
    policies: Table<'txn, PolicyKey, Record>,
    parameters: Table<'txn, Triple, Record>,
    global_parameters: Table<'txn, Name, Record>,
}

impl<'txn> Tables<'txn> {
    /// Opens the tables, creating those that are missing.
    pub(super) fn open(transaction: &'txn WriteTransaction) -> Result<Tables<'txn>, TableError> {
        Ok(Tables {
            leveret: transaction.open_table(LEVERET)?,
            vhosts: transaction.open_table(VHOSTS)?,
            users: transaction.open_table(USERS)?,
            permissions: transaction.open_table(PERMISSIONS)?,
            topic_permissions: transaction.open_table(TOPIC_PERMISSIONS)?,
            exchanges: transaction.open_table(EXCHANGES)?,
            queues: transaction.open_table(QUEUES)?,
            bindings: transaction.open_table(BINDINGS)?,
            bindings_to: transaction.open_table(BINDINGS_TO)?,
            policies: transaction.open_table(POLICIES)?,
            parameters: transaction.open_table(PARAMETERS)?,
            global_parameters: transaction.open_table(GLOBAL_PARAMETERS)?,
        })
    }

    /// Applies one change, with everything that goes along with it.
    pub(super) fn apply(&mut self, change: &Change) -> Result<(), StorageError> {
        match change {
            Change::PutVhost(vhost) => {
                self.vhosts.insert(vhost.name.as_str(), &*record::encode_vhost(vhost))?;
            }
            Change::DeleteVhost { name } => self.delete_vhost(name)?,
            Change::PutUser(user) => {
                self.users.insert(user.name.as_str(), &*record::encode_user(user))?;
            }
            Change::DeleteUser { name } => self.delete_user(name)?,
            Change::PutPermission(permission) => {
                let key = (permission.user.as_str(), permission.vhost.as_str());
                self.permissions.insert(key, &*record::encode_permission(permission))?;
            }
            Change::DeletePermission { user, vhost } => {
                self.permissions.remove((user.as_str(), vhost.as_str()))?;
            }
            Change::PutTopicPermission(permission) => {
                let key = (permission.user.as_str(), permission.vhost.as_str(), permission.exchange.as_str());
                self.topic_permissions.insert(key, &*record::encode_topic_permission(permission))?;
            }
            Change::DeleteTopicPermission { user, vhost, exchange: Some(exchange) } => {
                self.topic_permissions.remove((user.as_str(), vhost.as_str(), exchange.as_str()))?;
            }
            Change::DeleteTopicPermission { user, vhost, exchange: None } => {
                let after = after(vhost);
                let all = (user.as_str(), vhost.as_str(), "")..(user.as_str(), after.as_str(), "");
                self.topic_permissions.retain_in(all, |_, _| false)?;
            }
            Change::PutExchange(exchange) => {
                let key = (exchange.vhost.as_str(), exchange.name.as_str());
                self.exchanges.insert(key, &*record::encode_exchange(exchange))?;
            }
            Change::DeleteExchange { vhost, name } => self.delete_exchange(vhost, name)?,
            Change::PutQueue(queue) => {
                self.queues.insert((queue.vhost.as_str(), queue.name.as_str()), &*record::encode_queue(queue))?;
                self.reserve(queue.quid.saturating_add(1))?;
            }
            Change::DeleteQueue { vhost, name } => {
                self.delete_bindings_to(vhost, DestinationKind::Queue, name)?;
                self.queues.remove((vhost.as_str(), name.as_str()))?;
            }
            Change::PutBinding(binding) => self.put_binding(binding)?,
            Change::DeleteBinding(binding) => self.delete_binding(binding)?,
            Change::PutPolicy(policy) => {
                let key = (policy.vhost.as_str(), record::encode_policy_kind(policy.kind), policy.name.as_str());
                self.policies.insert(key, &*record::encode_policy(policy))?;
            }
            Change::DeletePolicy { vhost, kind, name } => {
                self.policies.remove((vhost.as_str(), record::encode_policy_kind(*kind), name.as_str()))?;
            }
            Change::PutParameter(parameter) => {
                let key = (parameter.vhost.as_str(), parameter.component.as_str(), parameter.name.as_str());
                self.parameters.insert(key, &*record::encode_parameter(parameter))?;
            }
            Change::DeleteParameter { vhost, component, name } => {
                self.parameters.remove((vhost.as_str(), component.as_str(), name.as_str()))?;
            }
            Change::PutGlobalParameter(parameter) => {
                self.global_parameters.insert(parameter.name.as_str(), &*record::encode_global_parameter(parameter))?;
            }
            Change::DeleteGlobalParameter { name } => {
                self.global_parameters.remove(name.as_str())?;
            }
            Change::ReserveIds(below) => self.reserve(*below)?,
        }
        Ok(())
    }

    /// Marks the file as one of this version that contains the log up to `applied`.
    pub(super) fn mark(&mut self, applied: u64) -> Result<(), StorageError> {
        self.leveret.insert(APPLIED, applied)?;
        self.leveret.insert(FORMAT, FORMAT_VERSION)?;
        Ok(())
    }

    fn delete_vhost(&mut self, name: &str) -> Result<(), StorageError> {
        let end = after(name);
        let (name, end) = (name, end.as_str());
        self.vhosts.remove(name)?;
        // These two begin with the user; a virtual host is deleted rarely enough to read them all.
        self.permissions.retain(|key, _| key.1 != name)?;
        self.topic_permissions.retain(|key, _| key.1 != name)?;
        self.exchanges.retain_in((name, "")..(end, ""), |_, _| false)?;
        self.queues.retain_in((name, "")..(end, ""), |_, _| false)?;
        self.bindings.retain_in(source_floor(name, "")..source_floor(end, ""), |_, _| false)?;
        self.bindings_to.retain_in(destination_floor(name, 0, "")..destination_floor(end, 0, ""), |_, _| false)?;
        self.policies.retain_in((name, 0, "")..(end, 0, ""), |_, _| false)?;
        self.parameters.retain_in((name, "", "")..(end, "", ""), |_, _| false)
    }

    fn delete_user(&mut self, name: &str) -> Result<(), StorageError> {
        let end = after(name);
        self.users.remove(name)?;
        self.permissions.retain_in((name, "")..(end.as_str(), ""), |_, _| false)?;
        self.topic_permissions.retain_in((name, "", "")..(end.as_str(), "", ""), |_, _| false)
    }

    fn delete_exchange(&mut self, vhost: &str, name: &str) -> Result<(), StorageError> {
        let end = after(name);
        let from = self.bindings.extract_from_if(source_floor(vhost, name)..source_floor(vhost, &end), |_, _| true)?;
        for entry in from {
            let (key, _) = entry?;
            let (vhost, source, kind, destination, routing_key, arguments) = key.value();
            self.bindings_to.remove((vhost, kind, destination, source, routing_key, arguments))?;
        }
        self.delete_bindings_to(vhost, DestinationKind::Exchange, name)?;
        self.exchanges.remove((vhost, name))?;
        Ok(())
    }

    fn delete_bindings_to(&mut self, vhost: &str, kind: DestinationKind, name: &str) -> Result<(), StorageError> {
        let (kind, end) = (record::encode_destination_kind(kind), after(name));
        let range = destination_floor(vhost, kind, name)..destination_floor(vhost, kind, &end);
        for entry in self.bindings_to.extract_from_if(range, |_, _| true)? {
            let (key, _) = entry?;
            let (vhost, kind, destination, source, routing_key, arguments) = key.value();
            self.bindings.remove((vhost, source, kind, destination, routing_key, arguments))?;
        }
        Ok(())
    }

    fn put_binding(&mut self, binding: &BindingDefinition) -> Result<(), StorageError> {
        let arguments = encoded_table(&binding.arguments);
        self.bindings.insert(by_source(binding, &arguments), &*record::encode_binding(binding))?;
        self.bindings_to.insert(by_destination(binding, &arguments), ())?;
        Ok(())
    }

    fn delete_binding(&mut self, binding: &BindingDefinition) -> Result<(), StorageError> {
        let arguments = encoded_table(&binding.arguments);
        self.bindings.remove(by_source(binding, &arguments))?;
        self.bindings_to.remove(by_destination(binding, &arguments))?;
        Ok(())
    }

    fn reserve(&mut self, below: u64) -> Result<(), StorageError> {
        let reserved = self.leveret.get(NEXT_QUID)?.map_or(0, |value| value.value());
        if below > reserved {
            self.leveret.insert(NEXT_QUID, below)?;
        }
        Ok(())
    }
}

fn by_source<'a>(
    binding: &'a BindingDefinition,
    arguments: &'a [u8],
) -> (&'a str, &'a str, u8, &'a str, &'a str, &'a [u8]) {
    let kind = record::encode_destination_kind(binding.destination_kind);
    (&binding.vhost, &binding.source, kind, &binding.destination, &binding.routing_key, arguments)
}

fn by_destination<'a>(
    binding: &'a BindingDefinition,
    arguments: &'a [u8],
) -> (&'a str, u8, &'a str, &'a str, &'a str, &'a [u8]) {
    let kind = record::encode_destination_kind(binding.destination_kind);
    (&binding.vhost, kind, &binding.destination, &binding.source, &binding.routing_key, arguments)
}

/// The lowest key of the bindings from `source`.
fn source_floor<'a>(vhost: &'a str, source: &'a str) -> (&'a str, &'a str, u8, &'a str, &'a str, &'a [u8]) {
    (vhost, source, 0, "", "", &[])
}

/// The lowest key of the bindings to `destination`.
fn destination_floor<'a>(
    vhost: &'a str,
    kind: u8,
    destination: &'a str,
) -> (&'a str, u8, &'a str, &'a str, &'a str, &'a [u8]) {
    (vhost, kind, destination, "", "", &[])
}

/// The very next string: no name lies between `name` and this one.
fn after(name: &str) -> String {
    format!("{name}\0")
}
