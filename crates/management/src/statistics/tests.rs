//! The rings against samples that are all kept.

use super::fields::{CHANNEL, NODE, QUEUE};
use super::retention::{Level, Levels};
use super::ring::{MOST_FIELDS, Ring, Slot};
use super::{Retention, RetentionPolicies, Sampling, Statistics, StatisticsSettings, Subject};
use proptest::prelude::*;
use serde_json::{Value, json};

const START_MS: u64 = 1_700_000_000_000;

fn queue(fields: &[(&str, u64)]) -> Vec<u64> {
    fields.iter().for_each(|(name, _)| assert!(QUEUE.contains(name), "{name}"));
    QUEUE.iter().map(|name| fields.iter().find(|(given, _)| given == name).map_or(0, |(_, value)| *value)).collect()
}

/// Samples one subject at `seconds` after the start.
#[track_caller]
fn sample(statistics: &Statistics, seconds: u64, subject: Subject, values: &[u64]) {
    let tick = statistics.tick(START_MS + seconds * 1000).expect("a new time");
    tick.sample(subject, values, |_| {});
    tick.complete();
}

/// One sample in which nothing is, so that what comes later is new.
fn started() -> Statistics {
    let statistics = Statistics::default();
    statistics.tick(START_MS).unwrap().complete();
    statistics
}

fn rate(statistics: &Statistics, name: &'static str) -> f64 {
    let shown = statistics.describe(Subject::Queue(1), &[(name, 0)], &Sampling::default());
    shown[format!("{name}_details")]["rate"].as_f64().unwrap()
}

#[test]
fn a_rate_is_what_a_counter_grew_by_in_the_last_interval() {
    let statistics = started();
    sample(&statistics, 5, Subject::Queue(1), &queue(&[("publish", 10), ("deliver", 4), ("get", 1)]));
    assert_eq!((rate(&statistics, "publish"), rate(&statistics, "deliver_get")), (2.0, 1.0));
    sample(&statistics, 10, Subject::Queue(1), &queue(&[("publish", 11), ("deliver", 4), ("get", 1)]));
    assert_eq!((rate(&statistics, "publish"), rate(&statistics, "deliver_get")), (0.2, 0.0));
    sample(&statistics, 15, Subject::Queue(1), &queue(&[("publish", 11), ("deliver", 4), ("get", 1)]));
    assert_eq!(rate(&statistics, "publish"), 0.0);
}

#[test]
fn a_rate_after_a_pause_is_spread_over_it() {
    let statistics = started();
    sample(&statistics, 5, Subject::Queue(1), &queue(&[("publish", 10)]));
    sample(&statistics, 25, Subject::Queue(1), &queue(&[("publish", 50)]));
    assert_eq!(rate(&statistics, "publish"), 2.0);
}

#[test]
fn gauges_fall() {
    let statistics = started();
    sample(&statistics, 5, Subject::Queue(1), &queue(&[("messages_ready", 100)]));
    sample(&statistics, 10, Subject::Queue(1), &queue(&[("messages_unacknowledged", 90)]));
    assert_eq!((rate(&statistics, "messages"), rate(&statistics, "messages_ready")), (-2.0, -20.0));
}

#[test]
fn what_is_there_at_the_start_is_not_new() {
    let statistics = Statistics::default();
    sample(&statistics, 0, Subject::Queue(1), &queue(&[("messages_ready", 1000)]));
    assert_eq!(rate(&statistics, "messages"), 0.0);
    sample(&statistics, 5, Subject::Queue(1), &queue(&[("messages_ready", 1005)]));
    assert_eq!(rate(&statistics, "messages"), 1.0);
}

#[test]
fn what_is_deleted_leaves_nothing() {
    let statistics = started();
    sample(&statistics, 5, Subject::Queue(1), &queue(&[("publish", 10)]));
    assert_eq!(statistics.read().series.len(), 1);
    statistics.tick(START_MS + 10_000).unwrap().complete();
    assert_eq!(statistics.read().series.len(), 0);
    // Its number is not used again, but if it were it would begin anew.
    sample(&statistics, 15, Subject::Queue(1), &queue(&[("publish", 5)]));
    assert_eq!(rate(&statistics, "publish"), 1.0);
}

#[test]
fn what_nobody_used_has_no_series_and_what_nobody_uses_no_rings() {
    let statistics = started();
    sample(&statistics, 5, Subject::Queue(1), &queue(&[]));
    assert_eq!(statistics.read().series.len(), 0);
    sample(&statistics, 10, Subject::Queue(1), &queue(&[("publish", 1)]));
    for seconds in (15..4000).step_by(5) {
        sample(&statistics, seconds, Subject::Queue(1), &queue(&[("publish", 1)]));
    }
    assert_eq!(statistics.read().series[&Subject::Queue(1)].capacity(), 0);
    sample(&statistics, 4000, Subject::Queue(1), &queue(&[("publish", 11)]));
    assert_eq!(rate(&statistics, "publish"), 2.0);
}

