//! The broker that crashes and comes back, with its clients and its disk.

use crate::client::{Client, message_id};
use crate::oracle::{MessageId, Oracle};
use crate::{QUEUES, queue_name};
use amqp::method::queue;
use amqp::{Method, TableRef};
use broker::Settings;
use std::sync::Arc;
use store::StoreError;
use store::simulation::{self, SimulatedDisk};
use testkit::engine::{Checkpoint, Client as Connection, Engine, Random, StorageStep, consume};

const CLIENTS: usize = 4;

/// The broker is to end now: its disk has stopped, or it is time.
pub struct Crash;

impl From<StoreError> for Crash {
    fn from(_: StoreError) -> Crash {
        Crash
    }
}

/// What is known of a queue's declaration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Declared {
    Yes,
    /// A declaration is on its way.
    Perhaps,
    /// A deletion is on its way.
    PerhapsDeleted,
}

pub struct World {
    engine: Engine,
    disk: Arc<SimulatedDisk>,
    checkpoint: Checkpoint,
    shards: usize,
    memory_bytes: usize,
    random: Random,
    faults: simulation::Random,
    oracle: Oracle,
    declared: [Declared; QUEUES],
    clients: Vec<Client>,
    admin: Connection,
    publishers: u32,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
        let shards = 1 + random.below(2);
        // So little that everything that waits is left to the disk, or so much that nothing is.
        let memory_bytes = random.pick(&[4096, 256 << 10, 1 << 30]);
        let mut engine =
            Engine::durable(Settings::default(), shards, seed, disk.clone(), checkpoint.clone(), memory_bytes);
        let admin = engine.connect_with_channel(0);
        let mut world = World {
            engine,
            disk,
            checkpoint,
            shards,
            memory_bytes,
            random,
            faults: simulation::Random::new(!seed),
            oracle: Oracle::new(QUEUES),
            declared: [Declared::Perhaps; QUEUES],
            clients: Vec::new(),
            admin,
            publishers: 0,
        };
        world.begin();
        world
    }

    /// Sees to it that the queues are there, and that there are clients.
    fn begin(&mut self) {
        for queue in 0..QUEUES {
            self.send_declare(queue);
            self.engine.settle();
            self.declare_answered(queue);
        }
        self.clients.clear();
        for at in 0..CLIENTS {
            let client = self.arrive(at);
            self.clients.push(client);
        }
    }

    fn arrive(&mut self, at: usize) -> Client {
        let shard = self.random.below(self.shards);
        self.publishers += 1;
        let connection = self.engine.connect_with_channel(shard);
        Client::new(connection, self.publishers, at.is_multiple_of(2), &mut self.random)
    }

    fn send_declare(&mut self, queue: usize) {
        let name = queue_name(queue);
        let declare = queue::Declare {
            queue: &name,
            passive: false,
            durable: true,
            exclusive: false,
            auto_delete: false,
            nowait: false,
            arguments: TableRef::default(),
        };
        self.admin.method(1, &Method::QueueDeclare(declare));
        let exchange = "amq.fanout";
        let bind =
            queue::Bind { queue: &name, exchange, routing_key: "", nowait: false, arguments: TableRef::default() };
        self.admin.method(1, &Method::QueueBind(bind));
    }

    fn declare_answered(&mut self, queue: usize) {
        assert!(matches!(self.admin.expect(1).method(), Method::QueueDeclareOk(_)));
        assert!(matches!(self.admin.expect(1).method(), Method::QueueBindOk(_)));
        self.declared[queue] = Declared::Yes;
    }

    /// One life of the broker, which ends with a crash sooner or later.
    pub fn live(&mut self) {
        if self.random.chance(50) {
            let operation = self.disk.operations() + 1 + self.random.number() % 300;
            self.disk.stop_at(operation);
        }
        for _ in 0..50 + self.random.below(400) {
            if self.step().is_err() {
                return;
            }
        }
    }

    fn step(&mut self) -> Result<(), Crash> {
        let at = self.random.below(CLIENTS);
        match self.random.below(100) {
            0..=1 => return self.rest(),
            2 => return self.purge(),
            3 => return self.delete_and_declare(),
            4 if self.clients[at].fragile => return self.break_off(at),
            _ => self.clients[at].act(&mut self.random, &mut self.oracle),
        }
        self.proceed()
    }

    /// Some of what threads do.
    fn proceed(&mut self) -> Result<(), Crash> {
        if self.random.chance(60) {
            let shard = self.random.below(self.shards);
            self.engine.reactor(shard).set_read_size(self.random.pick(&[100, 10_000, 65_536, 1 << 20]));
            self.engine.turn(shard);
        }
        if self.random.chance(50) {
            let step = self.random.pick(&StorageStep::ALL);
            self.engine.storage_step(step)?;
        }
        if self.random.chance(10) {
            self.engine.advance_ms(1);
        }
        if self.random.chance(2) {
            self.engine.broker.compact();
        }
        if self.random.chance(50) {
            let at = self.random.below(CLIENTS);
            self.clients[at].observe(&mut self.oracle);
        }
        Ok(())
    }

    /// Some more of it, during which the broker may crash.
    fn proceed_for_a_while(&mut self) -> Result<(), Crash> {
        for _ in 0..self.random.below(20) {
            self.proceed()?;
            if self.random.chance(4) {
                return Err(Crash);
            }
        }
        Ok(())
    }

    fn observe_all(&mut self) {
        self.clients.iter_mut().for_each(|client| client.observe(&mut self.oracle));
    }

    /// Lets everything that was sent be done.
    fn rest(&mut self) -> Result<(), Crash> {
        self.engine.try_settle()?;
        self.observe_all();
        self.clients.iter().for_each(Client::check_quiet);
        self.oracle.at_rest();
        Ok(())
    }

    fn purge(&mut self) -> Result<(), Crash> {
        self.rest()?;
        let queue = self.random.below(QUEUES);
        self.admin.method(1, &Method::QueuePurge(queue::Purge { queue: &queue_name(queue), nowait: false }));
        self.oracle.purging(queue);
        self.proceed_for_a_while()?;
        self.rest()?;
        assert!(matches!(self.admin.expect(1).method(), Method::QueuePurgeOk(_)));
        Ok(())
    }

    fn delete_and_declare(&mut self) -> Result<(), Crash> {
        self.rest()?;
        let queue = self.random.below(QUEUES);
        let name = queue_name(queue);
        let delete = queue::Delete { queue: &name, if_unused: false, if_empty: false, nowait: false };
        self.admin.method(1, &Method::QueueDelete(delete));
        self.declared[queue] = Declared::PerhapsDeleted;
        self.proceed_for_a_while()?;
        self.rest()?;
        assert!(matches!(self.admin.expect(1).method(), Method::QueueDeleteOk(_)));
        self.oracle.deleted(queue);
        self.declared[queue] = Declared::Perhaps;
        self.send_declare(queue);
        self.proceed_for_a_while()?;
        self.rest()?;
        self.declare_answered(queue);
        Ok(())
    }

    /// A client vanishes and another one comes.
    fn break_off(&mut self, at: usize) -> Result<(), Crash> {
        self.rest()?;
        self.clients[at].break_off(&mut self.oracle);
        if !self.disk.has_stopped() && self.random.chance(50) {
            self.engine.try_settle()?;
        }
        Ok(())
    }

    /// The process is killed or the power cut, and the broker started again, perhaps several times before it comes up.
    pub fn crash(&mut self) {
        // What was written to a client may have been seen.
        self.observe_all();
        self.oracle.ended();
        loop {
            self.disk = if self.random.chance(30) { self.disk.kill() } else { self.disk.crash(&mut self.faults) };
            if self.random.chance(30) {
                self.disk.stop_at(1 + self.random.number() % 60);
            }
            if self.open() {
                break;
            }
            assert!(self.disk.has_stopped(), "the store opens on a disk that works");
        }
        self.disk.stop_at(u64::MAX);
        self.come_back();
    }

    /// The broker is shut down in good order, and started again.
    pub fn restart(&mut self) {
        self.disk.stop_at(u64::MAX);
        if self.disk.has_stopped() || self.rest().is_err() {
            return self.crash();
        }
        // First the connections end, one by one: what one holds goes to those that are still there.
        for at in 0..CLIENTS {
            self.clients[at].break_off(&mut self.oracle);
            self.rest().unwrap_or_else(|Crash| panic!("the disk works"));
        }
        self.oracle.ended();
        let storage = self.engine.storage.take().expect("a broker with a store");
        storage.finish(&self.engine.broker).expect("the disk works");
        self.disk = self.disk.kill();
        assert!(self.open(), "the store opens");
        self.come_back();
    }

    fn open(&mut self) -> bool {
        let (disk, checkpoint) = (self.disk.clone(), self.checkpoint.clone());
        let seed = self.random.number();
        let opened = Engine::open(Settings::default(), self.shards, seed, disk, checkpoint, self.memory_bytes);
        let is_open = opened.is_ok();
        if let Ok(engine) = opened {
            self.engine = engine;
        }
        is_open
    }

    fn come_back(&mut self) {
        self.admin = self.engine.connect_with_channel(0);
        for queue in 0..QUEUES {
            let is_there = self.vhost_has(queue);
            match self.declared[queue] {
                Declared::Yes => assert!(is_there, "queue {queue} is there"),
                Declared::PerhapsDeleted if !is_there => self.oracle.deleted(queue),
                Declared::PerhapsDeleted | Declared::Perhaps => {}
            }
        }
        if self.oracle.is_undecided() || self.random.chance(60) {
            self.look();
        }
        self.begin();
    }

    fn vhost_has(&self, queue: usize) -> bool {
        let vhost = self.engine.broker.vhost("/").expect("the default virtual host");
        vhost.queues().iter().any(|cell| *cell.name == queue_name(queue))
    }

    /// Looks at everything that is in the queues, and puts it back.
    fn look(&mut self) {
        let found = self.consume_all(false);
        self.oracle.check_all(&found);
        self.oracle.let_go();
        (0..QUEUES).for_each(|queue| self.oracle.wanted(queue));
    }

    fn consume_all(&mut self, no_ack: bool) -> Vec<Vec<(MessageId, bool)>> {
        let mut reader = self.engine.connect_with_channel(0);
        let vhost = self.engine.broker.vhost("/").expect("the default virtual host");
        let mut found = Vec::new();
        for queue in 0..QUEUES {
            let name = queue_name(queue);
            let Some(cell) = vhost.queues().into_iter().find(|cell| *cell.name == name) else {
                found.push(Vec::new());
                continue;
            };
            let ready = cell.counters.messages_ready.value();
            reader.method(1, &Method::BasicConsume(consume(&name, &name, no_ack)));
            self.engine.settle();
            let mut of_queue = Vec::new();
            for arrival in reader.arrivals() {
                if let Method::BasicDeliver(deliver) = arrival.method() {
                    assert_eq!(deliver.consumer_tag, name);
                    of_queue.push((message_id(&arrival), deliver.redelivered));
                }
            }
            assert_eq!(of_queue.len() as u64, ready, "queue {queue} has as many messages as it says");
            found.push(of_queue);
        }
        reader.wire.break_off();
        self.engine.settle();
        found
    }

    /// Takes everything out, and looks that nothing is left, neither now nor after one more restart.
    pub fn finish(mut self) {
        self.restart();
        let found = self.consume_all(true);
        self.oracle.check_all(&found);
        drop(std::mem::take(&mut self.clients));
        let storage = self.engine.storage.as_ref().expect("a broker with a store");
        let used = storage.store.disk_bytes();
        assert_eq!((used.cold_live_bytes, used.blob_bytes), (0, 0), "bytes on disk that somebody still wants");
        self.oracle.let_go();
        self.disk = self.disk.crash(&mut self.faults);
        assert!(self.open(), "the store opens");
        assert!(self.consume_all(true).iter().all(Vec::is_empty), "nothing comes back");
    }
}
