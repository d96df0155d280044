//! The broker, a publisher and a client that takes messages, and the oracle beside them.

mod taker;

use crate::history::check_delivery;
use crate::options::{arguments, options};
use crate::oracle::{Message, NOWHERE, Oracle, Overflow, QUEUES};
use amqp::method::{channel, confirm, queue, tx};
use amqp::{FieldTable, FieldValue, Method, Properties, TableRef};
use broker::Settings;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::simulation::{self, SimulatedDisk};
use testkit::engine::{Arrival, Checkpoint, Client, Engine, Random, StorageStep, publish};

/// Rounds without an end in sight.
const MOST_ROUNDS: usize = 10_000;

/// Where messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    InMemory,
    OnDisk { memory_bytes: usize },
}

pub struct World {
    pub(crate) engine: Engine,
    pub(crate) kept: Kept,
    pub(crate) disk: Arc<SimulatedDisk>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) shards: usize,
    pub(crate) random: Random,
    pub(crate) faults: simulation::Random,
    pub(crate) oracle: Oracle,
    publisher: Client,
    pub(crate) taker: Client,
    /// Delivery tags, by queue and position.
    pub(crate) held: BTreeMap<(usize, u64), u64>,
    next: u32,
    pub(crate) next_tag: u64,
    /// Messages have expirations of their own.
    expires: bool,
}

pub fn name(queue: usize) -> String {
    if queue == NOWHERE { "nowhere".to_owned() } else { format!("q{queue}") }
}

impl World {
    pub fn new(seed: u64, kept: Kept) -> World {
        let mut random = Random::new(seed);
        let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
        let shards = 1 + random.below(2);
        let mut engine = match kept {
            Kept::InMemory => Engine::new(Settings::default(), shards, seed),
            Kept::OnDisk { memory_bytes } => {
                Engine::durable(Settings::default(), shards, seed, disk.clone(), checkpoint.clone(), memory_bytes)
            }
        };
        let is_scarce = matches!(kept, Kept::OnDisk { memory_bytes } if memory_bytes < 1 << 20);
        let mut oracle = Oracle::new(kept != Kept::InMemory, is_scarce);
        oracle.queues.iter_mut().for_each(|queue| queue.options = options(&mut random));
        for at in 0..QUEUES {
            // A target that refuses is tried again and again, at times that nobody promises.
            let target = oracle.queues[at].options.target.and_then(|target| oracle.queues.get(target));
            if target.is_some_and(|target| target.options.overflow != Overflow::DropHead) {
                oracle.queues[at].options.at_least_once = false;
            }
        }
        let expires = !is_scarce && random.chance(50);
        let mut publisher = engine.connect_with_channel(0);
        for (at, queue) in oracle.queues.iter().enumerate() {
            let bytes = arguments(&queue.options).to_bytes();
            let declare = queue::Declare {
                queue: &name(at),
                passive: false,
                durable: true,
                exclusive: false,
                auto_delete: false,
                nowait: false,
                arguments: TableRef::parse(&bytes).expect("a table"),
            };
            let answer = engine.call(&mut publisher, 1, &Method::QueueDeclare(declare));
            assert!(matches!(answer.method(), Method::QueueDeclareOk(_)), "{:?}", answer.method());
        }
        if std::env::var_os("TRACE").is_some() {
            oracle.queues.iter().enumerate().for_each(|(at, queue)| eprintln!("queue {at}: {:?}", queue.options));
        }
        let taker = engine.connect_with_channel(shards - 1);
        let faults = simulation::Random::new(!seed);
        let (held, next, next_tag) = (BTreeMap::new(), 0, 0);
        let mut world = World {
            engine,
            kept,
            disk,
            checkpoint,
            shards,
            random,
            faults,
            oracle,
            publisher,
            taker,
            held,
            next,
            next_tag,
            expires,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.engine.call(&mut self.publisher, 1, &Method::ConfirmSelect(confirm::Select { nowait: false }));
        self.engine.call(&mut self.publisher, 2, &Method::ChannelOpen(channel::Open {}));
        self.engine.call(&mut self.publisher, 2, &Method::TxSelect(tx::Select {}));
        self.next_tag = 0;
        self.open_channels();
        // Setting up takes time.
        self.pass_to(self.engine.now().time_ms());
    }

    fn open_channels(&mut self) {
        for at in 1..QUEUES {
            self.engine.call(&mut self.taker, 1 + at as u16, &Method::ChannelOpen(channel::Open {}));
        }
    }

    /// Lets everything happen that happens now.
    pub(crate) fn rest(&mut self) {
        let mut quiet = 0;
        for _ in 0..MOST_ROUNDS {
            let mut happened = false;
            for shard in 0..self.shards {
                happened |= self.engine.turn(shard);
            }
            for step in StorageStep::ALL {
                happened |= self.engine.storage_step(step).expect("the disk does not fail");
            }
            quiet = if happened { 0 } else { quiet + 1 };
            if quiet == 2 {
                return;
            }
        }
        panic!("the broker does not come to rest");
    }

    /// Tells what happens, when asked to with `TRACE=1`.
    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if std::env::var_os("TRACE").is_some() {
            eprintln!("{}: {}", self.engine.now().time_ms() % 10_000_000, what());
        }
    }

