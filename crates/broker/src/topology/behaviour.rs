//! What an exchange does according to its type and arguments, beyond looking at keys and headers.

use super::{ExchangeKind, HiddenQueue, QueueOptions};
use crate::deduplication::Window;
use crate::errors::{self, ProtocolError, Resource};
use amqp::{FieldTable, FieldValue};
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
    /// Every destination, and the last messages are kept for those to come.
    RecentHistory {
        /// How many are kept.
        length: u64,
        /// Those that are.
        history: HiddenQueue,
    },
    /// Every destination, for messages that are no duplicates.
    Deduplication {
        /// What was seen.
        window: Window,
        /// Its records; `None` for a window that does not survive.
        records: Option<HiddenQueue>,
    },
}

/// The arguments of `x-message-deduplication`: how many keys are remembered, for how long in ms, and whether on disk.
const CACHE_SIZE: &str = "x-cache-size";
const CACHE_TTL: &str = "x-cache-ttl";
const CACHE_PERSISTENCE: &str = "x-cache-persistence";

/// The argument of `x-recent-history` that says how many messages are kept.
const HISTORY_LENGTH: &str = "x-recent-history-length";
/// How many it is without the argument.
const DEFAULT_HISTORY_LENGTH: u64 = 20;

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
            ExchangeKind::RecentHistory => {
                Ok(Behaviour::RecentHistory { length: history_length(arguments)?, history: HiddenQueue::default() })
            }
            ExchangeKind::MessageDeduplication => deduplication(arguments),
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
            Behaviour::BeyondKeys
            | Behaviour::ConsistentHash(_)
            | Behaviour::Random
            | Behaviour::RecentHistory { .. }
            | Behaviour::Deduplication { .. } => false,
        }
    }

    /// The hidden queue that it needs, and what that is to do.
    pub(super) fn hidden_queue(&self) -> Option<(&HiddenQueue, QueueOptions)> {
        match self {
            Behaviour::RecentHistory { length, history } => {
                let options =
                    QueueOptions { max_length: Some(*length), ignores_expirations: true, ..QueueOptions::default() };
                Some((history, options))
            }
            Behaviour::Deduplication { records: Some(records), .. } => Some((records, QueueOptions::default())),
            _ => None,
        }
    }
}

/// Where the plugin forgets with a restart unless it is told otherwise, a durable exchange remembers here.
fn deduplication(arguments: &FieldTable) -> Result<Behaviour, ProtocolError> {
    let size = arguments.get(CACHE_SIZE).and_then(positive).ok_or_else(|| errors::CACHE_SIZE.with(&[]))?;
    let ttl_ms = match arguments.get(CACHE_TTL) {
        None => None,
        Some(ttl_ms) => Some(positive(ttl_ms).ok_or_else(|| errors::CACHE_TTL.with(&[]))?),
    };
    let survives = match arguments.get(CACHE_PERSISTENCE).map(FieldValue::as_str) {
        None | Some(Some("disk")) => true,
        Some(Some("memory")) => false,
        Some(_) => return Err(errors::CACHE_PERSISTENCE.with(&[])),
    };
    let window = Window::new(usize::try_from(size).unwrap_or(usize::MAX), ttl_ms);
    Ok(Behaviour::Deduplication { window, records: survives.then(HiddenQueue::default) })
}

/// An integer above 0, or the text of one.
fn positive(value: &FieldValue) -> Option<u64> {
    let value = match value {
        FieldValue::LongString(_) => value.as_str()?.parse().ok()?,
        value => value.as_i64()?,
    };
    u64::try_from(value).ok().filter(|value| *value > 0)
}

/// A positive integer of a type that the plugin knows.
fn history_length(arguments: &FieldTable) -> Result<u64, ProtocolError> {
    let length = match arguments.get(HISTORY_LENGTH) {
        None => return Ok(DEFAULT_HISTORY_LENGTH),
        Some(FieldValue::I8(length)) => u64::try_from(*length),
        Some(FieldValue::I16(length)) => u64::try_from(*length),
        Some(FieldValue::I32(length)) => u64::try_from(*length),
        Some(FieldValue::I64(length)) => u64::try_from(*length),
        Some(other) => return Err(invalid_history_length(other)),
    };
    match (length, arguments.get(HISTORY_LENGTH)) {
        (Ok(length), _) if length > 0 => Ok(length),
        (_, Some(value)) => Err(invalid_history_length(value)),
        (_, None) => Ok(DEFAULT_HISTORY_LENGTH),
    }
}

fn invalid_history_length(value: &FieldValue) -> ProtocolError {
    errors::HISTORY_LENGTH.with(&[&amqp::erlang::field_value(value)])
}
