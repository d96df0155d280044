//! exchange.declare and exchange.delete.

use crate::connection::Connection;
use crate::core::Core;
use crate::errors::{self, ArgumentValue, ProtocolError, Resource, Scope};
use crate::names::{clean, is_reserved};
use crate::topology::{Behaviour, DELAYED_TYPE, DELAYED_TYPE_ARGUMENT, Exchange, ExchangeKind, Vhost};
use amqp::method::exchange;
use amqp::{FieldTable, FieldValue, Method};
use auth::Permission;
use metadata::{Change, ExchangeDefinition, Token};

/// The one argument that redeclaring compares.
const ALTERNATE: &str = "alternate-exchange";

impl Core {
    pub(crate) fn exchange_declare(
        &mut self,
        conn: &mut Connection,
        number: u16,
        declare: &exchange::Declare<'_>,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        let name = clean(declare.exchange);
        let token = if declare.passive {
            refuse_default(&name)?;
            self.check_passive(conn, auth::Resource::exchange(&vhost.name, &name))?;
            self.exchange(conn, &name)?;
            None
        } else {
            if declare.kind != DELAYED_TYPE {
                self.exchange_kind(declare.kind)?;
            }
            refuse_default(&name)?;
            self.check_exchange(conn, &name, Permission::Configure)?;
            self.declare_exchange(conn, &vhost, &name, declare)?
        };
        self.reply(conn, number, token, declare.nowait, &Method::ExchangeDeclareOk(exchange::DeclareOk {}));
        Ok(())
    }

    fn exchange_kind(&self, name: &str) -> Result<ExchangeKind, ProtocolError> {
        ExchangeKind::from_name(name).ok_or_else(|| {
            let error = errors::UNKNOWN_EXCHANGE_TYPE.with(&[&name]);
            if !self.broker.settings.unknown_exchange_type_closes_connection {
                return error;
            }
            ProtocolError { code: errors::ReplyCode(503), scope: Scope::Connection, ..error }
        })
    }

    /// How an exchange routes that delays, as its arguments say.
    fn delayed_kind(&self, arguments: &FieldTable) -> Result<ExchangeKind, ProtocolError> {
        match arguments.get(DELAYED_TYPE_ARGUMENT) {
            Some(FieldValue::LongString(name)) if name == DELAYED_TYPE.as_bytes() => {
                Err(errors::DELAYED_WITHIN_DELAYED.with(&[]))
            }
            Some(FieldValue::LongString(name)) => self.exchange_kind(&String::from_utf8_lossy(name)),
            _ => Err(errors::NO_DELAYED_TYPE.with(&[])),
        }
    }

    fn declare_exchange(
        &mut self,
        conn: &Connection,
        vhost: &Vhost,
        name: &str,
        declare: &exchange::Declare<'_>,
    ) -> Result<Option<Token>, ProtocolError> {
        let arguments = declare
            .arguments
            .to_owned()
            .map_err(|_| errors::CANNOT_DECODE.with(&[&errors::Octets(declare.arguments.bytes())]))?;
        let resource = Resource::exchange(&vhost.name, name);
        if let Some(existing) = vhost.exchange(name) {
            return assert_equivalent(&existing, &resource, declare, &arguments).map(|()| None);
        }
        if is_reserved(name) {
            return Err(errors::RESERVED_NAME.with(&[&"exchange", &name]));
        }
        match arguments.get(ALTERNATE) {
            None => {}
            Some(FieldValue::LongString(alternate)) => {
                let alternate = String::from_utf8_lossy(alternate).into_owned();
                self.check_exchange(conn, name, Permission::Read)?;
                self.check_exchange(conn, &alternate, Permission::Write)?;
            }
            Some(other) => {
                return Err(errors::INVALID_ARGUMENT_TYPE.with(&[&other.type_name(), &ALTERNATE, &resource]));
            }
        }
        let is_delayed_type = declare.kind == DELAYED_TYPE;
        let kind = if is_delayed_type { self.delayed_kind(&arguments)? } else { self.exchange_kind(declare.kind)? };
        if let Some(most) = self.broker.settings.exchange_limit
            && self.broker.vhosts().iter().map(|vhost| vhost.exchange_count()).sum::<usize>() as u64 >= most
        {
            return Err(errors::EXCHANGE_LIMIT.with(&[&resource, &most]));
        }
        let behaviour = Behaviour::of(kind, &arguments, &resource)?;
        let new = Exchange {
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments,
            behaviour,
            is_delayed_type,
            ..Exchange::new(&vhost.name, vhost.next_exchange_id(), name, kind)
        };
        let hidden = self.broker.new_hidden(vhost, &new);
        let mut topology = vhost.write();
        if let Some(existing) = topology.exchange(name) {
            // Somebody else was faster.
            return assert_equivalent(existing, &resource, declare, &new.arguments).map(|()| None);
        }
        // Under the lock: who changes policies meanwhile waits for it, and then sees this exchange.
        let created = topology.insert_exchange(new.under(vhost.policies().for_exchange(name)));
        // Proposed under the lock, so that the journal has changes in the order in which they happened.
        let mut changes = if created.durable { vec![definition(vhost, &created)] } else { Vec::new() };
        if let (Some(cell), Some((hidden, _))) = (hidden, created.hidden_queue()) {
            if cell.durable {
                changes.push(crate::core::definition(&cell, &FieldTable::new()));
            }
            let cell = topology.insert_hidden(cell);
            self.broker.add_queue(&cell);
            hidden.set(cell);
        }
        Ok(self.broker.propose(changes))
    }