    /// Does one thing or another; false when the oracle does not know what comes of it any more.
    pub fn step(&mut self) -> bool {
        match self.random.below(100) {
            0..=34 => self.publish(),
            35..=39 => self.commit(),
            40..=49 => self.get(),
            50..=54 => self.consume(),
            55..=79 => self.settle(),
            80..=81 => self.break_off(),
            82..=83 => self.restart(),
            84..=85 => self.engine.broker.compact(),
            _ => {
                let ms = 1 + self.random.number() % 700;
                self.pass_to(self.engine.now().time_ms() + ms);
            }
        }
        // No two things that happen later are to happen at the same moment.
        let ms = 1 + self.random.number() % 7;
        self.pass_to(self.engine.now().time_ms() + ms);
        if !self.oracle.is_ambiguous {
            self.rest();
            self.check();
        }
        !self.oracle.is_ambiguous
    }

    pub(crate) fn message(&mut self) -> Message {
        self.next += 1;
        Message {
            id: self.next,
            body_len: 10 + self.random.pick(&[0, 1, 50, 300, 1000, 5000]),
            priority: if self.random.chance(50) { self.random.below(12) as u8 } else { 0 },
            persistent: self.random.chance(70),
            expiration_ms: (self.expires && self.random.chance(40)).then(|| 20 + self.random.number() % 4000),
            deaths: Vec::new(),
        }
    }

    pub(crate) fn send(&self, channel: u16, message: &Message, queues: &[usize]) {
        let id = message.id.to_string();
        let expiration = message.expiration_ms.map(|ms| ms.to_string());
        let mut headers = FieldTable::new();
        let more: Vec<FieldValue> =
            queues[1..].iter().map(|queue| FieldValue::LongString(name(*queue).into_bytes())).collect();
        if !more.is_empty() {
            headers.insert("CC", FieldValue::Array(more));
        }
        let bytes = headers.to_bytes();
        let properties = Properties {
            delivery_mode: message.persistent.then_some(2),
            message_id: Some(&id),
            priority: (message.priority > 0).then_some(message.priority),
            expiration: expiration.as_deref(),
            headers: (!headers.is_empty()).then(|| TableRef::parse(&bytes).expect("a table")),
            ..Properties::default()
        };
        let body = vec![message.id as u8; message.body_len];
        self.publisher.publish(channel, publish("", &name(queues[0])), &properties, &body);
    }

    /// What happens in the oracle, unless it would not know any more what comes of it: then nothing is done.
    pub(crate) fn try_in_oracle<T>(&mut self, f: impl FnOnce(&mut Oracle) -> T) -> Option<T> {
        let mut after = self.oracle.clone();
        let result = f(&mut after);
        if after.is_ambiguous {
            return None;
        }
        self.oracle = after;
        Some(result)
    }

    fn publish(&mut self) {
        let mut queues = vec![self.random.below(QUEUES)];
        let mut count = 1;
        match self.random.below(4) {
            0 => {
                let other = self.random.below(QUEUES);
                queues.extend((other != queues[0]).then_some(other));
            }
            1 => count = 1 + self.random.below(4),
            _ => {}
        }
        let messages: Vec<Message> = (0..count).map(|_| self.message()).collect();
        let Some(taken) = self.try_in_oracle(|oracle| oracle.publish(messages.clone(), &queues)) else { return };
        self.trace(|| format!("publish to {queues:?}: {messages:?}"));
        messages.iter().for_each(|message| self.send(1, message, &queues));
        self.rest();
        let answers = self.confirms();
        let expected: BTreeMap<u64, bool> = (self.next_tag + 1..).zip(taken).collect();
        assert_eq!(answers, expected, "confirms of {messages:?} to {queues:?}");
        self.next_tag += messages.len() as u64;
    }

