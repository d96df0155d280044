//! The buckets of a consistent hash exchange (`x-consistent-hash`).

use std::hash::Hash;

use amqp::field::FieldRef;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::headers::BindError;
use crate::jump;
use crate::phash2;

#[cfg(test)]
mod tests;

/// The most buckets that one binding may ask for (RabbitMQ has this limit since 4.1).
pub(crate) const MAX_WEIGHT: u32 = 10_000;

/// What of a message a hashing exchange looks at.
#[derive(Clone, Copy, Debug)]
pub enum HashKey<'a> {
    /// A routing key or a property.
    Text(&'a [u8]),
    /// The value of a header.
    Header(FieldRef<'a>),
    /// A timestamp property, which is hashed as its decimal digits.
    Digits(u64),
    /// A header or property that the message does not have.
    Missing,
}

impl HashKey<'_> {
    /// The number that the plugin seeds its generator with: an integer as it is, of anything else the hash.
    fn seed(self) -> u64 {
        let value = match self {
            HashKey::Text(text) => return phash2::of_binary(text).into(),
            HashKey::Digits(value) => return phash2::of_binary(value.to_string().as_bytes()).into(),
            HashKey::Missing => return phash2::of_atom("undefined").into(),
            HashKey::Header(value) => value,
        };
        let hash = match value {
            FieldRef::I8(value) => return value as u64,
            FieldRef::U8(value) => return value.into(),
            FieldRef::I16(value) => return value as u64,
            FieldRef::U16(value) => return value.into(),
            FieldRef::I32(value) => return value as u64,
            FieldRef::U32(value) => return value.into(),
            FieldRef::I64(value) => return value as u64,
            // In milliseconds, as RabbitMQ has timestamps since 3.13.
            FieldRef::Timestamp(value) => return value.wrapping_mul(1000),
            FieldRef::Bool(value) => phash2::of_atom(if value { "true" } else { "false" }),
            FieldRef::F32(value) => phash2::of_float(value.into()),
            FieldRef::F64(value) => phash2::of_float(value),
            FieldRef::Decimal { scale, value } => phash2::of_decimal(scale, value),
            FieldRef::LongString(bytes) | FieldRef::Bytes(bytes) => phash2::of_binary(bytes),
            FieldRef::Void => phash2::of_atom("undefined"),
            // Of a list the first element counts.
            FieldRef::Array(array) => match array.iter().next() {
                Some(Ok(item)) => phash2::of_item(item),
                _ => phash2::of_nil(),
            },
            FieldRef::Table(table) => match table.iter().next() {
                Some(Ok((name, value))) => phash2::of_field(name, value),
                _ => phash2::of_nil(),
            },
        };
        hash.into()
    }
}

/// The place of a message among `destinations`, as `x-modulus-hash` chooses: by all of its routing keys.
pub fn modulus<'a>(keys: impl IntoIterator<Item = &'a [u8]>, destinations: usize) -> Option<usize> {
    (phash2::of_binaries(keys) as usize).checked_rem(destinations)
}

/// The number of buckets that a binding key asks for, read as `list_to_integer` reads it.
pub(crate) fn weight(key: &str) -> Result<u32, BindError> {
    let digits = key.strip_prefix(['+', '-']).unwrap_or(key);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BindError::WeightNotInteger);
    }
    if key.starts_with('-') || digits.bytes().all(|byte| byte == b'0') {
        return Err(BindError::WeightTooLow);
    }
    // Digits that do not fit are far beyond the limit.
    match digits.parse::<u32>() {
        Ok(weight) if weight <= MAX_WEIGHT => Ok(weight),
        _ => Err(BindError::WeightTooHigh),
    }
}

/// The destinations in the order in which they were bound, each with as many buckets as its weight.
#[derive(Debug)]
pub(crate) struct Ring<D> {
    arcs: Vec<Arc<D>>,
    places: HashMap<D, usize, RandomState>,
    /// What the next binding gets as its order.
    next_order: u64,
}

#[derive(Clone, Copy, Debug)]
struct Arc<D> {
    destination: D,
    /// The bucket behind its last one.
    end: u64,
}

impl<D: Copy + Eq + Hash> Ring<D> {
    pub(crate) fn new() -> Ring<D> {
        Ring { arcs: Vec::new(), places: HashMap::default(), next_order: 1 }
    }

    /// Gives a destination its buckets, behind all others. As in the plugin it has those of its first binding: further
    /// ones change nothing.
    pub(crate) fn insert(&mut self, destination: D, weight: u32) {
        self.next_order += 1;
        if self.places.contains_key(&destination) {
            return;
        }
        let end = self.buckets() + u64::from(weight);
        self.places.insert(destination, self.arcs.len());
        self.arcs.push(Arc { destination, end });
    }

    /// Takes all of its buckets from a destination; those behind them move down. As in the plugin any one binding that
    /// goes takes them, even where others to the same destination stay.
    pub(crate) fn remove(&mut self, destination: D) {
        let Some(place) = self.places.remove(&destination) else { return };
        let removed = self.arcs.remove(place);
        let width =
            removed.end - place.checked_sub(1).and_then(|before| self.arcs.get(before)).map_or(0, |arc| arc.end);
        for arc in &mut self.arcs[place..] {
            arc.end -= width;
            if let Some(place) = self.places.get_mut(&arc.destination) {
                *place -= 1;
            }
        }
    }

    /// The destination of a message; `None` without any.
    pub(crate) fn find(&self, key: HashKey<'_>) -> Option<D> {
        let buckets = self.buckets();
        let bucket = jump::bucket(key.seed(), buckets);
        let place = self.arcs.partition_point(|arc| arc.end <= bucket);
        self.arcs.get(place).map(|arc| arc.destination)
    }

    /// What tells the newest binding's place in the order of all.
    pub(crate) fn newest_order(&self) -> u64 {
        self.next_order - 1
    }

    /// Makes what is bound from now on come after `order`.
    pub(crate) fn continue_after(&mut self, order: u64) {
        self.next_order = self.next_order.max(order.saturating_add(1));
    }

    fn buckets(&self) -> u64 {
        self.arcs.last().map_or(0, |arc| arc.end)
    }
}
