//! A queue as the topology holds it: what it was declared as, its counters, and its state behind a lock.

use super::queue_details::Capacity;
use crate::ConnectionId;
use crate::core::leave::Letter;
use crate::counters::{Counter, QueueCounters};
use crate::deduplication::Present;
use crate::delivery::Consumer;
use crate::policy::InForce;
use crate::tap::Taps;
use crate::topology::{Exchange, Overflow, QueueOptions};
use amqp::FieldTable;
use queue::{Entry, Queue, Rules};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use store::Message;

/// Bytes of ready messages that a queue with willing consumers may have before its publishers are slowed down. Small:
/// what goes straight to a consumer is never stored, which is the cheapest way, and an output holds as much again.
const LONG_BYTES: u64 = 64 << 10;
/// Ready messages, likewise: small ones cost their entries rather than their bytes.
const LONG_MESSAGES: u64 = 512;

/// Exchanges whose messages a queue counts apart.
const MOST_EXCHANGES: usize = 256;

/// What a queue's options come from.
#[derive(Debug, Default)]
pub struct QueueTerms {
    /// Arguments of its declaration.
    pub arguments: FieldTable,
    /// The policies in force.
    pub policies: InForce,
}

impl QueueTerms {
    /// The options that they add up to; `None` for a plain queue.
    pub fn options(&self) -> Option<Arc<QueueOptions>> {
        QueueOptions::effective(
            &self.arguments,
            self.policies.user.as_ref().map(|policy| &policy.definition.definition),
            self.policies.operator.as_ref().map(|policy| &policy.definition.definition),
        )
        .boxed()
    }
}

/// A queue.
pub struct QueueCell {
    /// Its id, never reused: the only name that the store knows.
    pub quid: u64,
    /// Its name.
    pub name: Arc<str>,
    /// Name of its virtual host.
    pub vhost: Arc<str>,
    /// Survives a restart.
    pub durable: bool,
    /// True when persistent messages in it are kept on disk.
    pub(crate) is_stored: bool,
    /// True for the one that keeps delayed messages; see [`crate::delayed`].
    pub(crate) holds_delayed: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// The connection that it belongs to and goes with.
    pub owner: Option<ConnectionId>,
    /// A leaf lock, for as long as it takes to clone or replace what is in it.
    pub(crate) terms: RwLock<Arc<QueueTerms>>,
    /// What happened in it.
    pub counters: QueueCounters,
    /// When it was last used, in ms since 1970; 0 before.
    pub active_ms: Counter,
    /// Messages that entered by exchange, where rates are detailed; a leaf.
    pub(crate) incoming: Mutex<Vec<(Arc<Exchange>, u64)>>,
    /// Who watches it.
    pub(crate) taps: Taps,
    pub(crate) dead: AtomicBool,
    pub(crate) state: Mutex<QueueState>,
}

/// The state of a queue that its lock guards.
#[derive(Default)]
pub struct QueueState {
    pub(crate) queue: Queue<Arc<Consumer>>,
    /// What it does beyond keeping messages in order; `None` for a plain queue.
    pub(crate) options: Option<Arc<QueueOptions>>,
    /// The keys of its messages, where duplicates are dropped.
    pub(crate) present: Option<Box<Present>>,
    /// True when it has options, or messages that expire: there is more to do than delivering.
    pub(crate) is_tended: bool,
    /// When it was last used, in ms since 1970; 0 before the first look.
    pub(crate) used_ms: u64,
    /// When the timer is due that is to look at it, in ms since 1970.
    pub(crate) look_ms: Option<u64>,
    /// Messages that came back and wait before they are ready again, by the end of the wait and by position.
    pub(crate) waits: BTreeMap<(u64, u64), Entry>,
    /// Dead letters that no queue took yet.
    pub(crate) unsent: VecDeque<Letter>,
    pub(crate) capacity: Capacity,
    /// True while its only consumer consumes exclusively.
    pub(crate) consumed_exclusively: bool,
    /// True while a reactor has it on its list of queues with more to deliver.
    pub(crate) scheduled: bool,
    /// Reactors where a basic.get waits for its first message.
    pub(crate) waited_for: Vec<usize>,
}

impl QueueState {
    /// Sets what it does beyond keeping messages in order. What follows for the messages that are there happens when it is
    /// looked at next, a piece at a time.
    pub(crate) fn set_options(&mut self, options: Option<Arc<QueueOptions>>) {
        let ignores_expirations = options.as_ref().is_some_and(|options| options.ignores_expirations);
        let mut rules = Rules::new(if ignores_expirations { |_| None } else { expiration_of });
        if options.is_none() {
            self.present = None;
        }
        if let Some(options) = &options {
            rules.ttl_ms = options.message_ttl_ms;
            rules.max_length = options.max_length;
            rules.max_length_bytes = options.max_length_bytes;
            if !options.deduplicates {
                self.present = None;
            } else if self.present.is_none() {
                self.present = Some(Box::default());
            }
            if options.max_priority.is_some() {
                self.queue.have_priorities();
            }
        }
        let has_any = rules.ttl_ms.is_some() || rules.max_length.is_some() || rules.max_length_bytes.is_some();
        // Messages that are there, or come back, may have an expiration of their own.
        self.queue.set_rules((has_any || self.holds_any()).then_some(rules));
        self.options = options;
        let single_active = self.options.as_ref().is_some_and(|options| options.single_active_consumer);
        self.queue.consumers.set_single_active(single_active);
        self.is_tended = self.options.is_some() || self.queue.rules().is_some();
    }

