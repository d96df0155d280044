//! Declaring and deleting exchanges, for clients and for operators alike.

use crate::access::Rights;
use crate::broker::Broker;
use crate::channel::queue_arguments::assert_argument_equivalent;
use crate::errors::{self, ArgumentValue, ProtocolError, Resource, Scope};
use crate::names::is_reserved;
use crate::topology::{Behaviour, DELAYED_TYPE, DELAYED_TYPE_ARGUMENT, Exchange, ExchangeKind, Removed, Vhost};
use amqp::{FieldTable, FieldValue};
use auth::Permission;
use metadata::{Change, ExchangeDefinition, Token};

/// The one argument that redeclaring compares.
const ALTERNATE: &str = "alternate-exchange";

/// An exchange as somebody wants it.
pub(crate) struct ExchangeDeclaration<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
    pub(crate) arguments: FieldTable,
}

/// What a declaration led to.
pub(crate) struct DeclaredExchange {
    /// What to wait for before it is answered.
    pub(crate) token: Option<Token>,
    /// True where it did not exist before.
    pub(crate) is_new: bool,
}

impl Broker {
    /// Declares an exchange: finds the one that is there or makes one.
    pub(crate) fn declare_exchange(
        &self,
        vhost: &Vhost,
        declaration: ExchangeDeclaration<'_>,
        rights: Rights<'_>,
    ) -> Result<DeclaredExchange, ProtocolError> {
        let name = declaration.name;
        if declaration.kind != DELAYED_TYPE {
            self.exchange_kind(declaration.kind)?;
        }
        refuse_default(name)?;
        rights.check(auth::Resource::exchange(&vhost.name, name), Permission::Configure)?;
        if let Some(existing) = vhost.exchange(name) {
            return assert_equivalent(vhost, &existing, &declaration);
        }
        self.add_exchange(vhost, declaration, rights)
    }

    fn add_exchange(
        &self,
        vhost: &Vhost,
        declaration: ExchangeDeclaration<'_>,
        rights: Rights<'_>,
    ) -> Result<DeclaredExchange, ProtocolError> {
        let (name, arguments) = (declaration.name, &declaration.arguments);
        let resource = Resource::exchange(&vhost.name, name);
        if is_reserved(name) {
            return Err(errors::RESERVED_NAME.with(&[&"exchange", &name]));
        }
        match arguments.get(ALTERNATE) {
            None => {}
            Some(FieldValue::LongString(alternate)) => {
                let alternate = String::from_utf8_lossy(alternate).into_owned();
                rights.check(auth::Resource::exchange(&vhost.name, name), Permission::Read)?;
                rights.check(auth::Resource::exchange(&vhost.name, &alternate), Permission::Write)?;
            }
            Some(other) => {
                return Err(errors::INVALID_ARGUMENT_TYPE.with(&[&other.type_name(), &ALTERNATE, &resource]));
            }
        }
        let is_delayed_type = declaration.kind == DELAYED_TYPE;
        let kind = if is_delayed_type { self.delayed_kind(arguments)? } else { self.exchange_kind(declaration.kind)? };
        if let Some(most) = self.limits.exchanges()
            && self.vhosts().iter().map(|vhost| vhost.exchange_count()).sum::<usize>() as u64 >= most
        {
            return Err(errors::EXCHANGE_LIMIT.with(&[&resource, &most]));
        }
        let behaviour = Behaviour::of(kind, arguments, &resource)?;
        let new = Exchange {
            durable: declaration.durable,
            auto_delete: declaration.auto_delete,
            internal: declaration.internal,
            arguments: arguments.clone(),
            behaviour,
            is_delayed_type,
            ..Exchange::new(&vhost.name, vhost.next_exchange_id(), name, kind)
        };
        let hidden = self.new_hidden(vhost, &new);
        let mut topology = vhost.write();
        if let Some(existing) = topology.exchange(name) {
            // Somebody else was faster.
            return assert_equivalent(vhost, existing, &declaration);
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
            self.add_queue(&cell);
            hidden.set(cell);
        }
        let token = self.propose(changes);
        drop(topology);
        self.emit_exchange_created(&created);
        Ok(DeclaredExchange { token, is_new: true })
    }

    /// Deletes an exchange; one that is not there is fine.
    pub(crate) fn delete_exchange(
        &self,
        vhost: &Vhost,
        name: &str,
        if_unused: bool,
        rights: Rights<'_>,
    ) -> Result<Option<Token>, ProtocolError> {
        let resource = Resource::exchange(&vhost.name, name);
        refuse_default(name)?;
        if is_reserved(name) {
            return Err(errors::SYSTEM_EXCHANGE.with(&[&resource]));
        }
        rights.check(auth::Resource::exchange(&vhost.name, name), Permission::Configure)?;
        let mut topology = vhost.write();
        let Some(exchange) = topology.exchange(name).cloned() else { return Ok(None) };
        if if_unused && topology.is_bound(&exchange) {
            return Err(errors::IN_USE.with(&[&resource]));
        }
        let listing = Removed::listing(self.events.is_listening());
        let mut removed = topology.remove_exchange(&vhost.name, &exchange, listing);
        let token = self.propose(std::mem::take(&mut removed.changes));
        drop(topology);
        self.emit_removed(&vhost.name, &removed, Some(&exchange));
        self.end_hidden(removed.hidden);
        Ok(token)
    }

    fn exchange_kind(&self, name: &str) -> Result<ExchangeKind, ProtocolError> {
        ExchangeKind::from_name(name).ok_or_else(|| {
            let error = errors::UNKNOWN_EXCHANGE_TYPE.with(&[&name]);
            if !self.settings.unknown_exchange_type_closes_connection {
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
}

fn definition(vhost: &Vhost, exchange: &Exchange) -> Change {
    Change::PutExchange(exchange_definition(&vhost.name, exchange))
}

/// An exchange as definitions have it.
pub(crate) fn exchange_definition(vhost: &str, exchange: &Exchange) -> ExchangeDefinition {
    ExchangeDefinition {
        vhost: vhost.to_owned(),
        name: exchange.name.to_string(),
        kind: exchange.type_name().to_owned(),
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        arguments: exchange.arguments.clone(),
    }
}

/// The default exchange can be published to, and nothing else.
pub(crate) fn refuse_default(name: &str) -> Result<(), ProtocolError> {
    if name.is_empty() { Err(errors::DEFAULT_EXCHANGE.with(&[])) } else { Ok(()) }
}

fn assert_equivalent(
    vhost: &Vhost,
    existing: &Exchange,
    declaration: &ExchangeDeclaration<'_>,
) -> Result<DeclaredExchange, ProtocolError> {
    let resource = Resource::exchange(&vhost.name, declaration.name);
    let unequal = |name: &str, received: &str, current: &str| {
        let (received, current) = (ArgumentValue::Value(&received), ArgumentValue::Value(&current));
        Err(errors::INEQUIVALENT_ARGUMENT.with(&[&name, &resource, &received, &current]))
    };
    if existing.type_name() != declaration.kind {
        return unequal("type", declaration.kind, existing.type_name());
    }
    for (name, received, current) in [
        ("durable", declaration.durable, existing.durable),
        ("auto_delete", declaration.auto_delete, existing.auto_delete),
        ("internal", declaration.internal, existing.internal),
    ] {
        if received != current {
            return unequal(name, &received.to_string(), &current.to_string());
        }
    }
    let arguments = (&declaration.arguments, &existing.arguments);
    assert_argument_equivalent(ALTERNATE, &resource, arguments.0, arguments.1)?;
    Ok(DeclaredExchange { token: None, is_new: false })
}
