//! Messages that operators move and delete: the power is cut in the middle of it, and nobody waits long for it.

use amqp::method::{basic, confirm};
use amqp::{Method, Properties};
use broker::{
    AdminCommand, AdminError, AdminReply, Broker, MessageCommand, MessageFilter, MessageReply, MoveTarget, Settings,
    Transfer, Who,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use store::simulation::{self, SimulatedDisk};
use testkit::engine::{Checkpoint, Client, Engine, Random, StorageStep, publish};

const FROM: &str = "from";
const TO: &str = "to";
const RUNS: u64 = 60;
/// Memory for messages with which everything that waits is left to the disk, and with which nothing is, in bytes.
const SCARCE: usize = 4096;
const PLENTY: usize = 1 << 30;

fn execute(broker: &Arc<Broker>, command: MessageCommand) -> JoinHandle<Result<AdminReply, AdminError>> {
    let broker = broker.clone();
    std::thread::spawn(move || broker.execute(AdminCommand::Messages(Box::new(command))))
}

fn transfer(target: MoveTarget, filter: MessageFilter) -> MessageCommand {
    let transfer =
        Transfer { target, filter, count: None, per_second: None, forgets_deaths: false, skips_rejected: false };
    let (vhost, queue) = ("/".to_owned(), FROM.to_owned());
    MessageCommand::Transfer { who: Who::Operator, vhost, queue, transfer: Box::new(transfer) }
}

/// Messages with their numbers in their bodies, of `len` bytes; all are confirmed.
fn fill(engine: &mut Engine, client: &mut Client, count: u32, len: usize) {
    engine.declare_as(client, 1, FROM, true);
    engine.declare_as(client, 1, TO, true);
    engine.call(client, 1, &Method::ConfirmSelect(confirm::Select { nowait: false }));
    for number in 0..count {
        let kind = if number.is_multiple_of(3) { "third" } else { "other" };
        let properties = Properties { delivery_mode: Some(2), kind: Some(kind), ..Properties::default() };
        let mut body = number.to_be_bytes().to_vec();
        body.resize(len.max(4), 0);
        client.publish(1, publish("", FROM), &properties, &body);
    }
    engine.settle();
    let confirmed = client.arrivals().filter(|arrival| matches!(arrival.method(), Method::BasicAck(_))).count();
    assert!(confirmed > 0, "they are confirmed");
}

/// The numbers of the messages of both queues, and how often each is there.
fn drain(engine: &mut Engine) -> BTreeMap<u32, Vec<&'static str>> {
    let mut client = engine.connect_with_channel(0);
    let mut found: BTreeMap<u32, Vec<&'static str>> = BTreeMap::new();
    for queue in [FROM, TO] {
        loop {
            client.method(1, &Method::BasicGet(basic::Get { queue, no_ack: true }));
            engine.settle();
            let arrival = client.expect(1);
            if matches!(arrival.method(), Method::BasicGetEmpty(_)) {
                break;
            }
            let number = arrival.body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).expect("a number");
            found.entry(number).or_default().push(queue);
        }
    }
    found
}

/// Some things happen, in whatever order, while others threads do theirs.
fn happen(engine: &mut Engine, random: &mut Random, shards: usize, count: usize) {
    for _ in 0..count {
        if random.chance(60) {
            engine.turn(random.below(shards));
            testkit::pause(Duration::from_micros(100));
        } else {
            let step = random.pick(&StorageStep::ALL);
            engine.storage_step(step).expect("the disk does not fail");
        }
    }
}