    /// From now on messages may have an expiration of their own.
    pub(crate) fn expect_expirations(&mut self) {
        if self.queue.rules().is_none() {
            self.queue.set_rules(Some(Rules::new(expiration_of)));
            self.is_tended = true;
        }
    }

    /// A queue without options has nothing to be looked after for once it is empty, and nothing can come back that expires.
    pub(crate) fn become_plain(&mut self) {
        if self.options.is_none() && !self.holds_any() {
            self.queue.set_rules(None);
            self.is_tended = false;
        }
    }

    /// True with messages: ready, unacknowledged, or kept back for a while, which count as unacknowledged.
    fn holds_any(&self) -> bool {
        !self.queue.is_empty() || self.queue.counts().unacked > 0
    }

    /// True when the first messages make room for new ones.
    pub(crate) fn drops_head(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.overflow == Overflow::DropHead)
    }

    /// True when deliveries tell how often their message came back: quorum queues of RabbitMQ do, which always have a
    /// limit.
    #[inline]
    pub(crate) fn counts_deliveries(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.delivery_limit.is_some())
    }

    /// True when the first message is read from disk for no other reason than to see when it expires: where messages
    /// that nobody consumes count, or go somewhere.
    pub(crate) fn looks_for_expiry(&self) -> bool {
        let counts = |options: &Arc<QueueOptions>| options.message_ttl_ms.is_some() || options.dead_letter.is_some();
        self.options.as_ref().is_some_and(counts)
    }
}

/// The time to live that a message has of its own, in ms.
fn expiration_of(message: &Message) -> Option<u64> {
    amqp::properties::expiration_of(message.parts().header)
}

impl QueueCell {
    /// A queue without messages.
    pub(crate) fn new(quid: u64, vhost: &Arc<str>, name: &str) -> QueueCell {
        QueueCell {
            quid,
            name: name.into(),
            vhost: vhost.clone(),
            durable: false,
            is_stored: false,
            holds_delayed: false,
            auto_delete: false,
            owner: None,
            terms: RwLock::default(),
            counters: QueueCounters::default(),
            active_ms: Counter::default(),
            incoming: Mutex::default(),
            taps: Taps::default(),
            dead: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// The same on these terms, with the options that they add up to.
    pub(crate) fn on_terms(mut self, terms: QueueTerms) -> QueueCell {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).set_options(terms.options());
        self.terms = RwLock::new(Arc::new(terms));
        self
    }

    /// What its options come from, as it is now.
    pub fn terms(&self) -> Arc<QueueTerms> {
        self.terms.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces what its options come from; [`Broker::refresh_options`](crate::Broker) makes that effective. `None` when
    /// `change` leaves everything as it is.
    pub(crate) fn change_terms(&self, change: impl FnOnce(&QueueTerms) -> Option<QueueTerms>) -> bool {
        let mut terms = self.terms.write().unwrap_or_else(PoisonError::into_inner);
        match change(&terms) {
            Some(changed) => {
                *terms = Arc::new(changed);
                true
            }
            None => false,
        }
    }

    /// Counts messages by the exchange that they were published to.
    pub(crate) fn note_incoming(&self, exchange: &Arc<Exchange>, count: u64) {
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        match incoming.iter_mut().find(|(other, _)| Arc::ptr_eq(other, exchange)) {
            Some((_, sum)) => *sum += count,
            None => {
                if incoming.len() >= MOST_EXCHANGES {
                    // Exchanges come and go without end: those of before are let go.
                    incoming.clear();
                }
                incoming.push((exchange.clone(), count));
            }
        }
    }

    /// Messages that entered by the exchange that they were published to; empty unless rates are detailed.
    pub fn incoming(&self) -> Vec<(Arc<Exchange>, u64)> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True once it is deleted; whoever still holds it resolves its name again.
    #[inline]
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// Marks it deleted; called with its lock held, before its name is removed.
    pub(crate) fn mark_dead(&self) {
        self.dead.store(true, Ordering::Release);
    }

    /// True while it holds more than publishers should add to while consumers are willing.
    #[inline]
    pub(crate) fn is_long(&self) -> bool {
        self.counters.message_bytes_ready.value() > LONG_BYTES || self.counters.messages_ready.value() > LONG_MESSAGES
    }

    /// Brings the gauges up to date; called with its lock held.
    #[inline]
    pub(crate) fn publish_gauges(&self, state: &QueueState) {
        let counts = state.queue.counts();
        self.counters.messages_ready.set(counts.ready);
        self.counters.messages_unacknowledged.set(counts.unacked);
        self.counters.message_bytes_ready.set(counts.ready_bytes);
        self.counters.message_bytes_unacknowledged.set(counts.unacked_bytes);
        self.counters.consumers.set(state.queue.consumers.len() as u64);
    }
}
