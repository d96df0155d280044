//! The zones of a queue with priorities: one for each priority that is in use, made when its first message comes.

use crate::zone::Zone;
use std::collections::BTreeMap;

/// Zones above 0, and which of all are not empty.
#[derive(Default)]
pub(crate) struct Levels {
    zones: BTreeMap<u8, Zone>,
    /// A bit for each level that may have messages.
    occupied: [u64; 4],
}

impl Levels {
    /// Notes that a level has messages.
    #[inline]
    pub(crate) fn occupy(&mut self, level: u8) {
        self.occupied[usize::from(level >> 6)] |= 1 << (level & 63);
    }

    /// Notes that a level has none.
    #[inline]
    pub(crate) fn vacate(&mut self, level: u8) {
        self.occupied[usize::from(level >> 6)] &= !(1 << (level & 63));
    }

    /// Notes that no level has any.
    pub(crate) fn vacate_all(&mut self) {
        self.occupied = [0; 4];
    }

    /// The highest level with messages; 0 without any.
    #[inline]
    pub(crate) fn highest(&self) -> u8 {
        let word = (0..4).rev().find(|word| self.occupied[*word] != 0);
        word.map_or(0, |word| (word as u8) << 6 | (63 - self.occupied[word].leading_zeros() as u8))
    }

    /// The zone of a level above 0, made if it is not there.
    pub(crate) fn zone_mut(&mut self, level: u8) -> &mut Zone {
        self.zones.entry(level).or_default()
    }

    /// The zone of a level above 0.
    pub(crate) fn get(&self, level: u8) -> Option<&Zone> {
        self.zones.get(&level)
    }

    /// The same, to change it.
    pub(crate) fn get_mut(&mut self, level: u8) -> Option<&mut Zone> {
        self.zones.get_mut(&level)
    }

    /// All of them, lowest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u8, &Zone)> {
        self.zones.iter().map(|(level, zone)| (*level, zone))
    }

    /// All of them, lowest first, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (u8, &mut Zone)> {
        self.zones.iter_mut().map(|(level, zone)| (*level, zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_occupied_level_is_found() {
        let mut levels = Levels::default();
        assert_eq!(levels.highest(), 0);
        for level in [0, 1, 63, 64, 200, 255] {
            levels.occupy(level);
            assert_eq!(levels.highest(), level);
        }
        for (level, next) in [(255, 200), (200, 64), (64, 63), (63, 1), (1, 0)] {
            levels.vacate(level);
            assert_eq!(levels.highest(), next);
        }
    }
}
