//! Open connections, their channels and consumers, as everybody but their reactor sees them.
//!
//! Each has an entry: what is known of it once, and numbers that its reactor keeps up to date. Lists and samples read
//! those, so that no reactor is woken or waits for them, be there ten thousand connections. The locks here are held to
//! look up, add or remove an entry, by reactors only when something opens or closes.

mod channel_entry;
mod connection_entry;
mod subscription;

pub use channel_entry::{ChannelEntry, ChannelMode};
pub use connection_entry::{ConnectionEntry, ConnectionState, Tuned};
pub(crate) use subscription::Source;
pub use subscription::Subscription;

use crate::broker::Broker;
use crate::link::ConnectionId;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Connections that are listed under one hold of the lock.
const PIECE: usize = 256;

/// The entries of open connections.
#[derive(Default)]
pub(crate) struct Directory(RwLock<Open>);

#[derive(Default)]
struct Open {
    /// In the order in which they came.
    connections: BTreeMap<ConnectionId, Arc<ConnectionEntry>>,
    ids: HashMap<Arc<str>, ConnectionId, RandomState>,
}

impl Directory {
    fn read(&self) -> RwLockReadGuard<'_, Open> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Open> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, entry: &Arc<ConnectionEntry>) {
        let mut open = self.write();
        open.ids.insert(entry.name.clone(), entry.id);
        open.connections.insert(entry.id, entry.clone());
    }

    /// Nothing happens when it is not there.
    pub(crate) fn remove(&self, entry: &ConnectionEntry) {
        let mut open = self.write();
        if open.connections.remove(&entry.id).is_none() {
            return;
        }
        // The client's port may be in use again, and the name another connection's.
        if open.ids.get(&entry.name) == Some(&entry.id) {
            open.ids.remove(&entry.name);
        }
    }
}

/// How many objects there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectTotals {
    /// Connections that have a virtual host.
    pub connections: u64,
    /// Channels.
    pub channels: u64,
    /// Exchanges, those that every virtual host has among them.
    pub exchanges: u64,
    /// Queues.
    pub queues: u64,
    /// Consumers, those of direct replies among them.
    pub consumers: u64,
}

impl Broker {
    /// Open connections in the order in which they came, those that are still shaking hands among them.
    pub fn connections(&self) -> Vec<Arc<ConnectionEntry>> {
        let mut all: Vec<Arc<ConnectionEntry>> = Vec::new();
        loop {
            let after = all.last().map_or(Bound::Unbounded, |last| Bound::Excluded(last.id));
            let before = all.len();
            // A reactor that opens or closes a connection waits no longer than for a piece.
            let open = self.directory.read();
            all.extend(open.connections.range((after, Bound::Unbounded)).take(PIECE).map(|(_, entry)| entry.clone()));
            if all.len() < before + PIECE {
                return all;
            }
        }
    }

    /// The open connection with this id.
    pub fn connection(&self, id: ConnectionId) -> Option<Arc<ConnectionEntry>> {
        self.directory.read().connections.get(&id).cloned()
    }

    /// The open connection called `name`, as `PEER:PORT -> HOST:PORT`.
    pub fn connection_called(&self, name: &str) -> Option<Arc<ConnectionEntry>> {
        let open = self.directory.read();
        open.ids.get(name).and_then(|id| open.connections.get(id)).cloned()
    }

    /// Open channels, by connection and number.
    pub fn channels(&self) -> Vec<Arc<ChannelEntry>> {
        let mut channels = Vec::new();
        for connection in self.connections() {
            connection.each_channel(|channel| channels.push(channel.clone()));
        }
        channels
    }

    /// The open channel called `name`, as `PEER:PORT -> HOST:PORT (NUMBER)`.
    pub fn channel_called(&self, name: &str) -> Option<Arc<ChannelEntry>> {
        let (connection, number) = name.strip_suffix(')')?.rsplit_once(" (")?;
        self.connection_called(connection)?.channel(number.parse().ok()?)
    }

    /// Consumers, by connection and channel, in the order in which they began.
    pub fn consumers(&self) -> Vec<Arc<Subscription>> {
        self.channels().iter().flat_map(|channel| channel.consumers()).collect()
    }

    /// How many objects there are, without looking at them.
    pub fn object_totals(&self) -> ObjectTotals {
        let vhosts = self.vhosts();
        ObjectTotals {
            connections: self.connections.count(),
            channels: self.channels.count(),
            exchanges: vhosts.iter().map(|vhost| vhost.exchange_count() as u64).sum(),
            queues: vhosts.iter().map(|vhost| vhost.queue_count() as u64).sum(),
            consumers: self.consumers.count(),
        }
    }
}
