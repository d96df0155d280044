//! What makes two bindings the same, and what one looks like from outside.

use std::hash::{Hash, Hasher};

use amqp::field::{FieldTable, FieldValue};

use crate::slab::NONE;

/// One binding of an exchange, borrowed from its table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BindingRef<'a, D> {
    /// The binding key, which fanout and headers exchanges keep but ignore.
    pub routing_key: &'a str,
    /// The arguments in order of their names, as RabbitMQ keeps and lists them.
    pub arguments: &'a FieldTable,
    /// Where the binding leads.
    pub destination: D,
}

/// One binding as the table holds it: ids into its slabs.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) key: u32,
    pub(crate) destination: u32,
    /// Where it stands among the targets of its key.
    pub(crate) position: u32,
    /// The neighbours among the bindings of its destination.
    pub(crate) previous: u32,
    pub(crate) next: u32,
    /// Absent when empty, which is the rule outside of headers exchanges.
    pub(crate) arguments: Option<Box<FieldTable>>,
}

impl Binding {
    pub(crate) fn new(key: u32, destination: u32, arguments: Option<Box<FieldTable>>) -> Binding {
        Binding { key, destination, position: 0, previous: NONE, next: NONE, arguments }
    }

    pub(crate) fn is(&self, key: u32, destination: u32, arguments: Option<&FieldTable>) -> bool {
        let same_arguments = match (self.arguments.as_deref(), arguments) {
            (None, None) => true,
            (Some(own), Some(other)) => same_table(own, other),
            _ => false,
        };
        self.key == key && self.destination == destination && same_arguments
    }
}

/// The arguments as they take part in a binding's identity: sorted by name, which is stable for repeated names, at the
/// top level only (`rabbit_binding:sort_args`); `None` when empty.
pub(crate) fn normalised(arguments: &FieldTable) -> Option<FieldTable> {
    if arguments.is_empty() {
        return None;
    }
    let mut fields: Vec<_> = arguments.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    fields.sort_by(|(left, _), (right, _)| left.cmp(right));
    Some(fields.into_iter().collect())
}

/// Names, types and values equal, in order.
fn same_table(left: &FieldTable, right: &FieldTable) -> bool {
    left.len() == right.len()
        && left.iter().zip(right.iter()).all(|((name, value), (other, theirs))| name == other && same(value, theirs))
}

/// Types and values equal: RabbitMQ compares `{Name, Type, Value}` terms exactly, so `I` 1 and `l` 1 differ here.
/// Floats go by their bits, so that every binding can be named for removal.
fn same(left: &FieldValue, right: &FieldValue) -> bool {
    match (left, right) {
        (FieldValue::F32(left), FieldValue::F32(right)) => left.to_bits() == right.to_bits(),
        (FieldValue::F64(left), FieldValue::F64(right)) => left.to_bits() == right.to_bits(),
        (FieldValue::Table(left), FieldValue::Table(right)) => same_table(left, right),
        (FieldValue::Array(left), FieldValue::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        _ => left == right,
    }
}

/// Feeds `table` to `state` in agreement with [`Binding::is`].
pub(crate) fn hash_table(table: &FieldTable, state: &mut impl Hasher) {
    state.write_usize(table.len());
    for (name, value) in table.iter() {
        name.hash(state);
        hash_value(value, state);
    }
}

fn hash_value(value: &FieldValue, state: &mut impl Hasher) {
    std::mem::discriminant(value).hash(state);
    match value {
        FieldValue::Bool(value) => value.hash(state),
        FieldValue::I8(value) => value.hash(state),
        FieldValue::U8(value) => value.hash(state),
        FieldValue::I16(value) => value.hash(state),
        FieldValue::U16(value) => value.hash(state),
        FieldValue::I32(value) => value.hash(state),
        FieldValue::U32(value) => value.hash(state),
        FieldValue::I64(value) => value.hash(state),
        FieldValue::F32(value) => value.to_bits().hash(state),
        FieldValue::F64(value) => value.to_bits().hash(state),
        FieldValue::Decimal { scale, value } => (scale, value).hash(state),
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => bytes.hash(state),
        FieldValue::Array(values) => {
            state.write_usize(values.len());
            values.iter().for_each(|value| hash_value(value, state));
        }
        FieldValue::Timestamp(value) => value.hash(state),
        FieldValue::Table(table) => hash_table(table, state),
        FieldValue::Void => {}
    }
}
