//! Delayed messages with the engine stepped by hand: to the millisecond, over crashes, and many of them.

use amqp::method::{basic, exchange, queue};
use amqp::{FieldTable, FieldValue, Method, Properties, TableRef};
use broker::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::simulation::SimulatedDisk;
use testkit::engine::{Checkpoint, Client, Engine, StorageStep, publish};

const QUEUE: &str = "q";
const EXCHANGE: &str = "late";
/// Memory for messages, so little that most of what waits is on disk only.
const MEMORY_BYTES: usize = 64 << 10;

fn open(disk: &Arc<SimulatedDisk>, checkpoint: &Checkpoint, seed: u64) -> Engine {
    Engine::durable(Settings::default(), 2, seed, disk.clone(), checkpoint.clone(), MEMORY_BYTES)
}

/// A durable exchange that delays, and a durable queue bound to it.
fn declare(engine: &mut Engine, client: &mut Client) {
    let mut table = FieldTable::new();
    table.insert("x-delayed-type", FieldValue::LongString(b"fanout".to_vec()));
    let arguments = table.to_bytes();
    let declare = exchange::Declare {
        exchange: EXCHANGE,
        kind: "x-delayed-message",
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments: TableRef::new(&arguments),
    };
    let answer = engine.call(client, 1, &Method::ExchangeDeclare(declare));
    assert!(matches!(answer.method(), Method::ExchangeDeclareOk(_)), "{:?}", answer.method());
    engine.declare_as(client, 1, QUEUE, true);
    let bind = queue::Bind {
        queue: QUEUE,
        exchange: EXCHANGE,
        routing_key: "",
        nowait: false,
        arguments: TableRef::default(),
    };
    let answer = engine.call(client, 1, &Method::QueueBind(bind));
    assert!(matches!(answer.method(), Method::QueueBindOk(_)), "{:?}", answer.method());
}

/// Publishes a message with its number as the body.
fn put(client: &Client, number: u32, delay_ms: u64, persistent: bool) {
    let mut table = FieldTable::new();
    table.insert("x-delay", FieldValue::I64(delay_ms as i64));
    let headers = table.to_bytes();
    let properties = Properties {
        headers: Some(TableRef::new(&headers)),
        delivery_mode: persistent.then_some(2),
        ..Properties::default()
    };
    client.publish(1, publish(EXCHANGE, ""), &properties, &number.to_be_bytes());
}

fn number_of(body: &[u8]) -> u32 {
    u32::from_be_bytes(body.try_into().expect("a number"))
}

/// Everything that reactors and the store can do without time passing. Some turns are not enough to end a read that waits.
fn run_a_moment(engine: &mut Engine) {
    let mut idle = 0;
    while idle < 3 {
        let mut happened = engine.turn(0) | engine.turn(1);
        for step in StorageStep::ALL {
            happened |= engine.storage_step(step).expect("the disk does not fail");
        }
        idle = if happened { 0 } else { idle + 1 };
    }
}

/// The next of a few numbers.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn each_comes_within_ten_milliseconds_of_its_time() {
    let mut engine = open(&SimulatedDisk::new(), &Checkpoint::default(), 1);
    let mut clients = [engine.connect_with_channel(0), engine.connect_with_channel(1)];
    declare(&mut engine, &mut clients[0]);
    engine.consume(&mut clients[1], 1, QUEUE, "c", true);
    let (mut seed, mut due, mut latest) = (7, BTreeMap::new(), 0);
    for ms in 0..4000 {
        if ms < 40 {
            for number in ms * 50..(ms + 1) * 50 {
                let delay_ms = 1 + next(&mut seed) % 3000;
                // From either reactor; only the first releases.
                put(&clients[number as usize % 2], number, delay_ms, number % 3 > 0);
                due.insert(number, engine.now().time_ms() + delay_ms);
            }
            engine.broker.compact();
        }
        run_a_moment(&mut engine);
        let now_ms = engine.now().time_ms();
        for arrival in clients[1].arrivals().filter(|arrival| matches!(arrival.method(), Method::BasicDeliver(_))) {
            let due_ms = due.remove(&number_of(&arrival.body)).expect("each comes once");
            assert!(now_ms >= due_ms, "{} ms early", due_ms - now_ms);
            latest = latest.max(now_ms - due_ms);
        }
        engine.advance_ms(1);
    }
    assert!(due.is_empty(), "{} never came", due.len());
    assert!(latest <= 10, "{latest} ms late");
}

/// Numbers of the messages that the queue has at last.
fn all_bodies(engine: &mut Engine, client: &mut Client) -> Vec<u32> {
    engine.consume(client, 1, QUEUE, "last", true);
    engine.settle();
    let deliveries = client.arrivals().filter(|arrival| matches!(arrival.method(), Method::BasicDeliver(_)));
    deliveries.map(|arrival| number_of(&arrival.body)).collect()
}

