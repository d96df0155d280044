//! Building the topology from the durable definitions.

use crate::broker::Broker;
use crate::core::definition;
use crate::deduplication::{KeyRecord, Present};
use crate::delivery::Consumer;
use crate::errors::Resource;
use crate::messages::{KEYS_PART, by_queue, keys_group, restored};
use crate::names::DELAYED_QUEUE;
use crate::policy::{Policies, Policy};
use crate::topology::{
    Behaviour, DELAYED_TYPE, Exchange, ExchangeKind, QueueCell, QueueOptions, QueueState, QueueTerms, Vhost,
    exchange_of, hidden_name,
};
use amqp::FieldTable;
use metadata::{DestinationKind, QueueDefinition, Snapshot};
use queue::Queue;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use store::{Arena, Backlog, Body, Message};
use tracing::warn;

/// Bytes of bodies that are read at once when everything of a queue is.
const READ_AT_ONCE: usize = 256 << 10;

impl Broker {
    /// Recreates what a restart finds; what no longer makes sense is named in the log and left out.
    pub(crate) fn restore(&self, snapshot: &Snapshot, backlogs: HashMap<u64, Backlog>) {
        let mut backlogs = by_queue(backlogs);
        for vhost in &snapshot.vhosts {
            self.add_vhost(&vhost.name).set_definition(vhost);
        }
        self.note_tracing();
        self.restore_policies(snapshot);
        for parameter in &snapshot.parameters {
            self.parameter_changed(&parameter.vhost, &parameter.component, Some(&parameter.value));
        }
        for definition in &snapshot.exchanges {
            let Some(vhost) = self.vhost(&definition.vhost) else { continue };
            let Some(kind) = ExchangeKind::of_definition(&definition.kind, &definition.arguments) else {
                warn!(
                    "exchange '{}' in vhost '{}' left out: unknown type '{}'",
                    definition.name, vhost.name, definition.kind
                );
                continue;
            };
            let resource = Resource::exchange(&vhost.name, &definition.name);
            let behaviour = match Behaviour::of(kind, &definition.arguments, &resource) {
                Ok(behaviour) => behaviour,
                Err(error) => {
                    warn!("exchange '{}' in vhost '{}' left out: {}", definition.name, vhost.name, error.text);
                    continue;
                }
            };
            let mut topology = vhost.write();
            if topology.exchange(&definition.name).is_none() {
                let exchange = Exchange {
                    durable: definition.durable,
                    auto_delete: definition.auto_delete,
                    internal: definition.internal,
                    behaviour,
                    is_delayed_type: definition.kind == DELAYED_TYPE,
                    arguments: definition.arguments.clone(),
                    ..Exchange::new(&vhost.name, vhost.next_exchange_id(), &definition.name, kind)
                };
                topology.insert_exchange(exchange.under(vhost.policies().for_exchange(&definition.name)));
            }
        }
        for definition in &snapshot.queues {
            let Some(vhost) = self.vhost(&definition.vhost) else { continue };
            let parts = backlogs.remove(&definition.quid).unwrap_or_default();
            if let Some(exchange) = exchange_of(&definition.name) {
                self.restore_hidden(&vhost, exchange, definition, parts);
                continue;
            }
            let (keys, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(part, _)| *part == KEYS_PART);
            let present = self.restore_keys(&vhost, definition.quid, keys, &parts);
            // Options that drop no duplicates let go of the keys.
            let state = QueueState { queue: restored(parts), present, ..QueueState::default() };
            let cell = QueueCell {
                durable: definition.durable,
                is_stored: definition.durable && self.messages.is_some(),
                state: Mutex::new(state),
                auto_delete: definition.auto_delete,
                ..QueueCell::new(definition.quid, &vhost.name, &definition.name)
            };
            let cell = if definition.name == DELAYED_QUEUE {
                vhost.keep_delayed(QueueCell { holds_delayed: true, ..cell })
            } else {
                let policies = vhost.policies().for_queue(&definition.name, &definition.arguments);
                let terms = QueueTerms { arguments: definition.arguments.clone(), policies };
                vhost.write().insert_queue(cell.on_terms(terms))
            };
            self.add_queue(&cell);
            let state = cell.lock();
            cell.publish_gauges(&state);
            if state.is_tended {
                drop(state);
                self.have_looked_at(&cell);
            }
        }
        self.drop_backlogs(backlogs.values().flatten().map(|(_, backlog)| backlog));
        // Where it matters, in the order in which they were made; the sort is stable.
        let mut bindings: Vec<_> = snapshot.bindings.iter().collect();
        bindings.sort_by_key(|definition| definition.order);
        for definition in bindings {
            let Some(vhost) = self.vhost(&definition.vhost) else { continue };
            let mut topology = vhost.write();
            let to_queue = definition.destination_kind == DestinationKind::Queue;
            let bound = topology.destination(&definition.destination, to_queue).map(|destination| {
                topology.bind(&definition.source, destination, &definition.routing_key, &definition.arguments)
            });
            topology.continue_after(&definition.source, definition.order);
            if !matches!(bound, Some(Ok(_))) {
                warn!(
                    "binding from '{}' to '{}' in vhost '{}' left out",
                    definition.source, definition.destination, vhost.name
                );
            }
        }
        self.complete_hidden();
    }

