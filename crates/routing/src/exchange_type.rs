//! The ways in which exchanges choose: those of AMQP 0-9-1 section 3.1.3, and buckets.

/// How an exchange chooses among its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExchangeType {
    /// Routing key equal to the binding's key.
    Direct,
    /// Every binding, whatever the keys.
    Fanout,
    /// Routing key matched word by word, with `*` for one word and `#` for any number of words.
    Topic,
    /// Message headers matched against the binding's arguments.
    Headers,
    /// One binding, by a hash that moves as few messages as possible when bindings change.
    ConsistentHash,
}

impl ExchangeType {
    /// The type that `exchange.declare` calls `name`, exact to the letter as in RabbitMQ.
    pub fn from_name(name: &str) -> Option<ExchangeType> {
        match name {
            "direct" => Some(ExchangeType::Direct),
            "fanout" => Some(ExchangeType::Fanout),
            "topic" => Some(ExchangeType::Topic),
            "headers" => Some(ExchangeType::Headers),
            "x-consistent-hash" => Some(ExchangeType::ConsistentHash),
            _ => None,
        }
    }

    /// The name on the wire and in the management API.
    pub fn name(self) -> &'static str {
        match self {
            ExchangeType::Direct => "direct",
            ExchangeType::Fanout => "fanout",
            ExchangeType::Topic => "topic",
            ExchangeType::Headers => "headers",
            ExchangeType::ConsistentHash => "x-consistent-hash",
        }
    }
}
