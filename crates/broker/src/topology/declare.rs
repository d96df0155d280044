//! Adding exchanges, queues and bindings.

use super::one_of::Sorted;
use super::{BindingInfo, Destination, Entry, Exchange, QueueCell, Topology};
use amqp::FieldTable;
use routing::{BindError, BindingTable};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Topology {
    /// Adds an exchange whose name is free.
    pub(crate) fn insert_exchange(&mut self, exchange: Exchange) -> Arc<Exchange> {
        let exchange = Arc::new(exchange);
        let bindings = BindingTable::new(exchange.kind.binding_type());
        self.exchange_names.insert(exchange.name.clone(), exchange.id);
        self.exchanges.insert(
            exchange.id,
            Entry { exchange: exchange.clone(), bindings, was_bound: false, sorted: Sorted::default() },
        );
        self.count();
        exchange
    }

    /// Adds a queue whose name is free.
    pub(crate) fn insert_queue(&mut self, cell: QueueCell) -> Arc<QueueCell> {
        let cell = Arc::new(cell);
        self.queue_names.insert(cell.name.clone(), cell.quid);
        self.queues.insert(cell.quid, cell.clone());
        self.count();
        cell
    }

    /// Adds a binding. Returns it when it is new, with whether it has to be made durable.
    pub(crate) fn bind(
        &mut self,
        source: &str,
        destination: Destination,
        routing_key: &str,
        arguments: &FieldTable,
    ) -> Result<Option<(BindingInfo, bool)>, BindError> {
        let Some((name, to_queue)) = self.destination_name(destination) else { return Ok(None) };
        let name = name.clone();
        let durable_destination = self.is_durable(destination);
        let Some(entry) = self.entry_mut(source) else { return Ok(None) };
        if !entry.bindings.bind(routing_key, arguments, destination)? {
            return Ok(None);
        }
        entry.was_bound = true;
        entry.sorted.forget();
        entry.exchange.bound.store(true, Ordering::Relaxed);
        entry.exchange.changed();
        let (id, durable) = (entry.exchange.id, entry.exchange.durable && durable_destination);
        let binding = BindingInfo {
            source: entry.exchange.name.clone(),
            destination: name,
            to_queue,
            routing_key: routing_key.to_owned(),
            arguments: arguments.clone(),
            order: entry.bindings.newest_order(),
        };
        let sources = self.sources.entry(destination).or_default();
        if !sources.contains(&id) {
            sources.push(id);
        }
        Ok(Some((binding, durable)))
    }

    /// Makes bindings from `source` from now on come after `order`, which a binding that was restored had.
    pub(crate) fn continue_after(&mut self, source: &str, order: u64) {
        if let Some(entry) = self.entry_mut(source) {
            entry.bindings.continue_after(order);
        }
    }

    /// The destination called `name`.
    pub(crate) fn destination(&self, name: &str, to_queue: bool) -> Option<Destination> {
        if to_queue {
            self.queue_names.get(name).map(|id| Destination::Queue(*id))
        } else {
            self.exchange_names.get(name).map(|id| Destination::Exchange(*id))
        }
    }
}
