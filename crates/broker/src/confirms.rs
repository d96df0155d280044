//! Publisher confirms of one channel.
//!
//! A tag is confirmed as soon as it is due, in whatever order that happens. One acknowledgement with `multiple` covers
//! as many as it may: never a tag that still waits, and never one that was rejected.

use std::collections::VecDeque;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Waiting,
    Acked,
    Nacked,
    Told,
}

/// One basic.ack or basic.nack to send to a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirm {
    pub(crate) tag: u64,
    pub(crate) multiple: bool,
    pub(crate) nack: bool,
}

/// Which publishes of a channel are confirmed.
#[derive(Default)]
pub(crate) struct Confirms {
    last: u64,
    /// Every tag up to this one has been told.
    told: u64,
    /// Every tag up to this one is acknowledged or told.
    acked: u64,
    /// Outcomes from `acked + 1` on, as far as known; what is beyond is waiting.
    window: VecDeque<Outcome>,
}

impl Confirms {
    /// The tag of the next publish.
    #[inline]
    pub(crate) fn publish(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Publishes that wait for their confirm.
    #[cfg(test)]
    pub(crate) fn unconfirmed(&self) -> u64 {
        let known = self.window.iter().filter(|outcome| **outcome != Outcome::Waiting).count();
        self.last - self.acked - known as u64
    }

    /// The publishes `first..=last` are safe where they were to go.
    #[inline]
    pub(crate) fn acknowledge(&mut self, first: u64, last: u64) {
        if self.window.is_empty() && first == self.acked + 1 {
            self.acked = last;
        } else {
            self.note(first, last, Outcome::Acked);
        }
    }

    /// The publish `tag` was rejected.
    pub(crate) fn reject(&mut self, tag: u64) {
        self.note(tag, tag, Outcome::Nacked);
    }

    fn note(&mut self, first: u64, last: u64, outcome: Outcome) {
        debug_assert!(self.acked < first && last <= self.last, "a publish is confirmed once");
        for tag in first..=last {
            let at = (tag - self.acked - 1) as usize;
            if at >= self.window.len() {
                self.window.resize(at + 1, Outcome::Waiting);
            }
            self.window[at] = outcome;
        }
    }

    /// Tells what is due, once each.
    pub(crate) fn drain(&mut self, mut tell: impl FnMut(Confirm)) {
        self.advance(&mut tell);
        if self.window.is_empty() {
            return;
        }
        // Behind a tag that waits, each is told on its own.
        for (at, outcome) in self.window.iter_mut().enumerate() {
            let nack = match outcome {
                Outcome::Acked => false,
                Outcome::Nacked => true,
                Outcome::Waiting | Outcome::Told => continue,
            };
            tell(Confirm { tag: self.acked + 1 + at as u64, multiple: false, nack });
            *outcome = Outcome::Told;
        }
    }

    /// Moves the known front ahead, telling acknowledged tags together and rejected ones alone.
    fn advance(&mut self, tell: &mut impl FnMut(Confirm)) {
        while let Some(outcome) = self.window.front() {
            match outcome {
                Outcome::Waiting => break,
                Outcome::Acked => {}
                Outcome::Nacked => {
                    self.tell_acked(tell);
                    tell(Confirm { tag: self.acked + 1, multiple: false, nack: true });
                    self.told = self.acked + 1;
                }
                Outcome::Told => {
                    // A later `multiple` may cover it again: it was told, and telling twice means nothing new, but an
                    // acknowledgement must not cover a tag that was rejected, so what is before goes out first.
                    self.tell_acked(tell);
                    self.told = self.acked + 1;
                }
            }
            self.window.pop_front();
            self.acked += 1;
        }
        self.tell_acked(tell);
    }

    fn tell_acked(&mut self, tell: &mut impl FnMut(Confirm)) {
        if self.acked > self.told {
            tell(Confirm { tag: self.acked, multiple: self.acked - self.told > 1, nack: false });
            self.told = self.acked;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn told(confirms: &mut Confirms) -> Vec<(u64, bool, bool)> {
        let mut all = Vec::new();
        confirms.drain(|confirm| all.push((confirm.tag, confirm.multiple, confirm.nack)));
        all
    }

    fn published(count: u64) -> Confirms {
        let mut confirms = Confirms::default();
        for _ in 0..count {
            confirms.publish();
        }
        confirms
    }

    #[test]
    fn a_run_is_one_acknowledgement() {
        let mut confirms = published(5);
        confirms.acknowledge(1, 5);
        assert_eq!(told(&mut confirms), [(5, true, false)]);
        confirms.publish();
        confirms.acknowledge(6, 6);
        assert_eq!(told(&mut confirms), [(6, false, false)]);
        assert_eq!(told(&mut confirms), []);
    }

    #[test]
    fn multiple_covers_neither_a_waiting_nor_a_rejected_tag() {
        let mut confirms = published(6);
        confirms.acknowledge(1, 2);
        confirms.acknowledge(4, 4);
        assert_eq!(told(&mut confirms), [(2, true, false), (4, false, false)]);
        assert_eq!(confirms.unconfirmed(), 3);
        confirms.reject(5);
        confirms.acknowledge(6, 6);
        confirms.acknowledge(3, 3);
        assert_eq!(told(&mut confirms), [(3, false, false), (5, false, true), (6, false, false)]);
        assert_eq!(confirms.unconfirmed(), 0);
    }

    proptest! {
        #[test]
        fn every_publish_is_told_its_outcome_exactly_once(
            outcomes in proptest::collection::vec((any::<bool>(), any::<u32>(), any::<bool>()), 1..60)
        ) {
            let count = outcomes.len() as u64;
            let mut confirms = published(count);
            let mut order: Vec<u64> = (1..=count).collect();
            order.sort_by_key(|tag| outcomes[*tag as usize - 1].1);
            let mut seen = BTreeMap::new();
            let mut take = |confirms: &mut Confirms, waiting: &[u64]| -> Result<(), TestCaseError> {
                for (tag, multiple, nack) in told(confirms) {
                    let first = if multiple { seen.last_key_value().map_or(1, |_| 1) } else { tag };
                    for covered in first..=tag {
                        if multiple && seen.contains_key(&covered) {
                            continue;
                        }
                        prop_assert!(!waiting.contains(&covered), "{covered} still waits");
                        prop_assert!(seen.insert(covered, nack).is_none(), "{covered} was told twice");
                    }
                }
                Ok(())
            };
            for (at, tag) in order.iter().enumerate() {
                let (nack, _, drain) = outcomes[*tag as usize - 1];
                if nack { confirms.reject(*tag) } else { confirms.acknowledge(*tag, *tag) }
                if drain {
                    take(&mut confirms, &order[at + 1..])?;
                }
            }
            take(&mut confirms, &[])?;
            let expected: BTreeMap<u64, bool> = (1..=count).map(|tag| (tag, outcomes[tag as usize - 1].0)).collect();
            prop_assert_eq!(seen, expected);
            prop_assert_eq!(confirms.unconfirmed(), 0);
        }
    }
}
