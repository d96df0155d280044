//! A connection as others see it.

use super::ChannelEntry;
use crate::connection::{Ends, Park, Phase, TlsEnds};
use crate::counters::Counter;
use crate::link::{ConnectionId, Link};
use amqp::FieldTable;
use auth::{Mechanism, User};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// RabbitMQ's states of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Before connection.start-ok.
    Starting,
    /// Before connection.tune-ok.
    Tuning,
    /// Before connection.open.
    Opening,
    /// Open.
    Running,
    /// It publishes during an alarm, and is not read from.
    Blocked,
    /// It publishes faster than its messages are taken, and is not read from for a moment.
    Flow,
    /// connection.close was sent or received.
    Closing,
    /// Over.
    Closed,
}

const STATES: [ConnectionState; 8] = [
    ConnectionState::Starting,
    ConnectionState::Tuning,
    ConnectionState::Opening,
    ConnectionState::Running,
    ConnectionState::Blocked,
    ConnectionState::Flow,
    ConnectionState::Closing,
    ConnectionState::Closed,
];

impl ConnectionState {
    /// RabbitMQ's name for it.
    pub fn name(self) -> &'static str {
        match self {
            ConnectionState::Starting => "starting",
            ConnectionState::Tuning => "tuning",
            ConnectionState::Opening => "opening",
            ConnectionState::Running => "running",
            ConnectionState::Blocked => "blocked",
            ConnectionState::Flow => "flow",
            ConnectionState::Closing => "closing",
            ConnectionState::Closed => "closed",
        }
    }

    /// What the phase of a connection, and why it is not read from, come to.
    pub(crate) fn of(phase: Phase, park: Option<&Park>) -> ConnectionState {
        match (park, phase) {
            (Some(Park::Alarm), _) => ConnectionState::Blocked,
            (Some(Park::Flow { .. } | Park::Log { .. }), _) => ConnectionState::Flow,
            (_, Phase::Header | Phase::Starting) => ConnectionState::Starting,
            (_, Phase::Tuning) => ConnectionState::Tuning,
            (_, Phase::Opening) => ConnectionState::Opening,
            (_, Phase::Running) => ConnectionState::Running,
            (_, Phase::Closing) => ConnectionState::Closing,
            (_, Phase::Closed) => ConnectionState::Closed,
        }
    }
}

/// Who logged in.
struct Login {
    user: Arc<User>,
    mechanism: Mechanism,
}

/// What connection.tune came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuned {
    /// Most channels.
    pub channel_max: u16,
    /// Largest frame in bytes.
    pub frame_max: u32,
    /// Heartbeat in seconds; 0 = none.
    pub heartbeat_s: u16,
}

/// A connection as others see it: facts that come one after the other during the handshake, and numbers.
pub struct ConnectionEntry {
    /// Its id.
    pub id: ConnectionId,
    /// `PEER:PORT -> HOST:PORT`, RabbitMQ's name of it.
    pub name: Arc<str>,
    /// The client's address.
    pub peer: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// What protects it; `None` for nothing.
    pub tls: Option<Arc<TlsEnds>>,
    /// When it was accepted, in ms since 1970.
    pub connected_at_ms: u64,
    /// Bytes received.
    pub received_bytes: Counter,
    /// Reads that brought something.
    pub received_reads: Counter,
    client_properties: OnceLock<FieldTable>,
    login: OnceLock<Login>,
    tuned: OnceLock<Tuned>,
    vhost: OnceLock<Arc<str>>,
    state: AtomicU8,
    /// Weak, so that whoever holds on to an entry does not keep a socket open.
    link: Weak<Link>,
    /// By number. A channel refers to its connection, and leaves before that goes.
    channels: Mutex<Vec<Arc<ChannelEntry>>>,
}

impl ConnectionEntry {
    pub(crate) fn new(link: &Arc<Link>, ends: Ends, connected_at_ms: u64) -> Arc<ConnectionEntry> {
        Arc::new(ConnectionEntry {
            id: link.id,
            name: name_of(&ends).into(),
            peer: ends.peer,
            local: ends.local,
            tls: ends.tls,
            connected_at_ms,
            received_bytes: Counter::default(),
            received_reads: Counter::default(),
            client_properties: OnceLock::new(),
            login: OnceLock::new(),
            tuned: OnceLock::new(),
            vhost: OnceLock::new(),
            state: AtomicU8::new(ConnectionState::Starting as u8),
            link: Arc::downgrade(link),
            channels: Mutex::default(),
        })
    }

