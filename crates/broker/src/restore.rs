//! Building the topology from the durable definitions.

use crate::broker::Broker;
use crate::errors::Resource;
use crate::message::ShardMessage;
use crate::messages::{by_queue, restored};
use crate::topology::{Behaviour, Exchange, ExchangeKind, QueueCell, QueueOptions, QueueState};
use amqp::FieldValue;
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
            self.add_vhost(&vhost.name);
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
                let alternate = definition.arguments.get("alternate-exchange").and_then(FieldValue::as_str);
                topology.insert_exchange(Exchange {
                    durable: definition.durable,
                    auto_delete: definition.auto_delete,
                    internal: definition.internal,
                    alternate: alternate.map(Into::into),
                    behaviour,
                    arguments: definition.arguments.clone(),
                    ..Exchange::new(vhost.next_exchange_id(), &definition.name, kind)
                });
            }
        }
        for definition in &snapshot.queues {
            let Some(vhost) = self.vhost(&definition.vhost) else { continue };
            let queue = restored(backlogs.remove(&definition.quid).unwrap_or_default());
            let state = QueueState::with_options(queue, QueueOptions::of_arguments(&definition.arguments));
            let cell = vhost.write().insert_queue(QueueCell {
                durable: definition.durable,
                is_stored: definition.durable && self.messages.is_some(),
                state: Mutex::new(state),
                auto_delete: definition.auto_delete,
                consumer_timeout_ms: crate::channel::queue_arguments::timeout_argument(&definition.arguments),
                arguments: definition.arguments.clone(),
                ..QueueCell::new(definition.quid, &vhost.name, &definition.name)
            });
            self.add_queue(&cell);
            cell.publish_gauges(&cell.lock());
            self.post(0, ShardMessage::Look(cell));
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
    }
}
