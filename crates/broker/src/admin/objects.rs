//! Queues, exchanges and bindings.

use super::{AdminError, AdminReply, BindingSnapshot, ExchangeSnapshot, Missing, QueueSnapshot};
use crate::broker::Broker;
use crate::channel::queue::definition;
use crate::channel::queue_arguments::{assert_queue_arguments_equivalent, check_queue_arguments, timeout_argument};
use crate::core::{DeleteCondition, delete_queue};
use crate::errors::{self, ArgumentValue, ProtocolError, Resource};
use crate::names::is_reserved;
use crate::topology::{BindingInfo, QueueCell, Vhost};
use amqp::FieldTable;
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
    pub(super) fn declare_queue(
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
        check_queue_arguments(&arguments, &Resource::queue(&vhost.name, name)).map_err(refused)?;
        let new = QueueCell {
            durable,
            is_stored: durable && self.messages.is_some(),
            auto_delete,
            consumer_timeout_ms: timeout_argument(&arguments),
            arguments,
            ..QueueCell::new(self.quids.allocate(&*self.journal), &vhost.name, name)
        };
        let change = definition(&new);
        if !change.is_storable() {
            return Err(AdminError::Invalid(
                "arguments are larger than 256 KiB, nested too deeply or have names that are too long".to_owned(),
            ));
        }
        let mut topology = vhost.write();
        if let Some(existing) = topology.queue(name).filter(|cell| !cell.is_dead()).cloned() {
            drop(topology);
            return assert_equivalent(&vhost, &existing, &new).map(|()| AdminReply::Done).map_err(refused);
        }
        // One that is dead and on its way out leaves first, with its bindings.
        let dead = topology.queue(name).cloned();
        let removed = dead.map(|dead| topology.remove_queue(&vhost.name, &dead)).unwrap_or_default();
        let mut changes = removed.changes;
        let cell = topology.insert_queue(new);
        self.add_queue(&cell);
        if durable {
            changes.push(change);
        }
        // Proposed under the lock, so that the journal has changes in the order in which they happened.
        let token = self.propose(changes);
        drop(topology);
        self.end_hidden(removed.hidden);
        self.wait_for(token)?;
        Ok(AdminReply::Created)
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
                    kind: exchange.kind.name(),
                    durable: exchange.durable || exchange.is_default(),
                    auto_delete: exchange.auto_delete,
                    internal: exchange.internal,
                    arguments: exchange.arguments.clone(),
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

    fn find_queue(&self, vhost: &str, name: &str) -> Result<(Arc<Vhost>, Arc<QueueCell>), AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        let cell = vhost.queue(name).ok_or_else(|| Missing::Queue.called(name))?;
        Ok((vhost, cell))
    }
}

fn refused(error: ProtocolError) -> AdminError {
    AdminError::Refused(error.text)
}

fn assert_equivalent(vhost: &Vhost, existing: &QueueCell, new: &QueueCell) -> Result<(), ProtocolError> {
    let resource = Resource::queue(&vhost.name, &existing.name);
    if existing.owner.is_some() {
        return Err(errors::QUEUE_LOCKED.with(&[&resource]));
    }
    for (name, received, current) in
        [("durable", new.durable, existing.durable), ("auto_delete", new.auto_delete, existing.auto_delete)]
    {
        if received != current {
            let (received, current) = (ArgumentValue::Value(&received), ArgumentValue::Value(&current));
            return Err(errors::INEQUIVALENT_ARGUMENT.with(&[&name, &resource, &received, &current]));
        }
    }
    assert_queue_arguments_equivalent(&resource, &new.arguments, &existing.arguments)
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

fn describe(cell: &QueueCell) -> QueueSnapshot {
    let gauges = &cell.counters;
    let mut counters = Vec::new();
    gauges.each(|name, value| counters.push((name, value)));
    QueueSnapshot {
        vhost: cell.vhost.clone(),
        name: cell.name.clone(),
        durable: cell.durable,
        auto_delete: cell.auto_delete,
        owner: cell.owner,
        arguments: cell.arguments.clone(),
        messages_ready: gauges.messages_ready.value(),
        messages_unacknowledged: gauges.messages_unacknowledged.value(),
        message_bytes_ready: gauges.message_bytes_ready.value(),
        message_bytes_unacknowledged: gauges.message_bytes_unacknowledged.value(),
        consumers: gauges.consumers.value(),
        counters,
    }
}
