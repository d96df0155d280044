//! The last messages of exchanges of the type `x-recent-history`, and what a new binding gets of them.
//!
//! They are in a hidden queue with a length limit. RabbitMQ 4.x keeps them in its metadata store, on disk whatever their
//! delivery mode; so a message that is not persistent has a copy here that is.

use super::Core;
use super::item::Item;
use super::leave::{Letter, Outgoing};
use crate::topology::{Destination, Exchange, QueueCell, Route, Routed, Vhost};
use amqp::properties::PropertiesRef;
use queue::Entry;
use std::sync::Arc;
use store::{Message, MessageParts};

/// Where a message of a history goes.
#[derive(Clone)]
pub(crate) enum Replay {
    /// To the queue that was bound.
    Queue(Arc<Route>),
    /// Through the exchange that was bound.
    Exchange(Arc<Vhost>, Arc<Exchange>),
}

impl Core {
    /// Keeps messages in the histories of their route. Persistent ones are in the log once, for these and for the
    /// queues that they go to.
    #[cold]
    pub(super) fn remember(&mut self, route: &Route, items: &mut [Item], buffer: &[u8]) {
        for cell in &route.histories {
            for item in items.iter_mut() {
                if item.persistent {
                    self.enqueue_run(cell, std::slice::from_mut(item), buffer, false);
                    // It says of queues that the publisher waits for.
                    item.durable = false;
                    continue;
                }
                let message = self.stored(item, buffer, false);
                let parts = MessageParts { persistent: true, ..message.parts() };
                let copy = message.rewrite(&mut self.arena, parts);
                self.enqueue_run(cell, &mut [Item::of(&copy)], &[], true);
            }
        }
    }

    /// Gives a new binding what its exchange remembers, oldest first.
    pub(crate) fn replay(&mut self, vhost: &Arc<Vhost>, history: &Arc<QueueCell>, destination: Destination) {
        let replay = match destination {
            Destination::Queue(quid) => {
                let Some(cell) = vhost.queue_of(quid) else { return };
                Replay::Queue(Arc::new(Route::to(vec![cell])))
            }
            Destination::Exchange(id) => {
                let Some(exchange) = vhost.exchange_of(id) else { return };
                Replay::Exchange(vhost.clone(), exchange)
            }
        };
        let entries = entries_of(history);
        let messages: Option<Vec<Message>> = entries.iter().map(|entry| entry.message.clone()).collect();
        match messages {
            Some(messages) => {
                let mut outgoing: Vec<_> = messages.iter().map(|message| self.replayed(message, &replay)).collect();
                self.enqueue_all(&mut outgoing);
            }
            // After a restart they have to be read first.
            None => {
                let letters = entries.into_iter().map(|entry| Letter::of_history(history, entry, replay.clone()));
                self.letters.extend(letters);
            }
        }
    }

    /// A message of a history as a new one, on its way.
    pub(super) fn replayed(&mut self, message: &Message, replay: &Replay) -> Outgoing {
        let properties = PropertiesRef::of_payload(message.parts().header).unwrap_or_default();
        let route = match replay {
            Replay::Queue(route) => route.clone(),
            Replay::Exchange(vhost, exchange) => {
                let keys = [message.parts().routing_key()];
                let routed = Routed { keys: &keys, headers: properties.headers(), properties, ..Routed::default() };
                self.route_by(vhost, exchange, &routed)
            }
        };
        let persistent = properties.delivery_mode() == Some(2);
        let parts = MessageParts { persistent, entered_ms: self.time_ms, ..message.parts() };
        Outgoing { message: message.rewrite(&mut self.arena, parts), route, reached: Vec::new() }
    }
}

/// What a hidden queue holds, oldest first; where any of it is on disk only, without what is in memory.
fn entries_of(cell: &QueueCell) -> Vec<Entry> {
    let mut state = cell.lock();
    if !state.queue.is_paged(0) {
        return state.queue.iter().cloned().collect();
    }
    let end = state.queue.next_seq();
    let Some(storage) = state.queue.storage(0) else { return Vec::new() };
    let first = storage.backlog.first_seq().unwrap_or(end);
    let count = usize::try_from(storage.backlog.len()).unwrap_or(usize::MAX);
    (first..end)
        .filter(|seq| storage.backlog.contains(*seq))
        .take(count)
        .map(|seq| Entry::unread(seq, 0, false))
        .collect()
}
