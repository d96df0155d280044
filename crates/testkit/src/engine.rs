//! The broker in this process: its shards stepped by hand, over wires instead of sockets, with a clock and randomness
//! of the test's choosing.
//!
//! Nothing here waits, and nothing happens between turns: with one thread and one seed a run repeats exactly. Clients
//! use the `amqp` crate; tests of the encoding itself are those over real sockets.

mod client;
mod hostile;
mod load;
mod random;
mod reactor;
mod storage;
mod wire;

pub use client::{Arrival, Client, write_publish};
pub use hostile::{Hostile, hostile_stream};
pub use load::{Acknowledge, Arrive, Load, Options as LoadOptions};
pub use random::Random;
pub use reactor::Reactor;
pub use storage::{Checkpoint, Storage, StorageStep};
pub use wire::Wire;

use amqp::method::{basic, channel, queue};
use amqp::{Method, TableRef};
use auth::{AccessControl, DefaultUser, LoginSettings};
use broker::{Broker, Ends, MessageStore, Now, Settings};
use metadata::{Journal, MemoryJournal};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use store::{Disk, OpenError, Options, Sabotage, StoreError};

/// The wall clock at the beginning, in ms since 1970.
const EPOCH_MS: u64 = 1_700_000_000_000;
/// Turns without an end in sight after which [`Engine::settle`] gives up.
const MOST_TURNS: usize = 1_000_000;
/// Quiet milliseconds after which nothing more is expected to happen.
const QUIET_MS: u64 = 5;

/// A broker whose reactors are stepped one after the other on the caller's thread.
pub struct Engine {
    /// The broker.
    pub broker: Arc<Broker>,
    /// What was made durable.
    pub journal: Arc<dyn Journal>,
    /// Where messages are kept; `None` for memory alone.
    pub storage: Option<Storage>,
    reactors: Vec<Reactor>,
    now: Now,
}

impl Engine {
    /// A broker with the default user and virtual host, and `shards` reactors; `seed` decides every random number that
    /// brokers of this thread use from now on.
    pub fn new(settings: Settings, shards: usize, seed: u64) -> Engine {
        random::seed_entropy(seed);
        let journal = Arc::new(MemoryJournal::new());
        journal.propose(DefaultUser::default().changes().expect("the default password can be hashed"));
        let snapshot = journal.snapshot();
        let access = Arc::new(AccessControl::new(LoginSettings::default(), &snapshot));
        let broker = Broker::new(settings, access, journal.clone(), &snapshot, shards, random::entropy);
        let reactors = (0..shards).map(|index| Reactor::new(broker.clone(), index)).collect();
        Engine {
            broker,
            journal,
            storage: None,
            reactors,
            now: Now { mono_ns: 0, wall_ms: EPOCH_MS, epoch_ms: EPOCH_MS },
        }
    }

    /// A broker whose messages are on `disk` and whose definitions are in the log there and in `checkpoint`, both as a
    /// run before may have left them. It uses `memory_bytes` of memory for messages before they are left to the disk.
    pub fn durable(
        settings: Settings,
        shards: usize,
        seed: u64,
        disk: Arc<dyn Disk>,
        checkpoint: Checkpoint,
        memory_bytes: usize,
    ) -> Engine {
        Engine::open(settings, shards, seed, disk, checkpoint, memory_bytes, None).expect("the store opens")
    }

