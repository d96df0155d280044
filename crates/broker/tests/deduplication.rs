//! Queues and exchanges that drop duplicates, against lists that are searched from end to end, over crashes and with so
//! little memory that everything that waits is on disk only.
//!
//! A failure names its seed; `SEED=n cargo test -p broker --test deduplication` repeats that run.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use amqp::method::{basic, confirm, exchange, queue};
use amqp::{FieldTable, FieldValue, Method, Properties, TableRef};
use broker::Settings;
use std::sync::Arc;
use store::simulation::{self, SimulatedDisk};
use testkit::engine::{Checkpoint, Client, Engine, Random, publish};

const QUEUE: &str = "unique";
const EXCHANGE: &str = "window";
const BEHIND: &str = "behind";
const WINDOW: usize = 6;
const KEYS: usize = 10;
const STEPS: usize = 250;
const RUNS: u64 = 12;

/// A message of the queue as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    key: usize,
    body: u64,
    /// Its delivery tag while it waits for its acknowledgement.
    tag: Option<u64>,
}

struct World {
    engine: Engine,
    client: Client,
    disk: Arc<SimulatedDisk>,
    checkpoint: Checkpoint,
    memory_bytes: usize,
    random: Random,
    faults: simulation::Random,
    /// What is in the queue, in order.
    queue: Vec<Expected>,
    /// Keys that the exchange remembers, oldest first.
    window: Vec<usize>,
    published: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
        let memory_bytes = random.pick(&[4096, 1 << 30]);
        let mut engine = Engine::durable(Settings::default(), 1, seed, disk.clone(), checkpoint.clone(), memory_bytes);
        let mut client = engine.connect_with_channel(0);
        let unique = FieldTable::from_iter([("x-message-deduplication".to_owned(), FieldValue::Bool(true))]);
        engine.declare_with(&mut client, 1, QUEUE, true, &unique);
        engine.declare_as(&mut client, 1, BEHIND, true);
        let size = FieldTable::from_iter([("x-cache-size".to_owned(), FieldValue::I64(WINDOW as i64))]).to_bytes();
        let declare = exchange::Declare {
            exchange: EXCHANGE,
            kind: "x-message-deduplication",
            passive: false,
            durable: true,
            auto_delete: false,
            internal: false,
            nowait: false,
            arguments: TableRef::new(&size),
        };
        engine.call(&mut client, 1, &Method::ExchangeDeclare(declare));
        let bind = queue::Bind {
            queue: BEHIND,
            exchange: EXCHANGE,
            routing_key: "",
            nowait: false,
            arguments: TableRef::default(),
        };
        engine.call(&mut client, 1, &Method::QueueBind(bind));
        engine.call(&mut client, 1, &Method::ConfirmSelect(confirm::Select { nowait: false }));
        let (faults, queue, window) = (simulation::Random::new(!seed), Vec::new(), Vec::new());
        World { engine, client, disk, checkpoint, memory_bytes, random, faults, queue, window, published: 0 }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..8 => self.publish_to_queue(),
            8..12 => self.publish_to_exchange(),
            12..16 => self.get(),
            16 => self.give_back(),
            17 => self.acknowledge(),
            18 if self.random.chance(30) => self.purge(),
            18 => {}
            _ if self.random.chance(40) => self.crash(),
            _ => {}
        }
    }

    /// Publishes and waits for the confirm, which a duplicate gets as well.
    fn publish(&mut self, exchange: &str, routing_key: &str, key: usize) -> u64 {
        self.published += 1;
        let key = FieldValue::I64(key as i64);
        let headers = FieldTable::from_iter([("x-deduplication-header".to_owned(), key)]).to_bytes();
        let headers = Some(TableRef::new(&headers));
        let properties = Properties { headers, delivery_mode: Some(2), ..Properties::default() };
        self.client.publish(1, publish(exchange, routing_key), &properties, &self.published.to_be_bytes());
        self.engine.settle();
        let confirms: Vec<_> = self.client.arrivals().collect();
        let is_one = matches!(confirms.as_slice(), [one] if matches!(one.method(), Method::BasicAck(_)));
        assert!(is_one, "a publish is confirmed: {confirms:?}");
        self.published
    }

    fn publish_to_queue(&mut self) {
        let key = self.random.below(KEYS);
        let body = self.publish("", QUEUE, key);
        if !self.queue.iter().any(|message| message.key == key) {
            self.queue.push(Expected { key, body, tag: None });
        }
    }

    fn publish_to_exchange(&mut self) {
        let key = self.random.below(KEYS);
        let body = self.publish(EXCHANGE, "", key);
        let got = self.get_from(BEHIND, true).map(|(_, body)| body);
        if self.window.contains(&key) {
            assert_eq!(got, None, "a duplicate");
            return;
        }
        assert_eq!(got, Some(body));
        self.window.push(key);
        if self.window.len() > WINDOW {
            self.window.remove(0);
        }
    }

    fn get_from(&mut self, queue: &str, no_ack: bool) -> Option<(u64, u64)> {
        self.client.method(1, &Method::BasicGet(basic::Get { queue, no_ack }));
        self.engine.settle();
        let answer = self.client.expect(1);
        match answer.method() {
            Method::BasicGetOk(got) => {
                Some((got.delivery_tag, u64::from_be_bytes(answer.body.as_slice().try_into().unwrap())))
            }
            _ => None,
        }
    }

    fn get(&mut self) {
        let no_ack = self.random.chance(30);
        let got = self.get_from(QUEUE, no_ack);
        let first = self.queue.iter().position(|message| message.tag.is_none());
        assert_eq!(got.map(|(_, body)| body), first.map(|first| self.queue[first].body));
        match (first, got) {
            (Some(first), _) if no_ack => drop(self.queue.remove(first)),
            (Some(first), Some((tag, _))) => self.queue[first].tag = Some(tag),
            _ => {}
        }
    }

    /// One of the messages that wait for their acknowledgement.
    fn unacknowledged(&mut self) -> Option<(usize, u64)> {
        let unacked: Vec<_> =
            self.queue.iter().enumerate().filter_map(|(at, message)| Some((at, message.tag?))).collect();
        (!unacked.is_empty()).then(|| self.random.pick(&unacked))
    }

    fn acknowledge(&mut self) {
        let Some((at, delivery_tag)) = self.unacknowledged() else { return };
        self.client.method(1, &Method::BasicAck(basic::Ack { delivery_tag, multiple: false }));
        self.engine.settle();
        self.queue.remove(at);
    }

    fn give_back(&mut self) {
        let Some((at, delivery_tag)) = self.unacknowledged() else { return };
        self.client.method(1, &Method::BasicReject(basic::Reject { delivery_tag, requeue: true }));
        self.engine.settle();
        self.queue[at].tag = None;
    }

    fn purge(&mut self) {
        self.engine.call(&mut self.client, 1, &Method::QueuePurge(queue::Purge { queue: QUEUE, nowait: false }));
        self.queue.retain(|message| message.tag.is_some());
    }

    /// The disk keeps of what was not synced whatever it likes; a confirm right before says that everything was.
    fn crash(&mut self) {
        let unknown = KEYS + self.published as usize;
        let body = self.publish("", QUEUE, unknown);
        self.queue.push(Expected { key: unknown, body, tag: None });
        self.disk = if self.random.chance(50) { self.disk.kill() } else { self.disk.crash(&mut self.faults) };
        let (seed, checkpoint) = (self.random.number(), self.checkpoint.clone());
        self.engine = Engine::durable(Settings::default(), 1, seed, self.disk.clone(), checkpoint, self.memory_bytes);
        self.client = self.engine.connect_with_channel(0);
        self.engine.call(&mut self.client, 1, &Method::ConfirmSelect(confirm::Select { nowait: false }));
        self.queue.iter_mut().for_each(|message| message.tag = None);
    }
}

#[test]
fn duplicates_are_dropped_over_crashes_and_nothing_else_is() {
    let seed = std::env::var("SEED").ok().map(|seed| seed.parse().expect("a number"));
    for seed in seed.map_or(0..RUNS, |seed| seed..seed + 1) {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..STEPS).for_each(|_| world.step());
        });
        assert!(run.is_ok(), "repeat it with SEED={seed}");
    }
}
