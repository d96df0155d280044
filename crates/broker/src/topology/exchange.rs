//! An exchange: what it was declared as, and when its bindings last changed.

use super::{Behaviour, ExchangeKind};
use crate::counters::ExchangeCounters;
use amqp::FieldTable;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An exchange.
pub struct Exchange {
    /// Never reused within its virtual host.
    pub(crate) id: u64,
    /// Its name; empty for the default exchange.
    pub name: Arc<str>,
    /// Its type.
    pub kind: ExchangeKind,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with the last binding from it.
    pub auto_delete: bool,
    /// Takes messages from other exchanges only.
    pub internal: bool,
    /// Arguments of its declaration.
    pub arguments: FieldTable,
    /// Name of its alternate exchange.
    pub(crate) alternate: Option<Arc<str>>,
    /// What its type and arguments come to.
    pub(crate) behaviour: Behaviour,
    /// What went through it.
    pub counters: ExchangeCounters,
    /// Raised with each change of its bindings and when it is deleted.
    pub(crate) generation: AtomicU64,
}

impl Exchange {
    pub(crate) fn new(id: u64, name: &str, kind: ExchangeKind) -> Exchange {
        Exchange {
            id,
            name: name.into(),
            kind,
            durable: false,
            auto_delete: false,
            internal: false,
            arguments: FieldTable::new(),
            alternate: None,
            behaviour: Behaviour::default(),
            counters: ExchangeCounters::default(),
            generation: AtomicU64::new(1),
        }
    }

    /// True for the exchange without a name.
    pub fn is_default(&self) -> bool {
        self.name.is_empty()
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Makes every remembered decision of this exchange stale.
    pub(crate) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}
