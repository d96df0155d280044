//! Where a message goes: from an exchange through bindings, other exchanges and alternate exchanges to queues.

use super::{Behaviour, Destination, Exchange, QueueCell, Topology, one_of};
use crate::deduplication::{self, Claim};
use amqp::properties::PropertiesRef;
use amqp::{FieldRef, TableRef};
use std::sync::Arc;

/// What of a message decides where it goes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Routed<'a> {
    /// The routing key, then those of CC and BCC.
    pub(crate) keys: &'a [&'a [u8]],
    pub(crate) headers: Option<TableRef<'a>>,
    pub(crate) properties: PropertiesRef<'a>,
    /// A number of its own for each message, for the types that choose at random.
    pub(crate) random: u64,
    /// The time, in ms since 1970.
    pub(crate) now_ms: u64,
}

impl Routed<'_> {
    /// True where the publisher asks for the message not to be kept for bindings to come.
    fn is_not_for_history(&self) -> bool {
        matches!(self.headers.and_then(|headers| headers.find("x-recent-history-no-store")), Some(FieldRef::Bool(true)))
    }
}

/// A routing decision: queues, each once, and what it depended on.
#[derive(Default)]
pub(crate) struct Route {
    pub(crate) queues: Vec<Arc<QueueCell>>,
    /// The exchanges that took part, each with the generation that it had.
    visited: Vec<(Arc<Exchange>, u64)>,
    /// False when something took part that the generations do not tell, such as headers.
    pub(crate) by_key_alone: bool,
    /// Hidden queues that keep the message for bindings to come.
    pub(crate) histories: Vec<Arc<QueueCell>>,
    /// What exchanges that look for duplicates remember of it, if it reaches its queues.
    pub(crate) claims: Vec<Claim>,
    /// True when one of them had seen it before.
    pub(crate) met_duplicate: bool,
    /// True for a message that went to a direct reply consumer and to no queue.
    pub(crate) delivered_directly: bool,
    /// True for a message that waits before it is routed.
    pub(crate) is_delayed: bool,
}

impl Route {
    /// The route of a message that has been given to a direct reply consumer.
    pub(crate) fn direct() -> Route {
        Route { delivered_directly: true, ..Route::default() }
    }

    /// The way of messages that wait in this queue before they are routed.
    pub(crate) fn holding(cell: Arc<QueueCell>) -> Route {
        Route { queues: vec![cell], is_delayed: true, ..Route::default() }
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
    /// Routes a message from `exchange`.
    pub(crate) fn route(&self, exchange: &Arc<Exchange>, message: &Routed<'_>) -> Route {
        let mut route = Route { by_key_alone: message.keys.len() == 1, ..Route::default() };
        let mut destinations = Vec::new();
        let mut at = 0;
        route.visit(exchange);
        while let Some((exchange, _)) = route.visited.get(at) {
            let exchange = exchange.clone();
            at += 1;
            destinations.clear();
            if !exchange.behaviour.routes_by_key() {
                route.by_key_alone = false;
            }
            if let Some(history) = exchange.history().filter(|_| !message.is_not_for_history()) {
                route.histories.push(history.clone());
            }
            if route.passes_window(&exchange, message) {
                self.destinations_of(&exchange, message, &mut destinations);
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

    fn destinations_of(&self, exchange: &Exchange, message: &Routed<'_>, destinations: &mut Vec<Destination>) {
        if exchange.is_default() {
            for key in message.keys {
                let name = std::str::from_utf8(key).ok();
                let queue = name.and_then(|name| self.queue_names.get(name));
                destinations.extend(queue.map(|id| Destination::Queue(*id)));
            }
            return;
        }
        let Some(entry) = self.exchanges.get(&exchange.id) else { return };
        match &exchange.behaviour {
            Behaviour::Plain
            | Behaviour::BeyondKeys
            | Behaviour::RecentHistory { .. }
            | Behaviour::Deduplication { .. } => {
                for key in message.keys {
                    entry.bindings.route(key, message.headers, destinations);
                }
            }
            Behaviour::ConsistentHash(source) => {
                let key = message.keys.first().copied().unwrap_or_default();
                entry.bindings.route_hashed(source.key_of(key, message.headers, message.properties), destinations);
            }
            Behaviour::ModulusHash => {
                let sorted = self.sorted(entry);
                let place = routing::modulus(message.keys.iter().copied(), sorted.len());
                destinations.extend(place.and_then(|place| sorted.get(place)));
            }
            Behaviour::Random => {
                destinations.extend(one_of::at_random(self.sorted(entry), message.random, exchange.id));
            }
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

    /// False for a duplicate at an exchange that looks for them. As in the plugin it then is a message without
    /// bindings, which an alternate exchange gets.
    fn passes_window(&mut self, exchange: &Arc<Exchange>, message: &Routed<'_>) -> bool {
        let Some(window) = exchange.window() else { return true };
        let Some(key) = deduplication::key_of(message.headers) else { return true };
        let claim = window.claim(exchange, key, deduplication::ttl_of(message.headers), message.now_ms);
        let is_new = claim.is_some();
        self.claims.extend(claim);
        self.met_duplicate |= !is_new;
        is_new
    }

    fn add(&mut self, cell: Option<&Arc<QueueCell>>) {
        if let Some(cell) = cell
            && !self.queues.iter().any(|other| other.quid == cell.quid)
        {
            self.queues.push(cell.clone());
        }
    }
}
