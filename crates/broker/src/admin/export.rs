//! Exporting definitions, and a second broker in memory to try on what an import would do.

use super::{AdminError, AdminReply};
use crate::broker::Broker;
use crate::core::exchange_definition;
use crate::names::is_reserved;
use crate::topology::{BindingInfo, QueueCell, Vhost, binding_definition};
use auth::{AccessControl, LoginSettings};
use metadata::{BindingDefinition, ExchangeDefinition, MemoryJournal, QueueDefinition, Snapshot};
use std::sync::Arc;

/// Exchanges, queues and bindings as definitions have them, those that are not durable among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopologyDefinitions {
    /// By virtual host and name.
    pub exchanges: Vec<ExchangeDefinition>,
    /// By virtual host and name.
    pub queues: Vec<QueueDefinition>,
    /// By virtual host, source, destination, key and arguments.
    pub bindings: Vec<BindingDefinition>,
}

/// Which objects are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Those that can be imported: no exclusive queues and nothing that begins with `amq.`.
    Definitions,
    /// All but those that every virtual host has.
    Everything,
}

impl Broker {
    /// What RabbitMQ exports, and the internal exchanges that it leaves out since 4.0.
    pub(super) fn export_topology(&self, vhost: Option<&str>) -> Result<AdminReply, AdminError> {
        let mut all = TopologyDefinitions::default();
        for vhost in self.vhosts_or_one(vhost)? {
            describe(&vhost, Wanted::Definitions, &mut all);
        }
        Ok(AdminReply::Topology(Box::new(all)))
    }

    /// A broker in memory with the same definitions and no messages, no connections and no disk.
    ///
    /// What an import does to it is what the import would do to this one. Takes memory for a second topology.
    pub fn rehearsal(&self) -> Arc<Broker> {
        let mut topology = TopologyDefinitions::default();
        for vhost in self.vhosts() {
            describe(&vhost, Wanted::Everything, &mut topology);
        }
        let snapshot = Snapshot {
            exchanges: topology.exchanges,
            queues: topology.queues,
            bindings: topology.bindings,
            ..(*self.registry.current()).clone()
        };
        let access = Arc::new(AccessControl::new(LoginSettings::default(), &snapshot));
        let journal = Arc::new(MemoryJournal::from_snapshot(snapshot.clone()));
        Broker::new(self.settings.clone(), access, journal, &snapshot, 1, |bytes| bytes.fill(0))
    }
}

fn describe(vhost: &Arc<Vhost>, wanted: Wanted, into: &mut TopologyDefinitions) {
    let mut exchanges = vhost.exchanges();
    exchanges.retain(|exchange| !exchange.is_default() && !is_reserved(&exchange.name));
    exchanges.sort_by(|a, b| a.name.cmp(&b.name));
    into.exchanges.extend(exchanges.iter().map(|exchange| exchange_definition(&vhost.name, exchange)));
    let mut queues = vhost.queues();
    queues.retain(|cell| wanted == Wanted::Everything || (cell.owner.is_none() && !is_reserved(&cell.name)));
    queues.sort_by(|a, b| a.name.cmp(&b.name));
    into.queues.extend(queues.iter().map(|cell| queue_definition(cell)));
    let mut bindings = vhost.bindings();
    bindings.sort_by(|a, b| {
        let key = |of: &BindingInfo| (of.source.clone(), of.destination.clone(), of.to_queue, of.routing_key.clone());
        // Two that differ in their arguments only have an order, too.
        key(a).cmp(&key(b)).then_with(|| a.arguments.to_bytes().cmp(&b.arguments.to_bytes()))
    });
    let has_queue = |name: &str| queues.binary_search_by(|cell| (*cell.name).cmp(name)).is_ok();
    let bindings = bindings.into_iter().filter(|binding| !binding.to_queue || has_queue(&binding.destination));
    into.bindings.extend(bindings.map(|binding| binding_definition(&vhost.name, &binding)));
}

fn queue_definition(cell: &QueueCell) -> QueueDefinition {
    QueueDefinition {
        quid: cell.quid,
        vhost: cell.vhost.to_string(),
        name: cell.name.to_string(),
        durable: cell.durable,
        auto_delete: cell.auto_delete,
        arguments: cell.terms().arguments.clone(),
    }
}
