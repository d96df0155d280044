//! exchange.declare and exchange.delete.

use crate::connection::Connection;
use crate::core::{Core, ExchangeDeclaration};
use crate::errors::{self, ProtocolError, Resource};
use crate::names::{clean, is_reserved};
use crate::topology::{DELAYED_TYPE, Vhost};
use amqp::Method;
use amqp::method::exchange;
use auth::Permission;
use metadata::Token;

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
                self.broker.exchange_kind(declare.kind)?;
            }
            refuse_default(&name)?;
            self.check_exchange(conn, &name, Permission::Configure)?;
            self.declare_exchange(conn, &vhost, &name, declare)?
        };
        self.reply(conn, number, token, declare.nowait, &Method::ExchangeDeclareOk(exchange::DeclareOk {}));
        Ok(())
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
        let declaration = ExchangeDeclaration {
            name,
            kind: declare.kind,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments,
        };
        let authorize = |alternate: &str| {
            self.check_exchange(conn, name, Permission::Read)?;
            self.check_exchange(conn, alternate, Permission::Write)
        };
        Ok(self.broker.declare_exchange(vhost, declaration, &authorize)?.token)
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

/// The default exchange can be published to, and nothing else.
pub(crate) fn refuse_default(name: &str) -> Result<(), ProtocolError> {
    if name.is_empty() { Err(errors::DEFAULT_EXCHANGE.with(&[])) } else { Ok(()) }
}
