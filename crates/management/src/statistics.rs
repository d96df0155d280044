//! Rates: what counters were at regular times, for what is active.
//!
//! A sampler looks at the counters of everything at each tick, 5 s apart, and notes what changed. What never changes has
//! nothing here but its last values, and what nobody touched yet not even those.

mod describe;
pub(crate) mod fields;
mod retention;
mod ring;
mod sampler;
mod series;
#[cfg(test)]
mod tests;

pub use retention::{Retention, RetentionPolicies};
pub(crate) use sampler::run;

use fields::Policy;
use foldhash::fast::RandomState;
use retention::Levels;
use ring::{Changes, MOST_FIELDS, Slot};
use series::Series;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What counters belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// The whole broker.
    Broker,
    /// This node.
    Node,
    /// A virtual host, by a number that the broker gives it.
    Vhost(u64),
    /// A queue, by its quid.
    Queue(u64),
    /// An exchange, by its virtual host's number and its own id.
    Exchange(u64, u64),
    /// A connection, by its id.
    Connection(u64),
    /// A channel, by its connection's id and its number.
    Channel(u64, u16),
    /// What a channel published to an exchange.
    Published { connection: u64, channel: u16, vhost: u64, exchange: u64 },
    /// What a channel was given from a queue.
    Delivered { connection: u64, channel: u16, queue: u64 },
    /// What went from an exchange into a queue.
    Routed { vhost: u64, exchange: u64, queue: u64 },
}

/// Samples that a request asks for: an age and an increment in seconds, from `lengths_age=60&lengths_incr=5` and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sampling {
    pub(crate) lengths: Option<(u64, u64)>,
    pub(crate) message_rates: Option<(u64, u64)>,
    pub(crate) data_rates: Option<(u64, u64)>,
    pub(crate) node_stats: Option<(u64, u64)>,
}

/// Which message rates are kept (RabbitMQ's `management.rates_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RatesMode {
    /// Those of every object.
    #[default]
    Basic,
    /// Those of pairs of objects too.
    Detailed,
    /// None; lengths and bytes are kept all the same.
    None,
}

impl RatesMode {
    /// RabbitMQ's word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RatesMode::Basic => "basic",
            RatesMode::Detailed => "detailed",
            RatesMode::None => "none",
        }
    }
}

/// What is sampled, and for how long it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatisticsSettings {
    /// False when nothing is sampled (`management.disable_stats`, `management_agent.disable_metrics_collector`).
    pub enabled: bool,
    /// Time from one sample to the next (`collect_statistics_interval`).
    pub interval: Duration,
    /// Which message rates are kept.
    pub rates_mode: RatesMode,
    /// For how long.
    pub retention: RetentionPolicies,
}

impl Default for StatisticsSettings {
    fn default() -> StatisticsSettings {
        StatisticsSettings {
            enabled: true,
            interval: Duration::from_secs(5),
            rates_mode: RatesMode::default(),
            retention: RetentionPolicies::default(),
        }
    }
}

/// Samples of the counters of everything that is active.
#[derive(Debug)]
pub(crate) struct Statistics {
    settings: StatisticsSettings,
    tick_ms: u64,
    global: Levels,
    basic: Levels,
    detailed: Levels,
    sampled: RwLock<Sampled>,
}

#[derive(Debug, Default)]
struct Sampled {
    series: HashMap<Subject, Series, RandomState>,
    /// The last tick that is complete, and the one before it.
    last: Option<Slot>,
    before: Option<Slot>,
}

impl Default for Statistics {
    fn default() -> Statistics {
        Statistics::new(StatisticsSettings::default())
    }
}

impl Statistics {
    pub(crate) fn new(settings: StatisticsSettings) -> Statistics {
        // Slots of less than a second would not fit for as long as they should.
        let tick_ms = u64::try_from(settings.interval.as_millis()).unwrap_or(u64::MAX).clamp(1000, 3_600_000);
        let levels = |policies| Levels::new(policies, tick_ms);
        Statistics {
            tick_ms,
            global: levels(&settings.retention.global),
            basic: levels(&settings.retention.basic),
            detailed: levels(&settings.retention.detailed),
            sampled: RwLock::default(),
            settings,
        }
    }

