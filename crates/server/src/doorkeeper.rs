//! The doorkeeper: the thread that accepts connections, and sees to what comes before AMQP.
//!
//! That is the header of a proxy and the handshake of TLS: work that takes a peer's time and, for its share, ours, so it
//! is not for reactors. Who is at it is a **guest**. Guests are bounded in number and time, and cost little until they
//! have sent something; where there are too many, those go first whose network has the most, and where they have sent too
//! much, the one that has sent the most.

mod complaints;
mod crowd;
mod doors;
mod guest;

use crate::descriptors::{self, Room};
use crate::distributor::Distributor;
use crate::listener::{Door, ListenError, Listeners, SocketOptions};
use crate::reactor::StartError;
use broker::Broker;
use complaints::Complaints;
use crowd::who_goes;
use doors::Command;
pub use doors::Doors;
use guest::{Guest, Progress};
use mio::event::Event;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tls::{Endpoint, LoginFrom};
use tracing::{error, info, warn};

/// Guests at once, where descriptors allow as many.
const MOST_GUESTS: usize = 4096;
/// Bytes of handshakes of all guests together. One of a few KiB is usual, and the certificates of a client may make it 64
/// KiB and more, which not all may have at once.
const MOST_HANDSHAKE_BYTES: usize = 32 << 20;
/// Events at once: each may be a signature, and who waits at a door comes in between.
const EVENTS_AT_ONCE: usize = 128;
/// Share of the descriptors that guests may have.
const SHARE_OF_DESCRIPTORS: u64 = 4;
/// Connections accepted before guests are looked at again.
const ACCEPTED_AT_ONCE: usize = 256;
/// How often it is looked whose time is over.
const TICK: Duration = Duration::from_millis(100);
/// How long connections wait that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a proxy has for its header (RabbitMQ: 3 s).
const PROXY_TIMEOUT: Duration = Duration::from_secs(3);

const WAKE: Token = Token(usize::MAX);
const FIRST_DOOR: usize = usize::MAX - 1024;

/// What a connection has to do before it may speak AMQP.
#[derive(Clone, Default)]
pub struct EntranceSettings {
    /// Every connection begins with the header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// What the listeners with TLS need; without it they take nobody.
    pub tls: Option<TlsEntrance>,
}

/// TLS of the listeners that have it.
#[derive(Clone)]
pub struct TlsEntrance {
    /// Certificates and options.
    pub endpoint: Arc<Endpoint>,
    /// Time for the handshake.
    pub handshake_timeout: Duration,
    /// The part of a client's certificate that names its user.
    pub login_from: LoginFrom,
}

/// The running thread.
pub(crate) struct Doorkeeper {
    thread: JoinHandle<()>,
    doors: Doors,
}

impl Doorkeeper {
    /// Starts it; clients can connect when this returns, since the sockets listen.
    pub(crate) fn start(
        broker: Arc<Broker>,
        listeners: Listeners,
        settings: EntranceSettings,
        distributor: Distributor,
    ) -> Result<Doorkeeper, StartError> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (sender, commands) = channel();
        let is_suspended = Arc::new(AtomicBool::new(false));
        let doors = Doors::new(sender, waker, is_suspended.clone());
        let Listeners { doors: open, options } = listeners;
        let mut keeper = Keeper {
            broker,
            poll,
            doors: open,
            options,
            settings,
            distributor,
            commands,
            is_suspended,
            guests: BTreeMap::new(),
            received_bytes: 0,
            next: 0,
            most_guests: most_guests(),
            busy_doors: Vec::new(),
            accept_again: None,
            complaints: Complaints::default(),
        };
        for at in 0..keeper.doors.len() {
            keeper.watch(at)?;
        }
        let thread = std::thread::Builder::new().name("doorkeeper".to_owned()).spawn(move || keeper.run())?;
        Ok(Doorkeeper { thread, doors })
    }

    pub(crate) fn doors(&self) -> Doors {
        self.doors.clone()
    }

    /// Closes the listeners, drops guests, and ends the thread.
    pub(crate) fn stop(self) {
        self.doors.send(Command::Stop);
        if self.thread.join().is_err() {
            error!("the doorkeeper ended with a panic");
        }
    }
}

