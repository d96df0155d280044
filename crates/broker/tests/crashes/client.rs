//! A client that lives until the broker crashes, or until it breaks off.

use crate::oracle::{Group, Key, MessageId, Oracle, Seen};
use crate::{QUEUES, queue_name};
use amqp::method::{basic, confirm, tx};
use amqp::{Method, Properties};
use std::collections::{BTreeMap, VecDeque};
use testkit::engine::{Arrival, Client as Connection, Random, consume, publish};

/// Sizes of bodies: nothing, in the read buffer, in pieces, in several frames, in a file of their own.
const SIZES: [usize; 24] = [
    0, 0, 0, 1, 10, 10, 100, 100, 100, 300, 300, 500, 1000, 1000, 1000, 3000, 5000, 5000, 9000, 20_000, 40_000, 70_000,
    140_000, 300_000,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    Confirm,
    Tx,
}

/// A transaction that is open.
#[derive(Default)]
struct Open {
    publishes: Vec<(Key, bool)>,
    settled: Vec<(u64, Key)>,
}

pub struct Client {
    pub connection: Connection,
    publisher: u32,
    published: u32,
    mode: Mode,
    unconfirmed: BTreeMap<u64, MessageId>,
    last_tag: u64,
    open: Open,
    committing: VecDeque<u32>,
    /// It may break off, and so takes nothing without acknowledgement.
    pub fragile: bool,
    consumers: BTreeMap<String, (usize, bool)>,
    gets: VecDeque<(usize, bool)>,
    held: BTreeMap<u64, Key>,
    pub gone: bool,
}

impl Client {
    pub fn new(connection: Connection, publisher: u32, fragile: bool, random: &mut Random) -> Client {
        let mode = random.pick(&[Mode::Plain, Mode::Confirm, Mode::Confirm, Mode::Tx]);
        match mode {
            Mode::Plain => {}
            Mode::Confirm => connection.method(1, &Method::ConfirmSelect(confirm::Select { nowait: true })),
            Mode::Tx => connection.method(1, &Method::TxSelect(tx::Select {})),
        }
        Client {
            connection,
            publisher,
            published: 0,
            mode,
            unconfirmed: BTreeMap::new(),
            last_tag: 0,
            open: Open::default(),
            committing: VecDeque::new(),
            fragile,
            consumers: BTreeMap::new(),
            gets: VecDeque::new(),
            held: BTreeMap::new(),
            gone: false,
        }
    }

    pub fn act(&mut self, random: &mut Random, oracle: &mut Oracle) {
        if self.gone {
            return;
        }
        match random.below(100) {
            0..=39 => self.publish(random, oracle),
            40..=47 => self.consume(random, oracle),
            48..=54 => self.get(random, oracle),
            55..=79 => self.settle(random, oracle),
            80..=83 => self.cancel(random),
            84..=95 if self.mode == Mode::Tx => self.end_transaction(random, oracle),
            _ => {}
        }
    }

    fn publish(&mut self, random: &mut Random, oracle: &mut Oracle) {
        let persistent = random.chance(75);
        let queue = random.below(QUEUES);
        let to_all = random.chance(20);
        for _ in 0..1 + random.below(12) {
            self.published += 1;
            let id = (self.publisher, self.published);
            let queues = if to_all { 0..QUEUES } else { queue..queue + 1 };
            let keys: Vec<Key> = queues.map(|queue| oracle.key(queue, id)).collect();
            for key in keys {
                match self.mode {
                    Mode::Tx => self.open.publishes.push((key, persistent)),
                    Mode::Plain | Mode::Confirm => oracle.published(key, persistent),
                }
            }
            if self.mode == Mode::Confirm {
                self.last_tag += 1;
                self.unconfirmed.insert(self.last_tag, id);
            }
            let body = body(id, random.pick(&SIZES));
            let message_id = format!("{} {} {}", id.0, id.1, body.len());
            let properties = Properties {
                delivery_mode: persistent.then_some(2),
                message_id: Some(&message_id),
                ..Properties::default()
            };
            let name = queue_name(queue);
            let publish = if to_all { publish("amq.fanout", "") } else { publish("", &name) };
            self.connection.publish(1, publish, &properties, &body);
        }
    }

    fn consume(&mut self, random: &mut Random, oracle: &mut Oracle) {
        if self.consumers.len() > 5 {
            return;
        }
        let prefetch_count = random.pick(&[0, 1, 5, 20]);
        let qos = basic::Qos { prefetch_size: 0, prefetch_count, global: false };
        self.connection.method(1, &Method::BasicQos(qos));
        let (queue, no_ack) = (random.below(QUEUES), !self.fragile && random.chance(30));
        let tag = format!("c{}", self.consumers.len());
        self.connection.method(1, &Method::BasicConsume(consume(&queue_name(queue), &tag, no_ack)));
        self.consumers.insert(tag, (queue, no_ack));
        oracle.wanted(queue);
    }

    fn get(&mut self, random: &mut Random, oracle: &mut Oracle) {
        let (queue, no_ack) = (random.below(QUEUES), !self.fragile && random.chance(30));
        self.connection.method(1, &Method::BasicGet(basic::Get { queue: &queue_name(queue), no_ack }));
        self.gets.push_back((queue, no_ack));
        oracle.wanted(queue);
    }

