//! What an exchange does according to its type and arguments, beyond looking at keys and headers.

use super::ExchangeKind;
use crate::errors::{self, ProtocolError, Resource};
use amqp::FieldTable;
use routing::{HashSource, HashSourceError};

/// What the type and the arguments of an exchange come to. It costs nothing where it is `Plain`.
#[derive(Debug, Default)]
pub(crate) enum Behaviour {
    /// Nothing: the bindings and the keys say it all.
    #[default]
    Plain,
    /// Something other than the keys decides, such as headers.
    BeyondKeys,
    /// One destination, by what is hashed.
    ConsistentHash(HashSource),
    /// One destination, by the hash of all routing keys.
    ModulusHash,
    /// One destination at random.
    Random,
}

impl Behaviour {
    /// What an exchange of this type with these arguments does; else the refusal of its declaration, in RabbitMQ's
    /// words.
    pub(crate) fn of(
        kind: ExchangeKind,
        arguments: &FieldTable,
        resource: &Resource<'_>,
    ) -> Result<Behaviour, ProtocolError> {
        match kind {
            ExchangeKind::Direct | ExchangeKind::Fanout | ExchangeKind::Topic => Ok(Behaviour::Plain),
            ExchangeKind::Headers => Ok(Behaviour::BeyondKeys),
            ExchangeKind::ModulusHash => Ok(Behaviour::ModulusHash),
            ExchangeKind::Random | ExchangeKind::LocalRandom => Ok(Behaviour::Random),
            ExchangeKind::ConsistentHash => {
                HashSource::of_arguments(arguments).map(Behaviour::ConsistentHash).map_err(|error| match error {
                    HashSourceError::Exclusive => errors::HASH_SOURCES_EXCLUSIVE.with(&[]),
                    HashSourceError::Unsupported(property) => errors::HASH_PROPERTY_UNSUPPORTED.with(&[&property]),
                    HashSourceError::Type { type_name, argument } => {
                        errors::INVALID_ARGUMENT_TYPE.with(&[&type_name, &argument, resource])
                    }
                })
            }
        }
    }

    /// True when the routing key alone decides, so that a decision can be remembered.
    pub(crate) fn routes_by_key(&self) -> bool {
        match self {
            Behaviour::Plain | Behaviour::ConsistentHash(HashSource::RoutingKey) | Behaviour::ModulusHash => true,
            Behaviour::BeyondKeys | Behaviour::ConsistentHash(_) | Behaviour::Random => false,
        }
    }
}
