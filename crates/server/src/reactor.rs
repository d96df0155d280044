//! The loop of a reactor.
//!
//! Read what is there, let the engine handle it, and flush late: before outputs are written, sockets are polled again
//! without waiting, so that under load one write carries many deliveries. The rounds are bounded, and an idle broker
//! finds nothing on the first look and answers at once.

use crate::distributor::{Arrival, Distributor};
use crate::doorkeeper::{Doorkeeper, Doors, EntranceSettings};
use crate::listener::{ListenError, Listeners, SocketOptions};
use crate::socket::Socket;
use crate::tls_socket::TlsSocket;
use broker::{Broker, Flushed, Link, Now, Shard};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tracing::{error, warn};

/// Bytes read from a socket at once.
const READ_BUFFER: usize = 256 << 10;
/// Rounds of reading before outputs are flushed.
const ROUNDS_BEFORE_FLUSH: usize = 8;
/// Bytes read before outputs are flushed.
const BYTES_BEFORE_FLUSH: usize = READ_BUFFER;
/// Idle time after which memory is given back.
const REST_AFTER: Duration = Duration::from_secs(2);
/// How long a stopping reactor waits for clients to answer connection.close.
const FAREWELL: Duration = Duration::from_secs(3);

const WAKE: Token = Token(usize::MAX);