fn most_guests() -> usize {
    let share = (descriptors::limit() / SHARE_OF_DESCRIPTORS).max(16);
    usize::try_from(share).map_or(MOST_GUESTS, |share| share.min(MOST_GUESTS))
}

struct Keeper {
    broker: Arc<Broker>,
    poll: Poll,
    doors: Vec<Door>,
    options: SocketOptions,
    settings: EntranceSettings,
    distributor: Distributor,
    commands: Receiver<Command>,
    is_suspended: Arc<AtomicBool>,
    /// By the number of their arrival, so that those who came first stand first.
    guests: BTreeMap<usize, Guest>,
    /// Bytes of the handshakes of all of them.
    received_bytes: usize,
    next: usize,
    most_guests: usize,
    /// Doors before which more may be waiting, of which no event tells.
    busy_doors: Vec<usize>,
    /// When to look again for connections that could not be accepted.
    accept_again: Option<Instant>,
    complaints: Complaints,
}

impl Keeper {
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        let mut next_tick = Instant::now() + TICK;
        loop {
            let timeout = self.timeout(next_tick);
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                error!("the doorkeeper cannot wait for its sockets: {error}");
                return;
            }
            while let Ok(command) = self.commands.try_recv() {
                match command {
                    Command::Suspend(done) => {
                        self.suspend();
                        let _ = done.send(());
                    }
                    Command::Resume(done) => {
                        let _ = done.send(self.resume());
                    }
                    Command::Stop => return,
                }
            }
            for at in std::mem::take(&mut self.busy_doors) {
                self.accept(at);
            }
            events.iter().for_each(|event| self.handle(event));
            if self.accept_again.is_some_and(|due| due <= Instant::now()) {
                self.accept_again = None;
                (0..self.doors.len()).for_each(|at| self.accept(at));
            }
            if next_tick <= Instant::now() {
                next_tick = Instant::now() + TICK;
                self.drop_overdue();
            }
        }
    }

    fn timeout(&self, next_tick: Instant) -> Option<Duration> {
        if !self.busy_doors.is_empty() {
            return Some(Duration::ZERO);
        }
        let tick = (!self.guests.is_empty() || self.complaints.has_more()).then_some(next_tick);
        let due = [tick, self.accept_again].into_iter().flatten().min()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    fn handle(&mut self, event: &Event) {
        match event.token() {
            WAKE => {}
            Token(key) if key >= FIRST_DOOR => self.accept(key - FIRST_DOOR),
            Token(key) => self.serve(key),
        }
    }

    /// Has events of a door come, if it is open.
    fn watch(&mut self, at: usize) -> io::Result<()> {
        let Some(socket) = self.doors.get_mut(at).and_then(|door| door.socket.as_mut()) else { return Ok(()) };
        self.poll.registry().register(socket, Token(FIRST_DOOR + at), Interest::READABLE)
    }

    /// RabbitMQ: nobody new, and who is there stays.
    fn suspend(&mut self) {
        if self.is_suspended.load(Ordering::Acquire) {
            return;
        }
        self.doors.iter_mut().for_each(|door| door.socket = None);
        self.accept_again = None;
        self.busy_doors.clear();
        self.is_suspended.store(true, Ordering::Release);
        info!("listeners are suspended: no new client connections are accepted");
    }

    /// All or none: where one cannot be opened, nobody has got in through the others.
    fn resume(&mut self) -> Result<(), ListenError> {
        if !self.is_suspended.load(Ordering::Acquire) {
            return Ok(());
        }
        for at in 0..self.doors.len() {
            if let Err(error) = self.open(at) {
                self.doors.iter_mut().for_each(|door| door.socket = None);
                warn!("listeners stay suspended: {error}");
                return Err(error);
            }
        }
        self.is_suspended.store(false, Ordering::Release);
        info!("listeners are resumed");
        Ok(())
    }

    fn open(&mut self, at: usize) -> Result<(), ListenError> {
        let (options, door) = (&self.options, &mut self.doors[at]);
        let address = door.address;
        door.reopen(options)?;
        self.watch(at).map_err(|source| ListenError { address, source })
    }

    fn accept(&mut self, at: usize) {
        let room = Room::now();
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some(door) = self.doors.get(at) else { return };
            let (has_tls, Some(socket)) = (door.has_tls, &door.socket) else { return };
            match socket.accept() {
                // Under maintenance nobody new is served; who connects is hung up on.
                Ok(_) if self.broker.is_in_maintenance() => {}
                Ok((stream, _)) if !room.is_enough_for(&stream) => {
                    // Those that wait behind it get in when others go, or are hung up on one after the other.
                    let now = Instant::now();
                    self.complaints.no_descriptors(now);
                    self.accept_again = Some(now + ACCEPT_PAUSE);
                    return;
                }
                Ok((stream, peer)) => {
                    let Ok(local) = stream.local_addr() else { continue };
                    self.admit(Guest::new(stream, peer, local, has_tls, &self.settings));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // That one connection broke before we had it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Most likely too many open files: connections stay in the backlog, of which no event tells again.
                    let now = Instant::now();
                    self.complaints.cannot_accept(now, &error);
                    self.accept_again = Some(now + ACCEPT_PAUSE);
                    return;
                }
            }
        }
        self.busy_doors.push(at);
    }

    fn admit(&mut self, mut guest: Guest) {
        if guest.has_nothing_to_do() {
            self.distributor.hand_over(guest.into_arrival());
            return;
        }
        if self.guests.len() >= self.most_guests {
            self.make_room();
        }
        let key = self.next;
        self.next = (self.next + 1) % FIRST_DOOR;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(guest.stream(), Token(key), interest) {
            warn!("cannot watch the socket of {}: {error}", guest.peer());
            return;
        }
        self.guests.insert(key, guest);
        self.serve(key);
    }

    /// Drops a sixteenth of the guests.
    fn make_room(&mut self) {
        let guests = self.guests.iter().map(|(key, guest)| (*key, guest.socket_peer().ip(), guest.has_spoken()));
        let keys = who_goes(guests, (self.most_guests / 16).max(1));
        self.complaints.crowded(Instant::now(), keys.len());
        for key in keys {
            self.remove(key);
        }
    }

    /// Drops who has sent the most, until all together have sent little enough.
    fn forget_handshakes(&mut self) {
        while self.received_bytes > MOST_HANDSHAKE_BYTES {
            let Some((&key, _)) = self.guests.iter().max_by_key(|(_, guest)| guest.received_bytes()) else { return };
            self.complaints.crowded(Instant::now(), 1);
            self.remove(key);
        }
    }

    fn remove(&mut self, key: usize) -> Option<Guest> {
        let guest = self.guests.remove(&key)?;
        self.received_bytes -= guest.received_bytes();
        Some(guest)
    }

    /// Goes on with a guest, and hands it over when it is through.
    fn serve(&mut self, key: usize) {
        let Some(guest) = self.guests.get_mut(&key) else { return };
        let before = guest.received_bytes();
        let progress = guest.advance(&self.settings);
        self.received_bytes += guest.received_bytes() - before;
        match progress {
            Progress::Waits => self.forget_handshakes(),
            Progress::Gone(what) => {
                if let Some(guest) = self.remove(key) {
                    self.complaints.ended(Instant::now(), guest.socket_peer(), &what, guest.has_spoken());
                }
            }
            Progress::Through => {
                let Some(mut guest) = self.remove(key) else { return };
                if let Err(error) = self.poll.registry().deregister(guest.stream()) {
                    warn!("cannot hand over the socket of {}: {error}", guest.peer());
                    return;
                }
                self.distributor.hand_over(guest.into_arrival());
            }
        }
    }

    fn drop_overdue(&mut self) {
        let now = Instant::now();
        let overdue: Vec<usize> =
            self.guests.iter().filter(|(_, guest)| guest.deadline() <= now).map(|(key, _)| *key).collect();
        for key in overdue {
            if let Some(guest) = self.remove(key) {
                self.complaints.ended(now, guest.socket_peer(), guest.why_late(), true);
            }
        }
        self.complaints.tell(now);
    }
}
