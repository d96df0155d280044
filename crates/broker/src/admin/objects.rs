//! Queues, exchanges and bindings.

use super::{AdminError, AdminReply, BindingSnapshot, ExchangeSnapshot, Missing, QueueSnapshot};
use crate::broker::Broker;
use crate::core::{DeleteCondition, QueueDeclaration, delete_queue};
use crate::errors::{self, ProtocolError};
use crate::names::is_reserved;
use crate::policy::Policy;
use crate::topology::{BindingInfo, QueueCell, Vhost};
use amqp::FieldTable;
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

    pub(super) fn purge(&self, vhost: &str, name: &str) -> Result<AdminReply, AdminError> {
        let (_, cell) = self.find_queue(vhost, name)?;
        let (count, token) = self.purge_queue(&cell);
        self.wait_for(token)?;
        Ok(AdminReply::Count(count))
    }

    pub(super) fn delete_queue(
        &self,
        vhost: &str,
        name: &str,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<AdminReply, AdminError> {
        let (vhost, cell) = self.find_queue(vhost, name)?;
        let condition = DeleteCondition { if_unused, if_empty };
        let (count, token) = delete_queue(self, &vhost, &cell, condition).map_err(refused)?;
        self.wait_for(token)?;
        Ok(AdminReply::Count(count))
    }

    /// As queue.declare does, for an operator, who may configure everything.
    pub(super) fn declare_by_operator(
        &self,
        vhost: &str,
        name: &str,
        durable: bool,
        auto_delete: bool,
        arguments: FieldTable,
    ) -> Result<AdminReply, AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        if name.is_empty() || name.len() > NAME_LIMIT {
            return Err(AdminError::Invalid(format!("queue name must be of 1 to {NAME_LIMIT} bytes")));
        }
        if is_reserved(name) {
            return Err(refused(errors::RESERVED_NAME.with(&[&"queue", &name])));
        }
        let stored = QueueDefinition { arguments: arguments.clone(), ..QueueDefinition::default() };
        if !Change::PutQueue(stored).is_storable() {
            return Err(AdminError::Invalid(
                "arguments are larger than 256 KiB, nested too deeply or have names that are too long".to_owned(),
            ));
        }
        let declaration =
            QueueDeclaration { name, durable, auto_delete, owner: None, arguments, is_server_named: false };
        let declared = self.declare_queue(&vhost, declaration, &|_| Ok(())).map_err(refused)?;
        if declared.is_new {
            self.have_looked_at(&declared.cell);
        }
        self.wait_for(declared.token)?;
        Ok(if declared.is_new { AdminReply::Created } else { AdminReply::Done })
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

    fn vhosts_or_one(&self, name: Option<&str>) -> Result<Vec<Arc<Vhost>>, AdminError> {
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

fn refused(error: ProtocolError) -> AdminError {
    AdminError::Refused(error.text)
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