/// A reactor that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its thread or what it waits with.
    #[error("cannot start a reactor: {0}")]
    Reactor(#[from] io::Error),
    /// Clients cannot connect.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Running reactors.
pub struct Reactors {
    threads: Vec<JoinHandle<()>>,
    doorkeeper: Doorkeeper,
}

impl Reactors {
    /// Starts a reactor thread per shard of the broker, and the thread that accepts connections.
    pub fn start(
        broker: &Arc<Broker>,
        listeners: Listeners,
        entrance: EntranceSettings,
    ) -> Result<Reactors, StartError> {
        listeners.listen()?;
        let mut parts = Vec::new();
        let mut reactors = Vec::new();
        for index in 0..broker.shards() {
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
            let (sender, arrivals) = channel();
            reactors.push((sender, waker.clone()));
            broker.on_message(index, move || {
                if let Err(error) = waker.wake() {
                    error!("cannot wake a reactor: {error}");
                }
            });
            parts.push((poll, arrivals));
        }
        let distributor = Distributor::new(reactors);
        let mut threads = Vec::new();
        for (index, (poll, arrivals)) in parts.into_iter().enumerate() {
            let reactor = Reactor::new(broker.clone(), index, poll, arrivals, listeners.options.clone());
            let thread = std::thread::Builder::new().name(format!("reactor-{index}"));
            threads.push(thread.spawn(move || reactor.run())?);
        }
        let doorkeeper = Doorkeeper::start(broker.clone(), listeners, entrance, distributor)?;
        Ok(Reactors { threads, doorkeeper })
    }

    /// By which the listeners are suspended and resumed.
    pub fn doors(&self) -> Doors {
        self.doorkeeper.doors()
    }

    /// Waits until all reactors have ended, which they do after [`Broker::shut_down`].
    pub fn join(self) {
        self.doorkeeper.stop();
        for thread in self.threads {
            if thread.join().is_err() {
                error!("a reactor ended with a panic");
            }
        }
    }
}

struct Client {
    socket: Socket,
    link: Arc<Link>,
    /// True until a read finds nothing more: edge-triggered readiness is told once.
    readable: bool,
    /// The peer has finished: the last bytes and its end come as one event, so a short read is not the last.
    finished: bool,
    /// True while it stands on the list of sockets to read.
    queued: bool,
    gone: bool,
}

struct Reactor {
    broker: Arc<Broker>,
    index: usize,
    poll: Poll,
    shard: Shard,
    clients: Vec<Option<Client>>,
    /// Clients to read from, in turn.
    ready: VecDeque<usize>,
    arrivals: Receiver<Arrival>,
    options: SocketOptions,
    buffer: Vec<u8>,
    /// What is read before it is decrypted; empty without TLS.
    sealed: Vec<u8>,
    started: Instant,
    /// Time of day when it started, in ms since 1970.
    epoch_ms: u64,
    touched: Vec<Arc<Link>>,
    keys: Vec<usize>,
    /// Clients whose connection may be over.
    ending: Vec<usize>,
    stopping: Option<Instant>,
}

impl Reactor {
    fn new(
        broker: Arc<Broker>,
        index: usize,
        poll: Poll,
        arrivals: Receiver<Arrival>,
        options: SocketOptions,
    ) -> Reactor {
        Reactor {
            shard: Shard::new(broker.clone(), index),
            broker,
            index,
            poll,
            clients: Vec::new(),
            ready: VecDeque::new(),
            arrivals,
            options,
            buffer: vec![0; READ_BUFFER],
            sealed: Vec::new(),
            started: Instant::now(),
            epoch_ms: wall_ms(),
            touched: Vec::new(),
            keys: Vec::new(),
            ending: Vec::new(),
            stopping: None,
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut rested = false;
        while !self.is_done() {
            let timeout = self.timeout(rested);
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                error!("a reactor cannot wait for its sockets: {error}");
                return;
            }
            self.set_now();
            let idle = events.is_empty() && self.ready.is_empty();
            self.gather(&events);
            self.serve(&mut events);
            if idle && !rested && timeout == Some(REST_AFTER) {
                self.shard.rest();
                self.sealed = Vec::new();
                self.broker.trim();
                rested = true;
            } else if !idle {
                rested = false;
            }
            self.shard.end_turn();
        }
    }

    /// How long to wait: not at all with work left, else for the next timer.
    fn timeout(&self, rested: bool) -> Option<Duration> {
        if !self.ready.is_empty() || self.shard.has_touched() || self.shard.has_runnable() {
            return Some(Duration::ZERO);
        }
        let now_ms = self.mono_ns() / 1_000_000;
        let timer = self.shard.next_timer_ms().map(|due_ms| Duration::from_millis(due_ms.saturating_sub(now_ms)));
        let rest = (!rested).then_some(REST_AFTER);
        let stop = self.stopping.map(|_| Duration::from_millis(20));
        [timer, rest, stop].into_iter().flatten().min()
    }

    fn mono_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn set_now(&mut self) {
        self.shard.set_now(Now { mono_ns: self.mono_ns(), wall_ms: wall_ms(), epoch_ms: self.epoch_ms });
    }

    /// Notes what the events say.
    fn gather(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                WAKE => {}
                Token(key) => {
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        self.queue(key, event.is_read_closed());
                    }
                    if event.is_writable()
                        && let Some(Some(client)) = self.clients.get(key)
                    {
                        client.socket.writable();
                        self.touched.push(client.link.clone());
                    }
                }
            }
        }
        self.shard.messages();
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.admit(arrival);
        }
        if self.broker.is_shutting_down() && self.stopping.is_none() {
            self.stopping = Some(Instant::now());
        }
    }

    /// Puts a client on the list of those to read from.
    fn queue(&mut self, key: usize, finished: bool) {
        if let Some(Some(client)) = self.clients.get_mut(key) {
            client.readable = true;
            client.finished |= finished;
            if !client.queued {
                client.queued = true;
                self.ready.push_back(key);
            }
        }
    }

    /// One turn: rounds of reading as long as there is something and bounds allow, then flushing.
    fn serve(&mut self, events: &mut Events) {
        self.shard.run_timers();
        let mut bytes = 0;
        for round in 0..ROUNDS_BEFORE_FLUSH {
            for _ in 0..self.ready.len() {
                let Some(key) = self.ready.pop_front() else { break };
                bytes += self.read(key);
            }
            self.shard.run_queues();
            let more_would_wait = bytes >= BYTES_BEFORE_FLUSH || round + 1 == ROUNDS_BEFORE_FLUSH;
            if more_would_wait || !self.shard.has_touched() {
                break;
            }
            if self.poll.poll(events, Some(Duration::ZERO)).is_err() || events.is_empty() {
                break;
            }
            self.gather(events);
        }
        self.shard.commit();
        self.flush();
        self.finish_connections();
    }

    /// Reads once from a client and lets the engine handle it; returns how many bytes came.
    fn read(&mut self, key: usize) -> usize {
        let Some(Some(client)) = self.clients.get_mut(key) else { return 0 };
        client.queued = false;
        if !self.shard.is_reading(key) {
            // What is there stays in the kernel until the connection is resumed. A peer that is gone is noticed then,
            // or when something is written to it.
            self.ending.push(key);
            return 0;
        }
        let leftover = self.shard.leftover(key);
        let start = leftover.len();
        if self.buffer.len() < start + READ_BUFFER / 2 {
            self.buffer.resize(start + READ_BUFFER, 0);
        }
        self.buffer[..start].copy_from_slice(leftover);
        let received = client.socket.read(&mut self.buffer[start..], &mut self.sealed);
        let fresh = match received.count {
            Ok(0) => {
                client.gone = true;
                client.readable = false;
                0
            }
            Ok(count) => {
                client.readable = received.has_more || client.finished;
                count
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                client.readable = false;
                0
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(_) => {
                client.gone = true;
                client.readable = false;
                0
            }
        };
        let (gone, again) = (client.gone, client.readable);
        if start + fresh > 0 {
            self.shard.receive(key, &self.buffer[..start + fresh], fresh);
        }
        if self.buffer.len() > 2 * READ_BUFFER {
            self.buffer.truncate(READ_BUFFER);
            self.buffer.shrink_to_fit();
        }
        if gone {
            self.shard.hang_up(key);
        } else if again {
            self.queue(key, false);
        }
        self.ending.push(key);
        fresh
    }

    /// Writes what is pending, and lets consumers go on that wait for room.
    fn flush(&mut self) {
        let mut links = std::mem::take(&mut self.touched);
        self.shard.take_touched(&mut links);
        for link in &links {
            let flushed = link.flush();
            self.shard.drained(link);
            if let Some(key) = self.own(link) {
                if flushed == Flushed::Broken {
                    self.shard.hang_up(key);
                }
                self.ending.push(key);
            }
        }
        links.clear();
        self.touched = links;
        self.shard.take_resumed(&mut self.keys);
        while let Some(key) = self.keys.pop() {
            self.queue(key, false);
        }
    }

    fn own(&self, link: &Arc<Link>) -> Option<usize> {
        let key = link.key_in(self.index)?;
        let client = self.clients.get(key)?.as_ref()?;
        Arc::ptr_eq(&client.link, link).then_some(key)
    }

    /// Drops the sockets of connections that are over.
    fn finish_connections(&mut self) {
        self.shard.take_ended(&mut self.ending);
        while let Some(key) = self.ending.pop() {
            if !self.shard.is_finished(key) && !self.is_gone(key) {
                continue;
            }
            if let Some(client) = self.clients.get_mut(key).and_then(Option::take) {
                client.socket.close();
                self.shard.remove(key);
            }
        }
    }

    fn is_gone(&self, key: usize) -> bool {
        matches!(self.clients.get(key), Some(Some(client)) if client.gone)
    }

    /// Takes a connection in.
    fn admit(&mut self, arrival: Arrival) {
        let Arrival { mut stream, ends, session } = arrival;
        self.options.apply(&stream);
        if self.stopping.is_some() || self.broker.is_in_maintenance() {
            return;
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        // The key is known only after the shard took the connection, and the socket is shared only after registration.
        let key = self.shard.next_key();
        if let Err(error) = self.poll.registry().register(&mut stream, Token(key), interest) {
            warn!("cannot watch the socket of {}: {error}", ends.peer);
            return;
        }
        let socket = match session {
            None => Socket::Plain(Arc::new(stream)),
            Some(session) => Socket::Tls(Arc::new(TlsSocket::new(stream, session, ends.peer.to_string()))),
        };
        let (taken, link) = self.shard.accept(socket.transport(), ends);
        debug_assert_eq!(taken, key, "the shard announced the key");
        if self.clients.len() <= key {
            self.clients.resize_with(key + 1, || None);
        }
        self.clients[key] = Some(Client { socket, link, readable: true, finished: false, queued: false, gone: false });
        self.queue(key, false);
    }

    fn is_done(&self) -> bool {
        self.stopping.is_some_and(|since| self.shard.connections() == 0 || since.elapsed() > FAREWELL)
    }
}

/// The time of day, in ms since 1970.
fn wall_ms() -> u64 {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(wall.as_millis()).unwrap_or(0)
}
