//! Maintenance: a node that is being drained before it is stopped.

use super::{AdminError, AdminReply};
use crate::broker::Broker;
use crate::message::Which;
use amqp::FieldTable;
use std::sync::atomic::Ordering;
use tracing::{info, warn};

/// What the clients are told (`rabbit_maintenance`).
const REASON: &str = "Node was put into maintenance mode";

impl Broker {
    /// True between drain and revive. A restart ends it, as in RabbitMQ.
    pub fn is_in_maintenance(&self) -> bool {
        self.maintenance.load(Ordering::Acquire)
    }

    /// New connections are refused first, so that who is closed and comes again at once finds nobody.
    pub(super) fn drain(&self) -> Result<AdminReply, AdminError> {
        warn!("This node is being put into maintenance (drain) mode");
        self.maintenance.store(true, Ordering::Release);
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

    pub(super) fn revive(&self) -> AdminReply {
        info!("This node is being revived from maintenance (drain) mode");
        self.maintenance.store(false, Ordering::Release);
        info!("Resumed all listeners and will accept client connections again");
        self.emit("maintenance.revived", FieldTable::new);
        AdminReply::Done
    }
}
