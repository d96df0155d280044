//! One reactor's part of the engine: its connections and its timers.
//!
//! The driver owns the sockets. It tells the shard what happened (bytes came, a peer hung up, a message waits, time
//! passed) and asks it afterwards what to do: which links to flush, which connections to read on, which to drop.

mod errand;
mod held;
mod survey;
mod timers;

use crate::Now;
use crate::broker::Broker;
use crate::connection::{Connection, Ends, Park, Phase};
use crate::core::Core;
use crate::directory::ConnectionState;
use crate::errors;
use crate::link::{ConnectionId, Link, Transport};
use crate::message::{Address, ShardMessage, Which};
use crate::topology::QueueCell;
use metadata::Token;
use std::sync::Arc;
use store::Lsn;
use timers::{Timer, Timers};
use tracing::{debug, info};

pub use errand::Errand;
pub(crate) use held::{Held, HeldCursor, HeldOf};
pub(crate) use survey::Survey;

/// How long we wait for the answer to connection.close, or for the client to hang up after ours, in ms (RabbitMQ: 30 s).
const CLOSE_TIMEOUT_MS: u64 = 30_000;
/// The same for a client whose answer we could not read, in ms (RabbitMQ: 3 s).
const OUT_OF_STEP_TIMEOUT_MS: u64 = 3000;
/// Longest pause of a publisher that outpaces consumers, in ms: a consumer that takes nothing any more slows it down,
/// and does not stop it.
const FLOW_PAUSE_MS: u64 = 10;
/// How often a connection looks whether the log has room again, in ms.
const LOG_LOOK_MS: u64 = 4;
/// How often such a pause is looked at, in ms.
const FLOW_LOOK_MS: u64 = 1;
/// Queues delivered per turn before sockets are looked at again.
const QUEUES_PER_TURN: usize = 64;
/// Places for messages from others that are kept.
const MOST_MESSAGES_KEPT: usize = 1024;

/// A reactor's connections and what it needs to serve them.
pub struct Shard {
    core: Core,
    connections: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    timers: Timers,
    /// Connections that can be read on.
    resumed: Vec<usize>,
    ended: Vec<usize>,
    /// A list to exchange for the messages that wait: the log tells many times a second how far it is.
    messages: Vec<ShardMessage>,
}

