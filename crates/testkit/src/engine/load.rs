//! A steady load, for counting what one message costs: one publisher, one queue, one consumer, one shard.

use super::client::write_publish;
use super::{Checkpoint, Client, Engine, StorageStep};
use amqp::method::{basic, confirm};
use amqp::{FieldTable, FieldValue, Method, Properties};
use broker::Settings;
use store::simulation::SimulatedDisk;

const QUEUE: &str = "load";
const CONSUMER: &str = "ctag";
/// Turns in which nothing happens after which nothing more is expected to.
const QUIET_TURNS: usize = 3;
/// Bytes of publishes in one round; any number of them leaves a frame cut where a read ends.
const ROUND_BYTES: usize = 1 << 20;
const READ_SIZE: usize = 64 << 10;

/// How the consumer acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// It consumes with automatic acknowledgement.
    Automatic,
    /// One basic.ack with `multiple` for this many deliveries.
    Multiple(u64),
    /// One basic.ack per delivery, this many in one write.
    Each(u64),
}

/// How publishes reach the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrive {
    /// In reads of 64 KiB, cut anywhere.
    Pipelined,
    /// Each in a read of its own.
    OnePerRead,
}

/// What the queue is declared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Options {
    /// Nothing.
    #[default]
    None,
    /// A time to live and limits that are never reached.
    Limits,
    /// Ten priorities; all messages have the same.
    Priorities,
}

impl Options {
    fn arguments(self) -> FieldTable {
        let far = FieldValue::I64(1 << 32);
        let arguments = match self {
            Options::None => Vec::new(),
            Options::Limits => {
                let names = ["x-message-ttl", "x-max-length", "x-max-length-bytes"];
                names.map(|name| (name.to_owned(), far.clone())).to_vec()
            }
            Options::Priorities => vec![("x-max-priority".to_owned(), FieldValue::I32(10))],
        };
        arguments.into_iter().collect()
    }
}

/// The load and the broker that carries it.
pub struct Load {
    engine: Engine,
    publisher: Client,
    consumer: Client,
    acknowledge: Acknowledge,
    /// The publishes of one round.
    round: Vec<u8>,
    messages: u64,
    publish_size: usize,
    /// Bytes of one delivery with its content.
    delivery_size: u64,
    received_before: u64,
    published: u64,
    acknowledged: u64,
}

impl Load {
    /// A broker with the load's queue and consumer, and nothing published yet; bodies have `body_len` bytes.
    pub fn new(body_len: usize, acknowledge: Acknowledge, arrive: Arrive) -> Load {
        Load::with_options(body_len, acknowledge, arrive, Options::default())
    }

    /// The same with a queue that has options.
    pub fn with_options(body_len: usize, acknowledge: Acknowledge, arrive: Arrive, options: Options) -> Load {
        let engine = Engine::new(Settings::default(), 1, 1);
        let mut load = Load::over(engine, false, body_len, acknowledge, arrive, options);
        load.measure_delivery();
        load
    }

    /// The same with persistent messages, a durable queue over a store on a simulated disk, and confirms.
    pub fn durable(body_len: usize, acknowledge: Acknowledge, arrive: Arrive, memory_bytes: usize) -> Load {
        Load::durable_with_options(body_len, acknowledge, arrive, memory_bytes, Options::default())
    }

    /// The same with a queue that has options.
    pub fn durable_with_options(
        body_len: usize,
        acknowledge: Acknowledge,
        arrive: Arrive,
        memory_bytes: usize,
        options: Options,
    ) -> Load {
        let (settings, disk) = (Settings::default(), SimulatedDisk::new());
        let engine = Engine::durable(settings, 1, 1, disk, Checkpoint::default(), memory_bytes);
        let mut load = Load::over(engine, true, body_len, acknowledge, arrive, options);
        load.engine.call(&mut load.publisher, 1, &Method::ConfirmSelect(confirm::Select { nowait: false }));
        load.measure_delivery();
        load.publisher.wire.discard();
        load
    }

