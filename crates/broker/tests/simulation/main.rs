//! Random clients against the engine, step by step on one thread, and an oracle that watches what they are told.
//!
//! Some runs have messages in memory only; others are over a store on a simulated disk, whose threads are stepped at
//! random too, with so little memory that queues are paged out all the time, or with plenty.
//!
//! A failure names its seed; `SEED=n cargo test -p broker --test simulation` repeats that run.

mod actor;
mod oracle;

use actor::{Actor, Names, message_id};
use amqp::Method;
use amqp::method::queue;
use amqp::{Properties, TableRef};
use broker::Settings;
use oracle::Oracle;
use store::simulation::SimulatedDisk;
use testkit::engine::{Checkpoint, Client, Engine, Random, StorageStep, publish, write_publish};

const QUEUES: usize = 3;
const ACTORS: usize = 5;
const STEPS: usize = 1000;
/// Runs of each kind, of which those over a store take longer; `RUNS=n` makes more.
const RUNS: u64 = 20;
const RUNS_OVER_STORE: u64 = 7;
/// Memory for messages with which everything that waits is left to the disk, and with which nothing is, in bytes.
const SCARCE: usize = 4096;
const PLENTY: usize = 1 << 30;

fn queue_name(queue: usize) -> String {
    format!("q{queue}")
}

/// Where messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    InMemory,
    OnDisk { memory_bytes: usize },
}

struct Simulation {
    engine: Engine,
    kept: Kept,
    shards: usize,
    random: Random,
    oracle: Oracle,
    names: Names,
    actors: Vec<Actor>,
    admin: Client,
}

impl Simulation {
    fn new(seed: u64, kept: Kept) -> Simulation {
        let mut random = Random::new(seed);
        let shards = 1 + random.below(3);
        let settings = Settings::default();
        let mut engine = match kept {
            Kept::InMemory => Engine::new(settings, shards, seed),
            Kept::OnDisk { memory_bytes } => {
                Engine::durable(settings, shards, seed, SimulatedDisk::new(), Checkpoint::default(), memory_bytes)
            }
        };
        let mut admin = engine.connect_with_channel(0);
        for queue in 0..QUEUES {
            // One is not durable, and is paged out like the others.
            let durable = kept != Kept::InMemory && queue > 0;
            engine.declare_as(&mut admin, 1, &queue_name(queue), durable);
            let bind = queue::Bind {
                queue: &queue_name(queue),
                exchange: "amq.fanout",
                routing_key: "",
                nowait: false,
                arguments: TableRef::default(),
            };
            engine.call(&mut admin, 1, &Method::QueueBind(bind));
        }
        let names = Names::new(kept != Kept::InMemory && random.chance(50));
        let oracle = Oracle::new(QUEUES);
        let mut simulation = Simulation { engine, kept, shards, random, oracle, names, actors: Vec::new(), admin };
        (0..ACTORS).for_each(|at| {
            let actor = simulation.arrive(at);
            simulation.actors.push(actor);
        });
        simulation
    }

    /// A new connection for an actor; every other one may break off.
    fn arrive(&mut self, at: usize) -> Actor {
        let shard = self.random.below(self.shards);
        Actor::new(self.engine.connect(shard), at.is_multiple_of(2), self.kept != Kept::InMemory)
    }

    fn step(&mut self) {
        let at = self.random.below(ACTORS);
        self.note_log();
        self.actors[at].act(&mut self.random, &mut self.oracle, &mut self.names);
        if self.random.chance(60) {
            let shard = self.random.below(self.shards);
            self.engine.reactor(shard).set_read_size(self.random.pick(&[1, 10, 500, 10_000, 65_536, 1 << 20]));
            self.engine.turn(shard);
            self.engine.reactor(shard).set_read_size(1 << 20);
        }
        if self.random.chance(10) {
            self.engine.advance_ms(1);
        }
        if self.kept != Kept::InMemory {
            self.step_storage();
        }
        if self.random.chance(50) {
            let at = self.random.below(ACTORS);
            self.observe(at);
            if self.actors[at].closed {
                self.actors[at] = self.arrive(at);
            }
        }
    }

    fn step_storage(&mut self) {
        if self.random.chance(40) {
            let step = self.random.pick(&StorageStep::ALL);
            self.engine.storage_step(step).expect("the disk does not fail");
        }
        if self.random.chance(2) {
            self.engine.broker.compact();
        }
    }

    fn note_log(&mut self) {
        if let Some(storage) = &self.engine.storage {
            let appended = storage.store.log().append().end();
            self.oracle.log_is_at(appended, storage.store.log().durable());
        }
    }

    fn observe(&mut self, at: usize) {
        self.note_log();
        self.actors[at].observe(&mut self.oracle);
    }

