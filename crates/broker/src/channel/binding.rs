//! queue.bind and unbind, exchange.bind and unbind.

use super::exchange::refuse_default;
use crate::broker::Broker;
use crate::connection::Connection;
use crate::core::Core;
use crate::errors::{self, ProtocolError, Resource};
use crate::names::clean;
use crate::reply_to;
use crate::topology::{Destination, Exchange, ExchangeKind, Vhost, binding_definition};
use amqp::method::{exchange, queue};
use amqp::{FieldTable, FieldValue, Method, TableRef};
use auth::Permission;
use metadata::{Change, Token};
use routing::BindError;
use std::borrow::Cow;

/// What is to be bound or unbound.
pub(crate) struct Binding<'a> {
    pub(crate) source: Cow<'a, str>,
    pub(crate) destination: Cow<'a, str>,
    pub(crate) to_queue: bool,
    pub(crate) routing_key: Cow<'a, str>,
    /// Sorted by name: their order does not tell bindings apart.
    pub(crate) arguments: FieldTable,
}

/// Where binding led to.
pub(crate) struct Bound {
    /// What to wait for before it is answered.
    pub(crate) token: Option<Token>,
    /// True where there was no such binding.
    pub(crate) is_new: bool,
    pub(crate) destination: Destination,
}

impl Core {
    pub(crate) fn queue_bind(
        &mut self,
        conn: &mut Connection,
        number: u16,
        bind: &queue::Bind<'_>,
    ) -> Result<(), ProtocolError> {
        let binding =
            self.queue_binding(conn, number, (bind.queue, bind.exchange, bind.routing_key), bind.arguments)?;
        let token = self.bind(conn, &binding)?;
        self.reply(conn, number, token, bind.nowait, &Method::QueueBindOk(queue::BindOk {}));
        Ok(())
    }

    pub(crate) fn queue_unbind(
        &mut self,
        conn: &mut Connection,
        number: u16,
        unbind: &queue::Unbind<'_>,
    ) -> Result<(), ProtocolError> {
        let names = (unbind.queue, unbind.exchange, unbind.routing_key);
        let binding = self.queue_binding(conn, number, names, unbind.arguments)?;
        let token = self.unbind(conn, &binding)?;
        self.reply(conn, number, token, false, &Method::QueueUnbindOk(queue::UnbindOk {}));
        Ok(())
    }

    pub(crate) fn exchange_bind(
        &mut self,
        conn: &mut Connection,
        number: u16,
        bind: &exchange::Bind<'_>,
    ) -> Result<(), ProtocolError> {
        let binding = exchange_binding((bind.destination, bind.source, bind.routing_key), bind.arguments)?;
        let token = self.bind(conn, &binding)?;
        self.reply(conn, number, token, bind.nowait, &Method::ExchangeBindOk(exchange::BindOk {}));
        Ok(())
    }

    pub(crate) fn exchange_unbind(
        &mut self,
        conn: &mut Connection,
        number: u16,
        unbind: &exchange::Unbind<'_>,
    ) -> Result<(), ProtocolError> {
        let binding = exchange_binding((unbind.destination, unbind.source, unbind.routing_key), unbind.arguments)?;
        let token = self.unbind(conn, &binding)?;
        self.reply(conn, number, token, unbind.nowait, &Method::ExchangeUnbindOk(exchange::UnbindOk {}));
        Ok(())
    }

    /// RabbitMQ: with an empty queue name and an empty key, the key is the name of the queue declared last.
    fn queue_binding<'a>(
        &self,
        conn: &mut Connection,
        number: u16,
        (name, source, routing_key): (&'a str, &'a str, &'a str),
        arguments: TableRef<'_>,
    ) -> Result<Binding<'a>, ProtocolError> {
        let destination = self.queue_name(conn, number, name)?;
        let substitutes = name.is_empty() && routing_key.is_empty();
        Ok(Binding {
            source: clean(source),
            routing_key: if substitutes { destination.to_string().into() } else { routing_key.into() },
            destination: destination.to_string().into(),
            to_queue: true,
            arguments: owned(arguments)?,
        })
    }

    /// The checks that binding and unbinding share.
    fn check_binding(&self, conn: &Connection, binding: &Binding<'_>) -> Result<(), ProtocolError> {
        if binding.to_queue {
            if reply_to::is_pseudo_queue(&binding.destination) {
                return Err(errors::VOLATILE_QUEUE_BINDING.with(&[]));
            }
            self.check_queue(conn, &binding.destination, Permission::Write)?;
        } else {
            refuse_default(&binding.destination)?;
            self.check_exchange(conn, &binding.destination, Permission::Write)?;
        }
        refuse_default(&binding.source)?;
        self.check_exchange(conn, &binding.source, Permission::Read)?;
        let vhost = self.vhost(conn)?;
        if let Some(source) = vhost.exchange(&binding.source) {
            self.check_topic(conn, &source, &binding.routing_key, Permission::Read)?;
        }
        Ok(())
    }

    fn bind(&mut self, conn: &Connection, binding: &Binding<'_>) -> Result<Option<Token>, ProtocolError> {
        self.check_binding(conn, binding)?;
        let vhost = self.vhost(conn)?;
        // RabbitMQ names the source first when both are missing.
        let source = self.exchange(conn, &binding.source)?;
        if binding.to_queue {
            self.queue(conn, &binding.destination)?;
        } else {
            self.exchange(conn, &binding.destination)?;
        }
        let bound = self.broker.bind(&vhost, &source, binding)?;
        if let Some(history) = source.history().filter(|_| bound.is_new) {
            self.replay(&vhost, history, bound.destination);
        }
        Ok(bound.token)
    }

    /// A binding, or even an exchange, that is not there is fine.
    fn unbind(&mut self, conn: &Connection, binding: &Binding<'_>) -> Result<Option<Token>, ProtocolError> {
        self.check_binding(conn, binding)?;
        let vhost = self.vhost(conn)?;
        if binding.to_queue && vhost.queue(&binding.destination).is_some() {
            // Another connection's own queue is out of reach.
            self.queue(conn, &binding.destination)?;
        }
        let mut topology = vhost.write();
        let Some(destination) = topology.destination(&binding.destination, binding.to_queue) else { return Ok(None) };
        let unbound =
            topology.unbind(&vhost.name, &binding.source, destination, &binding.routing_key, &binding.arguments);
        let Some((_, removed)) = unbound else { return Ok(None) };
        let token = self.broker.propose(removed.changes);
        drop(topology);
        self.broker.end_hidden(removed.hidden);
        Ok(token)
    }
}

