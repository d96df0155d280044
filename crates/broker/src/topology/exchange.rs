//! An exchange: what it was declared as, and when its bindings last changed.

use crate::counters::ExchangeCounters;
use amqp::{FieldTable, FieldValue};
use routing::ExchangeType;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The exchange types that can be declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// By equal routing key.
    Direct,
    /// To every binding.
    Fanout,
    /// By pattern over the words of the routing key.
    Topic,
    /// By headers.
    Headers,
}

impl ExchangeKind {
    /// The type called `name`.
    pub fn from_name(name: &str) -> Option<ExchangeKind> {
        [ExchangeKind::Direct, ExchangeKind::Fanout, ExchangeKind::Topic, ExchangeKind::Headers]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Its name in exchange.declare.
    pub fn name(self) -> &'static str {
        match self {
            ExchangeKind::Direct => "direct",
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Headers => "headers",
        }
    }

    /// How an exchange of this type and with these arguments routes, as its definition has them.
    pub(crate) fn of_definition(name: &str, arguments: &FieldTable) -> Option<ExchangeKind> {
        match name {
            DELAYED_TYPE => {
                arguments.get(DELAYED_TYPE_ARGUMENT).and_then(FieldValue::as_str).and_then(ExchangeKind::from_name)
            }
            name => ExchangeKind::from_name(name),
        }
    }

    pub(crate) fn binding_type(self) -> ExchangeType {
        match self {
            ExchangeKind::Direct => ExchangeType::Direct,
            ExchangeKind::Fanout => ExchangeType::Fanout,
            ExchangeKind::Topic => ExchangeType::Topic,
            ExchangeKind::Headers => ExchangeType::Headers,
        }
    }

    /// True when the routing key alone decides, so that a decision can be remembered.
    pub(crate) fn routes_by_key(self) -> bool {
        self != ExchangeKind::Headers
    }
}

/// The type of exchanges that delay and route as another type does, which the argument names.
pub(crate) const DELAYED_TYPE: &str = "x-delayed-message";
/// That argument.
pub(crate) const DELAYED_TYPE_ARGUMENT: &str = "x-delayed-type";
/// The argument with which any exchange delays; RabbitMQ has none.
pub(crate) const DELAYED_ARGUMENT: &str = "x-delayed";

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
    /// True when it was declared with the type x-delayed-message.
    pub(crate) is_delayed_type: bool,
    /// True when its arguments say that it delays; known once it is in a topology.
    pub(crate) is_delayed_by_argument: bool,
    /// True when a policy says that it delays.
    pub(crate) is_delayed_by_policy: AtomicBool,
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
            is_delayed_type: false,
            is_delayed_by_argument: false,
            is_delayed_by_policy: AtomicBool::new(false),
            counters: ExchangeCounters::default(),
            generation: AtomicU64::new(1),
        }
    }

    /// The name of its type, as it was declared.
    pub fn type_name(&self) -> &'static str {
        if self.is_delayed_type { DELAYED_TYPE } else { self.kind.name() }
    }

    /// True when messages with the header x-delay wait before they are routed.
    #[inline]
    pub(crate) fn delays(&self) -> bool {
        self.is_delayed_type || self.is_delayed_by_policy.load(Ordering::Relaxed) || self.is_delayed_by_argument
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