impl Shard {
    /// The shard number `index` of a broker.
    pub fn new(broker: Arc<Broker>, index: usize) -> Shard {
        Shard {
            core: Core::new(broker, index),
            connections: Vec::new(),
            free: Vec::new(),
            timers: Timers::default(),
            resumed: Vec::new(),
            ended: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Sets the time of the turn that begins.
    pub fn set_now(&mut self, now: Now) {
        self.core.broker.note_turn(self.core.shard, true);
        self.core.now = now;
        if self.core.shard == 0 {
            self.core.broker.note_time(now.time_ms());
        }
        self.core.time_ms = now.time_ms();
    }

    /// Has the log written and synced if somebody waits for it; best called before links are flushed, which takes time.
    pub fn commit(&mut self) {
        self.core.end_work();
        self.core.commit();
    }

    /// Ends the turn: what was appended to the log is written. To be called after the last link is flushed, and always
    /// before the driver waits.
    pub fn end_turn(&mut self) {
        self.core.end_work();
        self.core.commit();
        self.core.broker.note_turn(self.core.shard, false);
    }

    /// Takes a new connection; the key names it in this shard until [`Shard::remove`].
    pub fn accept(&mut self, transport: Box<dyn Transport>, ends: Ends) -> (usize, Arc<Link>) {
        let key = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let broker = &self.core.broker;
        let link = Link::new(broker.next_connection_id(), self.core.shard, key, &broker.buffers, transport);
        let now_ms = self.core.now.mono_ms();
        self.timers.arm(now_ms + broker.settings.handshake_timeout_ms, Timer::Handshake(key, link.id));
        let connection = Connection::new(link.clone(), ends, self.core.now.wall_ms, now_ms);
        info!(target: "connection", "accepting AMQP connection {}", connection.name());
        self.connections[key] = Some(Box::new(connection));
        (key, link)
    }

    /// True while received bytes of a connection are to be presented.
    pub fn is_reading(&self, key: usize) -> bool {
        self.connection(key).is_some_and(Connection::is_reading)
    }

    /// True when a connection is over and everything for it is written that can be, so that its socket can be dropped.
    pub fn is_finished(&self, key: usize) -> bool {
        let is_written = |conn: &Connection| conn.peer_is_gone || conn.link.pending() == 0;
        self.connection(key).is_none_or(|conn| conn.phase == Phase::Closed && is_written(conn))
    }

    /// The bytes that the last [`Shard::receive`] left over: they come before those that are read next.
    pub fn leftover(&self, key: usize) -> &[u8] {
        self.connection(key).map_or(&[], |conn| &conn.leftover)
    }

    /// Processes received bytes: what was left over, and `fresh` new bytes behind it.
    pub fn receive(&mut self, key: usize, bytes: &[u8], fresh: usize) {
        self.serve(key, |core, conn| {
            conn.last_read_ms = core.now.mono_ms();
            conn.entry.received_bytes.add(fresh as u64);
            conn.entry.received_reads.add(u64::from(fresh > 0));
            let taken = core.receive(conn, bytes);
            let rest = if conn.phase == Phase::Closed { &[] } else { &bytes[taken..] };
            core.keep_leftover(conn, rest);
            if let Some(queue) = core.outpaces_consumers.take()
                && conn.park.is_none()
            {
                conn.park = Some(Park::Flow { queue, until_ms: core.now.mono_ms() + FLOW_PAUSE_MS });
            }
        });
    }

    /// The peer is gone.
    pub fn hang_up(&mut self, key: usize) {
        self.serve(key, |core, conn| {
            conn.peer_is_gone = true;
            if conn.phase != Phase::Closed {
                // After a close, ours or the client's, hanging up is what is expected.
                if !matches!(conn.phase, Phase::Header | Phase::Closing) {
                    info!(target: "connection", "{}: client unexpectedly closed TCP connection", conn.name());
                }
                core.release(conn);
                conn.phase = Phase::Closed;
            }
        });
    }

    /// Forgets a connection whose socket is dropped.
    pub fn remove(&mut self, key: usize) {
        self.hang_up(key);
        if let Some(conn) = self.connections.get_mut(key).and_then(Option::take) {
            debug!(target: "connection", "closed {}", conn.name());
            self.free.push(key);
        }
    }

    /// To be called after each flush: lets consumers go on that a full output had held back, when there is room again,
    /// and tells the owner of a connection that waits only for its last bytes to be written.
    pub fn drained(&mut self, link: &Link) {
        if link.can_resume() {
            self.core.resume_consumers(link);
        }
        if link.owner_waits(self.core.shard) {
            let address = Address { key: link.key, id: link.id };
            self.core.broker.post(link.shard, ShardMessage::Flushed { address });
        }
    }

    /// Handles the messages that wait for this shard.
    pub fn messages(&mut self) {
        let mut messages = std::mem::take(&mut self.messages);
        self.core.broker.take_messages(self.core.shard, &mut messages);
        messages.drain(..).for_each(|message| self.message(message));
        if messages.capacity() <= MOST_MESSAGES_KEPT {
            self.messages = messages;
        }
    }

    fn message(&mut self, message: ShardMessage) {
        match message {
            // That it has been woken is enough: it looks at the calendar before it waits.
            ShardMessage::DueEarlier => {}
            ShardMessage::DeadLetters(cell, letters) => self.core.take_letters(&cell, letters),
            ShardMessage::Look(cell) => self.core.look(&cell),
            ShardMessage::Durable(token) => self.journal_advanced(token),
            ShardMessage::Deliver(cell) => {
                self.core.deliver_ready(&cell);
                self.resume_gets(&cell);
            }
            ShardMessage::AlarmsChanged => self.each(Core::alarms_changed),
            ShardMessage::ConsumerGone { address, channel, tag, quid } => {
                self.serve_address(address, |core, conn| core.consumer_gone(conn, channel, &tag, quid));
            }
            ShardMessage::Flushed { address } => {
                self.serve_address(address, |core, conn| conn.link.touch(&mut core.touched));
            }
            ShardMessage::Replay { vhost, history, destination } => {
                self.core.replay(&vhost, &history, destination);
            }
            ShardMessage::Compact => self.core.compact(),
            ShardMessage::Events => self.core.publish_events(),
            ShardMessage::Close { which, reason, closed } => {
                let count = self.close(&which, &reason);
                // Nobody is there to answer when the asker has gone.
                let _ = closed.map(|closed| closed.send(count));
            }
            ShardMessage::LoggedIn { address, outcome } => {
                self.serve_address(address, |core, conn| core.logged_in(conn, outcome));
            }
            ShardMessage::Answered { address } => self.serve_address(address, |_, conn| {
                if matches!(conn.park, Some(Park::Question)) {
                    conn.park = None;
                }
            }),
            ShardMessage::Renewed { address, outcome } => {
                self.serve_address(address, |core, conn| core.renewed(conn, outcome));
            }
            ShardMessage::Errand(errand) => errand.run(self),
            ShardMessage::ShutDown => self.each(|core, conn| {
                core.close_connection(conn, &errors::SHUTDOWN.with(&[]));
                if conn.phase != Phase::Closing {
                    conn.phase = Phase::Closed;
                }
            }),
        }
    }

    fn journal_advanced(&mut self, token: Token) {
        self.core.waiting.seen = self.core.waiting.seen.max(token);
        let durable = Lsn(token.0);
        let mut cells = Vec::new();
        self.core.log_advanced(durable, &mut cells);
        while let Some((key, id)) = self.core.next_confirmed(durable) {
            if self.is_same(key, id) {
                self.serve(key, |core, conn| core.confirm_durable(conn, durable));
            }
            self.core.drop_confirms(durable, id);
        }
        let waiting = std::mem::take(&mut self.core.awaiting_journal);
        let (ready, rest) = waiting.into_iter().partition::<Vec<_>, _>(|(until, ..)| *until <= token);
        self.core.awaiting_journal = rest;
        ready.into_iter().for_each(|(_, key, id)| self.durable(Address { key, id }));
        cells.iter().for_each(|cell| self.resume_gets(cell));
        self.core.await_durable();
    }

    /// Goes on with what basic.get wants from a queue that may have its first message now.
    fn resume_gets(&mut self, cell: &Arc<QueueCell>) {
        for (key, id) in self.core.take_gets(cell) {
            self.serve_address(Address { key, id }, |core, conn| match conn.park.take() {
                Some(Park::Get { channel, queue, no_ack }) => core.get_from(conn, channel, queue, no_ack),
                park => conn.park = park,
            });
        }
    }

    fn durable(&mut self, address: Address) {
        self.serve_address(address, |core, conn| {
            if let Some(Park::Journal { reply }) = conn.park.take() {
                core.send_frames(conn, &reply);
            }
        });
    }

    /// Closes connections, and answers how many there were.
    fn close(&mut self, which: &Which, reason: &str) -> u64 {
        let mut count = 0;
        self.each(|core, conn| {
            let meant = match which {
                Which::Id(id) => conn.link.id == *id,
                Which::Vhost(None) => true,
                Which::Vhost(Some(name)) => conn.vhost.as_ref().is_some_and(|vhost| *vhost.name == **name),
                Which::User(name) => conn.user_name() == name,
            };
            // One that has not said what it speaks could not read why it is closed.
            if meant && conn.phase == Phase::Header && matches!(which, Which::Vhost(None)) {
                conn.phase = Phase::Closed;
            } else if meant && !matches!(conn.phase, Phase::Header | Phase::Closed) {
                count += 1;
                core.close_connection(conn, &errors::CLOSED_BY_OPERATOR.with(&[&reason]));
            }
        });
        count
    }

    /// Goes on with queues that had more to deliver than one turn allows; true when there is still more.
    pub fn run_queues(&mut self) -> bool {
        self.core.run_queues(QUEUES_PER_TURN);
        self.has_runnable()
    }

    /// Lets go of memory that only a busy reactor needs.
    pub fn rest(&mut self) {
        self.core.arena.seal();
    }

    /// True when queues have more to deliver.
    pub fn has_runnable(&self) -> bool {
        !self.core.runnable.is_empty() || self.core.has_dead_letters()
    }

    /// The key that the next [`Shard::accept`] will give.
    pub fn next_key(&self) -> usize {
        self.free.last().copied().unwrap_or(self.connections.len())
    }

    /// The connections that came to their end in other ways than by receiving.
    pub fn take_ended(&mut self, keys: &mut Vec<usize>) {
        keys.append(&mut self.ended);
    }

    /// The links with output to flush, once each.
    pub fn take_touched(&mut self, links: &mut Vec<Arc<Link>>) {
        links.append(&mut self.core.touched);
    }

    /// True when there are links to flush.
    pub fn has_touched(&self) -> bool {
        !self.core.touched.is_empty()
    }

    /// The connections that were parked and can be read on.
    pub fn take_resumed(&mut self, keys: &mut Vec<usize>) {
        keys.append(&mut self.resumed);
    }

    /// Number of connections.
    pub fn connections(&self) -> usize {
        self.connections.len() - self.free.len()
    }

    fn connection(&self, key: usize) -> Option<&Connection> {
        self.connections.get(key).and_then(Option::as_deref)
    }

    /// Serves one connection, and sees to what serving it set up: timers, resumption.
    fn serve<R: Default>(&mut self, key: usize, serve: impl FnOnce(&mut Core, &mut Connection) -> R) -> R {
        let Some(mut conn) = self.connections.get_mut(key).and_then(Option::take) else { return R::default() };
        let before = (conn.phase, conn.is_reading());
        let result = serve(&mut self.core, &mut conn);
        self.arm_timers(key, &mut conn, before.0);
        if !before.1 && conn.is_reading() {
            self.resumed.push(key);
        }
        conn.entry.set_state(ConnectionState::of(conn.phase, conn.park.as_ref()));
        if conn.phase == Phase::Closed {
            if before.0 != Phase::Closed {
                self.core.broker.directory.remove(&conn.entry);
                if conn.entry.vhost().is_some() {
                    self.core.broker.totals.churn.connection_closed.add(1);
                }
                // RabbitMQ tells of one that was refused, too, as soon as its client had said who it is.
                if conn.entry.client_properties().is_some() {
                    self.core.broker.emit_connection_closed(&conn.entry);
                }
            }
            conn.link.end();
            self.ended.push(key);
        }
        self.connections[key] = Some(conn);
        result
    }

    fn serve_address(&mut self, address: Address, serve: impl FnOnce(&mut Core, &mut Connection)) {
        if self.connection(address.key).is_some_and(|conn| conn.link.id == address.id) {
            self.serve(address.key, serve);
        }
    }

    fn each(&mut self, mut serve: impl FnMut(&mut Core, &mut Connection)) {
        for key in 0..self.connections.len() {
            self.serve(key, |core, conn| serve(core, conn));
        }
    }

    /// Arms what a connection's new state needs.
    fn arm_timers(&mut self, key: usize, conn: &mut Connection, before: Phase) {
        let (id, now_ms) = (conn.link.id, self.core.now.mono_ms());
        let look_ms = match &conn.park {
            Some(Park::Flow { .. }) => Some(now_ms + FLOW_LOOK_MS),
            Some(Park::Log { .. }) => Some(now_ms + LOG_LOOK_MS),
            Some(Park::Output) => Some(now_ms + FLOW_PAUSE_MS),
            Some(Park::Refused { until_ms, .. }) => Some(*until_ms),
            Some(
                Park::Journal { .. }
                | Park::Get { .. }
                | Park::Alarm
                | Park::Login { .. }
                | Park::Question
                | Park::Secret,
            )
            | None => None,
        };
        self.arm_expiry(key, conn);
        // One timer at a time, however often the connection is served meanwhile.
        if let Some(look_ms) = look_ms.filter(|_| !conn.unpark_is_armed) {
            conn.unpark_is_armed = true;
            self.timers.arm(look_ms, Timer::Unpark(key, id));
        }
        if conn.phase != before {
            match conn.phase {
                Phase::Closing => {
                    let timeout_ms = if conn.out_of_step { OUT_OF_STEP_TIMEOUT_MS } else { CLOSE_TIMEOUT_MS };
                    self.timers.arm(now_ms + timeout_ms, Timer::CloseTimeout(key, id));
                }
                // A peer that takes nothing any more must not keep its socket for ever.
                Phase::Closed if conn.link.pending() > 0 => {
                    self.timers.arm(now_ms + CLOSE_TIMEOUT_MS, Timer::CloseTimeout(key, id));
                }
                Phase::Running if conn.heartbeat_s > 0 => {
                    // The answer to connection.open is no reason to be silent for a whole interval after it: some
                    // clients wait no longer than that.
                    conn.last_sent = conn.link.sent().0 + conn.link.pending() as u64;
                    self.timers.arm(now_ms + u64::from(conn.heartbeat_s) * 500, Timer::Heartbeat(key, id));
                }
                _ => {}
            }
        }
        if let Some(interval_ms) = self.core.take_new_timeout_interval() {
            self.timers.watch_timeouts(now_ms, interval_ms);
        }
    }

    /// A connection's address, as long as it is the same connection.
    fn is_same(&self, key: usize, id: ConnectionId) -> bool {
        self.connection(key).is_some_and(|conn| conn.link.id == id)
    }
}
