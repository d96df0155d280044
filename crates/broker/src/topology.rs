//! Virtual hosts, exchanges, queues and the bindings between them.
//!
//! A virtual host's topology is one structure behind one lock, which is held for a lookup or a change and never
//! together with a queue's lock. The message path asks it only when its caches miss.

mod behaviour;
mod declare;
mod exchange;
mod exchange_kind;
mod hidden;
mod one_of;
mod queue_cell;
mod queue_details;
mod queue_options;
mod remove;
mod route;

pub(crate) use behaviour::Behaviour;
pub(crate) use exchange::{DELAYED_TYPE, DELAYED_TYPE_ARGUMENT};
pub use exchange::{Exchange, ExchangeOptions};
pub use exchange_kind::ExchangeKind;
pub(crate) use hidden::{HiddenQueue, exchange_of, hidden_name};
pub use queue_cell::{QueueCell, QueueState, QueueTerms};
pub use queue_details::QueueDetails;
pub use queue_options::{DeadLetterTarget, DelayedRetry, Overflow, QueueOptions};
pub(crate) use remove::Removed;
pub(crate) use route::{Route, Routed};

use crate::limits::{ObjectCounts, VhostLimits};
use crate::policy::Policies;
use crate::totals::MessageStats;
use amqp::FieldTable;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use metadata::{BindingDefinition, VhostDefinition};
use routing::BindingTable;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What a binding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A queue, by its id.
    Queue(u64),
    /// An exchange, by its id.
    Exchange(u64),
}

/// A virtual host.
pub struct Vhost {
    /// A number that no other virtual host of this run has had.
    pub id: u64,
    /// Its name.
    pub name: Arc<str>,
    pub(crate) default_exchange: Arc<Exchange>,
    topology: RwLock<Topology>,
    next_exchange: AtomicU64,
    /// Where delayed messages wait, once there were any.
    delayed: OnceLock<Arc<Route>>,
    /// A leaf; who declares something takes it within the topology's lock, and who changes policies before that.
    policies: RwLock<Arc<Policies>>,
    pub(crate) limits: VhostLimits,
    /// The type of queues declared without one, where it is not the node's.
    default_queue_type: RwLock<Option<Arc<str>>>,
    /// True while copies of its messages go to amq.rabbitmq.trace.
    traced: AtomicBool,
    counts: Arc<ObjectCounts>,
    /// What was counted for channels that are gone; a leaf.
    ended: Mutex<MessageStats>,
}

/// A binding as lists show it.
#[derive(Clone, Debug, PartialEq)]
pub struct BindingInfo {
    /// Name of the exchange it comes from.
    pub source: Arc<str>,
    /// Name of the queue or exchange it leads to.
    pub destination: Arc<str>,
    /// True for a queue.
    pub to_queue: bool,
    /// Its key.
    pub routing_key: String,
    /// Its arguments.
    pub arguments: FieldTable,
    /// Its place among the bindings of an exchange for which their order matters, where it has just been made; else 0.
    pub order: u64,
}

struct Entry {
    exchange: Arc<Exchange>,
    bindings: BindingTable<Destination>,
    /// True once it had a binding, which is when auto-delete begins to count.
    was_bound: bool,
    /// The destinations of its bindings in order of their names, for the types that choose one of them.
    sorted: one_of::Sorted,
}

impl Entry {
    /// True for an auto-delete exchange that lost its last binding.
    fn is_unused(&self) -> bool {
        self.exchange.auto_delete && self.was_bound && self.bindings.is_empty()
    }
}

type Map<K, V> = HashMap<K, V, RandomState>;

/// The contents of a virtual host.
#[derive(Default)]
pub(crate) struct Topology {
    exchanges: Map<u64, Entry>,
    exchange_names: Map<Arc<str>, u64>,
    queues: Map<u64, Arc<QueueCell>>,
    queue_names: Map<Arc<str>, u64>,
    /// Queues that clients never see, by name.
    hidden: Map<Arc<str>, Arc<QueueCell>>,
    /// The exchanges with bindings to a destination, so that removing one does not visit all.
    sources: Map<Destination, Vec<u64>>,
    counts: Arc<ObjectCounts>,
}

/// Exchanges that every virtual host has.
const PREDECLARED: [(&str, ExchangeKind, bool); 6] = [
    ("amq.direct", ExchangeKind::Direct, false),
    ("amq.fanout", ExchangeKind::Fanout, false),
    ("amq.headers", ExchangeKind::Headers, false),
    ("amq.match", ExchangeKind::Headers, false),
    ("amq.topic", ExchangeKind::Topic, false),
    (crate::names::TRACE_EXCHANGE, ExchangeKind::Topic, true),
];

