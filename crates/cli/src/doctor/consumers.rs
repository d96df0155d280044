//! Rules about consumers.

use super::facts::{Facts, named, number, seconds, text};
use super::{Finding, Severity, about};

/// RabbitMQ's `consumer_timeout` in milliseconds, where the broker does not tell another.
const TIMEOUT_MS: f64 = 1_800_000.0;
/// Deliveries that are older are worth a word, in seconds.
const OLD_S: f64 = 300.0;
/// The share of the timeout at which it is near.
const NEAR: f64 = 0.5;

pub(super) fn unlimited_prefetch(facts: &Facts) -> Vec<Finding> {
    let unlimited =
        facts.consumers.iter().filter(|consumer| consumer["ack_required"] == true && consumer["prefetch_count"] == 0);
    about(
        Severity::Warning,
        "unlimited_prefetch",
        "consumers take whatever there is: one that is slow holds all messages of its queue",
        unlimited
            .map(|consumer| format!("{} of {}", text(consumer, "consumer_tag"), text(&consumer["queue"], "name")))
            .collect(),
        "let clients set basic.qos, or set default_consumer_prefetch for those who do not: leveret ctl list_consumers",
    )
}

/// What waits for an acknowledgement on a channel that does nothing is at least as old as its last doing.
pub(super) fn old_unacknowledged(facts: &Facts) -> Vec<Finding> {
    let timeout_s = match facts.configured("consumer_timeout").map(str::parse::<f64>) {
        Some(Ok(milliseconds)) => milliseconds / 1000.0,
        Some(Err(_)) => f64::INFINITY,
        None => TIMEOUT_MS / 1000.0,
    };
    let idle: Vec<(String, f64)> = facts
        .channels
        .iter()
        .filter(|channel| number(channel, "/messages_unacknowledged") > 0.0)
        .filter_map(|channel| {
            let since = seconds(text(channel, "idle_since"))?;
            Some((named(channel), facts.now_s.saturating_sub(since) as f64))
        })
        .collect();
    let shown = |(name, age): &(String, f64)| format!("{name} ({:.0} min)", age / 60.0);
    let near = idle.iter().filter(|(_, age)| *age >= NEAR * timeout_s).map(shown).collect();
    let old = idle.iter().filter(|(_, age)| *age >= OLD_S && *age < NEAR * timeout_s).map(shown).collect();
    let mut findings = about(
        Severity::Warning,
        "consumer_near_timeout",
        "deliveries wait so long for their acknowledgement that their channel is going to be closed",
        near,
        "see who has them: leveret ctl list_channels name user messages_unacknowledged prefetch_count; \
         for work that takes so long raise consumer_timeout, or x-consumer-timeout of the queue",
    );
    findings.extend(about(
        Severity::Info,
        "old_unacknowledged",
        "deliveries wait for their acknowledgement since more than 5 minutes",
        old,
        "see who has them: leveret ctl list_channels name user messages_unacknowledged prefetch_count",
    ));
    findings
}
