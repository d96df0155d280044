//! The working half of a reactor: everything but its connections.
//!
//! It is passed along with the one connection that is being served, so that serving one can never touch another's
//! state; what concerns other connections goes through their links or as messages.

mod bindings;
mod books;
pub(crate) mod compact;
mod declare;
mod delay;
pub(crate) mod deliver;
mod duplicates;
mod event_exchange;
mod exchanges;
pub(crate) mod facts;
pub(crate) mod fetch_for;
pub(crate) mod firehose;
mod history;
mod item;
pub(crate) mod leave;
mod options;
mod overdue;
mod paging;
pub(crate) mod persist;
pub(crate) mod pick;
mod publish;
pub(crate) mod publish_for;
mod queues;
mod run;
mod settle;
pub(crate) mod tend;
mod watched;

pub(crate) use bindings::{Binding, sorted};
pub(crate) use declare::{QueueDeclaration, definition};
pub(crate) use exchanges::{ExchangeDeclaration, exchange_definition, refuse_default};
pub(crate) use publish::{Incoming, IncomingBody};
pub(crate) use queues::{DeleteCondition, delete_queue};

use crate::Now;
use crate::broker::Broker;
use crate::confirms::Confirm;
use crate::connection::Connection;
use crate::delivery::Unacked;
use crate::link::{ConnectionId, Link};
use crate::topology::{QueueCell, Route};
use crate::totals::ReactorTotals;
use crate::trace::Tracer;
use amqp::Method;
use metadata::Token;
use queue::{ConsumerKey, Entry};
use routing::RouteCache;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use store::Arena;

/// Routing decisions that a reactor remembers.
const ROUTES: usize = 4096;
/// Messages handled under one hold of a queue's lock.
pub(crate) const MESSAGES_PER_LOCK: usize = 512;
/// Bytes of bodies delivered under one hold of a queue's lock.
pub(crate) const BYTES_PER_LOCK: usize = 256 << 10;

/// Buffers for leftover bytes that a shard keeps, and the most bytes that a kept one has.
const SPARE_LEFTOVERS: usize = 64;
const LARGEST_SPARE: usize = 32 << 10;

/// Buffers that are used again and again, so that nothing is allocated per message.
#[derive(Default)]
struct Scratch {
    keys: Vec<ConsumerKey>,
    sent: Vec<bool>,
    entries: Vec<(Option<Entry>, ConsumerKey)>,
    /// Delivered messages that nobody will acknowledge, to be freed without a lock.
    done: Vec<Entry>,
    /// Buffers for what a read leaves over, which most reads of a busy connection do and idle connections never have.
    leftovers: Vec<Vec<u8>>,
}

pub(crate) struct Core {
    pub(crate) broker: Arc<Broker>,
    pub(crate) shard: usize,
    pub(crate) now: Now,
    /// [`Now::time_ms`] of this turn.
    pub(crate) time_ms: u64,
    pub(crate) totals: Arc<ReactorTotals>,
    /// Who traces messages; `None` for nobody, which is what the message path asks once per batch.
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    pub(crate) arena: Arena,
    /// Connections with output to flush.
    pub(crate) touched: Vec<Arc<Link>>,
    /// Queues with more to deliver than one turn allows.
    pub(crate) runnable: VecDeque<Arc<QueueCell>>,
    routes: RouteCache<Option<Arc<Route>>>,
    run: run::Run,
    /// Acknowledged deliveries, settled together.
    pub(crate) settling: Vec<Unacked>,
    /// Channels of the connection being served that have confirms to tell.
    pub(crate) confirming: Vec<u16>,
    /// A queue that the connection being served filled faster than it is emptied.
    pub(crate) outpaces_consumers: Option<Arc<QueueCell>>,
    pub(crate) due_confirms: Vec<Confirm>,
    /// Connections that wait for the journal, with what for.
    pub(crate) awaiting_journal: Vec<(Token, usize, ConnectionId)>,
    pub(crate) waiting: persist::Waiting,
    /// True when a queue refused a publish of the transaction that is being committed.
    pub(crate) rejected_in_transaction: bool,
    /// Dead letters to be sent.
    letters: VecDeque<leave::Letter>,
    /// None is sent before, in ms since 1970: the log was full.
    letters_not_before_ms: u64,
    /// Those of them that are being read, by queue.
    unread: HashMap<u64, leave::Unread>,
    pub(crate) timers: tend::QueueTimers,
    /// Delayed messages are not released before, in ms since 1970: the log was full.
    release_not_before_ms: u64,
    /// Queues to be deleted because they were not used.
    unused: Vec<Arc<QueueCell>>,
    /// What those who watch are to be told at the end of the turn.
    pub(crate) told: Vec<crate::tap::Told>,
    /// What is to be traced at the end of the turn.
    sights: Vec<firehose::Sight>,
    timeout_interval_ms: Option<u64>,
    timeout_interval_changed: bool,
    compaction: compact::Progress,
    scratch: Scratch,
    frame: Vec<u8>,
    /// State of the generator behind [`Core::random`]; 0 before its first number.
    random: u64,
}

