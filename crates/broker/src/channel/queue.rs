//! queue.declare, purge and delete.

use crate::connection::Connection;
use crate::core::{Core, DeleteCondition, QueueDeclaration};
use crate::errors::{self, ProtocolError, Resource};
use crate::names::{clean, is_reserved};
use crate::reply_to;
use crate::topology::{QueueCell, Vhost};
use amqp::method::queue;
use amqp::{FieldTable, Method};
use auth::Permission;
use metadata::Token;
use std::sync::Arc;

impl Core {
    /// The queue that a method means: an empty name is the one declared last on the channel.
    pub(crate) fn queue_name(&self, conn: &mut Connection, number: u16, name: &str) -> Result<Arc<str>, ProtocolError> {
        if !name.is_empty() {
            return Ok(clean(name).into());
        }
        let last = conn.channels.find(number).and_then(|channel| channel.last_queue.clone());
        last.ok_or_else(|| errors::NO_DECLARED_QUEUE.with(&[]))
    }

    /// The queue called `name`, unless it is another connection's own.
    pub(crate) fn queue(&self, conn: &Connection, name: &str) -> Result<Arc<QueueCell>, ProtocolError> {
        let vhost = self.vhost(conn)?;
        self.rights(conn).queue(&vhost, name)
    }

    pub(crate) fn queue_declare(
        &mut self,
        conn: &mut Connection,
        number: u16,
        declare: &queue::Declare<'_>,
    ) -> Result<(), ProtocolError> {
        if reply_to::is_pseudo_queue(declare.queue) {
            return self.declare_pseudo_queue(conn, number, declare);
        }
        let vhost = self.vhost(conn)?;
        let (cell, token) = if declare.passive {
            // RabbitMQ: here an empty name is not the queue declared last, but none.
            let name = clean(declare.queue);
            self.check_passive(conn, auth::Resource::queue(&vhost.name, &name))?;
            let cell = self.queue(conn, &name)?;
            self.note_use(&cell);
            (cell, None)
        } else {
            let name = match clean(declare.queue) {
                // The same again when the declaration is presented again.
                name if name.is_empty() => match conn.chosen_name.take() {
                    Some(chosen) => chosen.into(),
                    None => self.broker.unique_name("amq.gen-").into(),
                },
                name if is_reserved(&name) => return Err(errors::RESERVED_NAME.with(&[&"queue", &name])),
                name => name,
            };
            if declare.queue.is_empty() && conn.user.as_ref().is_some_and(|user| user.has_to_be_asked_for()) {
                conn.chosen_name = Some(name.to_string());
            }
            self.check_queue(conn, &name, Permission::Configure)?;
            let declared = self.declare_queue(conn, &vhost, &name, declare)?;
            conn.chosen_name = None;
            declared
        };
        self.broker.totals.churn.queue_declared.add(1);
        if cell.owner.is_some() {
            remember_exclusive(conn, &cell);
        }
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        channel.last_queue = Some(cell.name.clone());
        let count = |gauge: u64| u32::try_from(gauge).unwrap_or(u32::MAX);
        let declare_ok = queue::DeclareOk {
            queue: &cell.name,
            message_count: count(cell.counters.messages_ready.value()),
            consumer_count: count(cell.counters.consumers.value()),
        };
        self.reply(conn, number, token, declare.nowait, &Method::QueueDeclareOk(declare_ok));
        Ok(())
    }

    /// Declaring the pseudo queue of direct reply-to, or an address of it, tells whether somebody is there.
    fn declare_pseudo_queue(
        &mut self,
        conn: &mut Connection,
        number: u16,
        declare: &queue::Declare<'_>,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        if reply_to::is_address(declare.queue.as_bytes())
            && self.broker.reply_consumers.find(declare.queue.as_bytes()).is_none()
        {
            return Err(errors::NOT_FOUND.with(&[&Resource::queue(&vhost.name, declare.queue)]));
        }
        let declare_ok = queue::DeclareOk { queue: declare.queue, message_count: 0, consumer_count: 1 };
        self.reply(conn, number, None, declare.nowait, &Method::QueueDeclareOk(declare_ok));
        Ok(())
    }

    fn declare_queue(
        &mut self,
        conn: &Connection,
        vhost: &Vhost,
        name: &str,
        declare: &queue::Declare<'_>,
    ) -> Result<(Arc<QueueCell>, Option<Token>), ProtocolError> {
        let arguments = declare
            .arguments
            .to_owned()
            .map_err(|_| errors::CANNOT_DECODE.with(&[&errors::Octets(declare.arguments.bytes())]))?;
        let declaration = QueueDeclaration {
            name,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            owner: declare.exclusive.then_some(conn.link.id),
            arguments,
            is_server_named: declare.queue.is_empty(),
        };
        let authorize = |arguments: &FieldTable| self.rights(conn).check_dead_letters(vhost, name, arguments);
        let declared = self.broker.declare_queue(vhost, declaration, &authorize)?;
        if declared.is_new {
            self.look(&declared.cell);
        } else {
            self.note_use(&declared.cell);
        }
        Ok((declared.cell, declared.token))
    }

    pub(crate) fn queue_purge(
        &mut self,
        conn: &mut Connection,
        number: u16,
        purge: &queue::Purge<'_>,
    ) -> Result<(), ProtocolError> {
        let name = self.queue_name(conn, number, purge.queue)?;
        self.check_queue(conn, &name, Permission::Read)?;
        let cell = self.queue(conn, &name)?;
        let (message_count, token) = self.broker.purge_queue(&cell);
        let message_count = u32::try_from(message_count).unwrap_or(u32::MAX);
        self.reply(conn, number, token, purge.nowait, &Method::QueuePurgeOk(queue::PurgeOk { message_count }));
        Ok(())
    }

    /// Deleting a queue that is not there is fine.
    pub(crate) fn queue_delete(
        &mut self,
        conn: &mut Connection,
        number: u16,
        delete: &queue::Delete<'_>,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        let name = self.queue_name(conn, number, delete.queue)?;
        self.check_queue(conn, &name, Permission::Configure)?;
        let (mut message_count, mut token) = (0, None);
        if vhost.queue(&name).is_some() {
            let cell = self.queue(conn, &name)?;
            let condition = DeleteCondition { if_unused: delete.if_unused, if_empty: delete.if_empty };
            (message_count, token) = self.delete_queue(&vhost, &cell, condition)?;
        }
        let message_count = u32::try_from(message_count).unwrap_or(u32::MAX);
        self.reply(conn, number, token, delete.nowait, &Method::QueueDeleteOk(queue::DeleteOk { message_count }));
        Ok(())
    }
}

/// Notes a queue that goes with its connection.
fn remember_exclusive(conn: &mut Connection, cell: &Arc<QueueCell>) {
    let own = &mut conn.exclusive_queues;
    if own.iter().rev().any(|other| Arc::ptr_eq(other, cell)) {
        return;
    }
    // A client that declares and deletes without end must not make this grow.
    if own.len() == own.capacity() {
        own.retain(|other| !other.is_dead());
    }
    own.push(cell.clone());
}
