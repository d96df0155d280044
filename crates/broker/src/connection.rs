//! A connection as its reactor holds it.

use crate::channel::Channels;
use crate::directory::ConnectionEntry;
use crate::limits::{Place, UserUse};
use crate::link::Link;
use crate::message::Address;
use crate::topology::{QueueCell, Vhost};
use auth::{Mechanism, User};
use metadata::Token;
use std::net::SocketAddr;
use std::sync::Arc;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waits for the protocol header.
    Header,
    /// Waits for connection.start-ok.
    Starting,
    /// Waits for connection.tune-ok.
    Tuning,
    /// Waits for connection.open.
    Opening,
    /// Open.
    Running,
    /// We sent connection.close and wait for the answer; everything else is discarded.
    Closing,
    /// Nothing more is read; the socket goes when the output is written.
    Closed,
}

impl Phase {
    /// RabbitMQ's name for the state.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Header | Phase::Starting => "starting",
            Phase::Tuning => "tuning",
            Phase::Opening => "opening",
            Phase::Running => "running",
            Phase::Closing => "closing",
            Phase::Closed => "closed",
        }
    }
}

/// Why nothing is read from a connection for now. Its output goes on.
pub(crate) enum Park {
    /// Until the journal has made a change durable; then this reply is sent.
    Journal { reply: Vec<u8> },
    /// Until the log has room for a body of this length; the client publishes what is to be kept.
    Log { body_len: u64 },
    /// Until the first message of a queue can be delivered; then basic.get goes on.
    Get { channel: u16, queue: Arc<QueueCell>, no_ack: bool },
    /// Until the client has read what it asked for.
    Output,
    /// Until an alarm is cleared; the client publishes.
    Alarm,
    /// Until a queue is shorter, or a moment, because its messages come faster than consumers take them.
    Flow { queue: Arc<QueueCell>, until_ms: u64 },
    /// Until the client's login is checked.
    Login { mechanism: Mechanism },
    /// Until a backend has said whether the user may do what it wants; then the same frame is presented again.
    Question,
    /// Until the client's new secret is checked.
    Secret,
    /// Until the answer to a refused login is due.
    Refused { until_ms: u64, close: Vec<u8> },
}

/// What the client said it can take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capabilities {
    pub(crate) authentication_failure_close: bool,
    pub(crate) connection_blocked: bool,
    pub(crate) consumer_cancel_notify: bool,
}

/// A body frame whose payload has not arrived whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartialBody {
    pub(crate) channel: u16,
    /// Payload bytes to come; then the end octet.
    pub(crate) left: usize,
}

/// Ends of a connection as they appear in its name.
#[derive(Clone, Debug)]
pub struct Ends {
    /// The client's address.
    pub peer: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// What protects it; `None` for nothing.
    pub tls: Option<Arc<TlsEnds>>,
}

/// TLS of a connection, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsEnds {
    /// As `tlsv1.3`.
    pub protocol: String,
    /// As `ecdhe_rsa`.
    pub key_exchange: String,
    /// As `aes_256_gcm`.
    pub cipher: String,
    /// As `aead`.
    pub hash: String,
    /// The client's certificate, which was verified.
    pub peer: Option<PeerCertificate>,
    /// The user that it names, or why it names none.
    pub login_name: Result<String, &'static str>,
    /// False where it protects the client's way to a proxy only.
    pub ends_here: bool,
}

/// What is shown of a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Subject as RFC 4514 has it.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// First and last moment.
    pub validity: String,
    /// Serial number in hexadecimal digits.
    pub serial_number: String,
}

pub(crate) struct Connection {
    pub(crate) link: Arc<Link>,
    /// What others see of it.
    pub(crate) entry: Arc<ConnectionEntry>,
    pub(crate) phase: Phase,
    pub(crate) park: Option<Park>,
    pub(crate) leftover: Vec<u8>,
    pub(crate) partial_body: Option<PartialBody>,
    pub(crate) channels: Channels,
    pub(crate) vhost: Option<Arc<Vhost>>,
    pub(crate) user: Option<Arc<User>>,
    pub(crate) capabilities: Capabilities,
    pub(crate) frame_max: usize,
    pub(crate) channel_max: u16,
    pub(crate) heartbeat_s: u16,
    pub(crate) last_read_ms: u64,
    /// Bytes sent when that was last looked at.
    pub(crate) last_sent: u64,
    /// A durable change whose method had no reply to hold back; the next reply waits for it.
    pub(crate) undurable: Option<Token>,
    /// Where it is counted, once it is open.
    pub(crate) places: Vec<Place>,
    /// What its user has open.
    pub(crate) user_use: Option<Arc<UserUse>>,
    /// The name of a queue that the client leaves to us, while its declaration waits for a backend.
    pub(crate) chosen_name: Option<String>,
    /// The queues that go with the connection.
    pub(crate) exclusive_queues: Vec<Arc<QueueCell>>,
    /// Channels that we closed and the client answered for, with the time until which it may not have noticed.
    pub(crate) just_closed: Vec<(u16, u64)>,
    /// True when received bytes make no sense any more; they are discarded until the socket is closed.
    pub(crate) out_of_step: bool,
    /// While a timer waits for it, when the user's token expires, in s since 1970.
    pub(crate) expiry_is_armed_for: Option<u64>,
    /// True while a timer looks whether the connection's park is over.
    pub(crate) unpark_is_armed: bool,
    /// True after connection.blocked.
    pub(crate) told_blocked: bool,
    /// True when what is pending can no longer be written.
    pub(crate) peer_is_gone: bool,
}

impl Connection {
    pub(crate) fn new(link: Arc<Link>, ends: Ends, wall_ms: u64, now_ms: u64) -> Connection {
        Connection {
            entry: ConnectionEntry::new(&link, ends, wall_ms),
            link,
            phase: Phase::Header,
            park: None,
            leftover: Vec::new(),
            partial_body: None,
            channels: Channels::default(),
            vhost: None,
            user: None,
            capabilities: Capabilities::default(),
            frame_max: amqp::frame::FRAME_MIN_SIZE,
            channel_max: u16::MAX,
            heartbeat_s: 0,
            last_read_ms: now_ms,
            last_sent: 0,
            undurable: None,
            places: Vec::new(),
            user_use: None,
            chosen_name: None,
            exclusive_queues: Vec::new(),
            just_closed: Vec::new(),
            out_of_step: false,
            expiry_is_armed_for: None,
            unpark_is_armed: false,
            told_blocked: false,
            peer_is_gone: false,
        }
    }

    /// `PEER:PORT -> HOST:PORT`, RabbitMQ's name of a connection.
    pub(crate) fn name(&self) -> Arc<str> {
        self.entry.name.clone()
    }

    /// True while received bytes are to be processed.
    pub(crate) fn is_reading(&self) -> bool {
        self.park.is_none() && self.phase != Phase::Closed
    }

    /// Where messages for it go.
    pub(crate) fn address(&self) -> Address {
        Address { key: self.link.key, id: self.link.id }
    }

    /// Name of the user, for error texts.
    pub(crate) fn user_name(&self) -> &str {
        self.user.as_ref().map_or("", |user| user.name())
    }
}
