//! queue.bind and unbind, exchange.bind and unbind.

use crate::connection::Connection;
use crate::core::{Binding, Core, sorted};
use crate::errors::{self, ProtocolError};
use crate::names::clean;
use amqp::method::{exchange, queue};
use amqp::{FieldTable, Method, TableRef};
use metadata::Token;

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

    fn bind(&mut self, conn: &Connection, binding: &Binding<'_>) -> Result<Option<Token>, ProtocolError> {
        let vhost = self.vhost(conn)?;
        let bound = self.broker.bind(&vhost, binding, self.rights(conn))?;
        if let Some((history, destination)) = bound.replay {
            self.replay(&vhost, &history, destination);
        }
        Ok(bound.token)
    }

    fn unbind(&mut self, conn: &Connection, binding: &Binding<'_>) -> Result<Option<Token>, ProtocolError> {
        self.broker.unbind(&*self.vhost(conn)?, binding, self.rights(conn))
    }
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