fn crash(seed: u64, deletes: bool) -> bool {
    let (mut random, mut faults) = (Random::new(seed), simulation::Random::new(!seed));
    let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
    let shards = 1 + random.below(2);
    let memory = random.pick(&[SCARCE, PLENTY]);
    let mut engine = Engine::durable(Settings::default(), shards, seed, disk.clone(), checkpoint.clone(), memory);
    let mut client = engine.connect_with_channel(0);
    let count = 600;
    fill(&mut engine, &mut client, count, random.pick(&[4, 100, 3000]));
    let (target, filter) = if deletes {
        let filter =
            MessageFilter { properties: vec![("type".to_owned(), "third".to_owned())], ..MessageFilter::default() };
        (MoveTarget::Nowhere, filter)
    } else {
        (MoveTarget::Queue(TO.to_owned()), MessageFilter::default())
    };
    let begun = execute(&engine.broker, transfer(target, filter));
    let steps = random.below(80);
    happen(&mut engine, &mut random, shards, steps);
    let disk = if random.chance(30) { disk.kill() } else { disk.crash(&mut faults) };
    // The threads of the run before end.
    engine.broker.shut_down();
    let _ = begun.join().expect("the command does not panic");
    drop(engine);
    let mut engine = Engine::durable(Settings::default(), shards, seed + 1, disk, checkpoint, memory);
    engine.settle();
    let found = drain(&mut engine);
    let mut is_between = false;
    for number in 0..count {
        let places = found.get(&number).map_or(&[][..], Vec::as_slice);
        let may_be_gone = deletes && number.is_multiple_of(3);
        assert!(may_be_gone || !places.is_empty(), "seed {seed}: message {number} is lost");
        let of_one = |queue| places.iter().filter(|place| **place == queue).count();
        assert!(of_one(FROM) <= 1 && of_one(TO) <= 1, "seed {seed}: message {number} is in {places:?}");
        assert!(!deletes || of_one(TO) == 0, "seed {seed}: message {number} is in {places:?}");
        is_between |= if deletes { places.is_empty() } else { of_one(TO) > 0 };
    }
    is_between
}

#[test]
fn a_crash_in_the_middle_of_a_move_loses_nothing() {
    let between = (0..RUNS).filter(|seed| crash(*seed, false)).count();
    assert!(between > 3, "some were moved in {between} of {RUNS} runs");
}

#[test]
fn a_crash_in_the_middle_of_deleting_loses_nothing_else() {
    let between = (0..RUNS).filter(|seed| crash(*seed, true)).count();
    assert!(between > 3, "some were deleted in {between} of {RUNS} runs");
}

#[test]
fn a_message_that_was_deleted_does_not_come_back() {
    for seed in 0..20 {
        let mut faults = simulation::Random::new(seed);
        let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
        let memory = if seed % 2 == 0 { SCARCE } else { PLENTY };
        let mut engine = Engine::durable(Settings::default(), 1, seed, disk.clone(), checkpoint.clone(), memory);
        let mut client = engine.connect_with_channel(0);
        fill(&mut engine, &mut client, 20, 100);
        let (vhost, queue) = ("/".to_owned(), FROM.to_owned());
        let seq = seed;
        let begun = execute(&engine.broker, MessageCommand::Remove { vhost, queue, quid: None, seq });
        while !begun.is_finished() {
            engine.settle();
            testkit::pause(Duration::from_micros(100));
        }
        let reply = begun.join().expect("the command does not panic").expect("there is such a message");
        assert!(matches!(reply, AdminReply::Messages(reply) if matches!(*reply, MessageReply::Done)));
        let disk = disk.crash(&mut faults);
        let mut engine = Engine::durable(Settings::default(), 1, seed + 100, disk, checkpoint, memory);
        engine.settle();
        let found: Vec<u32> = drain(&mut engine).into_keys().collect();
        let expected: Vec<u32> = (0..20).filter(|number| u64::from(*number) != seq).collect();
        assert_eq!(found, expected, "seed {seed}");
    }
}

/// What a reactor does for it between two looks at its sockets is bounded, which is what neighbours notice.
#[test]
fn a_move_takes_little_of_each_turn() {
    let mut engine = Engine::durable(Settings::default(), 1, 1, SimulatedDisk::new(), Checkpoint::default(), SCARCE);
    let mut client = engine.connect_with_channel(0);
    let count = 20_000;
    fill(&mut engine, &mut client, count, 4);
    let vhost = engine.broker.vhost("/").expect("the default virtual host");
    let ready = |name: &str| vhost.queue(name).map_or(0, |cell| cell.counters.messages_ready.value());
    let begun = execute(&engine.broker, transfer(MoveTarget::Queue(TO.to_owned()), MessageFilter::default()));
    let (mut before, mut most) = (ready(FROM), 0);
    for _ in 0..1_000_000 {
        engine.turn(0);
        let now = ready(FROM);
        most = most.max(before - now);
        before = now;
        for step in StorageStep::ALL {
            engine.storage_step(step).expect("the disk does not fail");
        }
        if ready(TO) == u64::from(count) {
            break;
        }
        testkit::pause(Duration::from_micros(50));
    }
    begun.join().expect("the command does not panic").expect("it has begun");
    assert_eq!((ready(FROM), ready(TO)), (0, u64::from(count)));
    assert!((1..=128).contains(&most), "{most} messages were moved in one turn");
    engine.broker.shut_down();
}
