//! Queues, exchanges and bindings.

use super::{AdminError, AdminReply, BindingSnapshot, ExchangeSnapshot, Missing, QueueSnapshot};
use crate::access::Rights;
use crate::broker::Broker;
use crate::core::{Binding, DeleteCondition, ExchangeDeclaration, QueueDeclaration, delete_queue, sorted};
use crate::errors::{self, ProtocolError};
use crate::message::ShardMessage;
use crate::names::is_reserved;
use crate::policy::Policy;
use crate::topology::{BindingInfo, QueueCell, Vhost};
use amqp::FieldTable;
use auth::Permission;
use metadata::{Change, QueueDefinition};
use std::sync::Arc;

/// Longest name of a queue in bytes: a short string.
const NAME_LIMIT: usize = 255;

impl Broker {
    pub(super) fn list_queues(&self, vhost: Option<&str>) -> Result<AdminReply, AdminError> {
        let mut queues = Vec::new();
        for vhost in self.vhosts_or_one(vhost)? {
            let mut cells = vhost.queues();
            cells.sort_by(|a, b| a.name.cmp(&b.name));
            queues.extend(cells.iter().map(|cell| describe(cell)));
        }
        Ok(AdminReply::Queues(queues))
    }

    pub(super) fn one_queue(&self, vhost: &str, name: &str) -> Result<AdminReply, AdminError> {
        let (_, cell) = self.find_queue(vhost, name)?;
        Ok(AdminReply::Queues(vec![describe(&cell)]))
    }

    pub(super) fn purge(&self, rights: Rights<'_>, vhost: &str, name: &str) -> Result<AdminReply, AdminError> {
        let (vhost, _) = self.find_queue(vhost, name)?;
        rights.check(auth::Resource::queue(&vhost.name, name), Permission::Read)?;
        let (count, token) = self.purge_queue(&*rights.queue(&vhost, name)?);
        self.wait_for(token)?;
        Ok(AdminReply::Count(count))
    }

    pub(super) fn delete_queue(
        &self,
        rights: Rights<'_>,
        vhost: &str,
        name: &str,
        condition: DeleteCondition,
    ) -> Result<AdminReply, AdminError> {
        let (vhost, _) = self.find_queue(vhost, name)?;
        rights.check(auth::Resource::queue(&vhost.name, name), Permission::Configure)?;
        let cell = rights.queue(&vhost, name)?;
        let (count, token) = delete_queue(self, &vhost, &cell, condition)?;
        self.wait_for(token)?;
        Ok(AdminReply::Count(count))
    }

    /// As queue.declare does.
    pub(super) fn declare_queue_by(
        &self,
        rights: Rights<'_>,
        vhost: &str,
        declaration: QueueDeclaration<'_>,
    ) -> Result<AdminReply, AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        let name = declaration.name;
        check_name("queue", name)?;
        if is_reserved(name) {
            return Err(errors::RESERVED_NAME.with(&[&"queue", &name]).into());
        }
        rights.check(auth::Resource::queue(&vhost.name, name), Permission::Configure)?;
        check_storable(&declaration.arguments)?;
        let authorize = |arguments: &FieldTable| rights.check_dead_letters(&vhost, name, arguments);
        let declared = self.declare_queue(&vhost, declaration, &authorize)?;
        if declared.is_new {
            self.have_looked_at(&declared.cell);
        }
        self.wait_for(declared.token)?;
        Ok(if declared.is_new { AdminReply::Created } else { AdminReply::Done })
    }

    /// As exchange.declare does.
    pub(super) fn declare_exchange_by(
        &self,
        rights: Rights<'_>,
        vhost: &str,
        declaration: ExchangeDeclaration<'_>,
    ) -> Result<AdminReply, AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        // The empty name is that of the default exchange, about which clients have an error of its own.
        if !declaration.name.is_empty() {
            check_name("exchange", declaration.name)?;
        }
        check_storable(&declaration.arguments)?;
        let declared = self.declare_exchange(&vhost, declaration, rights)?;
        self.wait_for(declared.token)?;
        Ok(if declared.is_new { AdminReply::Created } else { AdminReply::Done })
    }

    pub(super) fn delete_exchange_by(
        &self,
        rights: Rights<'_>,
        vhost: &str,
        name: &str,
        if_unused: bool,
    ) -> Result<AdminReply, AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        vhost.exchange(name).ok_or_else(|| Missing::Exchange.called(name))?;
        self.wait_for(self.delete_exchange(&vhost, name, if_unused, rights)?)?;
        Ok(AdminReply::Done)
    }

    /// As queue.bind and exchange.bind do.
    pub(super) fn bind_by(&self, rights: Rights<'_>, binding: &BindingSnapshot) -> Result<AdminReply, AdminError> {
        let vhost = self.vhost(&binding.vhost).ok_or_else(|| Missing::Vhost.called(&binding.vhost))?;
        check_routing_key(&binding.binding.routing_key)?;
        check_storable(&binding.binding.arguments)?;
        let bound = self.bind(&vhost, &as_method(&binding.binding), rights)?;
        if let Some((history, destination)) = bound.replay {
            self.post(0, ShardMessage::Replay { vhost, history, destination });
        }
        self.wait_for(bound.token)?;
        Ok(AdminReply::Done)
    }

    pub(super) fn unbind_by(&self, rights: Rights<'_>, binding: &BindingSnapshot) -> Result<AdminReply, AdminError> {
        let vhost = self.vhost(&binding.vhost).ok_or_else(|| Missing::Vhost.called(&binding.vhost))?;
        self.wait_for(self.unbind(&vhost, &as_method(&binding.binding), rights)?)?;
        Ok(AdminReply::Done)
    }

    pub(super) fn list_exchanges(&self, vhost: Option<&str>) -> Result<AdminReply, AdminError> {
        let mut all = Vec::new();
        for vhost in self.vhosts_or_one(vhost)? {
            let mut exchanges = vhost.exchanges();
            exchanges.sort_by(|a, b| a.name.cmp(&b.name));
            all.extend(exchanges.iter().map(|exchange| {
                let mut counters = Vec::new();
                exchange.counters.each(|name, value| counters.push((name, value)));
                ExchangeSnapshot {
                    vhost: vhost.name.clone(),
                    name: exchange.name.clone(),
                    kind: exchange.type_name(),
                    durable: exchange.durable || exchange.is_default(),
                    auto_delete: exchange.auto_delete,
                    internal: exchange.internal,
                    arguments: exchange.arguments.clone(),
                    policy: name_of(&exchange.options().policies.user),
                    counters,
                }
            }));
        }
        Ok(AdminReply::Exchanges(all))
    }

    pub(super) fn list_bindings(&self, vhost: Option<&str>) -> Result<AdminReply, AdminError> {
        let mut all = Vec::new();
        for vhost in self.vhosts_or_one(vhost)? {
            let implicit = vhost.queues().into_iter().map(|cell| implicit_binding(&cell));
            let mut bindings: Vec<BindingInfo> = implicit.chain(vhost.bindings()).collect();
            bindings.sort_by(|a, b| {
                (&a.source, &a.destination, &a.routing_key).cmp(&(&b.source, &b.destination, &b.routing_key))
            });
            all.extend(bindings.into_iter().map(|binding| BindingSnapshot { vhost: vhost.name.clone(), binding }));
        }
        Ok(AdminReply::Bindings(all))
    }

    pub(super) fn vhosts_or_one(&self, name: Option<&str>) -> Result<Vec<Arc<Vhost>>, AdminError> {
        match name {
            None => Ok(self.vhosts()),
            Some(name) => Ok(vec![self.vhost(name).ok_or_else(|| Missing::Vhost.called(name))?]),
        }
    }

    pub(super) fn find_queue(&self, vhost: &str, name: &str) -> Result<(Arc<Vhost>, Arc<QueueCell>), AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        let cell = vhost.queue(name).ok_or_else(|| Missing::Queue.called(name))?;
        Ok((vhost, cell))
    }
}

