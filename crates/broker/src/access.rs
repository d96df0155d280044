//! Checks of what a connection's user may do.

use crate::connection::Connection;
use crate::core::Core;
use crate::errors::{self, ProtocolError, Resource};
use crate::settings::PassiveDeclare;
use crate::topology::{Exchange, Vhost};
use auth::Permission;
use std::sync::Arc;

impl Core {
    /// The connection's virtual host.
    pub(crate) fn vhost(&self, conn: &Connection) -> Result<Arc<Vhost>, ProtocolError> {
        // Channels exist only after connection.open.
        conn.vhost.clone().ok_or_else(|| errors::UNEXPECTED_METHOD.with(&[&conn.phase.name()]))
    }

    /// The exchange called `name`.
    pub(crate) fn exchange(&self, conn: &Connection, name: &str) -> Result<Arc<Exchange>, ProtocolError> {
        let vhost = self.vhost(conn)?;
        vhost.exchange(name).ok_or_else(|| errors::NOT_FOUND.with(&[&Resource::exchange(&vhost.name, name)]))
    }

    pub(crate) fn check_queue(
        &self,
        conn: &Connection,
        name: &str,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        self.check(conn, auth::Resource::queue(&vhost.name, name), permission)
    }

    pub(crate) fn check_exchange(
        &self,
        conn: &Connection,
        name: &str,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        self.check(conn, auth::Resource::exchange(&vhost.name, name), permission)
    }

    fn check(
        &self,
        conn: &Connection,
        resource: auth::Resource<'_>,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        let user = conn.user_name();
        if self.broker.access.check(user, resource, permission) {
            return Ok(());
        }
        Err(errors::PERMISSION_DENIED.with(&[&permission.as_str(), &resource, &user]))
    }

    /// What a passive declare needs, which depends on the version of RabbitMQ to be.
    pub(crate) fn check_passive(&self, conn: &Connection, resource: auth::Resource<'_>) -> Result<(), ProtocolError> {
        match self.broker.settings.passive_declare {
            PassiveDeclare::Free => Ok(()),
            PassiveDeclare::Configure => self.check(conn, resource, Permission::Configure),
            PassiveDeclare::Any => self
                .check(conn, resource, Permission::Read)
                .or_else(|_| self.check(conn, resource, Permission::Write))
                .or_else(|_| self.check(conn, resource, Permission::Configure)),
        }
    }

    /// Topic permissions: which routing keys a user may publish with (write) or bind to (read).
    pub(crate) fn check_topic(
        &self,
        conn: &Connection,
        exchange: &Exchange,
        routing_key: &str,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        if exchange.kind != crate::topology::ExchangeKind::Topic {
            return Ok(());
        }
        let vhost = self.vhost(conn)?;
        let user = conn.user_name();
        if self.broker.access.check_topic(user, &vhost.name, &exchange.name, permission, routing_key, None) {
            return Ok(());
        }
        let resource = Resource::exchange(&vhost.name, &exchange.name);
        Err(errors::TOPIC_PERMISSION_DENIED.with(&[&permission.as_str(), &routing_key, &resource, &user]))
    }
}