    /// Everybody reads everything, then leaves; what is left in the queues is compared, and nothing else is left.
    fn finish(mut self) {
        for actor in &self.actors {
            actor.client.wire.set_window(usize::MAX);
            actor.client.wire.set_most_per_write(usize::MAX);
        }
        self.engine.settle();
        (0..ACTORS).for_each(|at| self.observe(at));
        self.actors.iter().filter(|actor| !actor.closed).for_each(Actor::check_quiet);
        self.actors.iter_mut().for_each(|actor| actor.close(&mut self.oracle));
        self.engine.settle();
        (0..ACTORS).for_each(|at| self.observe(at));
        assert!(self.actors.iter().all(|actor| actor.closed), "every connection is closed");
        for queue in 0..QUEUES {
            let tag = format!("rest{queue}");
            self.engine.consume(&mut self.admin, 1, &queue_name(queue), &tag, true);
            let deliveries = self.admin.arrivals().filter(|arrival| match arrival.method() {
                Method::BasicDeliver(deliver) => deliver.consumer_tag == tag,
                _ => false,
            });
            let rest: Vec<_> = deliveries.map(|arrival| message_id(&arrival.body)).collect();
            self.oracle.check_rest(queue, &rest);
        }
        self.admin.wire.break_off();
        self.engine.settle();
        check_nothing_left(&mut self.engine, self.shards);
        if let Some(storage) = &self.engine.storage {
            assert_eq!(storage.store.disk_bytes().cold_live_bytes, 0, "bytes of messages in cold segments");
            assert_eq!(storage.store.disk_bytes().blob_bytes, 0, "bytes of bodies in files of their own");
        }
    }
}

/// The queues are empty and unused, and no message keeps memory.
fn check_nothing_left(engine: &mut Engine, shards: usize) {
    for cell in engine.broker.vhost("/").expect("the default virtual host").queues() {
        let counters = &cell.counters;
        let gauges = [
            counters.messages_ready.value(),
            counters.messages_unacknowledged.value(),
            counters.message_bytes_ready.value(),
            counters.message_bytes_unacknowledged.value(),
            counters.consumers.value(),
        ];
        assert_eq!(gauges, [0; 5], "ready, unacknowledged, their bytes, and consumers of {}", cell.name);
    }
    for shard in 0..shards {
        assert_eq!(engine.reactor(shard).connections(), 0, "connections of shard {shard}");
        engine.reactor(shard).rest();
    }
    assert_eq!(engine.broker.message_memory(), 0, "bytes of message memory");
}

fn run(seed: u64, kept: Kept) {
    let result = std::panic::catch_unwind(|| {
        let mut simulation = Simulation::new(seed, kept);
        (0..STEPS).for_each(|_| simulation.step());
        simulation.finish();
    });
    assert!(result.is_ok(), "the simulation failed; repeat it with SEED={seed}, messages {kept:?}");
}

fn run_all(kept: Kept, runs: u64) {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect("a number"));
    match number("SEED") {
        Some(seed) => run(seed, kept),
        None => (0..number("RUNS").unwrap_or(runs)).for_each(|seed| run(seed, kept)),
    }
}

#[test]
fn random_clients_lose_nothing_and_get_nothing_twice() {
    run_all(Kept::InMemory, RUNS);
}

#[test]
fn random_clients_over_a_store_lose_nothing_and_get_nothing_twice() {
    run_all(Kept::OnDisk { memory_bytes: PLENTY }, RUNS_OVER_STORE);
}

#[test]
fn random_clients_over_a_store_without_memory_lose_nothing_and_get_nothing_twice() {
    run_all(Kept::OnDisk { memory_bytes: SCARCE }, RUNS_OVER_STORE);
}

/// The numbers of the messages that a client was delivered.
fn numbers(client: &mut Client) -> Vec<u32> {
    client.arrivals().map(|arrival| message_id(&arrival.body).1).collect()
}

#[test]
fn two_consumers_get_exactly_the_odd_and_the_even_messages_of_one_write() {
    for (first, second, read_size) in [(0, 0, 1 << 20), (0, 1, 1 << 20), (1, 2, 1 << 20), (2, 1, 100), (0, 2, 1)] {
        let mut engine = Engine::new(Settings::default(), 3, 0);
        let mut publisher = engine.connect_with_channel(0);
        engine.declare(&mut publisher, 1, "q0");
        let mut workers = [engine.connect_with_channel(first), engine.connect_with_channel(second)];
        for worker in &mut workers {
            engine.consume(worker, 1, "q0", "worker", true);
        }
        let mut bytes = Vec::new();
        for number in 1..=20 {
            let body = format!("0 {number} ");
            write_publish(&mut bytes, 1, 4096, publish("", "q0"), &Properties::default(), body.as_bytes());
        }
        engine.reactor(0).set_read_size(read_size);
        publisher.wire.send(&bytes);
        engine.settle();
        let (odd, even): (Vec<u32>, Vec<u32>) = (1..=20).partition(|number| number % 2 == 1);
        assert_eq!(numbers(&mut workers[0]), odd, "shards {first} and {second}");
        assert_eq!(numbers(&mut workers[1]), even, "shards {first} and {second}");
    }
}
