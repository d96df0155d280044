//! Events: what happens to queues, connections, users and everything else that is not a message, told to those who
//! bind to the exchange amq.rabbitmq.event or read the stream of events.
//!
//! As long as nobody listens, an event costs a load and a branch. Whoever makes one puts it on a list, which is a leaf
//! lock and does no I/O, so that it may be made under the topology's lock; the first reactor publishes what is on the
//! list, in order, with nothing locked. Names, fields and types are those that RabbitMQ 3.10.8 was seen to send.

mod acting;
mod definitions;
mod log;
mod objects;

pub(crate) use acting::{Acting, INTERNAL};
pub(crate) use log::LogLines;
pub use log::{LOG_EXCHANGE, LogLine};
pub use objects::{process_id, set_process_creation};

use crate::admin::{AdminCommand, AdminError};
use crate::broker::Broker;
use crate::core::exchange_definition;
use crate::counters::SharedCounter;
use crate::message::ShardMessage;
use crate::topology::{Exchange, ExchangeKind, Removed, Vhost};
use amqp::FieldTable;
use metadata::Change;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The exchange that events go to.
pub const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";
/// Events that wait to be published; further ones are dropped and counted.
const MOST_WAITING: usize = 16_384;
/// Who may read events at once, beside the exchange.
const MOST_STREAMS: usize = 16;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name, as `queue.created`, which is also its routing key.
    pub name: &'static str,
    /// What is known of it; `timestamp_in_ms` comes last.
    pub fields: FieldTable,
}

/// Who is told of events, without waiting: false when there is no room for one.
pub type EventSink = Box<dyn Fn(&Event) -> bool + Send + Sync>;

/// Events that wait, and who listens.
#[derive(Default)]
pub(crate) struct Events {
    /// True while there is an exchange for events, or a stream.
    enabled: AtomicBool,
    exchange: RwLock<Option<Arc<Exchange>>>,
    has_streams: AtomicBool,
    streams: RwLock<Vec<(u64, Arc<EventSink>)>>,
    next_stream: AtomicU64,
    waiting: Mutex<VecDeque<Event>>,
    dropped: SharedCounter,
    /// How many of these an operator has been told of.
    told_dropped: AtomicU64,
    /// Lines of the log that wait.
    pub(crate) log: LogLines,
}

/// Somebody reads events until this is dropped.
pub struct EventStream {
    broker: Arc<Broker>,
    id: u64,
}

impl Events {
    /// True while somebody is told of events.
    #[inline]
    pub(crate) fn is_listening(&self) -> bool {
        self.enabled.load(Ordering::Relaxed) && self.has_listener()
    }

    #[cold]
    fn has_listener(&self) -> bool {
        self.has_streams.load(Ordering::Relaxed) || self.exchange().is_some_and(|exchange| exchange.is_bound())
    }

