//! The oracle fails on each kind of violation, and on nothing that is allowed.

use super::*;

const A: MessageId = (1, 1);
const B: MessageId = (1, 2);
const C: MessageId = (1, 3);

fn seen(queue: usize, id: MessageId, redelivered: bool) -> Seen {
    Seen { queue, id, redelivered, ordered_consumer: None }
}

/// An oracle of one queue, with these persistent messages published and confirmed.
fn holding(ids: &[MessageId]) -> Oracle {
    let mut oracle = Oracle::new(1);
    for id in ids {
        oracle.published(*id, &[0], true);
        oracle.confirmed(*id);
    }
    oracle
}

/// Tells `oracle` what a restart brought to its only queue, and compares what it finds wrong.
#[track_caller]
fn check(mut oracle: Oracle, found: &[Found], expected: &[Violation]) {
    oracle.restarted(&[found.to_vec()]);
    assert_eq!(oracle.violations(), expected);
}

#[test]
fn confirmed_messages_have_to_be_there() {
    check(holding(&[A, B]), &[(A, false), (B, false)], &[]);
    check(holding(&[A, B]), &[(B, false)], &[Violation::Lost { queue: 0, id: A }]);
}

#[test]
fn every_queue_has_to_have_its_copy() {
    let mut oracle = Oracle::new(3);
    oracle.published(A, &[0, 2], true);
    oracle.confirmed(A);
    oracle.restarted(&[vec![(A, false)], vec![], vec![]]);
    assert_eq!(oracle.violations(), [Violation::Lost { queue: 2, id: A }]);
}

#[test]
fn unconfirmed_messages_may_be_there() {
    for found in [&[(A, false)][..], &[(A, false), (B, false)]] {
        let mut oracle = holding(&[A]);
        oracle.published(B, &[0], true);
        check(oracle, found, &[]);
    }
}

#[test]
fn what_was_found_once_has_to_stay() {
    let mut oracle = Oracle::new(1);
    oracle.published(A, &[0], true);
    oracle.restarted(&[vec![(A, false)]]);
    check(oracle, &[], &[Violation::Lost { queue: 0, id: A }]);
}

#[test]
fn what_was_missing_once_must_not_appear() {
    let mut oracle = Oracle::new(1);
    oracle.published(A, &[0], true);
    oracle.restarted(&[vec![]]);
    check(oracle, &[(A, true)], &[Violation::CameBack { queue: 0, id: A }]);
}

#[test]
fn what_was_never_published_is_noticed() {
    check(holding(&[A]), &[(A, false), (C, false)], &[Violation::NeverPublished { queue: 0, id: C }]);
    let mut oracle = Oracle::new(2);
    oracle.published(A, &[0], true);
    oracle.delivered(seen(1, A, false));
    assert_eq!(oracle.violations(), [Violation::NeverPublished { queue: 1, id: A }]);
}

#[test]
fn nothing_is_there_twice() {
    check(holding(&[A]), &[(A, false), (A, true)], &[Violation::Twice { queue: 0, id: A }]);
}

#[test]
fn nothing_is_delivered_while_somebody_has_it() {
    let mut oracle = holding(&[A]);
    oracle.delivered(seen(0, A, false));
    oracle.delivered(seen(0, A, true));
    assert_eq!(oracle.violations(), [Violation::Twice { queue: 0, id: A }]);
    let mut oracle = holding(&[A]);
    oracle.delivered(seen(0, A, false));
    oracle.acked(0, A);
    oracle.delivered(seen(0, A, true));
    assert_eq!(oracle.violations(), [Violation::Twice { queue: 0, id: A }]);
}

#[test]
fn each_publishers_order_is_kept() {
    let other = (2, 1);
    check(holding(&[A, other, B]), &[(A, false), (B, false), (other, false)], &[]);
    let expected = [Violation::OutOfOrder { queue: 0, id: A, after: 2 }];
    check(holding(&[A, other, B]), &[(B, false), (other, false), (A, false)], &expected);
}

#[test]
fn a_consumer_sees_each_publishers_order() {
    let ordered = |id| Seen { ordered_consumer: Some(1), ..seen(0, id, false) };
    let mut oracle = holding(&[A, B, C]);
    oracle.delivered(ordered(A));
    oracle.delivered(ordered(C));
    assert_eq!(oracle.violations(), []);
    oracle.delivered(ordered(B));
    assert_eq!(oracle.violations(), [Violation::OutOfOrder { queue: 0, id: B, after: 3 }]);
}

#[test]
fn a_requeue_allows_another_delivery_that_is_marked() {
    let mut oracle = holding(&[A]);
    oracle.delivered(seen(0, A, false));
    oracle.requeued(0, A);
    oracle.delivered(seen(0, A, true));
    oracle.requeued(0, A);
    assert_eq!(oracle.violations(), []);
    oracle.delivered(seen(0, A, false));
    assert_eq!(oracle.violations(), [Violation::NotMarked { queue: 0, id: A }]);
}