#[test]
fn a_clock_that_is_set_back_begins_anew() {
    let statistics = started();
    sample(&statistics, 5000, Subject::Queue(1), &queue(&[("publish", 10)]));
    sample(&statistics, 10, Subject::Queue(1), &queue(&[("publish", 20)]));
    assert_eq!(rate(&statistics, "publish"), 0.0);
    sample(&statistics, 15, Subject::Queue(1), &queue(&[("publish", 30)]));
    assert_eq!(rate(&statistics, "publish"), 2.0);
}

#[test]
fn samples_are_what_rabbitmq_shows() {
    // As a RabbitMQ 3.10.8 showed it: three messages published between two samples, one of them fetched.
    let statistics = started();
    let values = queue(&[("publish", 3), ("get_no_ack", 1), ("messages_ready", 2)]);
    sample(&statistics, 30, Subject::Queue(1), &values);
    let asked = Sampling { lengths: Some((60, 5)), message_rates: Some((60, 5)), ..Sampling::default() };
    let counters = [("deliver_get", 1), ("messages", 2)];
    let shown = statistics.describe_at(START_MS + 34_000, Subject::Queue(1), &counters, &asked);
    let series = |field: &str| -> Vec<(u64, u64)> {
        let samples = shown[field]["samples"].as_array().unwrap();
        let pair = |sample: &Value| (sample["sample"].as_u64().unwrap(), sample["timestamp"].as_u64().unwrap());
        samples.iter().map(pair).collect()
    };
    let before = (0..12).map(|at| START_MS + 25_000 - at * 5000);
    let rates: Vec<_> = [(1, START_MS + 30_000)].into_iter().chain(before.map(|time_ms| (0, time_ms))).collect();
    assert_eq!(series("deliver_get_details"), rates);
    assert_eq!(shown["deliver_get"], 1);
    let details = &shown["deliver_get_details"];
    assert_eq!(details["rate"], json!(0.2));
    assert_eq!(details["avg"], json!(0.076_923_076_923_076_93));
    assert_eq!(details["avg_rate"], json!(0.016_666_666_666_666_666));
    // Lengths of queues end with the interval that is under way.
    assert_eq!(
        series("messages_details")[..3],
        [(2, START_MS + 35_000), (2, START_MS + 30_000), (0, START_MS + 25_000)]
    );
    assert_eq!(shown["messages_details"]["rate"], json!(0.0));
}

#[test]
fn what_is_not_sampled_stays_what_it_is() {
    let statistics = started();
    let asked = Sampling { data_rates: Some((10, 5)), ..Sampling::default() };
    let shown = statistics.describe_at(START_MS, Subject::Channel(7, 1), &[("reductions", 9), ("publish", 3)], &asked);
    assert_eq!(shown["reductions_details"]["samples"][2], json!({ "sample": 9, "timestamp": START_MS - 10_000 }));
    assert_eq!(shown["reductions_details"]["avg"], json!(9.0));
    assert_eq!(shown["publish_details"], json!({ "rate": 0.0 }));
}

