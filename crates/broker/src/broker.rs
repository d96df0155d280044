//! What all reactors share.

use crate::accounts::Accounts;
use crate::admin::{ClientListeners, MemoryControl, Operations, Registry};
use crate::core::compact::COMPACT_FROM;
use crate::directory::Directory;
use crate::limits::{Tally, UsersInUse};
use crate::link::ConnectionId;
use crate::message::ShardMessage;
use crate::messages::{MessageStore, Messages};
use crate::node_limits::NodeLimits;
use crate::output::BufferPool;
use crate::reply_to::ReplyConsumers;
use crate::settings::Settings;
use crate::topology::{Exchange, QueueCell, Vhost};
use crate::totals::Totals;
use crate::workers::{Inline, Job, Work, Workers};
use auth::AccessControl;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use metadata::{Change, Journal, QuidAllocator, Snapshot, Token};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use store::{Calendar, ChunkPool};

/// Free message chunks (1 MiB each) that a busy broker keeps.
const FREE_CHUNKS: usize = 8;

/// A resource that has run low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The memory high watermark is passed.
    Memory,
    /// Free disk space is below its limit.
    Disk,
}

impl Alarm {
    fn bit(self) -> u8 {
        match self {
            Alarm::Memory => 1,
            Alarm::Disk => 2,
        }
    }
}

/// Fills a buffer with random bytes; a simulator gives its own.
pub type Entropy = fn(&mut [u8]);

#[derive(Default)]
struct Inbox {
    messages: Mutex<Vec<ShardMessage>>,
    filled: AtomicBool,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// True while somebody there waits for the journal.
    awaits_journal: AtomicBool,
    /// Turns begun and ended: odd during a turn.
    turns: AtomicU64,
}

/// The shared half of the engine: topology, users, alarms, and the mailboxes of the reactors.
pub struct Broker {
    /// What it was told.
    pub settings: Settings,
    /// Those of the settings that may have changed since.
    pub limits: NodeLimits,
    pub(crate) accounts: RwLock<Arc<Accounts>>,
    /// Users and their permissions.
    pub access: Arc<AccessControl>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) quids: QuidAllocator,
    vhosts: RwLock<HashMap<Arc<str>, Arc<Vhost>, RandomState>>,
    alarms: AtomicU8,
    /// True while some virtual host is traced.
    tracing: AtomicBool,
    /// `settings.channel_max` until an operator says otherwise.
    channel_max: AtomicU16,
    closing: AtomicBool,
    /// True while the node is being drained.
    pub(crate) maintenance: AtomicBool,
    pub(crate) buffers: Arc<BufferPool>,
    pub(crate) chunks: Arc<ChunkPool>,
    inboxes: Vec<Inbox>,
    next_connection: AtomicU64,
    next_incarnation: AtomicU64,
    pub(crate) messages: Option<Messages>,
    /// All queues by id, which is how the store and timers name them. A queue leaves when its deletion is in the journal.
    pub(crate) queues_by_id: Mutex<std::collections::HashMap<u64, Arc<QueueCell>>>,
    /// When what is due, for a broker without a store.
    calendar: Calendar,
    /// The engine's time at the last turn of the first reactor, in ms since 1970.
    time_ms: AtomicU64,
    /// Delayed messages that are being released.
    pub(crate) releasing: AtomicUsize,
    pub(crate) reply_consumers: ReplyConsumers,
    pub(crate) registry: Registry,
    pub(crate) users_in_use: UsersInUse,
    /// Those on this node.
    pub(crate) connections: Arc<Tally>,
    pub(crate) channels: Arc<Tally>,
    pub(crate) consumers: Arc<Tally>,
    /// Channels that have published.
    pub(crate) publishers: Arc<Tally>,
    pub(crate) totals: Totals,
    pub(crate) directory: Directory,
    pub(crate) memory_control: OnceLock<Box<dyn MemoryControl>>,
    pub(crate) client_listeners: OnceLock<Box<dyn ClientListeners>>,
    pub(crate) tracer: OnceLock<Arc<dyn crate::trace::Tracer>>,
    /// What happened and is to be told.
    pub(crate) events: crate::events::Events,
    /// Threads for logins; everything is done at once without them.
    workers: OnceLock<Arc<dyn Workers>>,
    /// What is being done with many messages.
    pub(crate) operations: Operations,
    entropy: Entropy,
}

