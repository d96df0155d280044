//! A channel as others see it.

use super::{ConnectionEntry, ConnectionState, Subscription};
use crate::counters::{ChannelCounters, Counter, PairCounters};
use crate::delivery::ChannelLimit;
use crate::topology::QueueCell;
use crate::totals::{FetchCounters, MessageStats};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Exchanges whose publishes a channel counts apart.
const MOST_PAIRS: usize = 1024;

/// What becomes of a channel's publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelMode {
    /// They are not answered.
    Plain,
    /// They are confirmed (confirm.select).
    Confirm,
    /// They wait for tx.commit (tx.select).
    Transactional,
}

/// A channel as others see it. Numbers are written by its reactor, consumers and pairs under leaf locks.
pub struct ChannelEntry {
    /// Its number.
    pub number: u16,
    /// Its connection.
    pub connection: Arc<ConnectionEntry>,
    /// What it published and settled.
    pub counters: ChannelCounters,
    /// Publishes that are not confirmed (gauge).
    pub unconfirmed: Counter,
    /// Publishes that wait for tx.commit (gauge).
    pub uncommitted_messages: Counter,
    /// Acknowledgements that wait for tx.commit (gauge).
    pub uncommitted_acks: Counter,
    /// When it was last used by the client, in ms since 1970.
    pub used_ms: Counter,
    mode: AtomicU8,
    prefetch: AtomicU16,
    limit: Arc<ChannelLimit>,
    consumers: Mutex<Vec<Arc<Subscription>>>,
    /// What few channels have.
    more: Mutex<Option<Box<More>>>,
    published: Mutex<HashMap<Arc<str>, Arc<PairCounters>, RandomState>>,
}

#[derive(Default)]
struct More {
    /// What was delivered to consumers that ended.
    ended: MessageStats,
    /// What was fetched, by queue; one that is deleted is not kept for it.
    fetched: HashMap<u64, (Weak<QueueCell>, FetchCounters), RandomState>,
}

impl ChannelEntry {
    pub(crate) fn new(
        number: u16,
        connection: Arc<ConnectionEntry>,
        prefetch: u16,
        limit: Arc<ChannelLimit>,
    ) -> Arc<ChannelEntry> {
        Arc::new(ChannelEntry {
            number,
            connection,
            counters: ChannelCounters::default(),
            unconfirmed: Counter::default(),
            uncommitted_messages: Counter::default(),
            uncommitted_acks: Counter::default(),
            used_ms: Counter::default(),
            mode: AtomicU8::new(ChannelMode::Plain as u8),
            prefetch: AtomicU16::new(prefetch),
            limit,
            consumers: Mutex::default(),
            more: Mutex::default(),
            published: Mutex::default(),
        })
    }

    /// `PEER:PORT -> HOST:PORT (NUMBER)`, RabbitMQ's name of it.
    pub fn name(&self) -> String {
        format!("{} ({})", self.connection.name, self.number)
    }

    /// What becomes of its publishes.
    pub fn mode(&self) -> ChannelMode {
        match self.mode.load(Ordering::Relaxed) {
            mode if mode == ChannelMode::Confirm as u8 => ChannelMode::Confirm,
            mode if mode == ChannelMode::Transactional as u8 => ChannelMode::Transactional,
            _ => ChannelMode::Plain,
        }
    }

