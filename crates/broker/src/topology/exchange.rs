//! An exchange: what it was declared as, and when its bindings last changed.

use super::{Behaviour, ExchangeKind};
use crate::counters::ExchangeCounters;
use crate::policy::{InForce, Sources};
use crate::tap::Taps;
use amqp::FieldTable;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The type of exchanges that delay and route as another type does, which the argument names.
pub(crate) const DELAYED_TYPE: &str = "x-delayed-message";
/// That argument.
pub(crate) const DELAYED_TYPE_ARGUMENT: &str = "x-delayed-type";

/// What an exchange's arguments and policies add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExchangeOptions {
    /// Name of its alternate exchange (`alternate-exchange`); an argument counts before a policy.
    pub alternate: Option<Arc<str>>,
    /// Messages with `x-delay` wait before they are routed (argument `x-delayed`, policy key `delayed`).
    pub delayed: bool,
    /// The policies in force.
    pub policies: InForce,
}

impl ExchangeOptions {
    /// What arguments and policies, which have been checked, add up to.
    pub fn effective(arguments: &FieldTable, policies: InForce) -> ExchangeOptions {
        let definition = policies.definition();
        let from = Sources { arguments, policies: &definition };
        ExchangeOptions { alternate: from.alternate(), delayed: from.flag("delayed"), policies }
    }
}

/// An exchange.
pub struct Exchange {
    /// Never reused within its virtual host.
    pub id: u64,
    /// Name of its virtual host.
    pub vhost: Arc<str>,
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
    /// What its type and arguments come to.
    pub(crate) behaviour: Behaviour,
    /// True when it was declared with the type x-delayed-message.
    pub(crate) is_delayed_type: bool,
    /// A leaf lock, for as long as it takes to clone what is in it.
    pub(crate) options: RwLock<Arc<ExchangeOptions>>,
    /// `options.delayed`, for the message path.
    pub(crate) delayed: AtomicBool,
    /// What went through it.
    pub counters: ExchangeCounters,
    /// Who watches it.
    pub(crate) taps: Taps,
    /// True while it has bindings; kept by the topology.
    pub(crate) bound: AtomicBool,
    /// Raised with each change of its bindings and when it is deleted.
    pub(crate) generation: AtomicU64,
}

impl Exchange {
    pub(crate) fn new(vhost: &Arc<str>, id: u64, name: &str, kind: ExchangeKind) -> Exchange {
        Exchange {
            id,
            vhost: vhost.clone(),
            name: name.into(),
            kind,
            durable: false,
            auto_delete: false,
            internal: false,
            arguments: FieldTable::new(),
            behaviour: Behaviour::default(),
            is_delayed_type: false,
            options: RwLock::default(),
            delayed: AtomicBool::new(false),
            counters: ExchangeCounters::default(),
            taps: Taps::default(),
            bound: AtomicBool::new(false),
            generation: AtomicU64::new(1),
        }
    }

    /// The name of its type, as it was declared.
    pub fn type_name(&self) -> &'static str {
        if self.is_delayed_type { DELAYED_TYPE } else { self.kind.name() }
    }

    /// True when messages with the header x-delay wait before they are routed, for its type or its options.
    #[inline]
    pub(crate) fn delays(&self) -> bool {
        self.is_delayed_type || self.is_delayed()
    }

    /// True while it has bindings.
    pub(crate) fn is_bound(&self) -> bool {
        self.bound.load(Ordering::Relaxed)
    }

    /// True for the exchange without a name.
    pub fn is_default(&self) -> bool {
        self.name.is_empty()
    }

    /// The same with what policies and its arguments make of it.
    pub(crate) fn under(self, policies: InForce) -> Exchange {
        let options = ExchangeOptions::effective(&self.arguments, policies);
        Exchange { delayed: AtomicBool::new(options.delayed), options: RwLock::new(Arc::new(options)), ..self }
    }

    /// Its options as they are now.
    pub fn options(&self) -> Arc<ExchangeOptions> {
        self.options.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True while its options say that messages with `x-delay` wait before they are routed.
    #[inline]
    pub fn is_delayed(&self) -> bool {
        self.delayed.load(Ordering::Relaxed)
    }

    /// Makes other policies effective; remembered routes are stale when that changes where messages go.
    pub(crate) fn set_policies(&self, policies: InForce) {
        let options = ExchangeOptions::effective(&self.arguments, policies);
        let mut current = self.options.write().unwrap_or_else(PoisonError::into_inner);
        let reroutes = (&current.alternate, current.delayed) != (&options.alternate, options.delayed);
        self.delayed.store(options.delayed, Ordering::Relaxed);
        *current = Arc::new(options);
        drop(current);
        if reroutes {
            self.changed();
        }
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