impl Broker {
    /// A broker with `shards` reactors and the durable definitions of `snapshot`.
    pub fn new(
        settings: Settings,
        access: Arc<AccessControl>,
        journal: Arc<dyn Journal>,
        snapshot: &Snapshot,
        shards: usize,
        entropy: Entropy,
    ) -> Arc<Broker> {
        Broker::with_messages(settings, access, journal, snapshot, shards, entropy, None)
    }

    /// The same, with a store for messages; without one they are in memory only.
    ///
    /// With a store the journal's tokens are positions in its log, so that one notification tells of both.
    pub fn with_messages(
        settings: Settings,
        access: Arc<AccessControl>,
        journal: Arc<dyn Journal>,
        snapshot: &Snapshot,
        shards: usize,
        entropy: Entropy,
        messages: Option<MessageStore>,
    ) -> Arc<Broker> {
        let (messages, backlogs) = match messages {
            Some(MessageStore { store, backlogs, memory_bytes }) => {
                (Some(Messages::new(store, memory_bytes)), backlogs)
            }
            None => (None, std::collections::HashMap::new()),
        };
        let broker = Arc::new(Broker {
            channel_max: AtomicU16::new(settings.channel_max),
            limits: NodeLimits::new(&settings),
            accounts: RwLock::new(Arc::new(settings.accounts.clone())),
            settings,
            access,
            journal,
            quids: QuidAllocator::resume(snapshot.next_quid),
            vhosts: RwLock::default(),
            alarms: AtomicU8::new(0),
            tracing: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            maintenance: AtomicBool::new(false),
            buffers: BufferPool::new(),
            chunks: ChunkPool::new(FREE_CHUNKS),
            inboxes: (0..shards.max(1)).map(|_| Inbox::default()).collect(),
            next_connection: AtomicU64::new(1),
            next_incarnation: AtomicU64::new(1),
            messages,
            queues_by_id: Mutex::default(),
            calendar: Calendar::in_memory(),
            time_ms: AtomicU64::new(0),
            releasing: AtomicUsize::new(0),
            reply_consumers: ReplyConsumers::default(),
            registry: Registry::new(snapshot),
            users_in_use: UsersInUse::default(),
            connections: Arc::default(),
            channels: Arc::default(),
            consumers: Arc::default(),
            publishers: Arc::default(),
            totals: Totals::new(shards.max(1)),
            directory: Directory::default(),
            memory_control: OnceLock::new(),
            client_listeners: OnceLock::new(),
            tracer: OnceLock::new(),
            events: crate::events::Events::default(),
            workers: OnceLock::new(),
            operations: Operations::default(),
            entropy,
        });
        broker.restore(snapshot, backlogs);
        broker
    }

    /// Number of reactors.
    pub fn shards(&self) -> usize {
        self.inboxes.len()
    }

    /// Sets how the driver of a reactor is woken when there is a message for it; once per reactor.
    pub fn on_message(&self, shard: usize, wake: impl Fn() + Send + Sync + 'static) {
        if let Some(inbox) = self.inboxes.get(shard) {
            // A second call would be a driver's mistake; the first stays.
            let _ = inbox.wake.set(Box::new(wake));
        }
    }

    /// Sets who checks logins and asks backends; once.
    pub fn set_workers(&self, workers: Arc<dyn Workers>) {
        // A second call would be the process's mistake; the first stays.
        let _ = self.workers.set(workers);
    }

    /// Has something done that must not be done on a reactor; false where too much waits.
    pub(crate) fn do_aside(&self, work: Work, job: Job) -> bool {
        match self.workers.get() {
            Some(workers) => workers.submit(work, job),
            None => Inline.submit(work, job),
        }
    }

    /// Leaves a message for a reactor and wakes it.
    pub fn post(&self, shard: usize, message: ShardMessage) {
        let Some(inbox) = self.inboxes.get(shard) else { return };
        inbox.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        if !inbox.filled.swap(true, Ordering::AcqRel)
            && let Some(wake) = inbox.wake.get()
        {
            wake();
        }
    }

    /// Leaves a message for every reactor.
    pub fn post_to_all(&self, message: impl Fn() -> ShardMessage) {
        (0..self.shards()).for_each(|shard| self.post(shard, message()));
    }

    /// Takes the messages for a reactor, in exchange for a list that is empty.
    pub(crate) fn take_messages(&self, shard: usize, taken: &mut Vec<ShardMessage>) {
        let Some(inbox) = self.inboxes.get(shard) else { return };
        if inbox.filled.swap(false, Ordering::AcqRel) {
            std::mem::swap(&mut *inbox.messages.lock().unwrap_or_else(PoisonError::into_inner), taken);
        }
    }

