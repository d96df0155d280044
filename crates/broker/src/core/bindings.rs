//! Making and removing bindings, for clients and for operators alike.

use super::exchanges::refuse_default;
use crate::access::Rights;
use crate::broker::Broker;
use crate::errors::{self, ProtocolError, Resource};
use crate::reply_to;
use crate::topology::{Destination, Exchange, ExchangeKind, QueueCell, Removed, Vhost, binding_definition};
use amqp::{FieldTable, FieldValue};
use auth::Permission;
use metadata::{Change, Token};
use routing::BindError;
use std::borrow::Cow;
use std::sync::Arc;

/// What is to be bound or unbound.
pub(crate) struct Binding<'a> {
    pub(crate) source: Cow<'a, str>,
    pub(crate) destination: Cow<'a, str>,
    pub(crate) to_queue: bool,
    pub(crate) routing_key: Cow<'a, str>,
    /// Sorted by name: their order does not tell bindings apart.
    pub(crate) arguments: FieldTable,
}

/// A table with its fields in the order of their names, which does not tell bindings apart.
pub(crate) fn sorted(table: FieldTable) -> FieldTable {
    let mut fields: Vec<(String, FieldValue)> = table.into_iter().collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_iter().collect()
}

/// What making a binding led to.
pub(crate) struct Bound {
    /// What to wait for before it is answered.
    pub(crate) token: Option<Token>,
    /// True where there was no such binding.
    pub(crate) is_new: bool,
    /// The messages that the exchange remembers for the new binding, and where they go.
    pub(crate) replay: Option<(Arc<QueueCell>, Destination)>,
}

impl Broker {
    /// The checks that binding and unbinding share.
    fn check_binding(&self, vhost: &Vhost, binding: &Binding<'_>, rights: Rights<'_>) -> Result<(), ProtocolError> {
        let exchange = |name| auth::Resource::exchange(&vhost.name, name);
        if binding.to_queue {
            if reply_to::is_pseudo_queue(&binding.destination) {
                return Err(errors::VOLATILE_QUEUE_BINDING.with(&[]));
            }
            rights.check(auth::Resource::queue(&vhost.name, &binding.destination), Permission::Write)?;
        } else {
            refuse_default(&binding.destination)?;
            rights.check(exchange(&binding.destination), Permission::Write)?;
        }
        refuse_default(&binding.source)?;
        rights.check(exchange(&binding.source), Permission::Read)?;
        match vhost.exchange(&binding.source) {
            Some(source) => rights.check_topic(vhost, &source, &binding.routing_key, Permission::Read),
            None => Ok(()),
        }
    }

    /// Makes a binding, unless there is one.
    pub(crate) fn bind(
        &self,
        vhost: &Vhost,
        binding: &Binding<'_>,
        rights: Rights<'_>,
    ) -> Result<Bound, ProtocolError> {
        self.check_binding(vhost, binding, rights)?;
        // RabbitMQ names the source first when both are missing.
        let source = exchange(vhost, &binding.source)?;
        if binding.to_queue {
            rights.queue(vhost, &binding.destination)?;
        } else {
            exchange(vhost, &binding.destination)?;
        }
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
        let changes = match &bound {
            Some((info, true)) => vec![Change::PutBinding(binding_definition(&vhost.name, info))],
            _ => Vec::new(),
        };
        let token = self.propose(changes);
        drop(topology);
        if let Some((info, _)) = &bound {
            self.emit_binding("binding.created", &vhost.name, info);
        }
        let replay = source.history().filter(|_| is_new).map(|history| (history.clone(), destination));
        Ok(Bound { token, is_new, replay })
    }

    /// Removes a binding; one, or even an exchange, that is not there is fine.
    pub(crate) fn unbind(
        &self,
        vhost: &Vhost,
        binding: &Binding<'_>,
        rights: Rights<'_>,
    ) -> Result<Option<Token>, ProtocolError> {
        self.check_binding(vhost, binding, rights)?;
        if binding.to_queue && vhost.queue(&binding.destination).is_some() {
            // Another connection's own queue is out of reach.
            rights.queue(vhost, &binding.destination)?;
        }
        let mut topology = vhost.write();
        let Some(destination) = topology.destination(&binding.destination, binding.to_queue) else { return Ok(None) };
        let (key, arguments) = (&binding.routing_key, &binding.arguments);
        let listing = Removed::listing(self.events.is_listening());
        let unbound = topology.unbind(&vhost.name, &binding.source, destination, key, arguments, listing);
        let Some((info, mut removed)) = unbound else { return Ok(None) };
        let token = self.propose(std::mem::take(&mut removed.changes));
        drop(topology);
        self.emit_binding("binding.deleted", &vhost.name, &info);
        self.emit_removed(&vhost.name, &removed, None);
        self.end_hidden(removed.hidden);
        Ok(token)
    }
}

fn exchange(vhost: &Vhost, name: &str) -> Result<Arc<Exchange>, ProtocolError> {
    vhost.exchange(name).ok_or_else(|| errors::NOT_FOUND.with(&[&Resource::exchange(&vhost.name, name)]))
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