impl Broker {
    /// Adds a binding unless it is there.
    pub(crate) fn bind(&self, vhost: &Vhost, source: &Exchange, binding: &Binding<'_>) -> Result<Bound, ProtocolError> {
        if source.kind == ExchangeKind::LocalRandom {
            check_local_random(binding)?;
        }
        let mut topology = vhost.write();
        let Some(destination) = topology.destination(&binding.destination, binding.to_queue) else {
            let resource = Resource::queue(&vhost.name, &binding.destination);
            return Err(errors::NOT_FOUND.with(&[&resource]));
        };
        let bound = topology
            .bind(&binding.source, destination, &binding.routing_key, &binding.arguments)
            .map_err(|error| invalid_binding(error, binding))?;
        let is_new = bound.is_some();
        let changes = match bound {
            Some((info, true)) => vec![Change::PutBinding(binding_definition(&vhost.name, &info))],
            _ => Vec::new(),
        };
        let token = self.propose(changes);
        drop(topology);
        Ok(Bound { token, is_new, destination })
    }
}

/// `x-local-random` takes queues and no keys; all queues here are classic and local.
fn check_local_random(binding: &Binding<'_>) -> Result<(), ProtocolError> {
    if !binding.routing_key.is_empty() {
        return Err(errors::LOCAL_RANDOM_KEY.with(&[&binding.routing_key]));
    }
    if !binding.to_queue {
        return Err(errors::LOCAL_RANDOM_DESTINATION.with(&[]));
    }
    Ok(())
}

fn exchange_binding<'a>(
    (destination, source, routing_key): (&'a str, &'a str, &'a str),
    arguments: TableRef<'_>,
) -> Result<Binding<'a>, ProtocolError> {
    Ok(Binding {
        source: clean(source),
        destination: clean(destination),
        to_queue: false,
        routing_key: routing_key.into(),
        arguments: owned(arguments)?,
    })
}

fn owned(arguments: TableRef<'_>) -> Result<FieldTable, ProtocolError> {
    let table = arguments.to_owned().map_err(|_| errors::CANNOT_DECODE.with(&[&errors::Octets(arguments.bytes())]))?;
    Ok(sorted(table))
}

/// A table with its fields in the order of their names.
pub(crate) fn sorted(table: FieldTable) -> FieldTable {
    let mut fields: Vec<(String, FieldValue)> = table.into_iter().collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_iter().collect()
}

/// What the exchange's type holds against the binding.
fn invalid_binding(error: BindError, binding: &Binding<'_>) -> ProtocolError {
    match error {
        BindError::MatchValue { .. } | BindError::MatchType { .. } => invalid_match(&binding.arguments),
        BindError::WeightNotInteger => {
            let column = "The binding key must be an integer: ".len();
            errors::HASH_WEIGHT_NOT_INTEGER.with(&[&errors::Binary::new(binding.routing_key.as_bytes(), column)])
        }
        BindError::WeightTooLow => errors::HASH_WEIGHT_TOO_LOW.with(&[]),
        BindError::WeightTooHigh => errors::HASH_WEIGHT_TOO_HIGH.with(&[]),
    }
}

/// `x-match` on a headers exchange.
fn invalid_match(arguments: &FieldTable) -> ProtocolError {
    match arguments.get("x-match") {
        Some(FieldValue::LongString(value)) => {
            let column = "Invalid x-match field value ".len();
            errors::INVALID_X_MATCH.with(&[&errors::Binary::new(value, column)])
        }
        Some(other) => {
            let value = amqp::erlang::field_value_bare(other);
            errors::INVALID_X_MATCH_TYPE.with(&[&other.type_name(), &value])
        }
        None => errors::INVALID_X_MATCH.with(&[&""]),
    }
}
