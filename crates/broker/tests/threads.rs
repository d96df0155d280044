//! Two reactors on two threads, whose publishers and consumers share queues.

use amqp::method::{basic, confirm};
use amqp::{Method, Properties};
use broker::{Now, Settings};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use testkit::engine::{Client, Engine, Reactor, publish};

const QUEUES: [&str; 2] = ["q0", "q1"];
/// Publishes of each thread to each queue.
const MESSAGES: u32 = 5000;
const BURST: u32 = 40;
const LIMIT: Duration = Duration::from_secs(60);

/// What one thread works with.
struct Side {
    reactor: Reactor,
    publisher: Client,
    consumer: Client,
    number: u8,
    published: u32,
    confirmed: u32,
    /// Deliveries: consumer tag, publishing side and number.
    delivered: Vec<(String, u8, u32)>,
}

impl Side {
    fn run(&mut self, started: Instant, delivered: &AtomicU32) {
        let all = 2 * QUEUES.len() as u32 * MESSAGES;
        while delivered.load(Ordering::Relaxed) < all || self.confirmed < QUEUES.len() as u32 * MESSAGES {
            assert!(started.elapsed() < LIMIT, "{} of {all} were delivered", delivered.load(Ordering::Relaxed));
            self.publish();
            let mono_ns = started.elapsed().as_nanos() as u64;
            if !self.reactor.turn(Now { mono_ns, wall_ms: 0, epoch_ms: 0 }) {
                std::thread::yield_now();
            }
            let before = self.delivered.len();
            self.read();
            delivered.fetch_add((self.delivered.len() - before) as u32, Ordering::Relaxed);
        }
    }

    fn publish(&mut self) {
        let end = (self.published + BURST).min(MESSAGES);
        for number in self.published..end {
            for queue in QUEUES {
                let [a, b, c, d] = number.to_be_bytes();
                self.publisher.publish(1, publish("", queue), &Properties::default(), &[self.number, a, b, c, d]);
            }
        }
        self.published = end;
    }

    /// Reads deliveries and acknowledges them together; counts confirms.
    fn read(&mut self) {
        let mut last = None;
        for arrival in self.consumer.arrivals() {
            let Method::BasicDeliver(deliver) = arrival.method() else { continue };
            assert!(!deliver.redelivered, "nothing was returned");
            let [side, a, b, c, d] = arrival.body[..] else { panic!("a body of five bytes: {:?}", arrival.body) };
            self.delivered.push((deliver.consumer_tag.to_owned(), side, u32::from_be_bytes([a, b, c, d])));
            last = Some(deliver.delivery_tag);
        }
        if let Some(delivery_tag) = last {
            self.consumer.method(1, &Method::BasicAck(basic::Ack { delivery_tag, multiple: true }));
        }
        for arrival in self.publisher.arrivals() {
            let Method::BasicAck(ack) = arrival.method() else { continue };
            let tag = ack.delivery_tag as u32;
            assert!(tag > self.confirmed && (ack.multiple || tag == self.confirmed + 1), "{ack:?}");
            self.confirmed = tag;
        }
    }

    /// What was published on one thread reaches each consumer in order.
    fn check_order(&self) {
        let mut last = BTreeMap::new();
        for (tag, side, number) in &self.delivered {
            let before = last.insert((tag, side), number);
            assert!(before < Some(number), "{tag} got {number} of side {side} after {before:?}");
        }
    }
}

fn sides(mut engine: Engine) -> Vec<Side> {
    let mut clients = Vec::new();
    for number in 0..2 {
        let mut publisher = engine.connect_with_channel(number);
        engine.call(&mut publisher, 1, &Method::ConfirmSelect(confirm::Select { nowait: false }));
        let mut consumer = engine.connect_with_channel(number);
        engine.call(
            &mut consumer,
            1,
            &Method::BasicQos(basic::Qos { prefetch_size: 0, prefetch_count: 100, global: false }),
        );
        for queue in QUEUES {
            engine.declare(&mut publisher, 1, queue);
            engine.consume(&mut consumer, 1, queue, queue, false);
        }
        clients.push((publisher, consumer));
    }
    let both = engine.into_reactors().into_iter().zip(clients).enumerate();
    both.map(|(number, (reactor, (publisher, consumer)))| Side {
        reactor,
        publisher,
        consumer,
        number: number as u8,
        published: 0,
        confirmed: 0,
        delivered: Vec::new(),
    })
    .collect()
}

#[test]
fn deliveries_across_two_reactors_lose_and_repeat_nothing() {
    let engine = Engine::new(Settings::default(), 2, 0);
    let broker = engine.broker.clone();
    let mut sides = sides(engine);
    let (started, delivered) = (Instant::now(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for side in &mut sides {
            scope.spawn(|| side.run(started, &delivered));
        }
    });
    sides.iter().for_each(Side::check_order);
    let mut all: Vec<_> = sides.iter().flat_map(|side| &side.delivered).collect();
    assert_eq!(all.len(), 2 * QUEUES.len() * MESSAGES as usize);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2 * QUEUES.len() * MESSAGES as usize, "every message is delivered once");
    // The acknowledgements of the last deliveries are still on the way.
    for side in &mut sides {
        let mono_ns = started.elapsed().as_nanos() as u64;
        while side.reactor.turn(Now { mono_ns, wall_ms: 0, epoch_ms: 0 }) {}
    }
    for cell in broker.vhost("/").expect("the default virtual host").queues() {
        let left = (cell.counters.messages_ready.value(), cell.counters.messages_unacknowledged.value());
        assert_eq!(left, (0, 0), "ready and unacknowledged messages of {}", cell.name);
    }
}
