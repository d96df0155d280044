//! Rules about queues.

use super::facts::{Facts, named, number};
use super::{Finding, Severity, about};
use serde_json::Value;

/// Arguments and keys of policies that keep a queue from growing for ever.
const BOUNDS: [&str; 4] = ["max-length", "max-length-bytes", "message-ttl", "max-age"];
/// Messages that wait where a queue is worth a word.
const WAITING: f64 = 1000.0;
/// Redeliveries that are more than a client which fell over.
const REDELIVERIES: f64 = 100.0;
/// What RabbitMQ 4 has no use for any more.
const DEPRECATED: [&str; 4] = ["x-queue-mode", "x-queue-master-locator", "x-ha-policy", "x-queue-version"];

/// True if one of these is set, by an argument or a policy.
fn has(queue: &Value, names: &[&str]) -> bool {
    names.iter().any(|name| {
        queue["arguments"].get(format!("x-{name}")).is_some()
            || queue["effective_policy_definition"].get(name).is_some()
    })
}

pub(super) fn unbounded(facts: &Facts) -> Vec<Finding> {
    let grows = |queue: &&Value| {
        let rate = number(queue, "/messages_details/rate");
        number(queue, "/messages") >= WAITING && (rate > 0.0 || number(queue, "/consumers") == 0.0)
    };
    let found = facts.queues.iter().filter(|queue| !has(queue, &BOUNDS)).filter(grows);
    about(
        Severity::Warning,
        "unbounded_queue",
        "queues grow, and nothing limits their length or the age of their messages",
        found.map(|queue| format!("{} ({} messages)", named(queue), number(queue, "/messages"))).collect(),
        "limit them: leveret ctl set_policy limit '.*' '{\"max-length\":1000000,\"overflow\":\"reject-publish\"}' --apply-to queues",
    )
}

pub(super) fn nowhere_to_go(facts: &Facts) -> Vec<Finding> {
    let again = |queue: &&Value| {
        let [again, all] = ["/message_stats/redeliver", "/message_stats/deliver_get"].map(|way| number(queue, way));
        again >= REDELIVERIES && again * 10.0 >= all
    };
    let found = facts.queues.iter().filter(|queue| !has(queue, &["dead-letter-exchange"])).filter(again);
    about(
        Severity::Warning,
        "no_dead_letter_target",
        "messages are rejected or come back again and again, and no dead letter exchange takes them",
        found.map(named).collect(),
        "give them one: leveret ctl set_policy dead '.*' '{\"dead-letter-exchange\":\"dead\",\"delivery-limit\":20}' --apply-to queues",
    )
}

pub(super) fn deprecated_arguments(facts: &Facts) -> Vec<Finding> {
    let found = facts.queues.iter().filter_map(|queue| {
        let used: Vec<&str> = DEPRECATED.into_iter().filter(|name| queue["arguments"].get(*name).is_some()).collect();
        (!used.is_empty()).then(|| format!("{} ({})", named(queue), used.join(", ")))
    });
    about(
        Severity::Info,
        "deprecated_argument",
        "queues were declared with arguments that mean nothing any more",
        found.collect(),
        "leave these arguments out when the queues are declared anew",
    )
}

pub(super) fn deprecated_features(facts: &Facts) -> Vec<Finding> {
    about(
        Severity::Info,
        "deprecated_feature",
        "features are in use that RabbitMQ is going to do without",
        facts.deprecated.clone(),
        "see which and why: leveret ctl list_deprecated_features --used",
    )
}
