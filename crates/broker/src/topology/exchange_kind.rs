//! The exchange types that can be declared.

use super::{DELAYED_TYPE, DELAYED_TYPE_ARGUMENT};
use amqp::{FieldTable, FieldValue};
use routing::ExchangeType;

/// An exchange type. Those whose names begin with `x-` are plugins of RabbitMQ, or were before they moved into its core.
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
    /// To one binding by jump consistent hash, in proportion to weights.
    ConsistentHash,
    /// To one binding by hash modulo their number.
    ModulusHash,
    /// To one binding at random.
    Random,
    /// To one queue of this node at random.
    LocalRandom,
    /// To every binding, and what came last to each new one too.
    RecentHistory,
    /// To every binding, but not what was seen before.
    MessageDeduplication,
}

impl ExchangeKind {
    /// Every type, in the order in which lists show them.
    pub const ALL: [ExchangeKind; 10] = [
        ExchangeKind::Direct,
        ExchangeKind::Fanout,
        ExchangeKind::Topic,
        ExchangeKind::Headers,
        ExchangeKind::ConsistentHash,
        ExchangeKind::ModulusHash,
        ExchangeKind::Random,
        ExchangeKind::LocalRandom,
        ExchangeKind::RecentHistory,
        ExchangeKind::MessageDeduplication,
    ];

    /// The type called `name`.
    pub fn from_name(name: &str) -> Option<ExchangeKind> {
        ExchangeKind::ALL.into_iter().find(|kind| kind.name() == name)
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

    /// Its name in exchange.declare.
    pub fn name(self) -> &'static str {
        match self {
            ExchangeKind::Direct => "direct",
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Headers => "headers",
            ExchangeKind::ConsistentHash => "x-consistent-hash",
            ExchangeKind::ModulusHash => "x-modulus-hash",
            ExchangeKind::Random => "x-random",
            ExchangeKind::LocalRandom => "x-local-random",
            ExchangeKind::RecentHistory => "x-recent-history",
            ExchangeKind::MessageDeduplication => "x-message-deduplication",
        }
    }

    /// How its bindings are kept.
    pub(crate) fn binding_type(self) -> ExchangeType {
        match self {
            ExchangeKind::Direct => ExchangeType::Direct,
            ExchangeKind::Topic => ExchangeType::Topic,
            ExchangeKind::Headers => ExchangeType::Headers,
            ExchangeKind::ConsistentHash => ExchangeType::ConsistentHash,
            ExchangeKind::Fanout
            | ExchangeKind::ModulusHash
            | ExchangeKind::Random
            | ExchangeKind::LocalRandom
            | ExchangeKind::RecentHistory
            | ExchangeKind::MessageDeduplication => ExchangeType::Fanout,
        }
    }
}
