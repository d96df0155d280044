//! What is found, from the facts alone.

use super::findings::{Traffic, all};
use super::{Facts, Oldest};
use crate::ConnectionId;
use crate::core::facts::{ConsumerFacts, Hindrance, QueueFacts};
use std::time::Duration;

fn consumer(hindrance: Hindrance) -> ConsumerFacts {
    ConsumerFacts {
        connection: ConnectionId(7),
        channel: 1,
        tag: "tag".to_owned(),
        prefetch: 1,
        hindrance,
        pending_bytes: 0,
        is_single_active: false,
    }
}

/// A queue with these messages and consumers.
fn facts(ready: u64, unacked: u64, hindrances: &[Hindrance]) -> Facts {
    let described: Vec<ConsumerFacts> = hindrances.iter().map(|hindrance| consumer(*hindrance)).collect();
    let wants_messages = hindrances.contains(&Hindrance::None);
    let queue =
        QueueFacts { ready, unacked, consumers: described.len(), described, wants_messages, ..QueueFacts::default() };
    Facts { queue, bindings: 1, ..Facts::default() }
}

#[track_caller]
fn check(facts: &Facts, problems: &[&str], others: &[&str]) {
    let found = all(facts);
    let codes = |is_problem| {
        found.iter().filter(|finding| finding.is_problem == is_problem).map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!((codes(true), codes(false)), (problems.to_vec(), others.to_vec()), "{found:?}");
}

#[test]
fn each_state_has_its_findings() {
    use Hindrance as H;
    check(&facts(0, 0, &[]), &[], &["idle"]);
    check(&facts(5, 0, &[]), &["no_consumers"], &[]);
    check(&facts(5, 2, &[H::Prefetch, H::Prefetch]), &["consumers_at_prefetch_limit"], &[]);
    check(&facts(5, 1, &[H::Prefetch, H::None]), &[], &["consumers_at_prefetch_limit", "no_problem_found"]);
    check(&facts(5, 1, &[H::ChannelPrefetch]), &["channels_at_prefetch_limit"], &[]);
    check(&facts(5, 0, &[H::Output]), &["consumer_does_not_read"], &[]);
    check(&facts(0, 3, &[H::None]), &["waits_for_acknowledgements"], &[]);
    let of = |change: &dyn Fn(&mut Facts)| {
        let mut facts = facts(5, 0, &[H::None]);
        change(&mut facts);
        facts
    };
    check(&of(&|facts| facts.queue.unsent = 1), &["dead_letters_not_taken"], &[]);
    check(&of(&|facts| facts.queue.waits_for_disk = true), &["waits_for_disk"], &[]);
    check(
        &of(&|facts| (facts.queue.retrying, facts.queue.ready, facts.queue.unacked) = (1, 0, 1)),
        &["waiting_for_retry"],
        &[],
    );
    check(&of(&|facts| (facts.queue.is_full, facts.queue.refuses) = (true, true)), &["full_and_refuses"], &[]);
    check(&of(&|facts| facts.queue.is_full = true), &[], &["full_and_drops_head", "no_problem_found"]);
    check(&of(&|facts| facts.memory_alarm = true), &["memory_alarm"], &[]);
    check(&of(&|facts| facts.survey.wait_for_log = 1), &["publishers_wait_for_log"], &[]);
    check(&of(&|facts| (facts.traffic.published, facts.traffic.delivered) = (5, 1)), &["consumers_are_slower"], &[]);
    check(&of(&|facts| facts.traffic.delivered = 1), &[], &["moving"]);
    check(
        &of(&|facts| (facts.queue.message_ttl_ms, facts.traffic.left_otherwise) = (Some(10), 3)),
        &["messages_expire"],
        &[],
    );
}

#[test]
fn the_single_active_consumer_is_the_one_that_counts() {
    let mut stuck = facts(5, 1, &[Hindrance::Prefetch, Hindrance::Waiting]);
    stuck.queue.has_single_active = true;
    check(&stuck, &["no_single_active_consumer", "consumers_at_prefetch_limit"], &[]);
    stuck.queue.described[0].is_single_active = true;
    check(&stuck, &["single_active_consumer_stuck", "consumers_at_prefetch_limit"], &[]);
    stuck.queue.described[0].hindrance = Hindrance::None;
    stuck.queue.wants_messages = true;
    check(&stuck, &[], &["single_active_consumer", "no_problem_found"]);
}

#[test]
fn the_oldest_delivery_is_named() {
    let mut facts = facts(5, 1, &[Hindrance::Prefetch]);
    let connection = "a -> b".to_owned();
    facts.oldest = Some(Oldest { connection, channel: 3, delivery_tag: 9, age_ms: 1500 });
    let found = all(&facts).remove(0);
    assert!(found.text.contains("connection a -> b, channel 3 for 1500 ms"), "{}", found.text);
    assert!(found.figures.contains(&("oldest_unacked_ms", 1500)), "{found:?}");
}

#[test]
fn what_leaves_without_a_consumer_is_counted() {
    let second = Duration::from_secs(1);
    // Ten were ready; five came, three were delivered, and eight are ready: four have gone elsewhere.
    let traffic = Traffic::between(&[100, 50, 10, 0], &[105, 53, 8, 2], second);
    let expected = Traffic { published: 5, delivered: 3, acknowledged: 2, left_otherwise: 4, ms: 1000 };
    assert_eq!(traffic, expected);
}
