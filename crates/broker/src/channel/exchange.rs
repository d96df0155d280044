//! exchange.declare and exchange.delete.

use crate::connection::Connection;
use crate::core::{Core, ExchangeDeclaration, refuse_default};
use crate::errors::{self, ProtocolError};
use crate::names::clean;
use amqp::Method;
use amqp::method::exchange;

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
            let arguments = declare
                .arguments
                .to_owned()
                .map_err(|_| errors::CANNOT_DECODE.with(&[&errors::Octets(declare.arguments.bytes())]))?;
            let declaration = ExchangeDeclaration {
                name: &name,
                kind: declare.kind,
                durable: declare.durable,
                auto_delete: declare.auto_delete,
                internal: declare.internal,
                arguments,
            };
            self.broker.declare_exchange(&vhost, declaration, self.rights(conn))?.token
        };
        self.reply(conn, number, token, declare.nowait, &Method::ExchangeDeclareOk(exchange::DeclareOk {}));
        Ok(())
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
        let token = self.broker.delete_exchange(&vhost, &name, delete.if_unused, self.rights(conn))?;
        self.reply(conn, number, token, delete.nowait, &Method::ExchangeDeleteOk(exchange::DeleteOk {}));
        Ok(())
    }
}