    /// RabbitMQ's name of its state: `running`, or `flow` while its connection is slowed down.
    pub fn state(&self) -> &'static str {
        match self.connection.state() {
            ConnectionState::Flow => "flow",
            ConnectionState::Closing | ConnectionState::Closed => "closing",
            _ => "running",
        }
    }

    /// Prefetch limit for consumers to come; 0 = none.
    pub fn prefetch(&self) -> u16 {
        self.prefetch.load(Ordering::Relaxed)
    }

    /// Prefetch limit of the whole channel; 0 = none.
    pub fn global_prefetch(&self) -> u32 {
        self.limit.limit.load(Ordering::Relaxed)
    }

    /// Deliveries that are not settled.
    pub fn unacknowledged(&self) -> u64 {
        self.limit.unacked.value()
    }

    fn more(&self) -> MutexGuard<'_, Option<Box<More>>> {
        self.more.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was counted for it.
    pub fn message_stats(&self) -> MessageStats {
        let mut stats = MessageStats::from(&self.counters);
        self.lock().iter().for_each(|subscription| stats += delivered_to(subscription));
        if let Some(more) = &*self.more() {
            stats += more.ended;
        }
        stats
    }

    /// What was delivered and fetched, by queue; of consumers that have not ended.
    pub fn deliveries(&self) -> Vec<(Arc<QueueCell>, MessageStats)> {
        let mut all: Vec<(Arc<QueueCell>, MessageStats)> = Vec::new();
        let mut add = |cell: &Arc<QueueCell>, stats| match all.iter_mut().find(|(other, _)| Arc::ptr_eq(other, cell)) {
            Some((_, sum)) => *sum += stats,
            None => all.push((cell.clone(), stats)),
        };
        for subscription in self.consumers() {
            if let Some(cell) = subscription.queue() {
                add(cell, MessageStats::from(&subscription.consumer.counters));
            }
        }
        if let Some(more) = &*self.more() {
            let there = more.fetched.values().filter_map(|(cell, counters)| Some((cell.upgrade()?, counters)));
            there.for_each(|(cell, counters)| add(&cell, MessageStats::from(counters)));
        }
        all
    }

    /// Counts what is fetched from a queue.
    pub(crate) fn count_fetched(&self, cell: &Arc<QueueCell>, count: impl FnOnce(&FetchCounters)) {
        let mut more = self.more();
        let fetched = &mut more.get_or_insert_default().fetched;
        if fetched.len() >= MOST_PAIRS && !fetched.contains_key(&cell.quid) {
            // As for exchanges, but first those that are gone.
            fetched.retain(|_, (cell, _)| cell.strong_count() > 0);
            if fetched.len() >= MOST_PAIRS {
                fetched.clear();
            }
        }
        let (_, counters) =
            fetched.entry(cell.quid).or_insert_with(|| (Arc::downgrade(cell), FetchCounters::default()));
        count(counters);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Subscription>>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of its consumers.
    pub fn consumer_count(&self) -> usize {
        self.lock().len()
    }

    /// Its consumers in the order in which they began.
    pub fn consumers(&self) -> Vec<Arc<Subscription>> {
        self.lock().clone()
    }

    /// Its publishes by exchange, in no order.
    pub fn published(&self) -> Vec<(Arc<str>, Arc<PairCounters>)> {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.iter().map(|(exchange, pair)| (exchange.clone(), pair.clone())).collect()
    }

    /// The counters of publishes to an exchange.
    pub(crate) fn published_to(&self, exchange: &Arc<str>) -> Arc<PairCounters> {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if published.len() >= MOST_PAIRS && !published.contains_key(exchange) {
            // A client that goes through exchanges without end: what was counted for others is let go.
            published.clear();
        }
        published.entry(exchange.clone()).or_default().clone()
    }

    pub(crate) fn set_mode(&self, mode: ChannelMode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    pub(crate) fn set_prefetch(&self, prefetch: u16) {
        self.prefetch.store(prefetch, Ordering::Relaxed);
    }

    pub(crate) fn add_consumer(&self, subscription: &Arc<Subscription>) {
        self.lock().push(subscription.clone());
    }

    pub(crate) fn remove_consumer(&self, subscription: &Arc<Subscription>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, subscription));
        self.more().get_or_insert_default().ended += delivered_to(subscription);
    }

    pub(crate) fn remove_consumers(&self) {
        // Each refers to its channel.
        let ended = std::mem::take(&mut *self.lock());
        if !ended.is_empty() {
            let mut more = self.more();
            let sum = &mut more.get_or_insert_default().ended;
            ended.iter().for_each(|subscription| *sum += delivered_to(subscription));
        }
    }
}

/// What was delivered to a consumer; the channel itself counts acknowledgements.
fn delivered_to(subscription: &Subscription) -> MessageStats {
    MessageStats { ack: 0, ..MessageStats::from(&subscription.consumer.counters) }
}
