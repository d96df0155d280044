//! Choosing one destination of an exchange: by hash modulo their number, or at random.

use super::{Destination, Entry, Topology};
use std::sync::OnceLock;

/// The destinations of an exchange's bindings in order of their names, each as often as it has bindings. Made when it
/// is needed first, and forgotten with each change of the bindings.
#[derive(Default)]
pub(super) struct Sorted(OnceLock<Box<[Destination]>>);

impl Sorted {
    pub(super) fn forget(&mut self) {
        *self = Sorted::default();
    }
}

impl Topology {
    /// The destinations of an exchange's bindings as RabbitMQ sorts them: exchanges first, then by name. What is
    /// bound twice is there twice, and so chosen twice as often.
    pub(super) fn sorted<'a>(&self, entry: &'a Entry) -> &'a [Destination] {
        entry.sorted.0.get_or_init(|| {
            let mut named: Vec<_> = entry
                .bindings
                .iter()
                .filter_map(|binding| {
                    let (name, to_queue) = self.destination_name(binding.destination)?;
                    Some(((to_queue, name.as_bytes()), binding.destination))
                })
                .collect();
            named.sort_unstable_by_key(|(name, _)| *name);
            named.into_iter().map(|(_, destination)| destination).collect()
        })
    }
}

/// One of `destinations` for a number that is random, and what tells this exchange from others that the message meets.
pub(super) fn at_random(destinations: &[Destination], random: u64, exchange: u64) -> Option<Destination> {
    // A step of SplitMix64, so that chosen places of two exchanges in a row are unrelated.
    let mut mixed = random ^ exchange.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let at = (u128::from(mixed) * destinations.len() as u128) >> 64;
    destinations.get(at as usize).copied()
}
