//! Users, virtual hosts, permissions, policies and parameters as operators see them, and the one way in which commands change them.

use super::AdminError;
use crate::broker::Broker;
use metadata::{Change, Definitions, Snapshot, Token};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

/// The durable definitions that commands list. Topology is not among them: the virtual hosts have it.
pub(crate) struct Registry {
    /// Held from a decision until its change is durable, so that changes take effect in the journal's order.
    writer: Mutex<Definitions>,
    current: RwLock<Arc<Snapshot>>,
    moved: (Mutex<()>, Condvar),
}

impl Registry {
    pub(crate) fn new(snapshot: &Snapshot) -> Registry {
        let own = Snapshot {
            vhosts: snapshot.vhosts.clone(),
            users: snapshot.users.clone(),
            permissions: snapshot.permissions.clone(),
            topic_permissions: snapshot.topic_permissions.clone(),
            policies: snapshot.policies.clone(),
            parameters: snapshot.parameters.clone(),
            global_parameters: snapshot.global_parameters.clone(),
            ..Snapshot::default()
        };
        Registry {
            writer: Mutex::new(Definitions::from(own.clone())),
            current: RwLock::new(Arc::new(own)),
            moved: (Mutex::default(), Condvar::new()),
        }
    }

    pub(crate) fn current(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wakes those who wait: the journal has moved, or the broker stops.
    pub(crate) fn wake(&self) {
        drop(self.moved.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.1.notify_all();
    }
}

/// The right to change definitions; one at a time has it.
pub(crate) struct Writer<'a> {
    broker: &'a Broker,
    definitions: MutexGuard<'a, Definitions>,
    /// What took effect, each with what was before. It is told when the command is done, behind what follows from it, as
    /// RabbitMQ tells it.
    told: Vec<(Arc<Snapshot>, Vec<Change>)>,
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.told.iter().for_each(|(before, changes)| self.broker.emit_changes(before, changes));
    }
}

impl Writer<'_> {
    /// Proposes `change`, waits until it is durable, and lets it take effect.
    pub(super) fn commit(&mut self, change: Change) -> Result<(), AdminError> {
        self.commit_all(vec![change])
    }

    /// The same with many changes, which become durable together.
    pub(super) fn commit_all(&mut self, changes: Vec<Change>) -> Result<(), AdminError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.broker.wait_for(Some(self.broker.journal.propose(changes.clone())))?;
        for change in &changes {
            self.broker.access.apply(change);
            self.definitions.apply(change.clone());
        }
        let before = self.broker.registry.current();
        let snapshot = Arc::new(Snapshot::from(self.definitions.clone()));
        *self.broker.registry.current.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        for change in &changes {
            match change {
                Change::PutUser(user) => self.broker.users_in_use.changed(user),
                Change::DeleteUser { name } => self.broker.users_in_use.removed(name),
                _ => {}
            }
        }
        if self.broker.events.is_listening() {
            self.told.push((before, changes));
        }
        Ok(())
    }
}

impl Broker {
    /// Begins a change of definitions; what [`Registry::current`] says stays true until it is committed.
    pub(super) fn writer(&self) -> Writer<'_> {
        let definitions = self.registry.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Writer { broker: self, definitions, told: Vec::new() }
    }

    /// Waits until `token` is durable. A journal that fails ends the process, so only the broker's end is another way out.
    pub(crate) fn wait_for(&self, token: Option<Token>) -> Result<(), AdminError> {
        let Some(token) = token else { return Ok(()) };
        let (lock, moved) = &self.registry.moved;
        let mut guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.journal.durable() < token {
            if self.is_shutting_down() {
                return Err(AdminError::Unavailable("the broker is stopping".to_owned()));
            }
            guard = moved.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    pub(super) fn check_vhost_exists(&self, name: &str) -> Result<(), AdminError> {
        let vhosts = &self.registry.current().vhosts;
        if vhosts.iter().any(|vhost| vhost.name == name) { Ok(()) } else { Err(super::Missing::Vhost.called(name)) }
    }
}
