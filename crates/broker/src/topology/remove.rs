//! Removing exchanges, queues and bindings, with everything that goes along.

use super::{BindingInfo, Destination, Exchange, QueueCell, Topology, binding_definition};
use amqp::FieldTable;
use metadata::Change;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a removal took away: the exchanges that went along, and the changes that make it durable.
#[derive(Default)]
pub(crate) struct Removed {
    pub(crate) exchanges: Vec<Arc<Exchange>>,
    /// Hidden queues of theirs, which are not dead yet.
    pub(crate) hidden: Vec<Arc<QueueCell>>,
    pub(crate) changes: Vec<Change>,
    /// The bindings that went along, where somebody wants to know.
    pub(crate) bindings: Vec<BindingInfo>,
    /// True where somebody wants to know the bindings.
    wants_bindings: bool,
}

impl Removed {
    /// What is to be filled in, with bindings where `wants_bindings`.
    pub(crate) fn listing(wants_bindings: bool) -> Removed {
        Removed { wants_bindings, ..Removed::default() }
    }
}

impl Topology {
    /// Removes a queue, its bindings, and auto-delete exchanges that lose their last binding by it.
    ///
    /// Nothing happens when it has been removed before.
    pub(crate) fn remove_queue(&mut self, vhost: &str, cell: &QueueCell, mut removed: Removed) -> Removed {
        if self.queues.remove(&cell.quid).is_none() {
            return removed;
        }
        debug_assert_eq!(
            self.queue_names.get(&cell.name),
            Some(&cell.quid),
            "a name is given again after its queue left"
        );
        self.queue_names.remove(&cell.name);
        self.count();
        if cell.durable && cell.owner.is_none() {
            removed.changes.push(Change::DeleteQueue { vhost: vhost.to_owned(), name: cell.name.to_string() });
        }
        let mut unused = Vec::new();
        self.remove_bindings_to(Destination::Queue(cell.quid), &cell.name, &mut unused, &mut removed);
        self.remove_exchanges(vhost, unused, &mut removed);
        removed
    }

    /// Removes an exchange, the bindings from and to it, and auto-delete exchanges that lose their last binding by it.
    pub(crate) fn remove_exchange(&mut self, vhost: &str, exchange: &Exchange, mut removed: Removed) -> Removed {
        self.remove_exchanges(vhost, vec![exchange.id], &mut removed);
        removed
    }

    /// Removes a binding; `None` when there is none.
    pub(crate) fn unbind(
        &mut self,
        vhost: &str,
        source: &str,
        destination: Destination,
        routing_key: &str,
        arguments: &FieldTable,
        mut removed: Removed,
    ) -> Option<(BindingInfo, Removed)> {
        let (name, to_queue) = self.destination_name(destination)?;
        let name = name.clone();
        let durable_destination = self.is_durable(destination);
        let entry = self.entry_mut(source)?;
        if !entry.bindings.unbind(routing_key, arguments, destination) {
            return None;
        }
        entry.exchange.changed();
        entry.sorted.forget();
        let exchange = entry.exchange.clone();
        let still_bound = entry.bindings.bindings_of(destination).next().is_some();
        let unused = entry.is_unused();
        exchange.bound.store(!entry.bindings.is_empty(), Ordering::Relaxed);
        let binding = BindingInfo {
            source: exchange.name.clone(),
            destination: name,
            to_queue,
            routing_key: routing_key.to_owned(),
            arguments: arguments.clone(),
            order: 0,
        };
        if exchange.durable && durable_destination {
            removed.changes.push(Change::DeleteBinding(binding_definition(vhost, &binding)));
        }
        if !still_bound {
            self.forget_source(destination, exchange.id);
        }
        if unused {
            self.remove_exchanges(vhost, vec![exchange.id], &mut removed);
        }
        Some((binding, removed))
    }

    /// Removes all bindings to a destination that is gone; exchanges that are unused by it go on the list.
    fn remove_bindings_to(
        &mut self,
        destination: Destination,
        name: &Arc<str>,
        unused: &mut Vec<u64>,
        removed: &mut Removed,
    ) {
        for id in self.sources.remove(&destination).unwrap_or_default() {
            let Some(entry) = self.exchanges.get_mut(&id) else { continue };
            if removed.wants_bindings {
                let to_queue = matches!(destination, Destination::Queue(_));
                removed.bindings.extend(entry.bindings.bindings_of(destination).map(|binding| BindingInfo {
                    source: entry.exchange.name.clone(),
                    destination: name.clone(),
                    to_queue,
                    routing_key: binding.routing_key.to_owned(),
                    arguments: binding.arguments.clone(),
                    order: 0,
                }));
            }
            entry.bindings.remove_destination(destination);
            entry.exchange.bound.store(!entry.bindings.is_empty(), Ordering::Relaxed);
            entry.exchange.changed();
            entry.sorted.forget();
            if entry.is_unused() {
                unused.push(id);
            }
        }
    }

    /// Removes exchanges and, one after the other, those that are unused without them.
    fn remove_exchanges(&mut self, vhost: &str, mut ids: Vec<u64>, removed: &mut Removed) {
        while let Some(id) = ids.pop() {
            if removed.wants_bindings
                && let Some(entry) = self.exchanges.get(&id)
            {
                removed.bindings.extend(self.bindings_of(entry));
            }
            let Some(entry) = self.exchanges.remove(&id) else { continue };
            let exchange = entry.exchange;
            exchange.bound.store(false, Ordering::Relaxed);
            self.exchange_names.remove(&exchange.name);
            self.count();
            exchange.changed();
            if exchange.durable {
                let name = exchange.name.to_string();
                removed.changes.push(Change::DeleteExchange { vhost: vhost.to_owned(), name });
            }
            if let Some(cell) = self.remove_hidden(&exchange) {
                if cell.durable {
                    let name = cell.name.to_string();
                    removed.changes.push(Change::DeleteQueue { vhost: vhost.to_owned(), name });
                }
                removed.hidden.push(cell);
            }
            for binding in entry.bindings.iter() {
                self.forget_source(binding.destination, id);
            }
            let name = exchange.name.clone();
            removed.exchanges.push(exchange);
            self.remove_bindings_to(Destination::Exchange(id), &name, &mut ids, removed);
        }
    }

    fn forget_source(&mut self, destination: Destination, id: u64) {
        if let Some(sources) = self.sources.get_mut(&destination) {
            sources.retain(|source| *source != id);
            if sources.is_empty() {
                self.sources.remove(&destination);
            }
        }
    }
}