impl Core {
    pub(crate) fn new(broker: Arc<Broker>, shard: usize) -> Core {
        let arena = Arena::new(broker.chunks.clone());
        let totals = broker.totals.of_reactor(shard);
        Core {
            totals,
            tracer: broker.tracer.get().cloned(),
            broker,
            shard,
            now: Now::default(),
            time_ms: 0,
            arena,
            touched: Vec::new(),
            runnable: VecDeque::new(),
            routes: RouteCache::new(ROUTES),
            run: run::Run::default(),
            settling: Vec::new(),
            confirming: Vec::new(),
            outpaces_consumers: None,
            due_confirms: Vec::new(),
            awaiting_journal: Vec::new(),
            waiting: persist::Waiting::default(),
            rejected_in_transaction: false,
            letters: VecDeque::new(),
            unread: HashMap::new(),
            timers: tend::QueueTimers::default(),
            letters_not_before_ms: 0,
            release_not_before_ms: 0,
            unused: Vec::new(),
            told: Vec::new(),
            sights: Vec::new(),
            timeout_interval_ms: None,
            timeout_interval_changed: false,
            compaction: compact::Progress::default(),
            scratch: Scratch::default(),
            frame: Vec::new(),
            random: 0,
        }
    }

    /// A random number, for choices that nobody gains from foreseeing: SplitMix64, begun from the engine's entropy.
    fn random(&mut self) -> u64 {
        if self.random == 0 {
            self.random = self.broker.random() | 1;
        }
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random
    }

    /// Appends a method frame to the connection's output.
    pub(crate) fn send(&mut self, conn: &Connection, channel: u16, method: &Method<'_>) {
        self.frame.clear();
        amqp::frame::write_method(&mut self.frame, channel, method);
        conn.link.output().batch.put(&self.frame);
        conn.link.touch(&mut self.touched);
    }

    /// Appends bytes that are frames already.
    pub(crate) fn send_frames(&mut self, conn: &Connection, frames: &[u8]) {
        conn.link.output().batch.put(frames);
        conn.link.touch(&mut self.touched);
    }

    /// Replaces what is left over from a connection's last read.
    pub(crate) fn keep_leftover(&mut self, conn: &mut Connection, rest: &[u8]) {
        conn.leftover.clear();
        if !rest.is_empty() {
            if conn.leftover.capacity() == 0 {
                conn.leftover = self.scratch.leftovers.pop().unwrap_or_default();
            }
            conn.leftover.extend_from_slice(rest);
        } else if conn.leftover.capacity() > 0 {
            let spare = std::mem::take(&mut conn.leftover);
            if spare.capacity() <= LARGEST_SPARE && self.scratch.leftovers.len() < SPARE_LEFTOVERS {
                self.scratch.leftovers.push(spare);
            }
        }
    }
}
