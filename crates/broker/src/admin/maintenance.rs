//! Maintenance: a node that is being drained before it is stopped.

use super::{AdminError, AdminReply};
use crate::broker::Broker;
use crate::message::Which;
use amqp::FieldTable;
use std::sync::atomic::Ordering;
use tracing::{info, warn};

/// What the clients are told (`rabbit_maintenance`).
const REASON: &str = "Node was put into maintenance mode";

/// The listeners of clients, as the engine knows them: something that can be closed and opened.
pub trait ClientListeners: Send + Sync {
    /// Closes them, while connections stay; returns when nobody can connect.
    fn suspend(&self);
    /// Opens them again, all or none. The error is a line for the operator.
    fn resume(&self) -> Result<(), String>;
}

impl Broker {
    /// Sets who has the listeners of clients; once. Without, maintenance leaves none that could be closed.
    pub fn set_client_listeners(&self, listeners: Box<dyn ClientListeners>) {
        // A second call would be a mistake of the wiring; the first stays.
        let _ = self.client_listeners.set(listeners);
    }

    /// True between drain and revive. A restart ends it, as in RabbitMQ.
    pub fn is_in_maintenance(&self) -> bool {
        self.maintenance.load(Ordering::Acquire)
    }

    /// Nobody gets in first, so that who is closed and comes again at once finds no listener. Who was let in before, and
    /// has not come to a reactor yet, is hung up on there, which is what the mark is for.
    pub(super) fn drain(&self) -> Result<AdminReply, AdminError> {
        warn!("This node is being put into maintenance (drain) mode");
        self.maintenance.store(true, Ordering::Release);
        info!("Marked this node as undergoing maintenance");
        if let Some(listeners) = self.client_listeners.get() {
            listeners.suspend();
        }
        warn!("Suspended all listeners and will no longer accept client connections");
        let count = self.close_all(&Which::Vhost(None), REASON)?;
        warn!("Closed {count} local client connections");
        for name in ["maintenance.connections.closed", "maintenance.draining"] {
            self.emit(name, || {
                let mut table = FieldTable::new();
                table.insert("reason", "node is being put into maintenance");
                table
            });
        }
        info!("Node is ready to be shut down for maintenance or upgrade");
        Ok(AdminReply::Count(count))
    }

    /// Where the listeners cannot be opened again, the node stays in maintenance, and the operator is told why. RabbitMQ
    /// takes it out of maintenance all the same, and it serves nobody.
    pub(super) fn revive(&self) -> Result<AdminReply, AdminError> {
        info!("This node is being revived from maintenance (drain) mode");
        // Before: who connects as soon as they are open must not be hung up on.
        self.maintenance.store(false, Ordering::Release);
        if let Some(Err(reason)) = self.client_listeners.get().map(|listeners| listeners.resume()) {
            self.maintenance.store(true, Ordering::Release);
            warn!("This node stays in maintenance mode: {reason}");
            return Err(AdminError::Unavailable(reason));
        }
        info!("Resumed all listeners and will accept client connections again");
        info!("Marked this node as back from maintenance and ready to serve clients");
        self.emit("maintenance.revived", FieldTable::new);
        Ok(AdminReply::Done)
    }
}