/// Numbers of virtual hosts; of the process, so that none comes again when the broker is stopped and started.
static NEXT_VHOST: AtomicU64 = AtomicU64::new(1);

impl Vhost {
    /// A virtual host with the predeclared exchanges.
    pub(crate) fn new(name: &str) -> Arc<Vhost> {
        let counts = Arc::new(ObjectCounts::default());
        let name: Arc<str> = name.into();
        let default = Exchange::new(&name, 0, "", ExchangeKind::Direct);
        let vhost = Vhost {
            id: NEXT_VHOST.fetch_add(1, Ordering::Relaxed),
            name,
            policies: RwLock::default(),
            limits: VhostLimits::default(),
            default_queue_type: RwLock::default(),
            traced: AtomicBool::new(false),
            counts: counts.clone(),
            default_exchange: Arc::new(default),
            topology: RwLock::new(Topology { counts, ..Topology::default() }),
            next_exchange: AtomicU64::new(1),
            delayed: OnceLock::new(),
            ended: Mutex::default(),
        };
        let mut topology = vhost.write();
        let default = Entry {
            exchange: vhost.default_exchange.clone(),
            bindings: BindingTable::new(routing::ExchangeType::Direct),
            was_bound: false,
            sorted: one_of::Sorted::default(),
        };
        topology.exchanges.insert(0, default);
        topology.count();
        topology.exchange_names.insert("".into(), 0);
        for (name, kind, internal) in PREDECLARED {
            let id = vhost.next_exchange_id();
            let behaviour = if kind == ExchangeKind::Headers { Behaviour::BeyondKeys } else { Behaviour::Plain };
            topology.insert_exchange(Exchange {
                durable: true,
                internal,
                behaviour,
                ..vhost.new_exchange(id, name, kind)
            });
        }
        drop(topology);
        Arc::new(vhost)
    }

    fn new_exchange(&self, id: u64, name: &str, kind: ExchangeKind) -> Exchange {
        Exchange::new(&self.name, id, name, kind)
    }

