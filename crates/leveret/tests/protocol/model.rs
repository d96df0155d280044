//! A queue over the wire against a model of it: random publishes, gets, settlements and purges on one connection, where
//! everything happens in order, so that the broker must agree with the model at every step. (RabbitMQ counts in another
//! process than it publishes, so its counts may lag; its gets agree.)

use std::collections::BTreeMap;

use testkit::method::{ack, nack, queue_purge, recover, reject};
use testkit::{Delivery, QueueDeclare, RawClient, id};

use crate::random::Random;
use crate::support::{connect, is_external, queue};

/// What the queue should hold: ready and unacknowledged messages by the number they were published with.
#[derive(Default)]
struct Model {
    published: u32,
    /// Number to whether it was delivered before; in order, so that what is requeued returns to its position.
    ready: BTreeMap<u32, bool>,
    /// Delivery tag to number.
    unacked: BTreeMap<u64, u32>,
    next_tag: u64,
}

impl Model {
    fn publish(&mut self) -> u32 {
        self.published += 1;
        self.ready.insert(self.published, false);
        self.published
    }

    /// Takes the head: number, redelivered flag and tag.
    fn take(&mut self, no_ack: bool) -> Option<(u32, bool, u64)> {
        let (number, redelivered) = self.ready.pop_first()?;
        self.next_tag += 1;
        if !no_ack {
            self.unacked.insert(self.next_tag, number);
        }
        Some((number, redelivered, self.next_tag))
    }

    fn settle(&mut self, tag: u64, multiple: bool, requeue: bool) {
        let settled: Vec<u64> = match (multiple, tag) {
            (false, _) => vec![tag],
            (true, 0) => self.unacked.keys().copied().collect(),
            (true, _) => self.unacked.range(..=tag).map(|(tag, _)| *tag).collect(),
        };
        for tag in settled {
            if let Some(number) = self.unacked.remove(&tag)
                && requeue
            {
                self.ready.insert(number, true);
            }
        }
    }
}

struct Run {
    client: RawClient,
    queue: String,
    model: Model,
    random: Random,
    seed: u64,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut client = connect();
        let queue = queue(&mut client, "model");
        Run { client, queue, model: Model::default(), random: Random::new(seed), seed }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=7 => self.publish(),
            8..=12 => self.get(),
            13 => self.settle(|tag| ack(tag, false), false, false),
            14 => self.settle(|tag| ack(tag, true), true, false),
            15 => self.settle(|tag| reject(tag, true), false, true),
            16 => self.settle(|tag| nack(tag, true, true), true, true),
            17 => self.settle(|tag| nack(tag, false, false), false, false),
            18 => self.rare(),
            _ => self.count(),
        }
    }

    fn publish(&mut self) {
        let number = self.model.publish();
        self.client.publish(1, "", &self.queue, number.to_string());
    }

    fn get(&mut self) {
        let no_ack = self.random.below(4) == 0;
        let expected = self.model.take(no_ack).map(|(number, redelivered, tag)| (number.to_string(), redelivered, tag));
        let taken: Option<Delivery> = self.client.get(1, &self.queue, no_ack);
        let left = taken.as_ref().and_then(|taken| taken.message_count);
        let taken = taken.map(|taken| (taken.text(), taken.redelivered, taken.delivery_tag));
        assert_eq!(taken, expected, "seed {}", self.seed);
        let agrees = left.is_none_or(|left| is_external() || left as usize == self.model.ready.len());
        assert!(agrees, "seed {}: {left:?} left", self.seed);
    }

    /// Settles from a random outstanding tag.
    fn settle(&mut self, method: fn(u64) -> testkit::Method, multiple: bool, requeue: bool) {
        if self.model.unacked.is_empty() {
            return;
        }
        let at = self.random.below(self.model.unacked.len());
        let tag = self.model.unacked.keys().nth(at).copied().expect("an outstanding tag");
        self.client.send(1, method(tag));
        self.model.settle(tag, multiple, requeue);
        self.client.assert_alive(1);
    }

    fn rare(&mut self) {
        match self.random.below(4) {
            0 => {
                self.client.call(1, recover(id::BASIC_RECOVER, true));
                self.model.settle(0, true, true);
            }
            // A purge that a publish overtakes leaves another queue behind.
            1 if !is_external() => {
                let purged = self.client.call(1, queue_purge(&self.queue)).reader().long() as usize;
                assert_eq!(purged, self.model.ready.len(), "seed {}", self.seed);
                self.model.ready.clear();
            }
            _ => {
                self.client.close_channel(1);
                self.client.open_channel(1);
                self.model.settle(0, true, true);
                self.model.next_tag = 0;
            }
        }
    }

    fn count(&mut self) {
        if is_external() {
            return;
        }
        let declared = self.client.declare(1, QueueDeclare::passive(&self.queue));
        assert_eq!(declared.message_count as usize, self.model.ready.len(), "seed {}", self.seed);
    }

    fn finish(mut self) {
        let expected: Vec<String> = self.model.ready.keys().map(u32::to_string).collect();
        assert_eq!(self.client.drain(1, &self.queue), expected, "seed {}", self.seed);
    }
}

#[test]
fn a_queue_is_what_its_model_says() {
    for seed in 1..=12 {
        let mut run = Run::new(seed);
        for _ in 0..400 {
            run.step();
        }
        run.finish();
    }
}
