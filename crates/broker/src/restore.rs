//! Building the topology from the durable definitions.

use crate::broker::Broker;
use crate::message::ShardMessage;
use crate::messages::{by_queue, restored};
use crate::policy::{Policies, Policy};
use crate::topology::{Exchange, ExchangeKind, QueueCell, QueueState, QueueTerms};
use metadata::{DestinationKind, Snapshot};
use std::collections::HashMap;
use std::sync::Mutex;
use store::Backlog;
use tracing::warn;

impl Broker {
    /// Recreates what a restart finds; what no longer makes sense is named in the log and left out.
    pub(crate) fn restore(&self, snapshot: &Snapshot, backlogs: HashMap<u64, Backlog>) {
        let mut backlogs = by_queue(backlogs);
        for vhost in &snapshot.vhosts {
            self.add_vhost(&vhost.name).set_default_queue_type(vhost.default_queue_type.as_deref());
        }
        self.restore_policies(snapshot);
        for parameter in &snapshot.parameters {
            self.parameter_changed(&parameter.vhost, &parameter.component, Some(&parameter.value));
        }
        for definition in &snapshot.exchanges {
            let Some(vhost) = self.vhost(&definition.vhost) else { continue };
            let Some(kind) = ExchangeKind::from_name(&definition.kind) else {
                warn!(
                    "exchange '{}' in vhost '{}' left out: unknown type '{}'",
                    definition.name, vhost.name, definition.kind
                );
                continue;
            };
            let mut topology = vhost.write();
            if topology.exchange(&definition.name).is_none() {
                let exchange = Exchange {
                    durable: definition.durable,
                    auto_delete: definition.auto_delete,
                    internal: definition.internal,
                    arguments: definition.arguments.clone(),
                    ..Exchange::new(vhost.next_exchange_id(), &definition.name, kind)
                };
                topology.insert_exchange(exchange.under(vhost.policies().for_exchange(&definition.name)));
            }
        }
        for definition in &snapshot.queues {
            let Some(vhost) = self.vhost(&definition.vhost) else { continue };
            let queue = restored(backlogs.remove(&definition.quid).unwrap_or_default());
            let cell = QueueCell {
                durable: definition.durable,
                is_stored: definition.durable && self.messages.is_some(),
                state: Mutex::new(QueueState { queue, ..QueueState::default() }),
                auto_delete: definition.auto_delete,
                ..QueueCell::new(definition.quid, &vhost.name, &definition.name)
            };
            let policies = vhost.policies().for_queue(&definition.name, &definition.arguments);
            let terms = QueueTerms { arguments: definition.arguments.clone(), policies };
            let cell = vhost.write().insert_queue(cell.on_terms(terms));
            self.add_queue(&cell);
            cell.publish_gauges(&cell.lock());
            self.post(0, ShardMessage::Look(cell));
        }
        self.drop_backlogs(backlogs.values().flatten().map(|(_, backlog)| backlog));
        for definition in &snapshot.bindings {
            let Some(vhost) = self.vhost(&definition.vhost) else { continue };
            let mut topology = vhost.write();
            let to_queue = definition.destination_kind == DestinationKind::Queue;
            let bound = topology.destination(&definition.destination, to_queue).map(|destination| {
                topology.bind(&definition.source, destination, &definition.routing_key, &definition.arguments)
            });
            if !matches!(bound, Some(Ok(_))) {
                warn!(
                    "binding from '{}' to '{}' in vhost '{}' left out",
                    definition.source, definition.destination, vhost.name
                );
            }
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