    /// A queue that belongs to an exchange.
    fn restore_hidden(&self, vhost: &Vhost, exchange: &str, definition: &QueueDefinition, parts: Vec<(u16, Backlog)>) {
        let exchange = vhost.exchange(exchange);
        let Some((hidden, options)) = exchange.as_ref().and_then(|exchange| exchange.hidden_queue()) else {
            warn!("a queue in vhost '{}' left out: it belongs to no exchange", vhost.name);
            return;
        };
        if let Some(window) = exchange.as_ref().and_then(|exchange| exchange.window()) {
            let backlogs = parts.iter().map(|(_, backlog)| backlog);
            self.read_small(backlogs, &vhost.name, |seq, message| match message.body() {
                Body::Whole(body) => window.restore_from(body, seq),
                Body::Pieces(_) => {}
            });
        }
        let queue: Queue<Arc<Consumer>> = restored(parts);
        let cell = vhost.write().insert_hidden(QueueCell {
            durable: definition.durable,
            is_stored: definition.durable && self.messages.is_some(),
            state: Mutex::new(hidden_state(queue, options)),
            ..QueueCell::new(definition.quid, &vhost.name, &definition.name)
        });
        self.add_queue(&cell);
        cell.publish_gauges(&cell.lock());
        hidden.set(cell);
    }

    /// The keys of the messages of a queue, but for those that a crash left without their message.
    fn restore_keys(
        &self,
        vhost: &Vhost,
        quid: u64,
        keys: Vec<(u16, Backlog)>,
        parts: &[(u16, Backlog)],
    ) -> Option<Box<Present>> {
        let (_, backlog) = keys.into_iter().next()?;
        let (mut present, mut stale) = (Box::<Present>::default(), Vec::new());
        self.read_small(std::iter::once(&backlog), &vhost.name, |seq, message| {
            let Body::Whole(body) = message.body() else { return };
            match KeyRecord::from_bytes(body) {
                Some(record) if parts.iter().any(|(_, messages)| messages.contains(seq)) => {
                    present.add(record.key, seq);
                }
                _ => stale.push((seq, body.len() as u32)),
            }
        });
        present.backlog = backlog;
        for (seq, body_len) in &stale {
            present.backlog.remove(*seq, *body_len);
        }
        if let Some(messages) = self.messages.as_ref().filter(|_| !stale.is_empty()) {
            messages.store.log().append().settle(keys_group(quid), None, &stale);
        }
        Some(present)
    }

    /// Reads all messages of backlogs whose messages are small, in order.
    fn read_small<'a>(
        &self,
        backlogs: impl Iterator<Item = &'a Backlog>,
        vhost: &str,
        mut found: impl FnMut(u64, &Message),
    ) {
        let Some(messages) = &self.messages else { return };
        let mut arena = Arena::new(self.chunks.clone());
        for backlog in backlogs {
            let mut from = backlog.first_seq();
            while let Some(read) = from.and_then(|from| backlog.read_from(from, READ_AT_ONCE)) {
                let mut last = None;
                match messages.store.read(&read, &mut arena) {
                    Ok(run) => {
                        run.loaded.iter().for_each(|loaded| found(loaded.seq, &loaded.message));
                        let lost = run.lost.last().map(|lost| lost.seq);
                        last = run.loaded.last().map(|loaded| loaded.seq).max(lost);
                    }
                    Err(failure) => warn!("keys of duplicates in vhost '{vhost}' are lost: {failure}"),
                }
                // A read may end early, but not before its first message.
                from = last.unwrap_or(read.range().1).checked_add(1);
            }
        }
    }

    /// Exchanges that came without their hidden queue, as from other definitions, get one.
    fn complete_hidden(&self) {
        for vhost in self.vhosts() {
            for exchange in vhost.exchanges() {
                let Some((hidden, _)) = exchange.hidden_queue().filter(|(hidden, _)| hidden.get().is_none()) else {
                    continue;
                };
                let Some(cell) = self.new_hidden(&vhost, &exchange) else { continue };
                let mut topology = vhost.write();
                let changes = if cell.durable { vec![definition(&cell, &FieldTable::new())] } else { Vec::new() };
                let cell = topology.insert_hidden(cell);
                self.add_queue(&cell);
                hidden.set(cell);
                self.propose(changes);
            }
        }
    }

    /// A hidden queue for an exchange that needs one.
    pub(crate) fn new_hidden(&self, vhost: &Vhost, exchange: &Exchange) -> Option<QueueCell> {
        let (_, options) = exchange.hidden_queue()?;
        let quid = self.quids.allocate(&*self.journal);
        Some(QueueCell {
            durable: exchange.durable,
            is_stored: exchange.durable && self.messages.is_some(),
            state: Mutex::new(hidden_state(Queue::default(), options)),
            ..QueueCell::new(quid, &vhost.name, &hidden_name(&exchange.name))
        })
    }

    /// Ends hidden queues whose exchanges are gone, and whose deletion is in the journal.
    pub(crate) fn end_hidden(&self, cells: Vec<Arc<QueueCell>>) {
        for cell in cells {
            let mut messages = Vec::new();
            let mut state = cell.lock();
            cell.mark_dead();
            state.queue.purge(&mut messages);
            drop(state);
            self.remove_queue(&cell);
        }
    }

    /// Compiles the policies of every virtual host, and puts them in force for the exchanges that it has already.
    fn restore_policies(&self, snapshot: &Snapshot) {
        for vhost in self.vhosts() {
            let mut policies = Policies::default();
            for definition in snapshot.policies.iter().filter(|policy| *policy.vhost == *vhost.name) {
                match Policy::compile(definition.clone()) {
                    Ok(policy) => policies = policies.with(policy),
                    Err(error) => {
                        warn!("policy '{}' in vhost '{}' left out: {error}", definition.name, vhost.name);
                    }
                }
            }
            self.apply_policies(&vhost, policies);
        }
    }
}

fn hidden_state(queue: Queue<Arc<Consumer>>, options: QueueOptions) -> QueueState {
    let mut state = QueueState { queue, ..QueueState::default() };
    state.set_options(options.boxed());
    state
}
