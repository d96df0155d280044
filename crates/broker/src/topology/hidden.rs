//! Queues that clients never see: what the broker itself keeps, with the durable promise of any other queue.
//!
//! Their names hold a line feed, which names that clients give lose, and they are in a map of their own: nothing that is
//! routed by name or lists queues comes upon them. Each belongs to an exchange and goes with it.

use super::{Behaviour, Exchange, QueueCell, Topology, Vhost};
use crate::deduplication::Window;
use crate::topology::QueueOptions;
use std::sync::{Arc, OnceLock};

/// What the names of hidden queues begin with.
const PREFIX: char = '\n';

/// A hidden queue of an exchange, as soon as it is there.
#[derive(Default)]
pub(crate) struct HiddenQueue(OnceLock<Arc<QueueCell>>);

impl HiddenQueue {
    pub(crate) fn get(&self) -> Option<&Arc<QueueCell>> {
        self.0.get()
    }

    /// Sets it, once.
    pub(crate) fn set(&self, cell: Arc<QueueCell>) {
        let is_first = self.0.set(cell).is_ok();
        debug_assert!(is_first, "an exchange has one hidden queue");
    }
}

impl std::fmt::Debug for HiddenQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HiddenQueue").field(&self.get().map(|cell| cell.quid)).finish()
    }
}

/// The name of the hidden queue of an exchange.
pub(crate) fn hidden_name(exchange: &str) -> String {
    format!("{PREFIX}{exchange}")
}

/// The exchange whose hidden queue is called `name`; `None` for the name of any other queue.
pub(crate) fn exchange_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

impl Exchange {
    /// Where its hidden queue is, and what that is to do; `None` for an exchange without one.
    pub(crate) fn hidden_queue(&self) -> Option<(&HiddenQueue, QueueOptions)> {
        self.behaviour.hidden_queue()
    }

    /// The last messages that it keeps for new bindings.
    pub(crate) fn history(&self) -> Option<&Arc<QueueCell>> {
        match &self.behaviour {
            Behaviour::RecentHistory { history, .. } => history.get(),
            _ => None,
        }
    }

    /// What it remembers of the messages that it has seen.
    pub(crate) fn window(&self) -> Option<&Window> {
        match &self.behaviour {
            Behaviour::Deduplication { window, .. } => Some(window),
            _ => None,
        }
    }
}

impl Topology {
    /// Adds a hidden queue whose name is free.
    pub(crate) fn insert_hidden(&mut self, cell: QueueCell) -> Arc<QueueCell> {
        let cell = Arc::new(cell);
        self.hidden.insert(cell.name.clone(), cell.clone());
        cell
    }

    /// Takes the hidden queue of an exchange away.
    pub(super) fn remove_hidden(&mut self, exchange: &Exchange) -> Option<Arc<QueueCell>> {
        let (hidden, _) = exchange.hidden_queue()?;
        self.hidden.remove(&hidden.get()?.name)
    }
}

impl Vhost {
    /// Its hidden queues.
    pub(crate) fn hidden_queues(&self) -> Vec<Arc<QueueCell>> {
        self.read().hidden.values().cloned().collect()
    }
}
