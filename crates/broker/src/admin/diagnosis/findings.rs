//! What follows from how a queue is.

use super::Facts;
use crate::core::facts::{ConsumerFacts, Hindrance};
use std::time::Duration;

/// Something that was found about a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is, for programs.
    pub code: &'static str,
    /// It keeps messages from moving; else it is only good to know.
    pub is_problem: bool,
    /// The same in words.
    pub text: String,
    /// Figures by name.
    pub figures: Vec<(&'static str, u64)>,
    /// Names of what takes part, by what it is.
    pub names: Vec<(&'static str, String)>,
}

/// What happened while a queue was watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) published: u64,
    pub(super) delivered: u64,
    pub(super) acknowledged: u64,
    /// Messages that left other than to a consumer: expired, dropped, purged, moved.
    pub(super) left_otherwise: u64,
    pub(super) ms: u64,
}

impl Traffic {
    /// Each is what entered, what was delivered for the first time, what is ready, and what was acknowledged.
    pub(super) fn between(before: &[u64; 4], after: &[u64; 4], time: Duration) -> Traffic {
        let [published, delivered, _, acknowledged] = std::array::from_fn(|at| after[at].saturating_sub(before[at]));
        let expected = (before[2] + published).saturating_sub(delivered);
        let left_otherwise = expected.saturating_sub(after[2]);
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Traffic { published, delivered, acknowledged, left_otherwise, ms }
    }
}

fn finding(code: &'static str, is_problem: bool, text: impl Into<String>) -> Finding {
    Finding { code, is_problem, text: text.into(), figures: Vec::new(), names: Vec::new() }
}

impl Finding {
    fn figure(mut self, name: &'static str, figure: u64) -> Finding {
        self.figures.push((name, figure));
        self
    }

    fn name(mut self, what: &'static str, name: &str) -> Finding {
        self.names.push((what, name.to_owned()));
        self
    }
}

/// All that can be said, problems first.
pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    consumers(facts, &mut findings);
    messages(facts, &mut findings);
    publishers(facts, &mut findings);
    state(facts, &mut findings);
    findings.sort_by_key(|finding| !finding.is_problem);
    findings
}

fn consumers(facts: &Facts, findings: &mut Vec<Finding>) {
    let queue = &facts.queue;
    if queue.consumers == 0 {
        if queue.ready > 0 {
            let text = format!("{} messages are ready and nobody consumes", queue.ready);
            findings.push(finding("no_consumers", true, text).figure("messages_ready", queue.ready));
        }
        return;
    }
    let active: Vec<&ConsumerFacts> =
        queue.described.iter().filter(|consumer| consumer.hindrance != Hindrance::Waiting).collect();
    if queue.has_single_active {
        single_active(facts, &active, findings);
    }
    let hindered = |by| active.iter().filter(|consumer| consumer.hindrance == by).count() as u64;
    for (by, code, text) in [
        (Hindrance::Prefetch, "consumers_at_prefetch_limit", "consumers have as many messages as their prefetch limit"),
        (Hindrance::ChannelPrefetch, "channels_at_prefetch_limit", "consumers wait for the limit of their channel"),
    ] {
        let count = hindered(by);
        if count == 0 {
            continue;
        }
        let is_problem = !queue.wants_messages && queue.ready > 0;
        let mut found = finding(code, is_problem, format!("{count} of {} {text}", queue.consumers));
        if let Some(oldest) = &facts.oldest {
            found.text += &format!(
                "; the oldest message has been on connection {}, channel {} for {} ms without an acknowledgement",
                oldest.connection, oldest.channel, oldest.age_ms
            );
            found = found.name("connection", &oldest.connection).figure("channel", u64::from(oldest.channel));
            found = found.figure("delivery_tag", oldest.delivery_tag).figure("oldest_unacked_ms", oldest.age_ms);
        }
        findings.push(found.figure("consumers", count).figure("messages_unacknowledged", queue.unacked));
    }
    for consumer in active.iter().filter(|consumer| consumer.hindrance == Hindrance::Output) {
        let connection = facts.survey.names.get(&consumer.connection).map_or("", String::as_str);
        let text = format!("connection {connection} does not read: {} bytes wait for it", consumer.pending_bytes);
        let found = finding("consumer_does_not_read", true, text).name("connection", connection);
        let found = found.name("consumer_tag", &consumer.tag).figure("channel", u64::from(consumer.channel));
        findings.push(found.figure("pending_bytes", consumer.pending_bytes as u64));
    }
}

fn single_active(facts: &Facts, active: &[&ConsumerFacts], findings: &mut Vec<Finding>) {
    let queue = &facts.queue;
    let waiting = (queue.described.len() - active.len()) as u64;
    let Some(holder) = active.iter().find(|consumer| consumer.is_single_active) else {
        let text = "the single active consumer has gone, and the next waits for what it gives back";
        findings.push(finding("no_single_active_consumer", queue.ready > 0, text));
        return;
    };
    let connection = facts.survey.names.get(&holder.connection).map_or("", String::as_str);
    let is_stuck = holder.hindrance != Hindrance::None && queue.ready > 0;
    let code = if is_stuck { "single_active_consumer_stuck" } else { "single_active_consumer" };
    let text = format!("only consumer '{}' of connection {connection} gets messages, {waiting} wait", holder.tag);
    let found = finding(code, is_stuck, text).name("connection", connection).name("consumer_tag", &holder.tag);
    let found = found.figure("channel", u64::from(holder.channel)).figure("prefetch", u64::from(holder.prefetch));
    findings.push(found.figure("waiting", waiting));
}