    /// The confirms that have arrived, by tag: true for an ack.
    pub(crate) fn confirms(&mut self) -> BTreeMap<u64, bool> {
        let mut answers = BTreeMap::new();
        for arrival in self.publisher.arrivals() {
            let (tag, multiple, acked) = match arrival.method() {
                Method::BasicAck(ack) => (ack.delivery_tag, ack.multiple, true),
                Method::BasicNack(nack) => (nack.delivery_tag, nack.multiple, false),
                other => panic!("{other:?} arrived"),
            };
            let first = if multiple { self.next_tag + 1 } else { tag };
            for tag in first..=tag {
                answers.entry(tag).or_insert(acked);
            }
        }
        answers
    }

    fn commit(&mut self) {
        let queue = self.random.below(QUEUES);
        if self.oracle.queues[queue].options.overflow != Overflow::DropHead {
            return;
        }
        let messages: Vec<Message> = (0..1 + self.random.below(4)).map(|_| self.message()).collect();
        if self.try_in_oracle(|oracle| oracle.publish(messages.clone(), &[queue])).is_none() {
            return;
        }
        self.trace(|| format!("commit to {queue}: {messages:?}"));
        messages.iter().for_each(|message| self.send(2, message, &[queue]));
        self.publisher.method(2, &Method::TxCommit(tx::Commit {}));
        self.rest();
        assert!(matches!(self.publisher.expect(2).method(), Method::TxCommitOk(_)));
    }

    /// The process is killed, or the power cut; everything was at rest.
    fn restart(&mut self) {
        let Kept::OnDisk { memory_bytes } = self.kept else { return };
        if self.expires {
            return;
        }
        self.rest();
        if self.try_in_oracle(Oracle::restart).is_none() {
            return;
        }
        self.trace(|| format!("restart: {:?}", self.oracle));
        self.disk = if self.random.chance(50) { self.disk.kill() } else { self.disk.crash(&mut self.faults) };
        let (disk, checkpoint) = (self.disk.clone(), self.checkpoint.clone());
        let elapsed_ms = self.engine.now().mono_ms();
        let seed = self.random.number();
        self.engine = Engine::durable(Settings::default(), self.shards, seed, disk, checkpoint, memory_bytes);
        self.engine.advance_ms(elapsed_ms);
        self.rest();
        self.held.clear();
        self.publisher = self.engine.connect_with_channel(0);
        self.taker = self.engine.connect_with_channel(self.shards - 1);
        self.begin();
    }

    /// Time passes, from one thing that happens to the next.
    fn pass_to(&mut self, until_ms: u64) {
        let behind = self.engine.now().time_ms() > self.oracle.now_ms;
        while let Some(next_ms) = self.oracle.next_ms(until_ms) {
            // While a connection was made, time passed without the oracle.
            let at_once = behind && next_ms <= self.engine.now().time_ms();
            let now_ms = if at_once { self.engine.now().time_ms() } else { next_ms };
            self.oracle.be_at(if at_once { next_ms } else { now_ms });
            if self.oracle.is_ambiguous {
                return;
            }
            self.engine.advance_ms(now_ms - self.engine.now().time_ms());
            self.rest();
            self.observe();
        }
        self.oracle.now_ms = until_ms;
        self.engine.advance_ms(until_ms - self.engine.now().time_ms());
    }

    /// What consumers were delivered is what the oracle says.
    pub(crate) fn observe(&mut self) {
        let (deliveries, others): (Vec<Arrival>, Vec<Arrival>) =
            self.taker.arrivals().partition(|arrival| matches!(arrival.method(), Method::BasicDeliver(_)));
        for arrival in deliveries {
            let Method::BasicDeliver(deliver) = arrival.method() else { continue };
            let at = usize::from(arrival.channel - 1);
            self.trace(|| format!("queue {at} delivers {:?} {deliver:?}", arrival.properties().message_id));
            let Some(entry) = self.oracle.queues[at].sent.pop_front() else {
                panic!("queue {at} delivered {deliver:?}")
            };
            check_delivery(&arrival, deliver.redelivered, &entry);
            self.held.insert((at, entry.seq), deliver.delivery_tag);
        }
        self.taker.put_back(others);
    }

    fn check(&mut self) {
        self.observe();
        let vhost = self.engine.broker.vhost("/").expect("the default virtual host");
        for cell in vhost.queues() {
            let at = (0..QUEUES).find(|at| *cell.name == name(*at)).expect("a queue of the test");
            let model = &self.oracle.queues[at];
            let found = (cell.counters.messages_ready.value(), cell.counters.messages_unacknowledged.value());
            let expected = (model.ready.len() as u64, model.unacked_count() as u64);
            assert_eq!(found, expected, "ready and unacknowledged messages of queue {at}: {model:?}");
            assert!(model.sent.is_empty(), "queue {at} did not deliver {:?}", model.sent);
        }
    }
}