    /// What is sampled.
    pub(crate) fn settings(&self) -> &StatisticsSettings {
        &self.settings
    }

    /// Time from one sample to the next in ms.
    pub(crate) fn tick_ms(&self) -> u64 {
        self.tick_ms
    }

    /// Forgets everything: counters start again from 0 with another broker.
    pub(crate) fn clear(&self) {
        *self.write() = Sampled::default();
    }

    /// Begins a tick; `None` when there was one for this time already.
    pub(crate) fn tick(&self, now_ms: u64) -> Option<Tick<'_>> {
        let slot = Slot::try_from(now_ms / self.tick_ms).ok()?;
        let last = self.read().last;
        if let Some(last) = last {
            if slot == last {
                return None;
            }
            if slot < last {
                // The clock of the host was set back: what is in the future would stay there.
                self.clear();
                return Some(Tick { statistics: self, slot, is_first: true });
            }
        }
        Some(Tick { statistics: self, slot, is_first: last.is_none() })
    }

    fn levels(&self, subject: Subject) -> &Levels {
        match fields::policy(subject) {
            Policy::Global => &self.global,
            Policy::Basic => &self.basic,
            Policy::Detailed => &self.detailed,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Sampled> {
        self.sampled.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Sampled> {
        self.sampled.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sampled {
    /// What the parts of a field grew by per second in the last tick.
    fn rate(&self, subject: Subject, parts: u32, tick_ms: u64) -> f64 {
        let (Some(last), Some(series)) = (self.last, self.series.get(&subject)) else { return 0.0 };
        let before = self.before.unwrap_or_else(|| last.saturating_sub(1));
        let elapsed_ms = u64::from(last.saturating_sub(before).max(1)) * tick_ms;
        let change = bits(parts).fold(0_i64, |sum, at| sum.wrapping_add(series.last_change(at, last)));
        if change == 0 { 0.0 } else { change as f64 * 1000.0 / elapsed_ms as f64 }
    }
}

fn bits(mask: u32) -> impl Iterator<Item = usize> {
    (0..MOST_FIELDS).filter(move |at| mask & (1 << at) != 0)
}

/// A tick that is being taken: what it is not told of is gone.
pub(crate) struct Tick<'a> {
    statistics: &'a Statistics,
    slot: Slot,
    /// True when nothing is known from before, so that what is there already does not count as new.
    is_first: bool,
}

impl Tick<'_> {
    /// Notes the fields of a subject, in the order of [`fields`]; `changed` is told what they grew by since the last tick.
    ///
    /// What appears between ticks began with zeros; what is there at the first tick began as it is.
    pub(crate) fn sample(&self, subject: Subject, values: &[u64], changed: impl FnOnce(&Changes)) {
        debug_assert_eq!(values.len(), fields::of(subject).len(), "the fields of {subject:?}");
        let levels = self.statistics.levels(subject);
        let mut sampled = self.statistics.write();
        match sampled.series.get_mut(&subject) {
            Some(series) => series.sample(levels, self.slot, values, changed),
            // Nobody has used it yet.
            None if values.iter().all(|value| *value == 0) => {}
            None if self.is_first => {
                sampled.series.insert(subject, Series::new(values, self.slot));
            }
            None => {
                let nothing = [0; MOST_FIELDS];
                let mut series = Series::new(&nothing[..values.len()], self.slot.saturating_sub(1));
                series.sample(levels, self.slot, values, changed);
                sampled.series.insert(subject, series);
            }
        }
    }

    /// Completes it, and forgets what was not sampled.
    pub(crate) fn complete(self) {
        let mut sampled = self.statistics.write();
        let slot = self.slot;
        sampled.series.retain(|_, series| series.seen() == slot);
        // A map that once held ten thousand connections need not stay so large.
        if sampled.series.capacity() > 1024 && sampled.series.len() < sampled.series.capacity() / 4 {
            sampled.series.shrink_to_fit();
        }
        sampled.before = sampled.last;
        sampled.last = Some(slot);
    }
}

/// Time of day in ms since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