    /// True when messages wait for a reactor.
    pub fn has_messages(&self, shard: usize) -> bool {
        self.inboxes.get(shard).is_some_and(|inbox| inbox.filled.load(Ordering::Acquire))
    }

    /// Called by the journal's owner when `token` has become durable.
    pub fn journal_advanced(&self, token: Token) {
        for (shard, inbox) in self.inboxes.iter().enumerate() {
            if inbox.awaits_journal.swap(false, Ordering::SeqCst) {
                self.post(shard, ShardMessage::Durable(token));
            }
        }
        self.registry.wake();
    }

    /// A reactor wants to be told when the journal has advanced, be it that it has meanwhile.
    pub(crate) fn await_durable(&self, shard: usize, seen: Token) {
        let Some(inbox) = self.inboxes.get(shard) else { return };
        inbox.awaits_journal.store(true, Ordering::SeqCst);
        let durable = self.journal.durable();
        if durable > seen && inbox.awaits_journal.swap(false, Ordering::SeqCst) {
            self.post(shard, ShardMessage::Durable(durable));
        }
    }

    /// A reactor begins or ends a turn.
    #[inline]
    pub(crate) fn note_turn(&self, shard: usize, running: bool) {
        if let Some(inbox) = self.inboxes.get(shard) {
            let turns = inbox.turns.load(Ordering::Relaxed);
            if (turns % 2 == 1) != running {
                inbox.turns.store(turns + 1, Ordering::SeqCst);
            }
        }
    }

    /// When what is due.
    #[inline]
    pub(crate) fn calendar(&self) -> &Calendar {
        self.messages.as_ref().map_or(&self.calendar, |messages| messages.store.calendar())
    }

    /// A turn of the first reactor begins at this time of the engine, in ms since 1970.
    #[inline]
    pub(crate) fn note_time(&self, time_ms: u64) {
        self.time_ms.store(time_ms, Ordering::Relaxed);
    }

    /// What the store read and wrote; zeros without one.
    pub fn disk_io(&self) -> store::DiskIo {
        self.messages.as_ref().map(|messages| messages.store.disk_io()).unwrap_or_default()
    }

    /// The engine's time when the first reactor began its last turn, in ms since 1970.
    pub(crate) fn noted_time_ms(&self) -> u64 {
        self.time_ms.load(Ordering::Relaxed)
    }

    /// Turns that a reactor has begun and ended: odd during a turn.
    pub(crate) fn turns(&self, shard: usize) -> u64 {
        self.inboxes.get(shard).map_or(0, |inbox| inbox.turns.load(Ordering::SeqCst))
    }

