//! A queue with priorities and rules against a plain list, over a real store on a simulated disk.
//!
//! Messages of several priorities come, expire, are dropped, taken out of turn, read, delivered, put back, purged and
//! retired, and the queue restarts. What leaves it is what the list says, in its order; nothing is delivered that has
//! expired, nothing is lost or comes twice, and the counts are exact.

mod list;
mod store_under;
mod world;

use proptest::prelude::*;
use world::World;

/// Priorities that messages have; the last is the highest there is.
const LEVELS: [u8; 4] = [0, 1, 5, 255];

#[derive(Clone, Debug)]
enum Step {
    Push {
        level: u8,
        persistent: bool,
        body_len: usize,
        expiration_ms: Option<u64>,
    },
    /// Time passes.
    Advance(u64),
    SetRules {
        ttl_ms: Option<u64>,
        max_length: Option<u64>,
        max_length_bytes: Option<u64>,
    },
    /// First messages are dropped until the queue is within its limits.
    DropHeads,
    DropFirst,
    /// Some ready message is taken, wherever it is.
    Take(usize),
    /// One that is not ready cannot be taken.
    TakeOther(usize),
    TakeExpired {
        most: usize,
    },
    /// What a broker does by and by: afterwards nothing is there that has expired.
    Tend,
    PageOut {
        keep_bytes: u64,
        most: usize,
    },
    StoreBelow(usize),
    /// A segment of the log is retired: what is in it goes to a cold one.
    Retire,
    Want,
    Probe,
    /// The read that was asked for is done, and its answer is under way.
    Load(usize),
    /// The answer arrives; perhaps some message turned out to be damaged.
    Answer {
        level: usize,
        damaged: Option<usize>,
    },
    Marked,
    Pop,
    Plan {
        most: usize,
        most_bytes: usize,
    },
    /// A delivery is acknowledged.
    Settle(usize),
    /// A delivery comes back, perhaps without its message, which is on disk.
    Requeue {
        at: usize,
        forget: bool,
    },
    /// A message that was taken out is gone for good.
    SettleTaken(usize),
    /// One that was taken out unread is read.
    ReadTaken(usize),
    /// One goes back undelivered.
    PutBack(usize),
    Purge,
    Restart,
}

fn push() -> impl Strategy<Value = Step> {
    let len = prop_oneof![8 => 4..300usize, 1 => Just(4), 1 => 10_000..120_000usize];
    let expiration_ms = proptest::option::weighted(0.4, 0..400u64);
    let level = proptest::sample::select(&LEVELS[..]);
    (level, any::<bool>(), len, expiration_ms).prop_map(|(level, persistent, body_len, expiration_ms)| Step::Push {
        level,
        persistent,
        body_len,
        expiration_ms,
    })
}

fn set_rules() -> impl Strategy<Value = Step> {
    let ttl_ms = proptest::option::of(prop_oneof![1 => Just(0), 5 => 1..600u64]);
    let max_length = proptest::option::of(0..20u64);
    let max_length_bytes = proptest::option::weighted(0.3, 0..5000u64);
    (ttl_ms, max_length, max_length_bytes).prop_map(|(ttl_ms, max_length, max_length_bytes)| Step::SetRules {
        ttl_ms,
        max_length,
        max_length_bytes,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<usize>;
    let step = prop_oneof![
        34 => push(),
        6 => (0..60u64).prop_map(Step::Advance),
        1 => set_rules(),
        2 => Just(Step::DropHeads),
        3 => Just(Step::DropFirst),
        6 => index().prop_map(Step::Take),
        2 => index().prop_map(Step::TakeOther),
        4 => prop_oneof![Just(usize::MAX), 1..5usize].prop_map(|most| Step::TakeExpired { most }),
        3 => Just(Step::Tend),
        6 => (prop_oneof![Just(0), 0..3000u64], prop_oneof![Just(usize::MAX), 1..6usize])
            .prop_map(|(keep_bytes, most)| Step::PageOut { keep_bytes, most }),
        2 => index().prop_map(Step::StoreBelow),
        1 => Just(Step::Retire),
        12 => Just(Step::Want),
        3 => Just(Step::Probe),
        10 => index().prop_map(Step::Load),
        10 => (index(), proptest::option::weighted(0.1, index()))
            .prop_map(|(level, damaged)| Step::Answer { level, damaged }),
        8 => Just(Step::Marked),
        14 => Just(Step::Pop),
        6 => (1..8usize, prop_oneof![Just(usize::MAX), 0..1000usize])
            .prop_map(|(most, most_bytes)| Step::Plan { most, most_bytes }),
        6 => index().prop_map(Step::Settle),
        8 => (index(), any::<bool>()).prop_map(|(at, forget)| Step::Requeue { at, forget }),
        6 => index().prop_map(Step::SettleTaken),
        2 => index().prop_map(Step::ReadTaken),
        3 => index().prop_map(Step::PutBack),
        1 => Just(Step::Purge),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 0..250)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_queue_with_rules_agrees_with_a_list(
        has_priorities in any::<bool>(),
        rules in proptest::option::of(set_rules()),
        steps in steps(),
    ) {
        let mut world = World::new(has_priorities);
        for step in rules.into_iter().chain(steps) {
            world.step(step);
            world.check();
        }
        world.drain();
    }
}

fn script(steps: impl IntoIterator<Item = Step>) {
    let mut world = World::new(false);
    for step in steps {
        world.step(step);
        world.check();
    }
    world.drain();
}

fn push_one(persistent: bool, expiration_ms: Option<u64>) -> Step {
    Step::Push { level: 0, persistent, body_len: 10, expiration_ms }
}

fn ttl(ttl_ms: u64) -> Step {
    Step::SetRules { ttl_ms: Some(ttl_ms), max_length: None, max_length_bytes: None }
}

#[test]
fn nothing_expired_is_delivered_behind_more_that_has_expired_than_one_call_takes() {
    let plan = Step::Plan { most: 2, most_bytes: usize::MAX };
    script([ttl(1)].into_iter().chain((0..6).map(|_| push_one(false, None))).chain([Step::Advance(1), plan]));
}

#[test]
fn looking_for_the_next_expiry_passes_messages_that_have_left() {
    let page_out = Step::PageOut { keep_bytes: 0, most: usize::MAX };
    let pushes = (0..3).map(|_| push_one(true, None));
    script([ttl(1)].into_iter().chain(pushes).chain([page_out, Step::Take(0), Step::Advance(1), Step::Tend]));
}

#[test]
fn a_message_that_came_back_does_not_hide_that_the_next_expires() {
    let out = [push_one(false, Some(1000)), Step::Pop, push_one(false, Some(10))];
    let back = [Step::Requeue { at: 0, forget: false }, Step::Advance(10), Step::Tend];
    script(out.into_iter().chain(back));
}

#[test]
fn what_was_taken_unread_and_put_back_does_not_look_new_after_a_restart() {
    script([push_one(true, None), Step::Want, Step::Restart, Step::DropFirst, Step::PutBack(0)]);
}
