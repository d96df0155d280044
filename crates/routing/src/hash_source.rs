//! Where a consistent hash exchange takes what it hashes: its arguments `hash-header` and `hash-property`.

use amqp::field::{FieldTable, FieldValue, TableRef};
use amqp::properties::PropertiesRef;

use crate::ring::HashKey;

const HEADER: &str = "hash-header";
const PROPERTY: &str = "hash-property";

/// What of a message is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HashSource {
    /// The routing key.
    #[default]
    RoutingKey,
    /// The header of this name.
    Header(Box<str>),
    /// A property.
    Property(HashProperty),
}

/// The properties that can be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashProperty {
    /// `correlation_id`.
    CorrelationId,
    /// `message_id`.
    MessageId,
    /// `timestamp`, in decimal digits.
    Timestamp,
}

/// Why the arguments are refused; the texts are RabbitMQ's, for a channel error 406.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashSourceError {
    /// Both arguments are there.
    #[error("hash-header and hash-property are mutually exclusive")]
    Exclusive,
    /// `hash-property` names something else.
    #[error("Unsupported property: {0}")]
    Unsupported(String),
    /// An argument is no long string, which ends RabbitMQ's channel process with an internal error.
    #[error("invalid type '{type_name}' for arg '{argument}'")]
    Type {
        /// RabbitMQ's name of the type.
        type_name: &'static str,
        /// The argument.
        argument: &'static str,
    },
}

impl HashSource {
    /// What an exchange with these arguments hashes.
    pub fn of_arguments(arguments: &FieldTable) -> Result<HashSource, HashSourceError> {
        match (text(arguments, HEADER)?, text(arguments, PROPERTY)?) {
            (None, None) => Ok(HashSource::RoutingKey),
            (Some(header), None) => Ok(HashSource::Header(String::from_utf8_lossy(header).into())),
            (None, Some(b"correlation_id")) => Ok(HashSource::Property(HashProperty::CorrelationId)),
            (None, Some(b"message_id")) => Ok(HashSource::Property(HashProperty::MessageId)),
            (None, Some(b"timestamp")) => Ok(HashSource::Property(HashProperty::Timestamp)),
            (None, Some(other)) => Err(HashSourceError::Unsupported(String::from_utf8_lossy(other).into_owned())),
            (Some(_), Some(_)) => Err(HashSourceError::Exclusive),
        }
    }

    /// What is hashed of a message. Of several routing keys it is the first.
    pub fn key_of<'a>(
        &self,
        routing_key: &'a [u8],
        headers: Option<TableRef<'a>>,
        properties: PropertiesRef<'a>,
    ) -> HashKey<'a> {
        let text = |text: Option<&'a str>| text.map_or(HashKey::Missing, |text| HashKey::Text(text.as_bytes()));
        let property = match self {
            HashSource::RoutingKey => return HashKey::Text(routing_key),
            HashSource::Header(name) => return header(headers, name),
            HashSource::Property(property) => property,
        };
        let properties = properties.decode().unwrap_or_default();
        match property {
            HashProperty::CorrelationId => text(properties.correlation_id),
            HashProperty::MessageId => text(properties.message_id),
            HashProperty::Timestamp => properties.timestamp.map_or(HashKey::Missing, HashKey::Digits),
        }
    }
}

/// The last header called `name`, which is the one RabbitMQ's map of headers keeps.
fn header<'a>(headers: Option<TableRef<'a>>, name: &str) -> HashKey<'a> {
    let fields = headers.unwrap_or_default().iter().map_while(Result::ok);
    fields.filter(|(other, _)| *other == name).last().map_or(HashKey::Missing, |(_, value)| HashKey::Header(value))
}

fn text<'a>(arguments: &'a FieldTable, name: &'static str) -> Result<Option<&'a [u8]>, HashSourceError> {
    match arguments.get(name) {
        None => Ok(None),
        Some(FieldValue::LongString(text)) => Ok(Some(text)),
        Some(other) => Err(HashSourceError::Type { type_name: other.type_name(), argument: name }),
    }
}