    pub(crate) fn next_incarnation(&self) -> u64 {
        self.next_incarnation.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_connection_id(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// The virtual host called `name`.
    pub fn vhost(&self, name: &str) -> Option<Arc<Vhost>> {
        self.vhosts.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All virtual hosts, by name.
    pub fn vhosts(&self) -> Vec<Arc<Vhost>> {
        let mut all: Vec<_> = self.vhosts.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// All queues that clients see, in no order; those of `vhost` only, where one is named.
    pub fn queue_cells(&self, vhost: Option<&str>) -> Vec<Arc<QueueCell>> {
        match vhost {
            Some(name) => self.vhost(name).map(|vhost| vhost.queues()).unwrap_or_default(),
            None => self.collect(Vhost::queue_count, Vhost::append_queues),
        }
    }

    /// All exchanges, the default ones among them, in no order; those of `vhost` only, where one is named.
    pub fn exchanges(&self, vhost: Option<&str>) -> Vec<Arc<Exchange>> {
        match vhost {
            Some(name) => self.vhost(name).map(|vhost| vhost.exchanges()).unwrap_or_default(),
            None => self.collect(Vhost::exchange_count, Vhost::append_exchanges),
        }
    }

    fn collect<T>(&self, count: fn(&Vhost) -> usize, append: fn(&Vhost, &mut Vec<T>)) -> Vec<T> {
        let vhosts = self.vhosts();
        let mut all = Vec::with_capacity(vhosts.iter().map(|vhost| count(vhost)).sum());
        vhosts.iter().for_each(|vhost| append(vhost, &mut all));
        all
    }

    pub(crate) fn add_vhost(&self, name: &str) -> Arc<Vhost> {
        self.add_vhost_with(name, |_| {})
    }

    /// Adds a virtual host that nobody sees before `prepare` is done with it.
    pub(crate) fn add_vhost_with(&self, name: &str, prepare: impl FnOnce(&Vhost)) -> Arc<Vhost> {
        let vhost = Vhost::new(name);
        prepare(&vhost);
        let mut vhosts = self.vhosts.write().unwrap_or_else(PoisonError::into_inner);
        vhosts.entry(name.into()).or_insert(vhost).clone()
    }

    /// True while some virtual host is traced, which is what the message path asks.
    #[inline]
    pub(crate) fn is_tracing(&self) -> bool {
        self.tracing.load(Ordering::Relaxed)
    }

    /// Virtual hosts came, went or are traced or not from now on.
    pub(crate) fn note_tracing(&self) {
        let vhosts = self.vhosts.read().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that of two who do this the last one has seen everything.
        self.tracing.store(vhosts.values().any(|vhost| vhost.is_traced()), Ordering::Relaxed);
    }

    pub(crate) fn remove_vhost(&self, name: &str) -> Option<Arc<Vhost>> {
        self.vhosts.write().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// Takes a virtual host back whose deletion could not go on.
    pub(crate) fn restore_vhost(&self, vhost: Arc<Vhost>) {
        self.vhosts.write().unwrap_or_else(PoisonError::into_inner).insert(vhost.name.clone(), vhost);
    }

    /// Proposes changes to the journal; `None` when there are none.
    pub(crate) fn propose(&self, changes: Vec<Change>) -> Option<Token> {
        (!changes.is_empty()).then(|| self.journal.propose(changes))
    }

    /// True while some resource is low, so that publishers have to wait.
    #[inline]
    pub fn is_alarmed(&self) -> bool {
        self.alarms.load(Ordering::Relaxed) != 0
    }

    /// True while `alarm` is raised.
    pub fn has_alarm(&self, alarm: Alarm) -> bool {
        self.alarms.load(Ordering::Relaxed) & alarm.bit() != 0
    }

    /// Raises or clears an alarm; publishers learn of it.
    pub fn set_alarm(&self, alarm: Alarm, raised: bool) {
        let before = if raised {
            self.alarms.fetch_or(alarm.bit(), Ordering::AcqRel)
        } else {
            self.alarms.fetch_and(!alarm.bit(), Ordering::AcqRel)
        };
        if (before & alarm.bit() != 0) != raised {
            self.emit_alarm(alarm, raised);
            self.post_to_all(|| ShardMessage::AlarmsChanged);
        }
    }

    /// What a blocked publisher is told: `low on memory`, `low on disk`, or both.
    pub(crate) fn alarm_reason(&self) -> &'static str {
        match (self.has_alarm(Alarm::Memory), self.has_alarm(Alarm::Disk)) {
            (true, true) => "low on memory & low on disk",
            (false, true) => "low on disk",
            _ => "low on memory",
        }
    }

    /// Channels per connection proposed in connection.tune; 0 = no limit.
    pub(crate) fn channel_max(&self) -> u16 {
        self.channel_max.load(Ordering::Relaxed)
    }

    /// Changes it for connections from now on.
    pub(crate) fn set_channel_max(&self, channel_max: u16) {
        self.channel_max.store(channel_max, Ordering::Relaxed);
    }

    /// Asks every reactor to close its connections with 320; no new ones are accepted.
    pub fn shut_down(&self) {
        self.closing.store(true, Ordering::Release);
        self.post_to_all(|| ShardMessage::ShutDown);
        self.registry.wake();
    }

    /// True once the broker is stopping.
    pub fn is_shutting_down(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Gives memory that an idle broker does not need back to the system.
    pub fn trim(&self) {
        self.buffers.trim();
        self.chunks.trim();
    }

    /// Has messages moved together, or left to the disk, when they take enough memory for it to matter; for a caller that looks now and then.
    pub fn compact(&self) {
        if self.chunks.bytes_in_use() >= COMPACT_FROM || self.is_short_of_memory() {
            self.post(0, ShardMessage::Compact);
        }
    }

    /// Where message memory comes from.
    pub fn message_chunks(&self) -> Arc<ChunkPool> {
        self.chunks.clone()
    }

    /// Bytes of message memory in use.
    pub fn message_memory(&self) -> usize {
        self.chunks.bytes_in_use()
    }

    /// A name that nobody has: `prefix` and 22 characters of URL-safe base64, as RabbitMQ makes them.
    pub(crate) fn unique_name(&self, prefix: &str) -> String {
        let mut random = [0; 16];
        (self.entropy)(&mut random);
        format!("{prefix}{}", crate::names::base64url(&random))
    }

    /// A random number.
    pub(crate) fn random(&self) -> u64 {
        let mut random = [0; 8];
        (self.entropy)(&mut random);
        u64::from_le_bytes(random)
    }
}