    /// As [`Engine::durable`], on a disk that may fail, perhaps with a protection of the store switched off.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(
        settings: Settings,
        shards: usize,
        seed: u64,
        disk: Arc<dyn Disk>,
        checkpoint: Checkpoint,
        memory_bytes: usize,
        sabotage: Option<Sabotage>,
    ) -> Result<Engine, OpenError> {
        random::seed_entropy(seed);
        let options = Options { segment_bytes: Some(1 << 20), log_id: seed | 1, sabotage, ..Options::default() };
        let storage::Durable { storage, journal, mut snapshot, backlogs } = Storage::open(disk, checkpoint, options)?;
        if snapshot.is_fresh() {
            let changes = DefaultUser::default().changes().expect("the default password can be hashed");
            let memory = MemoryJournal::new();
            memory.propose(changes.clone());
            journal.propose(changes);
            snapshot = memory.snapshot();
        }
        let access = Arc::new(AccessControl::new(LoginSettings::default(), &snapshot));
        let messages = MessageStore { store: storage.store.clone(), backlogs, memory_bytes };
        let journal: Arc<dyn Journal> = journal;
        let entropy = random::entropy;
        let broker =
            Broker::with_messages(settings, access, journal.clone(), &snapshot, shards, entropy, Some(messages));
        let reactors = (0..shards).map(|index| Reactor::new(broker.clone(), index)).collect();
        let now = Now { mono_ns: 0, wall_ms: EPOCH_MS, epoch_ms: EPOCH_MS };
        Ok(Engine { broker, journal, storage: Some(storage), reactors, now })
    }

    /// Does one of the things that threads do beside the reactors; true when there was something to do.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn storage_step(&mut self, step: StorageStep) -> Result<bool, StoreError> {
        match &mut self.storage {
            Some(storage) => storage.step(step, &self.broker),
            None => Ok(false),
        }
    }

    /// The time of the next turn.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Lets time pass.
    pub fn advance_ms(&mut self, ms: u64) {
        self.now.mono_ns += ms * 1_000_000;
        self.now.wall_ms += ms;
    }

    /// The reactor number `shard`.
    pub fn reactor(&mut self, shard: usize) -> &mut Reactor {
        &mut self.reactors[shard]
    }

    /// The reactors, for threads of their own.
    pub fn into_reactors(self) -> Vec<Reactor> {
        self.reactors
    }

    /// One turn of a reactor; true when anything happened.
    pub fn turn(&mut self, shard: usize) -> bool {
        self.reactors[shard].turn(self.now)
    }

    /// Steps all reactors and the store, and lets time pass, until nothing happens any more for some milliseconds.
    pub fn settle(&mut self) {
        self.try_settle().expect("the disk does not fail");
    }

    /// As [`Engine::settle`], on a disk that may fail.
    ///
    /// # Errors
    /// When it does.
    pub fn try_settle(&mut self) -> Result<(), StoreError> {
        let mut quiet_ms = 0;
        for _ in 0..MOST_TURNS {
            let mut happened = false;
            for shard in 0..self.reactors.len() {
                happened |= self.turn(shard);
            }
            for step in StorageStep::ALL {
                happened |= self.storage_step(step)?;
            }
            if happened {
                quiet_ms = 0;
                continue;
            }
            if quiet_ms == QUIET_MS {
                return Ok(());
            }
            quiet_ms += 1;
            self.advance_ms(1);
        }
        panic!("the broker does not come to rest");
    }

    /// A connection that has not said anything.
    pub fn dial(&mut self, shard: usize) -> Client {
        let wire = Arc::new(Wire::default());
        let ends = Ends {
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)),
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, 5672)),
            tls: None,
        };
        self.reactors[shard].accept(wire.clone(), ends);
        Client::new(wire)
    }

    /// An open connection of the default user.
    pub fn connect(&mut self, shard: usize) -> Client {
        let mut client = self.dial(shard);
        client.greet();
        self.settle();
        let start = client.expect(0);
        assert!(matches!(start.method(), Method::ConnectionStart(_)), "the broker starts: {:?}", start.method());
        client.log_in();
        self.settle();
        let Method::ConnectionTune(tune) = client.expect(0).method() else { panic!("the broker tunes") };
        client.tune_and_open(tune);
        self.settle();
        assert!(matches!(client.expect(0).method(), Method::ConnectionOpenOk(_)), "the connection is open");
        client
    }

    /// Sends a method, lets the broker work, and returns its answer on that channel; deliveries, returns and confirms
    /// stay with the client.
    pub fn call(&mut self, client: &mut Client, channel: u16, method: &Method<'_>) -> Arrival {
        client.method(channel, method);
        self.settle();
        client.expect(channel)
    }

    /// As [`Engine::connect`], with channel 1 open.
    pub fn connect_with_channel(&mut self, shard: usize) -> Client {
        let mut client = self.connect(shard);
        self.call(&mut client, 1, &Method::ChannelOpen(channel::Open {}));
        client
    }

    /// Declares a queue that is neither durable nor exclusive.
    pub fn declare(&mut self, client: &mut Client, channel: u16, queue: &str) {
        self.declare_as(client, channel, queue, false);
    }

    /// Declares a queue that may be durable and is not exclusive.
    pub fn declare_as(&mut self, client: &mut Client, channel: u16, queue: &str, durable: bool) {
        self.declare_with(client, channel, queue, durable, &amqp::FieldTable::new());
    }

    /// The same with arguments.
    pub fn declare_with(
        &mut self,
        client: &mut Client,
        channel: u16,
        queue: &str,
        durable: bool,
        arguments: &amqp::FieldTable,
    ) {
        let arguments = arguments.to_bytes();
        let declare = queue::Declare {
            queue,
            passive: false,
            durable,
            exclusive: false,
            auto_delete: false,
            nowait: false,
            arguments: TableRef::new(&arguments),
        };
        let answer = self.call(client, channel, &Method::QueueDeclare(declare));
        assert!(matches!(answer.method(), Method::QueueDeclareOk(_)), "declared: {:?}", answer.method());
    }

    /// Starts a consumer.
    pub fn consume(&mut self, client: &mut Client, channel: u16, queue: &str, consumer_tag: &str, no_ack: bool) {
        let answer = self.call(client, channel, &Method::BasicConsume(consume(queue, consumer_tag, no_ack)));
        assert!(matches!(answer.method(), Method::BasicConsumeOk(_)), "consuming: {:?}", answer.method());
    }
}

/// A basic.consume without arguments.
pub fn consume<'a>(queue: &'a str, consumer_tag: &'a str, no_ack: bool) -> basic::Consume<'a> {
    basic::Consume {
        queue,
        consumer_tag,
        no_local: false,
        no_ack,
        exclusive: false,
        nowait: false,
        arguments: TableRef::default(),
    }
}

/// A basic.publish.
pub fn publish<'a>(exchange: &'a str, routing_key: &'a str) -> basic::Publish<'a> {
    basic::Publish { exchange: exchange.into(), routing_key: routing_key.into(), mandatory: false, immediate: false }
}