    /// Deleting an exchange that is not there is fine.
    pub(crate) fn exchange_delete(
        &mut self,
        conn: &mut Connection,
        number: u16,
        delete: &exchange::Delete<'_>,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        let name = clean(delete.exchange);
        let resource = Resource::exchange(&vhost.name, &name);
        refuse_default(&name)?;
        if is_reserved(&name) {
            return Err(errors::SYSTEM_EXCHANGE.with(&[&resource]));
        }
        self.check_exchange(conn, &name, Permission::Configure)?;
        let (mut token, mut hidden) = (None, Vec::new());
        let mut topology = vhost.write();
        if let Some(exchange) = topology.exchange(&name).cloned() {
            if delete.if_unused && topology.is_bound(&exchange) {
                return Err(errors::IN_USE.with(&[&resource]));
            }
            let removed = topology.remove_exchange(&vhost.name, &exchange);
            token = self.broker.propose(removed.changes);
            hidden = removed.hidden;
        }
        drop(topology);
        self.broker.end_hidden(hidden);
        self.reply(conn, number, token, delete.nowait, &Method::ExchangeDeleteOk(exchange::DeleteOk {}));
        Ok(())
    }
}

pub(crate) fn definition(vhost: &Vhost, exchange: &Exchange) -> Change {
    Change::PutExchange(ExchangeDefinition {
        vhost: vhost.name.to_string(),
        name: exchange.name.to_string(),
        kind: exchange.type_name().to_owned(),
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        arguments: exchange.arguments.clone(),
    })
}

/// The default exchange can be published to, and nothing else.
pub(crate) fn refuse_default(name: &str) -> Result<(), ProtocolError> {
    if name.is_empty() { Err(errors::DEFAULT_EXCHANGE.with(&[])) } else { Ok(()) }
}

fn assert_equivalent(
    existing: &Exchange,
    resource: &Resource<'_>,
    declare: &exchange::Declare<'_>,
    arguments: &FieldTable,
) -> Result<(), ProtocolError> {
    let unequal = |name: &str, received: &str, current: &str| {
        let (received, current) = (ArgumentValue::Value(&received), ArgumentValue::Value(&current));
        Err(errors::INEQUIVALENT_ARGUMENT.with(&[&name, resource, &received, &current]))
    };
    if existing.type_name() != declare.kind {
        return unequal("type", declare.kind, existing.type_name());
    }
    for (name, received, current) in [
        ("durable", declare.durable, existing.durable),
        ("auto_delete", declare.auto_delete, existing.auto_delete),
        ("internal", declare.internal, existing.internal),
    ] {
        if received != current {
            return unequal(name, &received.to_string(), &current.to_string());
        }
    }
    super::queue_arguments::assert_argument_equivalent(ALTERNATE, resource, arguments, &existing.arguments)
}
