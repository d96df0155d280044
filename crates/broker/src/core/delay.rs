//! Delayed messages: where they wait, and how they are released when their time has come.
//!
//! They wait in one queue per virtual host, which no list shows. An entry of the calendar names each; the first reactor
//! takes those that are due, takes their messages out of the queue, wherever they stand in it, and sends them on the way
//! of dead letters: routed and put into their queues first, and only then taken off the books.

use super::declare::definition;
use super::leave::{Letter, Outgoing};
use super::{Core, MESSAGES_PER_LOCK};
use crate::broker::Broker;
use crate::delayed::{self, Released};
use crate::message::ShardMessage;
use crate::messages::split_group;
use crate::names::DELAYED_QUEUE;
use crate::topology::{QueueCell, QueueOptions, QueueState, Route, Routed, Vhost};
use amqp::FieldTable;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::{Due, Message};

/// The reactor that releases.
const RELEASING_SHARD: usize = 0;
/// Messages that are under way to their queues, at most: most of them have to be read first.
const MOST_RELEASING: usize = 16 * MESSAGES_PER_LOCK;
/// While that many are, or the log is full, it is looked again so much later, in ms.
const LOOK_AGAIN_MS: u64 = 2;
/// Memory of messages that wait: above the first they are left to the disk down to the second, in bytes.
const LONG_BYTES: u64 = 4 << 20;
const KEPT_BYTES: u64 = 2 << 20;

/// A delayed message that is being released: the calendar counts it as taken. Unless it is finished it is due again.
pub(super) struct Release {
    broker: Arc<Broker>,
    due: Due,
    is_finished: bool,
    /// It counts among those that are under way.
    is_counted: bool,
}

impl Release {
    fn new(broker: &Arc<Broker>, due: Due) -> Release {
        broker.releasing.fetch_add(1, Ordering::Relaxed);
        Release { broker: broker.clone(), due, is_finished: false, is_counted: true }
    }

