//! The engine: virtual hosts, sessions, channels, confirms, flow, alarms and administrative commands.
//!
//! It does no I/O. A [`Broker`] is what everybody shares; a [`Shard`] is one reactor's part, which a driver feeds with
//! bytes, messages and time. Everything between reading a publish and having its deliveries in the outputs of consumers
//! happens on the thread that read it.
//!
//! Lock order: a virtual host's topology, a queue, an output; one of each at most, and topology never together with a
//! queue. The writer of a link comes before its output and is only tried with nothing else held. The staging lock of the
//! message log is a leaf.

mod access;
mod accounts;
mod admin;
mod broker;
mod channel;
mod confirms;
mod connection;
mod core;
pub mod counters;
#[allow(dead_code, reason = "queues give up messages with the next step")]
mod dead_letter;
mod deduplication;
pub(crate) mod delayed;
mod delivery;
mod directory;
pub mod errors;
mod events;
mod inbound;
mod key_pattern;
mod limits;
mod link;
mod login;
mod message;
mod messages;
mod names;
mod node_limits;
mod output;
mod policy;
mod properties;
mod reply_to;
mod restore;
mod session;
mod settings;
mod shard;
mod tap;
mod topology;
mod totals;
mod trace;
mod workers;

pub use accounts::{Accounts, VhostUser};
pub use admin::{
    AdminCommand, AdminError, AdminReply, AfterGet, BindingSnapshot, ClientListeners, Cursor, DelayedSnapshot,
    ExchangeSnapshot, Finding, Holder, INTERNAL_CLUSTER_ID, ImportBatch, ImportOutcome, ImportedPolicy, ImportedUser,
    ImportedVhost, MemoryControl, MemoryFigures, MemoryWatermark, MessageCommand, MessageFilter, MessageReply,
    MessageView, Missing, MoveTarget, NewPassword, OperationView, Origin, Overview, Peek, Peeked, QueueMark,
    QueueSnapshot, Secret, Standing, TopologyDefinitions, Transfer, WhenUserExists, Who,
};
pub use broker::{Alarm, Broker, Entropy};
pub use connection::{Ends, PeerCertificate, TlsEnds};
pub use delivery::Consumer;
pub use directory::{ChannelEntry, ChannelMode, ConnectionEntry, ConnectionState, ObjectTotals, Subscription, Tuned};
pub use events::{
    EVENT_EXCHANGE, Event, EventSink, EventStream, LOG_EXCHANGE, LogLine, process_id, set_process_creation,
};
pub use key_pattern::KeyPattern;
pub use link::{ConnectionId, Flushed, Link, Transport};
pub use message::{ShardMessage, Which};
pub use messages::MessageStore;
pub use node_limits::NodeLimits;
pub use policy::{InForce, Policy};
pub use settings::{
    ConsumerTimeoutAction, DefaultVhostLimits, OnRedeclare, PassiveDeclare, PublisherDeaths, Settings, VhostPolicy,
};
pub use shard::{Errand, Shard};
pub use tap::{Tap, TapEvent, TapRequest, TapSink, Watch};
pub use topology::{
    BindingInfo, DeadLetterTarget, DelayedRetry, Destination, Exchange, ExchangeKind, ExchangeOptions, Overflow,
    QueueCell, QueueDetails, QueueOptions, QueueTerms, Vhost,
};
pub use totals::{
    Churn, LoginCounts, LoginProtocol, LoginSource, MessageStats, MessageTotals, NodeTotals, REASONS, SIZE_BOUNDS,
    STRATEGIES,
};
pub use trace::{Operation, Traced, Tracer};
pub use workers::{Job, Work, Workers};

/// The time of a turn; the driver reads the clocks once for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// A clock that only goes forward, in ns.
    pub mono_ns: u64,
    /// Time of day, in ms since 1970.
    pub wall_ms: u64,
    /// What the time of day was when the forward clock was at 0, in ms since 1970.
    pub epoch_ms: u64,
}

impl Now {
    /// The forward clock in ms.
    #[inline]
    pub fn mono_ms(&self) -> u64 {
        self.mono_ns / 1_000_000
    }

    /// The time that messages expire by, in ms since 1970: the time of day at the start, and from there on the forward
    /// clock, so that setting the clock of the host expires nothing.
    #[inline]
    pub fn time_ms(&self) -> u64 {
        self.epoch_ms + self.mono_ms()
    }
}