    fn settle(&mut self, random: &mut Random, oracle: &mut Oracle) {
        let tags: Vec<u64> = self.held.keys().copied().collect();
        if tags.is_empty() {
            return;
        }
        let (delivery_tag, multiple) = (random.pick(&tags), random.chance(50));
        // What a transaction returns is left out: where it is when nobody knows whether that happened is not looked at.
        let requeue = self.mode != Mode::Tx && random.chance(30);
        let method = match (requeue, multiple, random.chance(20)) {
            (true, false, true) => Method::BasicReject(basic::Reject { delivery_tag, requeue }),
            (true, ..) => Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue }),
            (false, ..) => Method::BasicAck(basic::Ack { delivery_tag, multiple }),
        };
        self.connection.method(1, &method);
        let from = if multiple { 0 } else { delivery_tag };
        for tag in tags.into_iter().filter(|tag| (from..=delivery_tag).contains(tag)) {
            let Some(key) = self.held.remove(&tag) else { continue };
            match (requeue, self.mode) {
                (true, _) => oracle.returned(key),
                (false, Mode::Tx) => self.open.settled.push((tag, key)),
                (false, _) => oracle.settled(key),
            }
        }
    }

    fn cancel(&mut self, random: &mut Random) {
        let tag = format!("c{}", random.below(6));
        self.connection.method(1, &Method::BasicCancel(basic::Cancel { consumer_tag: &tag, nowait: false }));
    }

    fn end_transaction(&mut self, random: &mut Random, oracle: &mut Oracle) {
        let open = std::mem::take(&mut self.open);
        if random.chance(15) {
            self.connection.method(1, &Method::TxRollback(tx::Rollback {}));
            self.held.extend(open.settled);
            return;
        }
        self.connection.method(1, &Method::TxCommit(tx::Commit {}));
        open.publishes.iter().for_each(|(key, persistent)| oracle.published(*key, *persistent));
        let publishes = open.publishes.into_iter().map(|(key, _)| key).collect();
        let settled = open.settled.into_iter().map(|(_, key)| key).collect();
        self.committing.push_back(oracle.committing(Group { publishes, settled }));
    }

    /// It is gone without a word, after everything that it sent was read.
    pub fn break_off(&mut self, oracle: &mut Oracle) {
        self.connection.wire.break_off();
        self.gone = true;
        let settled = std::mem::take(&mut self.open).settled;
        let held = std::mem::take(&mut self.held);
        held.into_values().chain(settled.into_iter().map(|(_, key)| key)).for_each(|key| oracle.returned(key));
    }

    /// Reads what has arrived.
    pub fn observe(&mut self, oracle: &mut Oracle) {
        if self.gone {
            return;
        }
        let arrivals: Vec<Arrival> = self.connection.arrivals().collect();
        arrivals.iter().for_each(|arrival| self.arrived(arrival, oracle));
    }

    fn arrived(&mut self, arrival: &Arrival, oracle: &mut Oracle) {
        match arrival.method() {
            Method::BasicDeliver(deliver) => {
                let (queue, no_ack) = self.consumers[deliver.consumer_tag];
                self.delivered(arrival, deliver.delivery_tag, (queue, no_ack), deliver.redelivered, oracle);
            }
            Method::BasicGetOk(got) => {
                let got_from = self.gets.pop_front().expect("basic.get was sent");
                self.delivered(arrival, got.delivery_tag, got_from, got.redelivered, oracle);
            }
            Method::BasicGetEmpty(_) => drop(self.gets.pop_front().expect("basic.get was sent")),
            Method::BasicAck(ack) => {
                let first = if ack.multiple { 0 } else { ack.delivery_tag };
                let tags: Vec<u64> = self.unconfirmed.range(first..=ack.delivery_tag).map(|(tag, _)| *tag).collect();
                assert!(!tags.is_empty(), "{ack:?} confirms something");
                tags.iter().filter_map(|tag| self.unconfirmed.remove(tag)).for_each(|id| oracle.confirmed(id));
            }
            Method::TxCommitOk(_) => oracle.committed(self.committing.pop_front().expect("a commit was sent")),
            Method::BasicCancel(_)
            | Method::BasicCancelOk(_)
            | Method::BasicConsumeOk(_)
            | Method::BasicQosOk(_)
            | Method::TxSelectOk(_)
            | Method::TxRollbackOk(_) => {}
            other => panic!("{other:?} arrived"),
        }
    }

    fn delivered(
        &mut self,
        arrival: &Arrival,
        tag: u64,
        (queue, no_ack): (usize, bool),
        redelivered: bool,
        oracle: &mut Oracle,
    ) {
        let key = oracle.delivered(Seen { queue, id: message_id(arrival), redelivered, no_ack });
        if !no_ack {
            self.held.insert(tag, key);
        }
    }

    /// Nothing is on the way to or from it.
    pub fn check_quiet(&self) {
        let waiting = (self.unconfirmed.len(), self.committing.len(), self.gets.len());
        assert!(self.gone || waiting == (0, 0, 0), "confirms, commits and gets to be answered: {waiting:?}");
    }
}

fn body((publisher, number): MessageId, len: usize) -> Vec<u8> {
    let start = publisher.wrapping_mul(31).wrapping_add(number.wrapping_mul(7));
    (0..len).map(|at| start.wrapping_add(at as u32 / 3) as u8).collect()
}

/// Which message arrived; it is as it was published.
pub fn message_id(arrival: &Arrival) -> MessageId {
    let properties = arrival.properties();
    let words = properties.message_id.unwrap_or_default().split(' ');
    let numbers: Vec<u32> = words.filter_map(|word| word.parse().ok()).collect();
    let [publisher, number, len] = numbers[..] else { panic!("a message of the simulation, not {properties:?}") };
    let id = (publisher, number);
    assert!(arrival.body == body(id, len as usize), "the body of {id:?}, {len} bytes, is what was published");
    id
}
