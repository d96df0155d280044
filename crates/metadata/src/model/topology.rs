//! Exchanges, queues and bindings.

use amqp::FieldTable;

/// A durable exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExchangeDefinition {
    /// The virtual host's name.
    pub vhost: String,
    /// The exchange's name.
    pub name: String,
    /// The exchange type, as `topic`.
    pub kind: String,
    /// True when it survives a restart.
    pub durable: bool,
    /// True when it goes with its last binding.
    pub auto_delete: bool,
    /// True when clients may not publish to it.
    pub internal: bool,
    /// Arguments of the declare.
    pub arguments: FieldTable,
}

/// A durable queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueDefinition {
    /// The queue's own id, never used for another queue.
    pub quid: u64,
    /// The virtual host's name.
    pub vhost: String,
    /// The queue's name.
    pub name: String,
    /// True when it survives a restart.
    pub durable: bool,
    /// True when it goes with its last consumer.
    pub auto_delete: bool,
    /// Arguments of the declare.
    pub arguments: FieldTable,
}

/// What a binding leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DestinationKind {
    /// A queue.
    #[default]
    Queue,
    /// Another exchange.
    Exchange,
}

impl DestinationKind {
    /// The name in definitions: `queue` or `exchange`.
    pub fn as_str(self) -> &'static str {
        match self {
            DestinationKind::Queue => "queue",
            DestinationKind::Exchange => "exchange",
        }
    }

    /// The kind that definitions call `name`.
    pub fn from_name(name: &str) -> Option<DestinationKind> {
        [DestinationKind::Queue, DestinationKind::Exchange].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A binding between durable objects; all of its fields but the order together are its identity.
///
/// Arguments are compared as written: whoever wants the order of arguments not to matter sorts them first, as
/// RabbitMQ does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindingDefinition {
    /// The virtual host's name.
    pub vhost: String,
    /// The exchange that it leads from.
    pub source: String,
    /// The queue or exchange that it leads to.
    pub destination: String,
    /// Which of the two.
    pub destination_kind: DestinationKind,
    /// The routing or binding key.
    pub routing_key: String,
    /// Arguments of the bind.
    pub arguments: FieldTable,
    /// Its place among the bindings of an exchange for which their order matters; else 0.
    pub order: u64,
}