    /// Its message stays for now, and may do so for long: others are not to wait for it.
    pub(super) fn hold(&mut self) {
        if std::mem::take(&mut self.is_counted) {
            self.broker.releasing.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The log has it that the message left the queue.
    pub(super) fn finish(mut self) {
        self.is_finished = true;
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        self.hold();
        if self.is_finished {
            self.broker.calendar().finish(&[self.due]);
        } else {
            // It could not be read, or the broker stops: the message may still be there.
            self.broker.calendar().add(self.due);
        }
    }
}

impl Core {
    /// The way of messages that wait, in a virtual host. Its queue is made when it is first needed.
    pub(super) fn delayed_route(&self, vhost: &Vhost) -> Arc<Route> {
        if let Some(route) = vhost.delayed_route() {
            return route.clone();
        }
        let broker = &self.broker;
        let new = QueueCell {
            durable: true,
            is_stored: broker.messages.is_some(),
            holds_delayed: true,
            ..QueueCell::new(broker.quids.allocate(&*broker.journal), &vhost.name, DELAYED_QUEUE)
        };
        let (quid, change) = (new.quid, definition(&new, &FieldTable::new()));
        let topology = vhost.write();
        let cell = vhost.keep_delayed(new);
        // Somebody else may have been faster.
        if cell.quid == quid {
            broker.add_queue(&cell);
            broker.propose(vec![change]);
        }
        drop(topology);
        vhost.delayed_route().cloned().unwrap_or_default()
    }

    /// A message is about to enter the queue of those that wait, which is locked, at position `seq`.
    pub(super) fn note_due(&mut self, cell: &QueueCell, seq: u64, message: &Message) {
        self.add_due(Due { due_ms: delayed::due_ms(message), group: cell.group(0), seq });
    }

    /// Something is to happen to a message when its time has come.
    pub(super) fn add_due(&mut self, due: Due) {
        if self.broker.calendar().add(due) && self.shard != RELEASING_SHARD {
            self.broker.post(RELEASING_SHARD, ShardMessage::DueEarlier);
        }
    }

    /// Leaves messages that wait to the disk: nobody needs them soon.
    pub(super) fn page_out_delayed(&mut self, cell: &QueueCell, state: &mut QueueState) {
        if state.queue.resident_bytes() > LONG_BYTES {
            self.page_out(cell, state, KEPT_BYTES);
        }
    }

    /// When to release next, in ms since 1970.
    pub(crate) fn next_release_ms(&self) -> Option<u64> {
        if self.shard != RELEASING_SHARD {
            return None;
        }
        self.broker.calendar().next_due_ms().map(|due_ms| due_ms.max(self.release_not_before_ms))
    }

    /// Releases messages whose time has come, as many as one turn allows.
    pub(crate) fn release_due(&mut self) {
        let now_ms = self.time_ms;
        if self.next_release_ms().is_none_or(|due_ms| due_ms > now_ms) {
            return;
        }
        // Publishers wait for the log, and so does what was published earlier.
        if !self.log_has_room_for(0) || self.broker.releasing.load(Ordering::Relaxed) >= MOST_RELEASING {
            self.release_not_before_ms = now_ms + LOOK_AGAIN_MS;
            return;
        }
        let mut taken = Vec::new();
        self.broker.calendar().take_due(now_ms, MESSAGES_PER_LOCK, &mut taken);
        let mut rest = &taken[..];
        while let Some(first) = rest.first() {
            let len = rest.iter().take_while(|due| due.group == first.group).count();
            let (here, more) = rest.split_at(len);
            self.release_from(here);
            rest = more;
        }
    }

    /// Releases messages of one queue.
    fn release_from(&mut self, due: &[Due]) {
        let broker = self.broker.clone();
        let releases: Vec<Release> = due.iter().map(|due| Release::new(&broker, *due)).collect();
        let (quid, _) = split_group(due.first().map_or(0, |due| due.group));
        let Some(cell) = broker.queue_by_id(quid).filter(|cell| !cell.is_dead()) else {
            return releases.into_iter().for_each(Release::finish);
        };
        if !cell.holds_delayed {
            return self.expire_due(&cell, releases);
        }
        let options = Arc::<QueueOptions>::default();
        let mut state = cell.lock();
        for release in releases {
            match state.queue.take(0, release.due.seq) {
                Some(entry) => self.letters.push_back(Letter::released(&cell, &options, entry, release)),
                // It was cancelled, or was released before a crash and is an entry too many.
                None => release.finish(),
            }
        }
        cell.publish_gauges(&state);
    }

    /// Messages of one queue expire, wherever they stand in it. Those that are out with a consumer are looked at when they
    /// return.
    fn expire_due(&mut self, cell: &Arc<QueueCell>, releases: Vec<Release>) {
        let mut state = cell.lock();
        for release in releases {
            let (_, part) = split_group(release.due.group);
            let entry = u8::try_from(part).ok().and_then(|level| state.queue.take(level, release.due.seq));
            match entry {
                Some(entry) => self.leave_when_due(cell, &mut state, entry, release),
                None => release.finish(),
            }
        }
        cell.publish_gauges(&state);
        drop(state);
        self.scratch.done.clear();
    }

    /// Where a released message goes, and as what. Without its exchange it goes nowhere.
    pub(super) fn address_released(&mut self, cell: &QueueCell, message: &Message) -> Option<Outgoing> {
        let parts = message.parts();
        let vhost = self.broker.vhost(&cell.vhost);
        let name = String::from_utf8_lossy(parts.exchange());
        let exchange = vhost.as_ref().and_then(|vhost| vhost.exchange(&name));
        let (Some(vhost), Some(exchange)) = (vhost, exchange) else {
            return Some(Outgoing { message: message.clone(), route: Arc::default(), reached: Vec::new() });
        };
        let released = Released::of(message);
        let keys: Vec<&[u8]> =
            std::iter::once(parts.routing_key()).chain(released.more_keys.iter().map(Vec::as_slice)).collect();
        let properties = released.properties();
        let routed = Routed { keys: &keys, headers: properties.headers(), properties, ..Routed::default() };
        let route = self.route_by(&vhost, &exchange, &routed);
        exchange.counters.publish_out.add(route.queues.len() as u64);
        let message = released.store(message, &mut self.arena, self.time_ms);
        Some(Outgoing { message, route, reached: Vec::new() })
    }
}
