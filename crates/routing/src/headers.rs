//! Headers matching: a binding's arguments against a message's headers (`rabbit_exchange_type_headers`).

use amqp::erlang::field_value;
use amqp::field::{FieldRef, FieldTable, FieldValue, TableRef};
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::ExchangeType;
use crate::ring::weight;

/// The argument that says how the others are matched.
const MATCH: &str = "x-match";

/// Why a binding is refused; the text is RabbitMQ's, for a channel error 406.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// `x-match` is a string that is none of the four forms; `value` is printed as an Erlang term.
    #[error("Invalid x-match field value {value}; expected all, any, all-with-x, or any-with-x")]
    MatchValue {
        /// The string, printed.
        value: String,
    },
    /// `x-match` is not a long string; `value` is printed as an Erlang term.
    #[error("Invalid x-match field type {type_name} (value {value}); expected longstr")]
    MatchType {
        /// RabbitMQ's name of the type.
        type_name: &'static str,
        /// The value, printed.
        value: String,
    },
    /// The binding key of a consistent hash exchange is no number.
    #[error("The binding key must be an integer")]
    WeightNotInteger,
    /// It is below 1.
    #[error("The binding key must be greater than 0")]
    WeightTooLow,
    /// It is above 10,000.
    #[error("The binding key must not exceed 10000")]
    WeightTooHigh,
}

/// Whether an exchange of this type takes a binding with this key and these arguments.
pub fn validate(exchange_type: ExchangeType, routing_key: &str, arguments: &FieldTable) -> Result<(), BindError> {
    match exchange_type {
        ExchangeType::Headers => validate_match(arguments),
        ExchangeType::ConsistentHash => weight(routing_key).map(|_| ()),
        ExchangeType::Direct | ExchangeType::Fanout | ExchangeType::Topic => Ok(()),
    }
}

fn validate_match(arguments: &FieldTable) -> Result<(), BindError> {
    match arguments.get(MATCH) {
        None => Ok(()),
        Some(FieldValue::LongString(text)) if Mode::from_text(text).is_some() => Ok(()),
        Some(value @ FieldValue::LongString(_)) => Err(BindError::MatchValue { value: field_value(value) }),
        Some(value) => Err(BindError::MatchType { type_name: value.type_name(), value: field_value(value) }),
    }
}

/// The four values of `x-match`.
#[derive(Clone, Copy, Debug)]
struct Mode {
    /// One matching argument is enough; else all have to match.
    any: bool,
    /// Arguments that start with `x-` count like the others.
    with_x: bool,
}

impl Mode {
    fn from_text(text: &[u8]) -> Option<Mode> {
        match text {
            b"all" => Some(Mode { any: false, with_x: false }),
            b"any" => Some(Mode { any: true, with_x: false }),
            b"all-with-x" => Some(Mode { any: false, with_x: true }),
            b"any-with-x" => Some(Mode { any: true, with_x: true }),
            _ => None,
        }
    }

    fn of(arguments: &FieldTable) -> Mode {
        let text = match arguments.get(MATCH) {
            Some(FieldValue::LongString(text)) => text.as_slice(),
            _ => b"all",
        };
        Mode::from_text(text).unwrap_or(Mode { any: false, with_x: false })
    }

    fn counts(self, name: &str) -> bool {
        if self.with_x { name != MATCH } else { !name.starts_with("x-") }
    }
}

/// The bindings of a headers exchange in matching order.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// From a binding to its rule.
    positions: HashMap<u32, usize, foldhash::fast::RandomState>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    binding: u32,
    mode: Mode,
}

impl Rules {
    pub(crate) fn new() -> Rules {
        Rules { rules: Vec::new(), positions: HashMap::default() }
    }

    pub(crate) fn insert(&mut self, binding: u32, arguments: &FieldTable) {
        self.positions.insert(binding, self.rules.len());
        self.rules.push(Rule { binding, mode: Mode::of(arguments) });
    }

    pub(crate) fn remove(&mut self, binding: u32) {
        let Some(position) = self.positions.remove(&binding) else { return };
        self.rules.swap_remove(position);
        if let Some(moved) = self.rules.get(position) {
            self.positions.insert(moved.binding, position);
        }
    }

    /// Calls `found` with every binding that matches; `arguments` looks a binding's arguments up.
    pub(crate) fn find<'t>(
        &self,
        headers: Option<TableRef<'_>>,
        arguments: impl Fn(u32) -> &'t FieldTable,
        mut found: impl FnMut(u32),
    ) {
        let headers = Headers::new(headers.unwrap_or_default());
        for rule in &self.rules {
            if headers.satisfy(rule.mode, arguments(rule.binding)) {
                found(rule.binding);
            }
        }
    }
}

/// A message's headers sorted by name.
struct Headers<'a> {
    fields: SmallVec<[(&'a str, FieldRef<'a>); 16]>,
}

impl<'a> Headers<'a> {
    /// What can be read of `table`; an error in it ends the headers there.
    fn new(table: TableRef<'a>) -> Headers<'a> {
        let mut fields: SmallVec<_> = table.iter().map_while(Result::ok).collect();
        fields.sort_by_key(|(name, _): &(&str, _)| *name);
        Headers { fields }
    }

    /// The value of the last header called `name`, which is the one RabbitMQ's map of headers keeps.
    fn value(&self, name: &str) -> Option<FieldRef<'a>> {
        let after = self.fields.partition_point(|(other, _)| *other <= name);
        let (last, value) = self.fields.get(after.checked_sub(1)?)?;
        (*last == name).then_some(*value)
    }

    fn satisfy(&self, mode: Mode, arguments: &FieldTable) -> bool {
        let mut counting = arguments.iter().filter(|(name, _)| mode.counts(name));
        let matches = |(name, wanted): (&str, &FieldValue)| self.value(name).is_some_and(|value| agree(wanted, value));
        if mode.any { counting.any(matches) } else { counting.all(matches) }
    }
}

/// True when a header's value is what the argument wants: anything for a void argument, else the same decoded value,
/// so that integers of every width agree while the types inside of arrays and tables must be the same.
fn agree(wanted: &FieldValue, header: FieldRef<'_>) -> bool {
    match (wanted, header) {
        (FieldValue::Void, _) => true,
        (_, FieldRef::Void) => false,
        (FieldValue::LongString(wanted) | FieldValue::Bytes(wanted), header) => header.as_bytes() == Some(wanted),
        // Scalars own nothing, so taking them out of the message costs nothing either.
        (wanted, header) => header.to_owned().is_ok_and(|header| wanted.equivalent(&header)),
    }
}
