//! Random clients against the engine, step by step on one thread, and an oracle that watches what they are told.
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
use testkit::engine::{Client, Engine, Random, publish, write_publish};

const QUEUES: usize = 3;
const ACTORS: usize = 5;
const STEPS: usize = 1000;
const RUNS: u64 = 20;

fn queue_name(queue: usize) -> String {
    format!("q{queue}")
}

struct Simulation {
    engine: Engine,
    shards: usize,
    random: Random,
    oracle: Oracle,
    names: Names,
    actors: Vec<Actor>,
    admin: Client,
}

impl Simulation {
    fn new(seed: u64) -> Simulation {
        let mut random = Random::new(seed);
        let shards = 1 + random.below(3);
        let mut engine = Engine::new(Settings::default(), shards, seed);
        let mut admin = engine.connect_with_channel(0);
        for queue in 0..QUEUES {
            engine.declare(&mut admin, 1, &queue_name(queue));
            let bind = queue::Bind {
                queue: &queue_name(queue),
                exchange: "amq.fanout",
                routing_key: "",
                nowait: false,
                arguments: TableRef::default(),
            };
            engine.call(&mut admin, 1, &Method::QueueBind(bind));
        }
        let (oracle, names) = (Oracle::new(QUEUES), Names::default());
        let mut simulation = Simulation { engine, shards, random, oracle, names, actors: Vec::new(), admin };
        (0..ACTORS).for_each(|at| {
            let actor = simulation.arrive(at);
            simulation.actors.push(actor);
        });
        simulation
    }

    /// A new connection for an actor; every other one may break off.
    fn arrive(&mut self, at: usize) -> Actor {
        let shard = self.random.below(self.shards);
        Actor::new(self.engine.connect(shard), at.is_multiple_of(2))
    }

    fn step(&mut self) {
        let at = self.random.below(ACTORS);
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
        if self.random.chance(50) {
            let at = self.random.below(ACTORS);
            self.actors[at].observe(&mut self.oracle);
            if self.actors[at].closed {
                self.actors[at] = self.arrive(at);
            }
        }
    }

    /// Everybody reads everything, then leaves; what is left in the queues is compared, and nothing else is left.
    fn finish(mut self) {
        for actor in &self.actors {
            actor.client.wire.set_window(usize::MAX);
            actor.client.wire.set_most_per_write(usize::MAX);
        }
        self.engine.settle();
        self.actors.iter_mut().for_each(|actor| actor.observe(&mut self.oracle));
        self.actors.iter().filter(|actor| !actor.closed).for_each(Actor::check_quiet);
        self.actors.iter_mut().for_each(|actor| actor.close(&mut self.oracle));
        self.engine.settle();
        self.actors.iter_mut().for_each(|actor| actor.observe(&mut self.oracle));
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

fn run(seed: u64) {
    let result = std::panic::catch_unwind(|| {
        let mut simulation = Simulation::new(seed);
        (0..STEPS).for_each(|_| simulation.step());
        simulation.finish();
    });
    assert!(result.is_ok(), "the simulation failed; repeat it with SEED={seed}");
}

#[test]
fn random_clients_lose_nothing_and_get_nothing_twice() {
    match std::env::var("SEED") {
        Ok(seed) => run(seed.parse().expect("SEED is a number")),
        Err(_) => (0..RUNS).for_each(run),
    }
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
