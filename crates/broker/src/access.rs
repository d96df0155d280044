//! Checks of what a connection's user may do.

use crate::broker::Broker;
use crate::connection::Connection;
use crate::core::Core;
use crate::errors::{self, ProtocolError, Resource};
use crate::link::ConnectionId;
use crate::settings::PassiveDeclare;
use crate::topology::{Exchange, ExchangeKind, QueueCell, Vhost};
use auth::Permission;
use std::sync::Arc;

/// What somebody may do who declares, binds or deletes something.
#[derive(Clone, Copy)]
pub(crate) struct Rights<'a> {
    pub(crate) broker: &'a Broker,
    /// The user; `None` is an operator, who may do everything.
    pub(crate) user: Option<&'a str>,
    /// The connection whose exclusive queues are within reach.
    pub(crate) connection: Option<ConnectionId>,
}

impl<'a> Rights<'a> {
    /// Those of an operator.
    pub(crate) fn operator(broker: &'a Broker) -> Rights<'a> {
        Rights { broker, user: None, connection: None }
    }

    pub(crate) fn check(&self, resource: auth::Resource<'_>, permission: Permission) -> Result<(), ProtocolError> {
        let Some(user) = self.user else { return Ok(()) };
        if self.broker.access.check(user, resource, permission) {
            return Ok(());
        }
        Err(errors::PERMISSION_DENIED.with(&[&permission.as_str(), &resource, &user]))
    }

    /// Topic permissions: which routing keys a user may publish with (write) or bind to (read).
    pub(crate) fn check_topic(
        &self,
        vhost: &Vhost,
        exchange: &Exchange,
        routing_key: &str,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        let Some(user) = self.user.filter(|_| exchange.kind == ExchangeKind::Topic) else { return Ok(()) };
        if self.broker.access.check_topic(user, &vhost.name, &exchange.name, permission, routing_key, None) {
            return Ok(());
        }
        let resource = Resource::exchange(&vhost.name, &exchange.name);
        Err(errors::TOPIC_PERMISSION_DENIED.with(&[&permission.as_str(), &routing_key, &resource, &user]))
    }

    /// The queue called `name`, unless it is somebody else's own.
    pub(crate) fn queue(&self, vhost: &Vhost, name: &str) -> Result<Arc<QueueCell>, ProtocolError> {
        let resource = Resource::queue(&vhost.name, name);
        let cell = vhost.queue(name).ok_or_else(|| errors::NOT_FOUND.with(&[&resource]))?;
        if self.user.is_some() && cell.owner.is_some() && cell.owner != self.connection {
            return Err(errors::QUEUE_LOCKED.with(&[&resource]));
        }
        Ok(cell)
    }

    /// Who dead-letters a queue's messages reads them and publishes them elsewhere.
    pub(crate) fn check_dead_letters(
        &self,
        vhost: &Vhost,
        name: &str,
        arguments: &amqp::FieldTable,
    ) -> Result<(), ProtocolError> {
        const ARGUMENT: &str = "x-dead-letter-exchange";
        match arguments.get(ARGUMENT) {
            None => Ok(()),
            Some(amqp::FieldValue::LongString(exchange)) => {
                self.check(auth::Resource::queue(&vhost.name, name), Permission::Read)?;
                let exchange = String::from_utf8_lossy(exchange);
                self.check(auth::Resource::exchange(&vhost.name, &exchange), Permission::Write)
            }
            Some(other) => {
                let resource = Resource::queue(&vhost.name, name);
                Err(errors::INVALID_ARGUMENT_TYPE.with(&[&other.type_name(), &ARGUMENT, &resource]))
            }
        }
    }
}

impl Core {
    /// What a connection's user may do.
    pub(crate) fn rights<'a>(&'a self, conn: &'a Connection) -> Rights<'a> {
        Rights { broker: &self.broker, user: Some(conn.user_name()), connection: Some(conn.link.id) }
    }

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
        self.rights(conn).check(resource, permission)
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
        if exchange.kind != ExchangeKind::Topic {
            return Ok(());
        }
        let vhost = self.vhost(conn)?;
        self.rights(conn).check_topic(&vhost, exchange, routing_key, permission)
    }
}