#[test]
fn what_waits_survives_restarts_and_still_waits() {
    let (mut disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
    let mut engine = open(&disk, &checkpoint, 1);
    let mut client = engine.connect_with_channel(0);
    declare(&mut engine, &mut client);
    for number in 0..1000 {
        put(&client, number, 10_000 + u64::from(number) * 1000, number % 10 > 0);
    }
    engine.settle();
    for seed in 2..5 {
        disk = disk.crash(&mut store::simulation::Random::new(seed));
        engine = open(&disk, &checkpoint, seed);
        // The engine's clock begins anew, so that nothing is due earlier than before.
        engine.settle();
        let mut client = engine.connect_with_channel(1);
        let answer = engine.call(
            &mut client,
            1,
            &Method::QueueDeclare(queue::Declare {
                queue: QUEUE,
                passive: true,
                durable: true,
                exclusive: false,
                auto_delete: false,
                nowait: false,
                arguments: TableRef::default(),
            }),
        );
        let Method::QueueDeclareOk(declared) = answer.method() else { panic!("{:?}", answer.method()) };
        assert_eq!(declared.message_count, 0, "nothing is due");
    }
    let mut client = engine.connect_with_channel(0);
    engine.advance_ms(509_500);
    engine.settle();
    let mut first = all_bodies(&mut engine, &mut client);
    first.sort_unstable();
    let persistent = |number: &u32| !number.is_multiple_of(10);
    assert_eq!(first, (0..500).filter(persistent).collect::<Vec<_>>());
    engine.advance_ms(1_000_000);
    engine.settle();
    let deliveries = client.arrivals().filter(|arrival| matches!(arrival.method(), Method::BasicDeliver(_)));
    let mut rest: Vec<u32> = deliveries.map(|arrival| number_of(&arrival.body)).collect();
    rest.sort_unstable();
    assert_eq!(rest, (500..1000).filter(persistent).collect::<Vec<_>>());
}

/// The confirms that have come, taking each as the highest that is confirmed.
fn confirmed(client: &mut Client, tags: &mut BTreeSet<u64>) {
    for arrival in client.arrivals() {
        match arrival.method() {
            Method::BasicAck(basic::Ack { delivery_tag, multiple: true }) => {
                tags.extend(1..=delivery_tag);
            }
            Method::BasicAck(ack) => {
                tags.insert(ack.delivery_tag);
            }
            _ => {}
        }
    }
}

/// Publishes, lets time pass, and stops at a change of the disk; what was confirmed must come after a restart.
fn crash_at(stop: u64, seed: u64) -> bool {
    let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
    let mut engine = open(&disk, &checkpoint, seed);
    let mut client = engine.connect_with_channel(1);
    declare(&mut engine, &mut client);
    engine.call(&mut client, 1, &Method::ConfirmSelect(amqp::method::confirm::Select { nowait: false }));
    disk.stop_at(disk.operations() + stop);
    let (mut random, mut tags) = (seed, BTreeSet::new());
    'life: for round in 0..60 {
        for number in 0..20 {
            put(&client, round * 20 + number, 1 + next(&mut random) % 400, true);
        }
        for _ in 0..12 {
            engine.turn(0);
            engine.turn(1);
            for step in StorageStep::ALL {
                if engine.storage_step(step).is_err() {
                    break 'life;
                }
            }
            confirmed(&mut client, &mut tags);
        }
        engine.advance_ms(1 + next(&mut random) % 30);
    }
    let has_stopped = disk.has_stopped();
    let disk = disk.crash(&mut store::simulation::Random::new(seed ^ stop));
    let mut engine = open(&disk, &checkpoint, seed + 1);
    engine.settle();
    engine.advance_ms(10_000);
    engine.settle();
    let mut client = engine.connect_with_channel(0);
    let found: BTreeSet<u32> = all_bodies(&mut engine, &mut client).into_iter().collect();
    let missing: Vec<u64> = tags.into_iter().filter(|tag| !found.contains(&(*tag as u32 - 1))).collect();
    assert!(missing.is_empty(), "stopped at {stop}, seed {seed}: {missing:?} were confirmed and are lost");
    has_stopped
}

#[test]
fn a_crash_at_any_change_loses_nothing_that_was_confirmed() {
    let mut stopped = 0;
    for (seed, stop) in (1..400).step_by(9).enumerate() {
        stopped += u32::from(crash_at(stop, seed as u64));
    }
    assert!(stopped > 10, "{stopped} crashes were in the middle");
}

#[test]
#[ignore = "takes a while: cargo test --release -p broker --test delayed -- --ignored"]
fn a_million_wait_in_little_memory() {
    const COUNT: u32 = 1_000_000;
    let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
    let mut engine = open(&disk, &checkpoint, 1);
    let mut client = engine.connect_with_channel(0);
    declare(&mut engine, &mut client);
    let mut seed = 3;
    for number in 0..COUNT {
        // Over a year.
        put(&client, number, 600_000 + next(&mut seed) % (365 * 86_400_000), true);
        if number % 2000 == 0 {
            run_a_moment(&mut engine);
        }
    }
    engine.settle();
    let waiting_bytes = engine.broker.message_memory();
    assert!(waiting_bytes <= 16 << 20, "{waiting_bytes} bytes of messages in memory");
    let began = std::time::Instant::now();
    let mut engine = open(&disk.kill(), &checkpoint, 2);
    println!("opened in {:?}, {waiting_bytes} bytes of messages in memory before", began.elapsed());
    let mut client = engine.connect_with_channel(1);
    engine.consume(&mut client, 1, QUEUE, "all", true);
    let mut found = 0;
    let began = std::time::Instant::now();
    for _ in 0..370 {
        engine.advance_ms(86_400_000);
        engine.settle();
        found += client.arrivals().filter(|arrival| matches!(arrival.method(), Method::BasicDeliver(_))).count();
    }
    println!("{found} released in {:?}", began.elapsed());
    assert_eq!(found, COUNT as usize);
}
