//! Users, virtual hosts and permissions as operators see them, and the one way in which commands change them.

use super::AdminError;
use crate::broker::Broker;
use metadata::{Change, Definitions, Journal, Snapshot, Token};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

/// The durable definitions that commands list. Topology is not among them: the virtual hosts have it.
pub(crate) struct Registry {
    /// Held from a decision until its change is durable, so that changes take effect in the journal's order.
    writer: Mutex<Definitions>,
    current: RwLock<Arc<Snapshot>>,
    journal_moved: (Mutex<()>, Condvar),
}

impl Registry {
    pub(crate) fn new(snapshot: &Snapshot) -> Registry {
        let own = Snapshot {
            vhosts: snapshot.vhosts.clone(),
            users: snapshot.users.clone(),
            permissions: snapshot.permissions.clone(),
            topic_permissions: snapshot.topic_permissions.clone(),
            ..Snapshot::default()
        };
        Registry {
            writer: Mutex::new(Definitions::from(own.clone())),
            current: RwLock::new(Arc::new(own)),
            journal_moved: (Mutex::default(), Condvar::new()),
        }
    }

    pub(crate) fn current(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wakes those who wait for the journal.
    pub(crate) fn journal_advanced(&self) {
        drop(self.journal_moved.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.journal_moved.1.notify_all();
    }

    /// Waits until `token` is durable. A journal that fails ends the process, so there is no other way out.
    pub(super) fn wait(&self, journal: &dyn Journal, token: Token) {
        let mut guard = self.journal_moved.0.lock().unwrap_or_else(PoisonError::into_inner);
        while journal.durable() < token {
            guard = self.journal_moved.1.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The right to change definitions; one at a time has it.
pub(super) struct Writer<'a> {
    broker: &'a Broker,
    definitions: MutexGuard<'a, Definitions>,
}

impl Writer<'_> {
    /// Proposes `change`, waits until it is durable, and lets it take effect.
    pub(super) fn commit(&mut self, change: Change) {
        let token = self.broker.journal.propose(vec![change.clone()]);
        self.broker.registry.wait(&*self.broker.journal, token);
        self.broker.access.apply(&change);
        self.definitions.apply(change);
        let snapshot = Arc::new(Snapshot::from(self.definitions.clone()));
        *self.broker.registry.current.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

impl Broker {
    /// Begins a change of definitions; what [`Registry::current`] says stays true until it is committed.
    pub(super) fn writer(&self) -> Writer<'_> {
        let definitions = self.registry.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Writer { broker: self, definitions }
    }

    /// Waits until a change of the topology is durable.
    pub(super) fn wait_for(&self, token: Option<Token>) {
        if let Some(token) = token {
            self.registry.wait(&*self.journal, token);
        }
    }

    pub(super) fn check_vhost_exists(&self, name: &str) -> Result<(), AdminError> {
        let vhosts = &self.registry.current().vhosts;
        if vhosts.iter().any(|vhost| vhost.name == name) { Ok(()) } else { Err(super::Missing::Vhost.called(name)) }
    }
}
