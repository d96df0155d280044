//! queue.declare, purge and delete.

use super::queue_arguments::{assert_queue_arguments_equivalent, check_queue_arguments, timeout_argument};
use crate::connection::Connection;
use crate::core::Core;
use crate::core::DeleteCondition;
use crate::errors::{self, ArgumentValue, ProtocolError, Resource};
use crate::names::{clean, is_reserved};
use crate::reply_to;
use crate::topology::{QueueCell, QueueOptions, QueueState, Vhost};
use ::queue::Queue;
use amqp::method::queue;
use amqp::{FieldTable, FieldValue, Method};
use auth::Permission;
use metadata::{Change, QueueDefinition, Token};
use std::sync::{Arc, Mutex};

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
        let resource = Resource::queue(&vhost.name, name);
        let cell = vhost.queue(name).ok_or_else(|| errors::NOT_FOUND.with(&[&resource]))?;
        if cell.owner.is_some_and(|owner| owner != conn.link.id) {
            return Err(errors::QUEUE_LOCKED.with(&[&resource]));
        }
        Ok(cell)
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
                name if name.is_empty() => self.broker.unique_name("amq.gen-").into(),
                name if is_reserved(&name) => return Err(errors::RESERVED_NAME.with(&[&"queue", &name])),
                name => name,
            };
            self.check_queue(conn, &name, Permission::Configure)?;
            self.declare_queue(conn, &vhost, &name, declare)?
        };
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
        if let Some(existing) = vhost.queue(name).filter(|cell| !cell.is_dead()) {
            assert_equivalent(conn, vhost, &existing, declare, &arguments)?;
            self.note_use(&existing);
            return Ok((existing, None));
        }
        self.check_new_queue(conn, vhost, name, &arguments)?;
        let quid = self.broker.quids.allocate(&*self.broker.journal);
        let mut topology = vhost.write();
        if let Some(existing) = topology.queue(name).filter(|cell| !cell.is_dead()).cloned() {
            // Somebody else was faster.
            drop(topology);
            assert_equivalent(conn, vhost, &existing, declare, &arguments)?;
            return Ok((existing, None));
        }
        // One that is dead and on its way out leaves first, with its bindings.
        let dead = topology.queue(name).cloned();
        let removed = dead.map(|dead| topology.remove_queue(&vhost.name, &dead)).unwrap_or_default();
        let mut changes = removed.changes;
        let cell = topology.insert_queue(QueueCell {
            // Exclusive queues go with their connection, so there is nothing to keep of them.
            durable: declare.durable && !declare.exclusive,
            auto_delete: declare.auto_delete,
            owner: declare.exclusive.then_some(conn.link.id),
            is_stored: declare.durable && !declare.exclusive && self.broker.messages.is_some(),
            consumer_timeout_ms: timeout_argument(&arguments),
            state: Mutex::new(QueueState::with_options(Queue::default(), QueueOptions::of_arguments(&arguments))),
            arguments,
            ..QueueCell::new(quid, &vhost.name, name)
        });
        self.broker.add_queue(&cell);
        // Proposed under the lock, so that the journal has changes in the order in which they happened.
        if cell.durable {
            changes.push(definition(&cell));
        }
        let token = self.broker.propose(changes);
        drop(topology);
        self.broker.end_hidden(removed.hidden);
        self.look(&cell);
        Ok((cell, token))
    }

    fn check_new_queue(
        &self,
        conn: &Connection,
        vhost: &Vhost,
        name: &str,
        arguments: &FieldTable,
    ) -> Result<(), ProtocolError> {
        let resource = Resource::queue(&vhost.name, name);
        match arguments.get("x-dead-letter-exchange") {
            None => {}
            Some(FieldValue::LongString(exchange)) => {
                self.check_queue(conn, name, Permission::Read)?;
                self.check_exchange(conn, &String::from_utf8_lossy(exchange), Permission::Write)?;
            }
            Some(other) => {
                let argument = "x-dead-letter-exchange";
                return Err(errors::INVALID_ARGUMENT_TYPE.with(&[&other.type_name(), &argument, &resource]));
            }
        }
        check_queue_arguments(arguments, &resource)
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

pub(crate) fn definition(cell: &QueueCell) -> Change {
    Change::PutQueue(QueueDefinition {
        quid: cell.quid,
        vhost: cell.vhost.to_string(),
        name: cell.name.to_string(),
        durable: cell.durable,
        auto_delete: cell.auto_delete,
        arguments: cell.arguments.clone(),
    })
}

fn assert_equivalent(
    conn: &Connection,
    vhost: &Vhost,
    existing: &QueueCell,
    declare: &queue::Declare<'_>,
    arguments: &FieldTable,
) -> Result<(), ProtocolError> {
    let resource = Resource::queue(&vhost.name, &existing.name);
    if existing.owner != declare.exclusive.then_some(conn.link.id) {
        return Err(errors::QUEUE_LOCKED.with(&[&resource]));
    }
    let durable = declare.durable && !declare.exclusive;
    for (name, received, current) in
        [("durable", durable, existing.durable), ("auto_delete", declare.auto_delete, existing.auto_delete)]
    {
        if received != current {
            let (received, current) = (ArgumentValue::Value(&received), ArgumentValue::Value(&current));
            return Err(errors::INEQUIVALENT_ARGUMENT.with(&[&name, &resource, &received, &current]));
        }
    }
    assert_queue_arguments_equivalent(&resource, arguments, &existing.arguments)
}