#[test]
fn one_sample_has_no_average() {
    let statistics = started();
    let asked = Sampling { message_rates: Some((4, 5)), ..Sampling::default() };
    let shown = statistics.describe_at(START_MS, Subject::Queue(1), &[("publish", 3)], &asked);
    assert_eq!(shown["publish_details"]["samples"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["publish_details"].get("avg"), None);
}

#[test]
fn intervals_become_whole_ticks_and_each_contains_the_one_before_it() {
    let policies = [(605, 7), (3660, 60), (3000, 61)].map(|(span_s, interval_s)| Retention { span_s, interval_s });
    let levels = Levels::new(&policies, 5000);
    assert_eq!(
        levels.all(),
        [Level { ticks: 1, span: 121 }, Level { ticks: 12, span: 732 }, Level { ticks: 24, span: 600 }]
    );
    assert_eq!(Levels::new(&[], 5000).all(), [Level { ticks: 1, span: 1 }]);
}

#[test]
fn ten_thousand_busy_queues_take_less_than_25_mb() {
    let statistics = started();
    let ticks = 3600 / 5 + 20;
    for at in 1..=ticks {
        // Rates of some hundred per second and lengths that go up and down, all of them changing each time.
        let n = at * (1500 + at % 70);
        let ready = 500 + (at * 7919) % 300;
        let values = queue(&[
            ("publish", n),
            ("deliver", n - 40),
            ("ack", n - 80),
            ("messages_ready", ready),
            ("messages_unacknowledged", 100 + (at * 104_729) % 90),
        ]);
        sample(&statistics, at * 5, Subject::Queue(1), &values);
    }
    let sampled = statistics.read();
    let series = &sampled.series[&Subject::Queue(1)];
    let bytes = series.capacity() + QUEUE.len() * 8 + 2 * size_of::<Ring>() + 2 * size_of::<(Subject, super::Series)>();
    assert!(bytes < 2500, "{bytes} bytes per queue");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_ring_gives_back_what_was_put_in(
        records in prop::collection::vec((1_u32..200, prop::collection::vec((0..MOST_FIELDS, any::<i64>()), 0..6)), 0..60),
        forget in 0_u32..4000,
    ) {
        let mut ring = Ring::default();
        let mut kept: Vec<(Slot, [i64; MOST_FIELDS])> = Vec::new();
        let mut slot = 1000;
        for (distance, fields) in records {
            slot += distance;
            let mut changes = [0; MOST_FIELDS];
            fields.iter().for_each(|(at, change)| changes[*at] = *change);
            ring.push(slot, &changes);
            if changes.iter().any(|change| *change != 0) {
                kept.push((slot, changes));
            }
        }
        ring.forget_until(1000 + forget);
        kept.retain(|(slot, _)| *slot > 1000 + forget);
        let mut read = Vec::new();
        ring.each(|slot, changes| read.push((slot, *changes)));
        prop_assert_eq!(&read, &kept);
        prop_assert_eq!(ring.is_empty(), kept.is_empty());
        if let Some((newest, changes)) = kept.last() {
            prop_assert_eq!(ring.newest(), *newest);
            prop_assert!((0..MOST_FIELDS).all(|at| ring.last_change(at) == changes[at]));
        }
    }

    /// Values at all times, kept one by one, against what the rings make of them.
    #[test]
    fn samples_are_what_the_values_were(
        steps in prop::collection::vec((1_u64..4, 0_u64..3, 0_u64..1000, 0_u64..50), 1..400),
        age_s in 1_u64..3600,
        increment_s in prop::sample::select(vec![1_u64, 5, 7, 60, 300]),
        is_queue in any::<bool>(),
    ) {
        prop_assume!(age_s / increment_s <= 500);
        let retention = RetentionPolicies {
            basic: vec![
                Retention { span_s: 100, interval_s: 1 },
                Retention { span_s: 600, interval_s: 6 },
                Retention { span_s: 3600, interval_s: 36 },
            ],
            ..RetentionPolicies::default()
        };
        let interval = std::time::Duration::from_secs(1);
        let statistics = Statistics::new(StatisticsSettings { interval, retention, ..StatisticsSettings::default() });
        let (subject, names) = if is_queue { (Subject::Queue(1), QUEUE) } else { (Subject::Channel(1, 1), CHANNEL) };
        let mut second = START_MS / 1000;
        statistics.tick(second * 1000).unwrap().complete();
        let mut values = vec![0_u64; names.len()];
        let mut known: Vec<(u64, Vec<u64>)> = vec![(second, values.clone())];
        for (pause, moves, up, gauge) in steps {
            second += pause;
            if moves > 0 {
                values[0] += up;
                values[3] = gauge;
                values[2] += up * moves;
            }
            let tick = statistics.tick(second * 1000).unwrap();
            tick.sample(subject, &values, |_| {});
            tick.complete();
            known.push((second, values.clone()));
        }
        let asked = Some((age_s, increment_s));
        let sampling = Sampling { lengths: asked, message_rates: asked, ..Sampling::default() };
        let counters: Vec<_> = names.iter().zip(&values).map(|(name, value)| (*name, *value)).collect();
        let shown = statistics.describe_at(second * 1000, subject, &counters, &sampling);
        // What is older than a ring goes by the next one, whose samples are that much further apart.
        let oldest_s = second.saturating_sub(match age_s { 0..=100 => 100, 101..=600 => 600 - 6, _ => 3600 - 36 });
        let coarse_s = match age_s { 0..=100 => 1, 101..=600 => 6, _ => 36 };
        for (at, name) in names.iter().enumerate() {
            let samples = shown[format!("{name}_details")]["samples"].as_array().unwrap();
            prop_assert_eq!(samples.len() as u64, age_s / increment_s + 1);
            for sample in samples {
                let time_s = sample["timestamp"].as_u64().unwrap() / 1000;
                if time_s <= oldest_s {
                    continue;
                }
                let value = sample["sample"].as_u64().unwrap();
                let at_time = |time_s: u64| {
                    let place = known.partition_point(|(known_s, _)| *known_s <= time_s);
                    place.checked_sub(1).map_or(0, |place| known[place].1[at])
                };
                // It is the value of that time, or of the last whole interval of the ring that it is from.
                let intervals = [1, 6, 36].into_iter().filter(|interval_s| *interval_s <= coarse_s);
                prop_assert!(
                    intervals.into_iter().any(|interval_s| value == at_time(time_s / interval_s * interval_s)),
                    "{} at {}: {} instead of {}", name, time_s, value, at_time(time_s)
                );
            }
        }
    }
}

#[test]
fn the_fields_of_a_node_are_not_lengths() {
    let statistics = started();
    let mut values = vec![0; NODE.len()];
    values[0] = 5000;
    sample(&statistics, 5, Subject::Node, &values);
    let asked = Sampling { node_stats: Some((5, 5)), ..Sampling::default() };
    let shown = statistics.describe_at(START_MS + 6000, Subject::Node, &[("mem_used", 5000)], &asked);
    assert_eq!(shown["mem_used_details"]["rate"], json!(1000.0));
}
