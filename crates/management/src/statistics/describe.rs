//! Counters as RabbitMQ shows them: each with its rate, and with samples where a request asks for them.

use super::fields::{self, Range};
use super::series::History;
use super::{Sampling, Statistics, Subject, bits, now_ms};
use crate::statistics::ring::Slot;
use serde_json::{Map, Value, json};

/// The times that samples are asked for, in ms since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    last_ms: u64,
    age_ms: u64,
    step_ms: u64,
}

impl Grid {
    /// The times end at a multiple of the increment: the one before now, but for the lengths of queues, which are to fit
    /// what else is shown of the queue (`range` and `range_ceil` in RabbitMQ's rabbit_mgmt_util).
    fn new(subject: Subject, range: Range, now_ms: u64, (age_s, increment_s): (u64, u64)) -> Grid {
        let step_ms = increment_s.saturating_mul(1000).max(1);
        let is_of_queue = matches!(subject, Subject::Queue(_)) && range == Range::Lengths;
        let last_ms = if is_of_queue { now_ms.div_ceil(step_ms) } else { now_ms / step_ms } * step_ms;
        Grid { last_ms, age_ms: age_s.saturating_mul(1000), step_ms }
    }

    /// Newest first.
    fn times(self) -> impl Iterator<Item = u64> {
        (0..=self.age_ms / self.step_ms).map(move |at| self.last_ms.saturating_sub(at * self.step_ms))
    }
}

impl Statistics {
    /// `counters` of `subject` as RabbitMQ shows them: each with `NAME_details`, in which there is its `rate` and, where
    /// the range that it belongs to is asked for, `samples`, `avg` and `avg_rate`.
    ///
    /// What is not sampled has a rate of 0.0, and samples of what it is now.
    pub(crate) fn describe(&self, subject: Subject, counters: &[(&'static str, u64)], sampling: &Sampling) -> Value {
        self.describe_at(now_ms(), subject, counters, sampling)
    }

    pub(super) fn describe_at(
        &self,
        now_ms: u64,
        subject: Subject,
        counters: &[(&'static str, u64)],
        sampling: &Sampling,
    ) -> Value {
        let sampled = self.read();
        let mut object = Map::with_capacity(counters.len() * 2);
        // All fields that have samples mostly have the same ones, and reading them is what costs.
        let mut history: Option<(Subject, u64, History)> = None;
        for (name, value) in counters {
            let subject = fields::owner(subject, name);
            let parts = fields::parts(subject, name);
            let range = fields::range(subject, name);
            let details = match asked(sampling, range) {
                None => json!({ "rate": sampled.rate(subject, parts, self.tick_ms) }),
                Some(asked) => {
                    let grid = Grid::new(subject, range, now_ms, asked);
                    if history.as_ref().is_none_or(|(of, age_ms, _)| (*of, *age_ms) != (subject, grid.age_ms)) {
                        let ticks = Slot::try_from(grid.age_ms / self.tick_ms).unwrap_or(Slot::MAX);
                        let series = sampled.series.get(&subject);
                        let known = series.map(|series| series.history(self.levels(subject), ticks));
                        history = Some((subject, grid.age_ms, known.unwrap_or_default()));
                    }
                    let known = history.as_ref().map(|(.., history)| history);
                    let last = sampled.series.get(&subject).filter(|_| parts != 0);
                    let last = last.map_or(*value, |series| {
                        bits(parts).fold(0, |sum, at| series.last().get(at).map_or(sum, |last| sum.wrapping_add(*last)))
                    });
                    with_samples(grid, last, parts, known, self.tick_ms)
                }
            };
            object.insert((*name).to_owned(), (*value).into());
            object.insert(format!("{name}_details"), details);
        }
        Value::Object(object)
    }
}

fn asked(sampling: &Sampling, range: Range) -> Option<(u64, u64)> {
    match range {
        Range::Lengths => sampling.lengths,
        Range::MessageRates => sampling.message_rates,
        Range::DataRates => sampling.data_rates,
        Range::NodeStats => sampling.node_stats,
    }
}

fn with_samples(grid: Grid, last: u64, parts: u32, history: Option<&History>, tick_ms: u64) -> Value {
    let mut changes = history.map(|history| history.0.iter().rev()).into_iter().flatten().peekable();
    let mut value = last;
    let mut values = Vec::with_capacity(usize::try_from(grid.age_ms / grid.step_ms + 1).unwrap_or_default());
    for time_ms in grid.times() {
        // Back to what it was then.
        while let Some((_, changes)) = changes.next_if(|(tick, _)| u64::from(*tick) * tick_ms > time_ms) {
            value = bits(parts).fold(value, |value, at| value.wrapping_sub(changes[at] as u64));
        }
        values.push((value, time_ms));
    }
    let samples: Vec<Value> =
        values.iter().map(|(value, time_ms)| json!({ "sample": value, "timestamp": time_ms })).collect();
    let per_second = |newer: (u64, u64), older: (u64, u64)| {
        let change = newer.0.wrapping_sub(older.0) as i64;
        if change == 0 { 0.0 } else { change as f64 * 1000.0 / newer.1.saturating_sub(older.1).max(1) as f64 }
    };
    match values[..] {
        [newest, next, ..] => {
            let oldest = values[values.len() - 1];
            let sum: f64 = values.iter().map(|(value, _)| *value as f64).sum();
            json!({
                "rate": per_second(newest, next),
                "samples": samples,
                "avg_rate": per_second(newest, oldest),
                "avg": sum / values.len() as f64,
            })
        }
        _ => json!({ "rate": 0.0, "samples": samples }),
    }
}
