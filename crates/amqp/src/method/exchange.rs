//! Class 40, exchange, with RabbitMQ's bindings between exchanges.

use super::arguments::methods;
use crate::field::TableRef;

methods! {
    /// exchange.declare; `kind` is the field `type`.
    Declare<'a> (ticket: u16) {
        exchange: &'a str,
        kind: &'a str,
        passive: bool,
        durable: bool,
        auto_delete: bool,
        internal: bool,
        nowait: bool,
        arguments: TableRef<'a>,
    } ();
    /// exchange.declare-ok.
    DeclareOk () {} ();
    /// exchange.delete.
    Delete<'a> (ticket: u16) { exchange: &'a str, if_unused: bool, nowait: bool } ();
    /// exchange.delete-ok.
    DeleteOk () {} ();
    /// exchange.bind: messages flow from `source` to `destination`.
    Bind<'a> (ticket: u16) {
        destination: &'a str,
        source: &'a str,
        routing_key: &'a str,
        nowait: bool,
        arguments: TableRef<'a>,
    } ();
    /// exchange.bind-ok.
    BindOk () {} ();
    /// exchange.unbind.
    Unbind<'a> (ticket: u16) {
        destination: &'a str,
        source: &'a str,
        routing_key: &'a str,
        nowait: bool,
        arguments: TableRef<'a>,
    } ();
    /// exchange.unbind-ok.
    UnbindOk () {} ();
}
