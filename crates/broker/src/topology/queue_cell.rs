//! A queue as the topology holds it: what it was declared as, its counters, and its state behind a lock.

use crate::ConnectionId;
use crate::counters::QueueCounters;
use crate::delivery::Consumer;
use crate::policy::InForce;
use crate::topology::QueueOptions;
use amqp::FieldTable;
use queue::Queue;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Bytes of ready messages that a queue with willing consumers may have before its publishers are slowed down. Small:
/// what goes straight to a consumer is never stored, which is the cheapest way, and an output holds as much again.
const LONG_BYTES: u64 = 64 << 10;
/// Ready messages, likewise: small ones cost their entries rather than their bytes.
const LONG_MESSAGES: u64 = 512;

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
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// The connection that it belongs to and goes with.
    pub owner: Option<ConnectionId>,
    /// A leaf lock, for as long as it takes to clone or replace what is in it.
    pub(crate) terms: RwLock<Arc<QueueTerms>>,
    /// What happened in it.
    pub counters: QueueCounters,
    pub(crate) dead: AtomicBool,
    pub(crate) state: Mutex<QueueState>,
}

/// The state of a queue that its lock guards.
#[derive(Default)]
pub struct QueueState {
    pub(crate) queue: Queue<Arc<Consumer>>,
    /// What it does beyond keeping messages in order; `None` for a plain queue.
    pub(crate) options: Option<Arc<QueueOptions>>,
    /// True while its only consumer consumes exclusively.
    pub(crate) consumed_exclusively: bool,
    /// True while a reactor has it on its list of queues with more to deliver.
    pub(crate) scheduled: bool,
    /// Reactors where a basic.get waits for its first message.
    pub(crate) waited_for: Vec<usize>,
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
            auto_delete: false,
            owner: None,
            terms: RwLock::default(),
            counters: QueueCounters::default(),
            dead: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// The same on these terms, with the options that they add up to.
    pub(crate) fn on_terms(mut self, terms: QueueTerms) -> QueueCell {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).options = terms.options();
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