    /// The exchange that events go to, if there is one.
    pub(crate) fn exchange(&self) -> Option<Arc<Exchange>> {
        self.exchange.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_exchange(&self, exchange: Option<Arc<Exchange>>) {
        *self.exchange.write().unwrap_or_else(PoisonError::into_inner) = exchange;
        self.look();
    }

    fn look(&self) {
        let has_streams = !self.streams.read().unwrap_or_else(PoisonError::into_inner).is_empty();
        self.has_streams.store(has_streams, Ordering::Relaxed);
        self.enabled.store(has_streams || self.exchange().is_some(), Ordering::Relaxed);
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event on the list; true when it is the first there.
    fn push(&self, event: Event) -> bool {
        let mut waiting = self.waiting();
        if waiting.len() >= MOST_WAITING {
            drop(waiting);
            self.dropped.add(1);
            return false;
        }
        waiting.push_back(event);
        waiting.len() == 1
    }

    /// How many were dropped since this was last asked.
    pub(crate) fn newly_dropped(&self) -> u64 {
        let dropped = self.dropped.value();
        dropped - self.told_dropped.swap(dropped, Ordering::Relaxed).min(dropped)
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> VecDeque<Event> {
        std::mem::take(&mut *self.waiting())
    }

    /// Tells those who read the stream.
    pub(crate) fn tell(&self, event: &Event) {
        if !self.has_streams.load(Ordering::Relaxed) {
            return;
        }
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner).clone();
        let missed = streams.iter().filter(|(_, sink)| !sink(event)).count() as u64;
        self.dropped.add(missed);
    }
}

impl Broker {
    /// Something happened: `fields` are asked for only if somebody listens. May be called with anything locked.
    #[inline]
    pub(crate) fn emit(&self, name: &'static str, fields: impl FnOnce() -> FieldTable) {
        if self.events.is_listening() {
            self.emit_event(Event { name, fields: fields() });
        }
    }

    #[cold]
    fn emit_event(&self, event: Event) {
        if self.events.push(event) {
            self.post(0, ShardMessage::Events);
        }
    }

    /// Events that there was no room for, on the list or with somebody who reads them too slowly.
    pub fn events_dropped(&self) -> u64 {
        self.events.dropped.value()
    }

    /// Tells `sink` of every event until what is returned is dropped.
    pub fn watch_events(self: &Arc<Broker>, sink: EventSink) -> Result<EventStream, AdminError> {
        let id = self.events.next_stream.fetch_add(1, Ordering::Relaxed);
        let mut streams = self.events.streams.write().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= MOST_STREAMS {
            return Err(AdminError::Unavailable(format!("{MOST_STREAMS} others read events already")));
        }
        streams.push((id, Arc::new(sink)));
        drop(streams);
        self.events.look();
        Ok(EventStream { broker: self.clone(), id })
    }

    /// Has events go to the exchange amq.rabbitmq.event of this virtual host, which is made where it is not there; with
    /// `None` there is no such exchange. The plugin rabbitmq_event_exchange of RabbitMQ does so when it is enabled and
    /// disabled. Waits for the journal; not to be called on a reactor.
    pub fn set_event_exchange(&self, vhost: Option<&str>) -> Result<(), AdminError> {
        self.events.set_exchange(None);
        let exchange = self.set_own_exchange(EVENT_EXCHANGE, vhost)?;
        self.events.set_exchange(exchange);
        Ok(())
    }

    /// Has lines of the log go to the exchange amq.rabbitmq.log of this virtual host, as with `set_event_exchange`.
    pub fn set_log_exchange(&self, vhost: Option<&str>) -> Result<(), AdminError> {
        self.events.log.set(None);
        let exchange = self.set_own_exchange(LOG_EXCHANGE, vhost)?;
        self.events.log.set(exchange);
        Ok(())
    }

    /// Makes an exchange that only the broker publishes to, in this virtual host and in no other.
    fn set_own_exchange(&self, name: &str, vhost: Option<&str>) -> Result<Option<Arc<Exchange>>, AdminError> {
        for other in self.vhosts().iter().filter(|other| vhost != Some(&*other.name)) {
            self.remove_own_exchange(other, name)?;
        }
        let Some(vhost_name) = vhost else { return Ok(None) };
        if self.vhost(vhost_name).is_none() {
            // RabbitMQ makes it, too.
            self.execute(AdminCommand::PutVhost {
                name: vhost_name.to_owned(),
                description: None,
                tags: None,
                default_queue_type: None,
                tracing: None,
                protected_from_deletion: None,
            })?;
        }
        let Some(vhost) = self.vhost(vhost_name) else { return Ok(None) };
        let mut topology = vhost.write();
        let (exchange, token) = match topology.exchange(name) {
            Some(exchange) => (exchange.clone(), None),
            None => {
                let new = Exchange {
                    durable: true,
                    internal: true,
                    ..Exchange::new(&vhost.name, vhost.next_exchange_id(), name, ExchangeKind::Topic)
                };
                let exchange = topology.insert_exchange(new.under(vhost.policies().for_exchange(name)));
                let change = Change::PutExchange(exchange_definition(&vhost.name, &exchange));
                (exchange, self.propose(vec![change]))
            }
        };
        drop(topology);
        self.wait_for(token)?;
        Ok(Some(exchange))
    }

    fn remove_own_exchange(&self, vhost: &Vhost, name: &str) -> Result<(), AdminError> {
        let mut topology = vhost.write();
        let Some(exchange) = topology.exchange(name).cloned() else { return Ok(()) };
        let removed = topology.remove_exchange(&vhost.name, &exchange, Removed::default());
        let token = self.propose(removed.changes);
        drop(topology);
        self.end_hidden(removed.hidden);
        self.wait_for(token)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let events = &self.broker.events;
        events.streams.write().unwrap_or_else(PoisonError::into_inner).retain(|(id, _)| *id != self.id);
        events.look();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event { name: "queue.created", fields: FieldTable::new() }
    }

    #[test]
    fn what_there_is_no_room_for_is_dropped_and_counted() {
        let events = Events::default();
        assert!(events.push(event()), "the first has it published");
        (1..MOST_WAITING).for_each(|_| assert!(!events.push(event())));
        assert_eq!(events.newly_dropped(), 0);
        (0..3).for_each(|_| assert!(!events.push(event())));
        assert_eq!((events.newly_dropped(), events.newly_dropped(), events.dropped.value()), (3, 0, 3));
        assert_eq!(events.take().len(), MOST_WAITING);
        assert!(events.push(event()), "there is room again");
    }

    #[test]
    fn nobody_listens_at_first() {
        assert!(!Events::default().is_listening());
    }
}