    /// Name of its user; empty before the login.
    pub fn user(&self) -> &str {
        self.login.get().map_or("", |login| login.user.name())
    }

    /// The user that its client's certificate names, or why it names none, as RabbitMQ says it.
    pub fn certified(&self) -> Result<&str, &'static str> {
        match &self.tls {
            None => Err("not a TLS-enabled connection"),
            Some(tls) => tls.login_name.as_deref().map_err(|reason| *reason),
        }
    }

    /// How its user logged in, as `PLAIN`.
    pub fn mechanism(&self) -> Option<&'static str> {
        self.login.get().map(|login| login.mechanism.as_str())
    }

    /// Name of its virtual host; `None` before connection.open.
    pub fn vhost(&self) -> Option<&Arc<str>> {
        self.vhost.get()
    }

    /// What connection.tune came to; zeros before that.
    pub fn tuned(&self) -> Tuned {
        self.tuned.get().copied().unwrap_or_default()
    }

    /// What the client said of itself; `None` before connection.start-ok.
    pub fn client_properties(&self) -> Option<&FieldTable> {
        self.client_properties.get()
    }

    /// The state that its reactor left it in.
    pub fn state(&self) -> ConnectionState {
        let state = usize::from(self.state.load(Ordering::Relaxed));
        STATES.get(state).copied().unwrap_or(ConnectionState::Closed)
    }

    /// Bytes and writes sent so far; zeros once it is over.
    pub fn sent(&self) -> (u64, u64) {
        self.link.upgrade().map_or((0, 0), |link| link.sent())
    }

    /// Bytes that wait to be sent.
    pub fn pending_bytes(&self) -> u64 {
        self.link.upgrade().map_or(0, |link| link.pending() as u64)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ChannelEntry>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of open channels.
    pub fn channel_count(&self) -> usize {
        self.lock().len()
    }

    /// Its open channels, by number.
    pub fn channels(&self) -> Vec<Arc<ChannelEntry>> {
        self.lock().clone()
    }

    /// Visits its open channels, by number, without a list; `visit` must not take a lock.
    pub fn each_channel(&self, visit: impl FnMut(&Arc<ChannelEntry>)) {
        self.lock().iter().for_each(visit);
    }

    /// The open channel with this number.
    pub fn channel(&self, number: u16) -> Option<Arc<ChannelEntry>> {
        let channels = self.lock();
        let at = channels.binary_search_by_key(&number, |channel| channel.number).ok()?;
        channels.get(at).cloned()
    }

    pub(crate) fn add_channel(&self, entry: &Arc<ChannelEntry>) {
        let mut channels = self.lock();
        let at = channels.partition_point(|channel| channel.number < entry.number);
        channels.insert(at, entry.clone());
    }

    /// Nothing happens when it is not there.
    pub(crate) fn remove_channel(&self, entry: &Arc<ChannelEntry>) {
        self.lock().retain(|channel| !Arc::ptr_eq(channel, entry));
    }

    pub(crate) fn set_client_properties(&self, properties: FieldTable) -> &FieldTable {
        self.client_properties.get_or_init(|| properties)
    }

    // The handshake has each of these steps once; a second would change nothing.

    pub(crate) fn set_login(&self, user: Arc<User>, mechanism: Mechanism) {
        let _ = self.login.set(Login { user, mechanism });
    }

    pub(crate) fn set_tuned(&self, tuned: Tuned) {
        let _ = self.tuned.set(tuned);
    }

    pub(crate) fn set_vhost(&self, name: Arc<str>) {
        let _ = self.vhost.set(name);
    }

    #[inline]
    pub(crate) fn set_state(&self, state: ConnectionState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

fn name_of(ends: &Ends) -> String {
    let show = |address: SocketAddr| match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => format!("{v4}:{}", v6.port()),
            None => address.to_string(),
        },
        SocketAddr::V4(_) => address.to_string(),
    };
    format!("{} -> {}", show(ends.peer), show(ends.local))
}
