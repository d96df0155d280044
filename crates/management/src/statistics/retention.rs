//! How long samples of which interval are kept.

use super::ring::Slot;

/// Samples every `interval_s`, kept for `span_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Seconds that samples are kept.
    pub span_s: u32,
    /// Seconds from one sample to the next.
    pub interval_s: u32,
}

/// RabbitMQ's `sample_retention_policies`, by what is sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPolicies {
    /// The broker, virtual hosts and the node.
    pub global: Vec<Retention>,
    /// Queues, connections, channels and exchanges.
    pub basic: Vec<Retention>,
    /// Pairs of them.
    pub detailed: Vec<Retention>,
}

impl Default for RetentionPolicies {
    /// RabbitMQ's: a little more than 10 minutes, an hour, 8 hours and a day.
    fn default() -> RetentionPolicies {
        let policy = |policies: &[(u32, u32)]| {
            policies.iter().map(|(span_s, interval_s)| Retention { span_s: *span_s, interval_s: *interval_s }).collect()
        };
        RetentionPolicies {
            global: policy(&[(605, 5), (3660, 60), (29_400, 600), (86_400, 1800)]),
            basic: policy(&[(605, 5), (3600, 60)]),
            detailed: policy(&[(605, 5)]),
        }
    }
}

/// A ring in terms of the sampler's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    /// Ticks from one sample to the next.
    pub(super) ticks: Slot,
    /// Ticks that samples are kept.
    pub(super) span: Slot,
}

/// The rings of one kind of subject, the finest one first; there is always one whose samples are every tick.
#[derive(Clone, Debug)]
pub(super) struct Levels(Vec<Level>);

impl Levels {
    /// Intervals are rounded up to whole ticks; what then has the same interval is one ring.
    pub(super) fn new(policies: &[Retention], tick_ms: u64) -> Levels {
        let ticks_of = |seconds: u32| {
            let ticks = (u64::from(seconds) * 1000).div_ceil(tick_ms.max(1)).max(1);
            Slot::try_from(ticks).unwrap_or(Slot::MAX)
        };
        let mut levels: Vec<Level> = policies
            .iter()
            .map(|policy| Level { ticks: ticks_of(policy.interval_s), span: ticks_of(policy.span_s) })
            .collect();
        levels.sort_by_key(|level| (level.ticks, level.span));
        // The first ring is what the others are made of.
        match levels.first_mut() {
            Some(first) => first.ticks = 1,
            None => levels.push(Level { ticks: 1, span: 1 }),
        }
        levels.dedup_by(|next, first| {
            let same = next.ticks == first.ticks;
            if same {
                first.span = first.span.max(next.span);
            }
            same
        });
        for at in 1..levels.len() {
            // Samples of one ring are sums of whole ones of the ring before it,
            levels[at].ticks = levels[at].ticks.next_multiple_of(levels[at - 1].ticks);
            // which has to have them that long.
            levels[at - 1].span = levels[at - 1].span.max(levels[at].ticks + 1);
        }
        Levels(levels)
    }

    pub(super) fn all(&self) -> &[Level] {
        &self.0
    }

    /// The ring to take samples of the last `ticks` from: the shortest that has them all, or the longest.
    pub(super) fn covering(&self, ticks: Slot) -> usize {
        self.0.iter().position(|level| level.span >= ticks).unwrap_or(self.0.len() - 1)
    }
}
