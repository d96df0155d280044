use crate::*;
use proptest::prelude::*;
use std::collections::{HashSet, VecDeque};
use store::{Arena, Body, ChunkPool, Message, MessageParts};

struct Open;

impl Gate<u32> for Open {
    fn admits(&mut self, _: &u32, _: ConsumerKey) -> bool {
        true
    }
}

struct Refuse(HashSet<u32>);

impl Gate<u32> for Refuse {
    fn admits(&mut self, consumer: &u32, _: ConsumerKey) -> bool {
        !self.0.contains(consumer)
    }
}

fn message(arena: &mut Arena, number: u32) -> Message {
    let parts = MessageParts { names: b"\0\x01q", header: b"", persistent: false, entered_ms: 0 };
    Message::store(arena, parts, &number.to_be_bytes())
}

fn number(entry: &Entry) -> u32 {
    match entry.message.as_ref().unwrap().body() {
        Body::Whole(bytes) => u32::from_be_bytes(bytes.try_into().unwrap()),
        Body::Pieces(_) => panic!("a small body is whole"),
    }
}

fn turns(queue: &mut Queue<u32>, count: usize) -> Vec<u32> {
    let mut plan = Vec::new();
    queue.plan_new(count, &mut Open, &mut plan);
    plan.iter().map(|key| *queue.consumers.handle(*key).unwrap()).collect()
}

#[test]
fn consumers_take_turns_message_by_message() {
    let mut queue = Queue::default();
    queue.consumers.add(1, 0, 0);
    queue.consumers.add(2, 0, 0);
    assert_eq!(turns(&mut queue, 5), [1, 2, 1, 2, 1]);
    assert_eq!(turns(&mut queue, 3), [2, 1, 2], "the turn goes on across batches");
}

#[test]
fn a_prefetch_limit_takes_a_consumer_out_of_turn_until_credit_returns() {
    let mut queue = Queue::default();
    let slow = queue.consumers.add(1, 0, 1);
    queue.consumers.add(2, 0, 2);
    assert_eq!(turns(&mut queue, 10), [1, 2, 2]);
    assert!(!queue.consumers.want_messages());
    assert!(queue.consumers.credit(slow, 1));
    assert_eq!(turns(&mut queue, 10), [1]);
}

#[test]
fn higher_priorities_go_first_while_they_have_credit() {
    let mut queue = Queue::default();
    queue.consumers.add(1, 0, 0);
    queue.consumers.add(2, 10, 2);
    queue.consumers.add(3, 10, 1);
    queue.consumers.add(4, -1, 0);
    assert_eq!(turns(&mut queue, 6), [2, 3, 2, 1, 1, 1]);
}

#[test]
fn a_gated_consumer_waits_without_losing_its_credit() {
    let mut queue = Queue::default();
    let gated = queue.consumers.add(1, 0, 1);
    queue.consumers.add(2, 0, 1);
    let mut plan = Vec::new();
    queue.plan_new(4, &mut Refuse(HashSet::from([1])), &mut plan);
    assert_eq!(plan.len(), 1);
    assert!(queue.consumers.want_messages());
    assert!(!queue.consumers.credit(gated, 0), "credit does not open the gate");
    assert!(queue.consumers.ungate(gated));
    assert!(!queue.consumers.ungate(gated));
    assert_eq!(turns(&mut queue, 4), [1]);
}

#[test]
fn nothing_overtakes_waiting_messages() {
    let mut arena = Arena::new(ChunkPool::new(1));
    let mut queue = Queue::default();
    queue.push(message(&mut arena, 0), false, 0);
    queue.consumers.add(1, 0, 0);
    assert_eq!(turns(&mut queue, 3), [0; 0]);
    let mut plan = Vec::new();
    assert!(!queue.plan_ready(10, UNLIMITED, 0, &mut Open, |entry, key| plan.push((entry, key))));
    assert_eq!(plan.len(), 1);
    assert_eq!(turns(&mut queue, 3), [1, 1, 1]);
}