#[test]
fn what_was_delivered_is_marked_after_a_restart() {
    let delivered = || {
        let mut oracle = holding(&[A, B]);
        oracle.delivered(seen(0, A, false));
        oracle
    };
    check(delivered(), &[(A, true), (B, false)], &[]);
    check(delivered(), &[(A, true), (B, true)], &[]);
    check(delivered(), &[(A, false), (B, true)], &[Violation::NotMarked { queue: 0, id: A }]);
    let mut twice = delivered();
    twice.restarted(&[vec![(A, true), (B, false)]]);
    check(twice, &[(A, true), (B, false)], &[Violation::NotMarked { queue: 0, id: B }]);
}

/// A message that was delivered and acknowledged, the broker having read that or not.
fn acknowledged(read: bool) -> Oracle {
    let mut oracle = holding(&[A]);
    oracle.delivered(seen(0, A, false));
    oracle.acked(0, A);
    if read {
        oracle.acks_read(vec![(0, A)]);
    }
    oracle
}

#[test]
fn an_acknowledged_message_may_come_back_marked() {
    for read in [false, true] {
        check(acknowledged(read), &[], &[]);
        check(acknowledged(read), &[(A, true)], &[]);
        check(acknowledged(read), &[(A, false)], &[Violation::NotMarked { queue: 0, id: A }]);
    }
}

#[test]
fn a_later_confirm_proves_acknowledgements_that_were_read() {
    let mut oracle = acknowledged(true);
    oracle.published(B, &[0], true);
    oracle.confirmed(B);
    check(oracle, &[(A, true), (B, false)], &[Violation::CameBack { queue: 0, id: A }]);
    let mut oracle = acknowledged(false);
    oracle.published(B, &[0], true);
    oracle.confirmed(B);
    check(oracle, &[(A, true), (B, false)], &[]);
}

#[test]
fn a_confirm_of_something_published_before_proves_nothing() {
    let mut oracle = holding(&[A]);
    oracle.delivered(seen(0, A, false));
    oracle.acked(0, A);
    oracle.published(B, &[0], true);
    oracle.acks_read(vec![(0, A)]);
    oracle.confirmed(B);
    check(oracle, &[(A, true), (B, false)], &[]);
}

#[test]
fn a_confirm_of_a_transient_message_proves_nothing() {
    let mut oracle = acknowledged(true);
    oracle.published(B, &[0], false);
    oracle.confirmed(B);
    check(oracle, &[(A, true)], &[]);
}

#[test]
fn transient_messages_are_gone() {
    let transient = || {
        let mut oracle = Oracle::new(1);
        oracle.published(A, &[0], false);
        oracle.confirmed(A);
        oracle
    };
    check(transient(), &[], &[]);
    check(transient(), &[(A, false)], &[Violation::Survived { queue: 0, id: A }]);
}

/// An oracle of two queues with A and B in a transaction, A to both and B to the second.
fn transaction() -> Oracle {
    let mut oracle = Oracle::new(2);
    oracle.published(A, &[0, 1], true);
    oracle.published(B, &[1], true);
    oracle.committing(&[A, B]);
    oracle
}

#[test]
fn a_transaction_is_there_or_not() {
    for found in [[vec![], vec![]], [vec![(A, false)], vec![(A, false), (B, false)]]] {
        let mut oracle = transaction();
        oracle.restarted(&found);
        assert_eq!(oracle.violations(), []);
    }
    let mut oracle = transaction();
    oracle.restarted(&[vec![(A, false)], vec![(A, false)]]);
    assert_eq!(oracle.violations(), [Violation::Torn { queue: 1, id: B }]);
    let mut oracle = transaction();
    oracle.restarted(&[vec![], vec![(A, false), (B, false)]]);
    assert_eq!(oracle.violations(), [Violation::Torn { queue: 0, id: A }]);
}

#[test]
fn what_was_acknowledged_does_not_tear_a_transaction() {
    let mut oracle = transaction();
    oracle.delivered(seen(0, A, false));
    oracle.acked(0, A);
    oracle.restarted(&[vec![], vec![(A, false), (B, false)]]);
    assert_eq!(oracle.violations(), []);
}

#[test]
fn a_committed_transaction_has_to_be_there() {
    let mut oracle = transaction();
    oracle.confirmed(A);
    oracle.confirmed(B);
    oracle.restarted(&[vec![(A, false)], vec![(A, false)]]);
    assert_eq!(oracle.violations(), [Violation::Lost { queue: 1, id: B }]);
}