    fn over(
        mut engine: Engine,
        durable: bool,
        body_len: usize,
        acknowledge: Acknowledge,
        arrive: Arrive,
        options: Options,
    ) -> Load {
        let mut publisher = engine.connect_with_channel(0);
        let mut consumer = engine.connect_with_channel(0);
        engine.declare_with(&mut publisher, 1, QUEUE, durable, &options.arguments());
        engine.consume(&mut consumer, 1, QUEUE, CONSUMER, acknowledge == Acknowledge::Automatic);
        let mut publish = Vec::new();
        let frame_max = Settings::default().frame_max as usize;
        let delivery_mode = durable.then_some(2);
        let priority = (options == Options::Priorities).then_some(5);
        let properties = Properties { delivery_mode, priority, ..Properties::default() };
        write_publish(&mut publish, 1, frame_max, super::publish("", QUEUE), &properties, &vec![b'x'; body_len]);
        let (messages, read_size) = match arrive {
            Arrive::Pipelined => (ROUND_BYTES / publish.len(), READ_SIZE),
            Arrive::OnePerRead => (1000, publish.len()),
        };
        engine.reactor(0).set_read_size(read_size);
        Load {
            engine,
            publisher,
            consumer,
            acknowledge,
            publish_size: publish.len(),
            round: publish.repeat(messages),
            messages: messages as u64,
            delivery_size: 0,
            received_before: 0,
            published: 0,
            acknowledged: 0,
        }
    }

    /// Messages of one round.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Publishes one round and has the broker deliver it; `turn` makes the broker's turns, by [`Engine::turn`], and
    /// everything else is the client's doing.
    ///
    /// # Panics
    /// When not every message is delivered.
    pub fn round(&mut self, mut turn: impl FnMut(&mut Engine)) {
        self.publisher.wire.send(&self.round);
        self.published += self.messages;
        self.turns(&mut turn);
        assert_eq!(self.delivered(), self.published, "every message is delivered");
    }

    /// As [`Load::round`], but the consumer comes only when everything is published, and goes when it has everything. Over
    /// a store, what waits is left to the disk.
    ///
    /// # Panics
    /// When not every message is delivered.
    pub fn paged_round(&mut self, mut turn: impl FnMut(&mut Engine)) {
        let cancel = basic::Cancel { consumer_tag: CONSUMER, nowait: true };
        self.consumer.method(1, &Method::BasicCancel(cancel));
        self.turns(&mut turn);
        self.publisher.wire.send(&self.round);
        self.published += self.messages;
        self.turns(&mut turn);
        self.engine.broker.compact();
        self.turns(&mut turn);
        let no_ack = self.acknowledge == Acknowledge::Automatic;
        let consume = basic::Consume { nowait: true, ..super::consume(QUEUE, CONSUMER, no_ack) };
        self.consumer.method(1, &Method::BasicConsume(consume));
        self.turns(&mut turn);
        assert_eq!(self.delivered(), self.published, "every message is delivered");
    }

    /// Turns until there is nothing to do; the store's threads do their part between.
    fn turns(&mut self, turn: &mut impl FnMut(&mut Engine)) {
        let mut quiet = 0;
        while quiet < QUIET_TURNS {
            quiet += 1;
            if self.publisher.wire.unread() > 0 || self.consumer.wire.unread() > 0 {
                quiet = 0;
            }
            turn(&mut self.engine);
            self.acknowledge();
            for step in StorageStep::ALL {
                if self.engine.storage_step(step).expect("the disk does not fail") {
                    quiet = 0;
                }
            }
            // A publisher that gets ahead of the acknowledgements is slowed down.
            self.engine.advance_ms(1);
        }
    }

    /// Messages delivered so far.
    fn delivered(&self) -> u64 {
        let bytes = self.consumer.wire.received() - self.received_before;
        assert_eq!(bytes % self.delivery_size, 0, "deliveries are written whole");
        bytes / self.delivery_size
    }

    fn acknowledge(&mut self) {
        let delivered = self.delivered();
        let (Acknowledge::Multiple(batch) | Acknowledge::Each(batch)) = self.acknowledge else { return };
        while delivered - self.acknowledged >= batch {
            let first = self.acknowledged + 1;
            self.acknowledged += batch;
            if let Acknowledge::Multiple(_) = self.acknowledge {
                self.ack(self.acknowledged, true);
            } else {
                (first..=self.acknowledged).for_each(|tag| self.ack(tag, false));
            }
        }
    }

    fn ack(&self, delivery_tag: u64, multiple: bool) {
        self.consumer.method(1, &Method::BasicAck(basic::Ack { delivery_tag, multiple }));
    }

    /// Sends one message through to see how long a delivery is; from then on the consumer drops what it receives.
    fn measure_delivery(&mut self) {
        self.received_before = self.consumer.wire.received();
        self.publisher.wire.send(&self.round[..self.publish_size]);
        self.engine.settle();
        self.delivery_size = self.consumer.wire.received() - self.received_before;
        self.published = 1;
        let deliveries = self.consumer.arrivals().filter(|arrival| matches!(arrival.method(), Method::BasicDeliver(_)));
        assert_eq!(deliveries.count(), 1, "a message is delivered");
        self.consumer.wire.discard();
    }
}
