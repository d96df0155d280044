//! Declaring exchanges, for clients and for operators alike.

use crate::broker::Broker;
use crate::channel::queue_arguments::assert_argument_equivalent;
use crate::errors::{self, ArgumentValue, ProtocolError, Resource, Scope};
use crate::names::is_reserved;
use crate::topology::{Behaviour, DELAYED_TYPE, DELAYED_TYPE_ARGUMENT, Exchange, ExchangeKind, Vhost};
use amqp::{FieldTable, FieldValue};
use metadata::{Change, ExchangeDefinition, Token};

/// The one argument that redeclaring compares.
const ALTERNATE: &str = "alternate-exchange";

/// An exchange as somebody wants it.
pub(crate) struct ExchangeDeclaration<'a> {
    pub(crate) name: &'a str,
    /// The name of its type.
    pub(crate) kind: &'a str,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
    pub(crate) arguments: FieldTable,
}

/// Where a declaration of an exchange led to.
#[derive(Default)]
pub(crate) struct DeclaredExchange {
    /// What to wait for before it is answered.
    pub(crate) token: Option<Token>,
    /// True where it did not exist before.
    pub(crate) is_new: bool,
}

/// Whether the declarer may have messages go on to the alternate exchange of this name.
pub(crate) type AuthorizeAlternate<'a> = &'a dyn Fn(&str) -> Result<(), ProtocolError>;

impl Broker {
    /// Declares an exchange: finds the one that is there or makes one.
    pub(crate) fn declare_exchange(
        &self,
        vhost: &Vhost,
        declaration: ExchangeDeclaration<'_>,
        authorize: AuthorizeAlternate<'_>,
    ) -> Result<DeclaredExchange, ProtocolError> {
        let name = declaration.name;
        let resource = Resource::exchange(&vhost.name, name);
        if let Some(existing) = vhost.exchange(name) {
            return assert_equivalent(&existing, &resource, &declaration).map(|()| DeclaredExchange::default());
        }
        if is_reserved(name) {
            return Err(errors::RESERVED_NAME.with(&[&"exchange", &name]));
        }
        match declaration.arguments.get(ALTERNATE) {
            None => {}
            Some(FieldValue::LongString(alternate)) => authorize(&String::from_utf8_lossy(alternate))?,
            Some(other) => {
                return Err(errors::INVALID_ARGUMENT_TYPE.with(&[&other.type_name(), &ALTERNATE, &resource]));
            }
        }
        let new = self.new_exchange(vhost, &declaration, &resource)?;
        let hidden = self.new_hidden(vhost, &new);
        let mut topology = vhost.write();
        if let Some(existing) = topology.exchange(name) {
            // Somebody else was faster.
            return assert_equivalent(existing, &resource, &declaration).map(|()| DeclaredExchange::default());
        }
        // Under the lock: who changes policies meanwhile waits for it, and then sees this exchange.
        let created = topology.insert_exchange(new.under(vhost.policies().for_exchange(name)));
        // Proposed under the lock, so that the journal has changes in the order in which they happened.
        let mut changes = if created.durable { vec![definition(vhost, &created)] } else { Vec::new() };
        if let (Some(cell), Some((hidden, _))) = (hidden, created.hidden_queue()) {
            if cell.durable {
                changes.push(super::definition(&cell, &FieldTable::new()));
            }
            let cell = topology.insert_hidden(cell);
            self.add_queue(&cell);
            hidden.set(cell);
        }
        Ok(DeclaredExchange { token: self.propose(changes), is_new: true })
    }

    fn new_exchange(
        &self,
        vhost: &Vhost,
        declaration: &ExchangeDeclaration<'_>,
        resource: &Resource<'_>,
    ) -> Result<Exchange, ProtocolError> {
        let arguments = &declaration.arguments;
        let is_delayed_type = declaration.kind == DELAYED_TYPE;
        let kind = if is_delayed_type { self.delayed_kind(arguments)? } else { self.exchange_kind(declaration.kind)? };
        if let Some(most) = self.settings.exchange_limit
            && self.vhosts().iter().map(|vhost| vhost.exchange_count()).sum::<usize>() as u64 >= most
        {
            return Err(errors::EXCHANGE_LIMIT.with(&[resource, &most]));
        }
        Ok(Exchange {
            durable: declaration.durable,
            auto_delete: declaration.auto_delete,
            internal: declaration.internal,
            behaviour: Behaviour::of(kind, arguments, resource)?,
            arguments: arguments.clone(),
            is_delayed_type,
            ..Exchange::new(&vhost.name, vhost.next_exchange_id(), declaration.name, kind)
        })
    }

    /// The type called `name`, unless it is the one that delays.
    pub(crate) fn exchange_kind(&self, name: &str) -> Result<ExchangeKind, ProtocolError> {
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

fn assert_equivalent(
    existing: &Exchange,
    resource: &Resource<'_>,
    declaration: &ExchangeDeclaration<'_>,
) -> Result<(), ProtocolError> {
    let unequal = |name: &str, received: &str, current: &str| {
        let (received, current) = (ArgumentValue::Value(&received), ArgumentValue::Value(&current));
        Err(errors::INEQUIVALENT_ARGUMENT.with(&[&name, resource, &received, &current]))
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
    assert_argument_equivalent(ALTERNATE, resource, &declaration.arguments, &existing.arguments)
}
