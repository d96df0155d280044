//! Where a message goes: from an exchange through bindings, other exchanges and alternate exchanges to queues.

use super::{Destination, Exchange, QueueCell, Topology};
use amqp::TableRef;
use std::sync::Arc;

/// A routing decision: queues, each once, and what it depended on.
#[derive(Default)]
pub(crate) struct Route {
    pub(crate) queues: Vec<Arc<QueueCell>>,
    /// The exchanges that took part, each with the generation that it had.
    visited: Vec<(Arc<Exchange>, u64)>,
    /// False when something took part that the generations do not tell, such as headers.
    pub(crate) by_key_alone: bool,
    /// True for a message that went to a direct reply consumer and to no queue.
    pub(crate) delivered_directly: bool,
}

impl Route {
    /// The route of a message that has been given to a direct reply consumer.
    pub(crate) fn direct() -> Route {
        Route { delivered_directly: true, ..Route::default() }
    }

    /// A route to these queues.
    pub(crate) fn to(queues: Vec<Arc<QueueCell>>) -> Route {
        Route { queues, ..Route::default() }
    }

    /// True when the decision began at `exchange`.
    pub(crate) fn is_for(&self, exchange: &Arc<Exchange>) -> bool {
        self.visited.first().is_some_and(|(first, _)| Arc::ptr_eq(first, exchange))
    }

    /// True while nothing that the decision depended on has changed.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        self.visited.iter().all(|(exchange, generation)| exchange.generation() == *generation)
            && self.queues.iter().all(|cell| !cell.is_dead())
    }
}

impl Topology {
    /// Routes a message with these keys (the routing key, then those of CC and BCC) from `exchange`.
    pub(crate) fn route(&self, exchange: &Arc<Exchange>, keys: &[&[u8]], headers: Option<TableRef<'_>>) -> Route {
        let mut route = Route { by_key_alone: keys.len() == 1, ..Route::default() };
        let mut destinations = Vec::new();
        let mut at = 0;
        route.visit(exchange);
        while let Some((exchange, _)) = route.visited.get(at) {
            let exchange = exchange.clone();
            at += 1;
            destinations.clear();
            if !exchange.kind.routes_by_key() {
                route.by_key_alone = false;
            }
            for key in keys {
                self.destinations_of(&exchange, key, headers, &mut destinations);
            }
            if destinations.is_empty() {
                self.visit_alternate(&exchange, &mut route);
            }
            for destination in &destinations {
                match destination {
                    Destination::Queue(id) => route.add(self.queues.get(id)),
                    Destination::Exchange(id) => {
                        if let Some(entry) = self.exchanges.get(id) {
                            route.visit(&entry.exchange);
                        }
                    }
                }
            }
        }
        // An unroutable message may become routable by a declaration that raises no generation.
        route.by_key_alone &= !route.queues.is_empty();
        route
    }

    fn destinations_of(
        &self,
        exchange: &Exchange,
        key: &[u8],
        headers: Option<TableRef<'_>>,
        destinations: &mut Vec<Destination>,
    ) {
        if exchange.is_default() {
            let name = std::str::from_utf8(key).ok();
            let queue = name.and_then(|name| self.queue_names.get(name));
            destinations.extend(queue.map(|id| Destination::Queue(*id)));
        } else if let Some(entry) = self.exchanges.get(&exchange.id) {
            entry.bindings.route(key, headers, destinations);
        }
    }

    fn visit_alternate(&self, exchange: &Exchange, route: &mut Route) {
        let options = exchange.options();
        let Some(name) = &options.alternate else { return };
        match self.exchange(name) {
            Some(alternate) => route.visit(alternate),
            // It may be declared later.
            None => route.by_key_alone = false,
        }
    }
}

impl Route {
    /// Adds an exchange to go through, once.
    fn visit(&mut self, exchange: &Arc<Exchange>) {
        if !self.visited.iter().any(|(visited, _)| visited.id == exchange.id) {
            self.visited.push((exchange.clone(), exchange.generation()));
        }
    }

    fn add(&mut self, cell: Option<&Arc<QueueCell>>) {
        if let Some(cell) = cell
            && !self.queues.iter().any(|other| other.quid == cell.quid)
        {
            self.queues.push(cell.clone());
        }
    }
}