#[test]
fn limits_of_a_plan_say_that_there_is_more() {
    let mut arena = Arena::new(ChunkPool::new(1));
    let mut queue = Queue::default();
    for n in 0..10 {
        queue.push(message(&mut arena, n), false, 0);
    }
    queue.consumers.add(1, 0, 0);
    let mut plan = Vec::new();
    assert!(queue.plan_ready(4, UNLIMITED, 0, &mut Open, |entry, key| plan.push((entry, key))));
    assert_eq!(plan.len(), 4);
    assert!(
        queue.plan_ready(UNLIMITED, 4, 0, &mut Open, |entry, key| plan.push((entry, key))),
        "a byte limit of one message"
    );
    assert_eq!(plan.len(), 6, "a byte limit is passed by at most one message");
    assert!(!queue.plan_ready(4, UNLIMITED, 0, &mut Open, |entry, key| plan.push((entry, key))));
    assert_eq!(plan.iter().map(|(entry, _)| number(entry)).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_removed_consumer_is_never_meant_again() {
    let mut queue = Queue::default();
    let first = queue.consumers.add(1, 0, 1);
    assert_eq!(queue.consumers.remove(first), Some(1));
    assert_eq!(queue.consumers.remove(first), None);
    let second = queue.consumers.add(2, 0, 1);
    assert_ne!(first, second);
    assert!(queue.consumers.handle(first).is_none());
    assert_eq!(turns(&mut queue, 2), [2]);
    assert!(!queue.consumers.credit(first, 1), "an old acknowledgement credits nobody else");
}

/// The queue against a plain list of what is ready, for any interleaving of publish, take, requeue, settle and purge.
#[derive(Clone, Debug)]
enum Step {
    Push,
    Pop,
    Settle(usize),
    Requeue(usize),
    PutBackAll,
    Purge,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Push),
        4 => Just(Step::Pop),
        2 => any::<usize>().prop_map(Step::Settle),
        2 => any::<usize>().prop_map(Step::Requeue),
        1 => Just(Step::PutBackAll),
        1 => Just(Step::Purge),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn order_and_counts_agree_with_a_list(steps in steps()) {
        let mut arena = Arena::new(ChunkPool::new(1));
        let mut queue = Queue::<u32>::default();
        let mut model = VecDeque::new();
        let mut taken: Vec<Entry> = Vec::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Push => {
                    queue.push(message(&mut arena, next), false, 0);
                    model.push_back(next);
                    next += 1;
                }
                Step::Pop => {
                    let entry = queue.pop(0);
                    prop_assert_eq!(entry.as_ref().map(number), model.pop_front());
                    if let Some(entry) = entry {
                        queue.delivered(1, u64::from(entry.body_len));
                        taken.push(entry);
                    }
                }
                Step::Settle(at) if !taken.is_empty() => {
                    let entry = taken.swap_remove(at % taken.len());
                    queue.settled(entry.body_len);
                }
                Step::Requeue(at) if !taken.is_empty() => {
                    let entry = taken.swap_remove(at % taken.len());
                    let at = model.partition_point(|other| *other < number(&entry));
                    model.insert(at, number(&entry));
                    queue.requeue(entry);
                }
                Step::PutBackAll => {
                    for entry in taken.drain(..) {
                        let at = model.partition_point(|other| *other < number(&entry));
                        model.insert(at, number(&entry));
                        queue.requeue(entry);
                    }
                }
                Step::Purge => {
                    let mut gone = Vec::new();
                    prop_assert_eq!(queue.purge(&mut gone), model.len() as u64);
                    prop_assert_eq!(gone.iter().map(number).collect::<VecDeque<_>>(), std::mem::take(&mut model));
                }
                Step::Settle(_) | Step::Requeue(_) => {}
            }
            prop_assert_eq!(queue.iter().map(number).collect::<VecDeque<_>>(), model.clone());
            let counts = Counts {
                ready: model.len() as u64,
                ready_bytes: 4 * model.len() as u64,
                unacked: taken.len() as u64,
                unacked_bytes: 4 * taken.len() as u64,
            };
            prop_assert_eq!(queue.counts(), counts);
        }
    }
}

#[test]
fn many_that_came_back_are_not_all_looked_at_for_each_that_expires() {
    const COUNT: u64 = 8192;
    let mut arena = Arena::new(ChunkPool::new(1 << 20));
    let mut queue: Queue<u32> = Queue::default();
    queue.set_rules(Some(Rules { ttl_ms: Some(COUNT), ..Rules::new(|_| None) }));
    let mut entries = Vec::new();
    for entered_ms in 0..COUNT {
        let parts = MessageParts { names: b"\0\x01q", header: b"", persistent: false, entered_ms };
        queue.push(Message::store(&mut arena, parts, b"body"), false, 0);
        entries.extend(queue.pop(entered_ms));
        queue.delivered(1, 4);
    }
    entries.into_iter().for_each(|entry| queue.requeue(entry));
    let (mut looks, mut expired, mut now_ms) = (0, Vec::new(), COUNT);
    while !queue.is_empty() {
        looks += 1;
        assert!(now_ms < 3 * COUNT, "they expire in time");
        let next_ms = queue.take_expired(now_ms, 512, &mut expired);
        for entry in expired.drain(..) {
            let late_ms = now_ms - COUNT - entry.seq;
            assert!(late_ms <= COUNT / 1024, "{late_ms} ms late");
        }
        // Whenever that is asked.
        if let Some(entry) = queue.pop(now_ms + 1) {
            assert!(COUNT + entry.seq > now_ms + 1, "nothing is delivered that has expired");
            queue.put_back(entry);
        }
        now_ms = next_ms.unwrap_or(now_ms + 1).max(now_ms + 1);
    }
    assert!(looks < COUNT / 2, "{looks} looks");
}