    pub(crate) fn next_exchange_id(&self) -> u64 {
        self.next_exchange.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Topology> {
        self.topology.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Topology> {
        self.topology.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policies as they are now.
    pub(crate) fn policies(&self) -> Arc<Policies> {
        self.policies.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces them for what is declared from now on; what is there is the caller's to go over.
    pub(crate) fn set_policies(&self, policies: Policies) {
        *self.policies.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policies);
    }

    /// The type of queues declared without one, where it is not the node's.
    pub(crate) fn default_queue_type(&self) -> Option<Arc<str>> {
        self.default_queue_type.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes what its definition says effective from now on; its default queue type is for queues to come, and what
    /// stands for none in RabbitMQ is none. [`crate::Broker::note_tracing`] has to follow.
    pub(crate) fn set_definition(&self, definition: &VhostDefinition) {
        let queue_type = definition.default_queue_type.as_deref();
        let name = queue_type.filter(|name| !matches!(*name, "" | "undefined")).map(Into::into);
        *self.default_queue_type.write().unwrap_or_else(PoisonError::into_inner) = name;
        self.traced.store(definition.tracing, Ordering::Relaxed);
    }

    /// True while copies of its messages go to amq.rabbitmq.trace.
    pub(crate) fn is_traced(&self) -> bool {
        self.traced.load(Ordering::Relaxed)
    }

    /// Queues, without the topology's lock.
    pub(crate) fn queue_count(&self) -> usize {
        self.counts.queues.load(Ordering::Relaxed)
    }

    /// Exchanges, without the topology's lock.
    pub(crate) fn exchange_count(&self) -> usize {
        self.counts.exchanges.load(Ordering::Relaxed)
    }

    /// Keeps what was counted for a channel that is gone.
    pub(crate) fn add_ended(&self, stats: MessageStats) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) += stats;
    }

    /// What was counted for channels that are gone.
    pub(crate) fn ended(&self) -> MessageStats {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue called `name`.
    pub fn queue(&self, name: &str) -> Option<Arc<QueueCell>> {
        self.read().queue(name).cloned()
    }

    /// The exchange called `name`; the default exchange for the empty name.
    pub fn exchange(&self, name: &str) -> Option<Arc<Exchange>> {
        self.read().exchange(name).cloned()
    }

    /// The queue with this id.
    pub(crate) fn queue_of(&self, quid: u64) -> Option<Arc<QueueCell>> {
        self.read().queues.get(&quid).cloned()
    }

    /// The exchange with this id.
    pub(crate) fn exchange_of(&self, id: u64) -> Option<Arc<Exchange>> {
        self.read().exchanges.get(&id).map(|entry| entry.exchange.clone())
    }

    /// Where delayed messages wait; `None` before there was any.
    #[inline]
    pub(crate) fn delayed_route(&self) -> Option<&Arc<Route>> {
        self.delayed.get()
    }

    /// The queue that delayed messages wait in.
    pub(crate) fn delayed_queue(&self) -> Option<&Arc<QueueCell>> {
        self.delayed.get()?.queues.first()
    }

    /// Gives it its queue for delayed messages, unless it has one; called under the topology's lock, or before there is
    /// anybody else. Returns the one that counts.
    pub(crate) fn keep_delayed(&self, cell: QueueCell) -> Arc<QueueCell> {
        let cell = Arc::new(cell);
        let route = self.delayed.get_or_init(|| Arc::new(Route::holding(cell.clone())));
        route.queues.first().cloned().unwrap_or(cell)
    }

    /// All queues.
    pub fn queues(&self) -> Vec<Arc<QueueCell>> {
        let mut all = Vec::new();
        self.append_queues(&mut all);
        all
    }

    pub(crate) fn append_queues(&self, all: &mut Vec<Arc<QueueCell>>) {
        all.extend(self.read().queues.values().cloned());
    }

    /// All exchanges, the default exchange among them.
    pub fn exchanges(&self) -> Vec<Arc<Exchange>> {
        let mut all = Vec::new();
        self.append_exchanges(&mut all);
        all
    }

    pub(crate) fn append_exchanges(&self, all: &mut Vec<Arc<Exchange>>) {
        all.extend(self.read().exchanges.values().map(|entry| entry.exchange.clone()));
    }

    /// All bindings, without the implicit ones of the default exchange.
    pub fn bindings(&self) -> Vec<BindingInfo> {
        let topology = self.read();
        topology.exchanges.values().flat_map(|entry| topology.bindings_of(entry)).collect()
    }
}

impl Topology {
    pub(crate) fn queue(&self, name: &str) -> Option<&Arc<QueueCell>> {
        self.queue_names.get(name).and_then(|id| self.queues.get(id))
    }

    pub(crate) fn exchange(&self, name: &str) -> Option<&Arc<Exchange>> {
        self.entry(name).map(|entry| &entry.exchange)
    }

    /// Number of queues.
    pub(crate) fn queue_count(&self) -> usize {
        self.queues.len()
    }

    /// Brings the counts up to date that are read without the lock.
    fn count(&self) {
        self.counts.queues.store(self.queues.len(), Ordering::Relaxed);
        self.counts.exchanges.store(self.exchanges.len(), Ordering::Relaxed);
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.exchange_names.get(name).and_then(|id| self.exchanges.get(id))
    }

    fn entry_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.exchange_names.get(name).and_then(|id| self.exchanges.get_mut(id))
    }

    /// True while an exchange has bindings from it.
    pub(crate) fn is_bound(&self, exchange: &Exchange) -> bool {
        self.exchanges.get(&exchange.id).is_some_and(|entry| !entry.bindings.is_empty())
    }

    fn bindings_of<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = BindingInfo> + 'a {
        entry.bindings.iter().filter_map(|binding| {
            let (destination, to_queue) = self.destination_name(binding.destination)?;
            Some(BindingInfo {
                source: entry.exchange.name.clone(),
                destination: destination.clone(),
                to_queue,
                routing_key: binding.routing_key.to_owned(),
                arguments: binding.arguments.clone(),
                order: 0,
            })
        })
    }

    fn destination_name(&self, destination: Destination) -> Option<(&Arc<str>, bool)> {
        match destination {
            Destination::Queue(id) => self.queues.get(&id).map(|cell| (&cell.name, true)),
            Destination::Exchange(id) => self.exchanges.get(&id).map(|entry| (&entry.exchange.name, false)),
        }
    }

    fn is_durable(&self, destination: Destination) -> bool {
        match destination {
            Destination::Queue(id) => self.queues.get(&id).is_some_and(|cell| cell.durable),
            Destination::Exchange(id) => self.exchanges.get(&id).is_some_and(|entry| entry.exchange.durable),
        }
    }
}

/// A binding as the journal keeps it.
pub(crate) fn binding_definition(vhost: &str, binding: &BindingInfo) -> BindingDefinition {
    BindingDefinition {
        vhost: vhost.to_owned(),
        source: binding.source.to_string(),
        destination: binding.destination.to_string(),
        destination_kind: if binding.to_queue {
            metadata::DestinationKind::Queue
        } else {
            metadata::DestinationKind::Exchange
        },
        routing_key: binding.routing_key.clone(),
        arguments: binding.arguments.clone(),
        order: binding.order,
    }
}