impl From<ProtocolError> for AdminError {
    fn from(error: ProtocolError) -> AdminError {
        AdminError::Method(error)
    }
}

/// RabbitMQ's words for a name that is too long for a short string.
fn check_name(kind: &str, name: &str) -> Result<(), AdminError> {
    if name.is_empty() || name.len() > NAME_LIMIT {
        return Err(AdminError::Invalid(format!("{kind} name must be of 1 to {NAME_LIMIT} bytes")));
    }
    Ok(())
}

fn check_routing_key(key: &str) -> Result<(), AdminError> {
    if key.len() > NAME_LIMIT {
        return Err(AdminError::Invalid(format!("routing key must not be longer than {NAME_LIMIT} bytes")));
    }
    Ok(())
}

/// Arguments that came in a frame can always be stored; these did not.
fn check_storable(arguments: &FieldTable) -> Result<(), AdminError> {
    let stored = QueueDefinition { arguments: arguments.clone(), ..QueueDefinition::default() };
    if Change::PutQueue(stored).is_storable() {
        return Ok(());
    }
    Err(AdminError::Invalid(
        "arguments are larger than 256 KiB, nested too deeply or have names that are too long".to_owned(),
    ))
}

/// With the arguments sorted, as those of clients are.
fn as_method(binding: &BindingInfo) -> Binding<'_> {
    Binding {
        source: (&*binding.source).into(),
        destination: (&*binding.destination).into(),
        to_queue: binding.to_queue,
        routing_key: binding.routing_key.as_str().into(),
        arguments: sorted(binding.arguments.clone()),
    }
}

/// Every queue is bound to the default exchange by its name.
fn implicit_binding(cell: &QueueCell) -> BindingInfo {
    BindingInfo {
        source: "".into(),
        destination: cell.name.clone(),
        to_queue: true,
        routing_key: cell.name.to_string(),
        arguments: FieldTable::new(),
        order: 0,
    }
}

fn name_of(policy: &Option<Arc<Policy>>) -> Option<String> {
    policy.as_ref().map(|policy| policy.definition.name.clone())
}

fn describe(cell: &QueueCell) -> QueueSnapshot {
    let gauges = &cell.counters;
    let mut counters = Vec::new();
    gauges.each(|name, value| counters.push((name, value)));
    let terms = cell.terms();
    QueueSnapshot {
        vhost: cell.vhost.clone(),
        name: cell.name.clone(),
        durable: cell.durable,
        auto_delete: cell.auto_delete,
        owner: cell.owner,
        arguments: terms.arguments.clone(),
        policy: name_of(&terms.policies.user),
        operator_policy: name_of(&terms.policies.operator),
        effective_policy_definition: terms.policies.definition(),
        messages_ready: gauges.messages_ready.value(),
        messages_unacknowledged: gauges.messages_unacknowledged.value(),
        message_bytes_ready: gauges.message_bytes_ready.value(),
        message_bytes_unacknowledged: gauges.message_bytes_unacknowledged.value(),
        consumers: gauges.consumers.value(),
        counters,
    }
}