fn messages(facts: &Facts, findings: &mut Vec<Finding>) {
    let queue = &facts.queue;
    if queue.retrying > 0 {
        let wait_ms = queue.next_retry_ms.saturating_sub(queue.now_ms);
        let count = queue.retrying as u64;
        let text =
            format!("{count} messages came back and wait before they are ready again, the first for {wait_ms} ms");
        let found = finding("waiting_for_retry", queue.ready == 0, text);
        findings.push(found.figure("messages", count).figure("next_ms", wait_ms));
    }
    if queue.unsent > 0 {
        let count = queue.unsent as u64;
        let text = format!("{count} dead letters stay because no queue takes them");
        findings.push(finding("dead_letters_not_taken", true, text).figure("messages", count));
    }
    if queue.waits_for_disk && queue.wants_messages {
        let text = "the first message comes from disk before it is delivered";
        findings.push(finding("waits_for_disk", facts.traffic.delivered == 0, text));
    }
    let left = facts.traffic.left_otherwise;
    if left > 0
        && let Some(ttl_ms) = queue.message_ttl_ms
    {
        let text = format!(
            "{left} messages left without a consumer in {} ms; they expire after {ttl_ms} ms",
            facts.traffic.ms
        );
        let found = finding("messages_expire", left > facts.traffic.delivered, text);
        findings.push(found.figure("messages", left).figure("message_ttl_ms", ttl_ms));
    }
    if !queue.is_full {
        return;
    }
    let limits = [("max_length", queue.max_length), ("max_length_bytes", queue.max_length_bytes)];
    let found = if queue.refuses {
        finding("full_and_refuses", true, "the queue has reached its limit and refuses what is published")
    } else {
        let text = "the queue has reached its limit: each message that comes drops the first";
        finding("full_and_drops_head", left > 0, text)
    };
    let found = found.figure("messages_ready", queue.ready);
    findings.push(limits.iter().fold(found, |found, (name, limit)| match limit {
        Some(limit) => found.figure(name, *limit),
        None => found,
    }));
}

fn publishers(facts: &Facts, findings: &mut Vec<Finding>) {
    let survey = &facts.survey;
    for (is_raised, code, text) in [
        (facts.memory_alarm, "memory_alarm", "the memory alarm is raised: all publishers are blocked"),
        (facts.disk_alarm, "disk_alarm", "the disk alarm is raised: all publishers are blocked"),
    ] {
        if is_raised {
            findings.push(finding(code, true, text).figure("blocked_connections", survey.alarmed as u64));
        }
    }
    if survey.in_flow > 0 {
        let text = "publishers are slowed down because they are faster than the consumers of this queue";
        findings.push(finding("publishers_in_flow", false, text).figure("connections", survey.in_flow as u64));
    }
    if survey.wait_for_log > 0 {
        let text = "publishers wait for room in the log: the disk is slower than they are";
        findings.push(finding("publishers_wait_for_log", true, text).figure("connections", survey.wait_for_log as u64));
    }
    let is_quiet = facts.traffic.published == 0 && facts.queue.ready + facts.queue.unacked == 0;
    if facts.bindings == 0 && is_quiet {
        let text = "no exchange but the default one is bound to the queue, and nothing was published to it by its name";
        findings.push(finding("not_bound", false, text));
    }
}

fn state(facts: &Facts, findings: &mut Vec<Finding>) {
    let (queue, traffic) = (&facts.queue, &facts.traffic);
    let with_figures = |found: Finding| {
        let found = found.figure("published", traffic.published).figure("delivered", traffic.delivered);
        found.figure("acknowledged", traffic.acknowledged).figure("sample_ms", traffic.ms)
    };
    let has_problem = findings.iter().any(|finding| finding.is_problem);
    if queue.ready == 0 && queue.unacked == 0 && traffic.published == 0 {
        findings.push(with_figures(finding("idle", false, "the queue is empty, and nothing was published to it")));
    } else if traffic.delivered + traffic.acknowledged > 0 {
        let is_behind = traffic.published > traffic.delivered;
        let (code, text) = if is_behind {
            ("consumers_are_slower", "messages are delivered, and more are published meanwhile")
        } else {
            ("moving", "messages are delivered or acknowledged")
        };
        findings.push(with_figures(finding(code, is_behind && queue.ready > 0, text)));
    } else if queue.ready == 0 && queue.unacked > queue.retrying as u64 {
        let mut found = finding("waits_for_acknowledgements", !has_problem, "all messages are with consumers");
        if let Some(oldest) = &facts.oldest {
            found.text += &format!(
                "; the oldest has been on connection {}, channel {} for {} ms",
                oldest.connection, oldest.channel, oldest.age_ms
            );
            found = found.name("connection", &oldest.connection).figure("channel", u64::from(oldest.channel));
            found = found.figure("oldest_unacked_ms", oldest.age_ms);
        }
        findings.push(with_figures(found.figure("messages_unacknowledged", queue.unacked)));
    } else if !has_problem {
        findings.push(with_figures(finding("no_problem_found", false, "nothing keeps messages from moving")));
    }
}
