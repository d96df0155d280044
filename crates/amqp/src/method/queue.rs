//! Class 50, queue.

use super::arguments::methods;
use crate::field::TableRef;

methods! {
    /// queue.declare.
    Declare<'a> (ticket: u16) {
        queue: &'a str,
        passive: bool,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        nowait: bool,
        arguments: TableRef<'a>,
    } ();
    /// queue.declare-ok.
    DeclareOk<'a> () { queue: &'a str, message_count: u32, consumer_count: u32 } ();
    /// queue.bind.
    Bind<'a> (ticket: u16) {
        queue: &'a str,
        exchange: &'a str,
        routing_key: &'a str,
        nowait: bool,
        arguments: TableRef<'a>,
    } ();
    /// queue.bind-ok.
    BindOk () {} ();
    /// queue.unbind.
    Unbind<'a> (ticket: u16) {
        queue: &'a str,
        exchange: &'a str,
        routing_key: &'a str,
        arguments: TableRef<'a>,
    } ();
    /// queue.unbind-ok.
    UnbindOk () {} ();
    /// queue.purge.
    Purge<'a> (ticket: u16) { queue: &'a str, nowait: bool } ();
    /// queue.purge-ok.
    PurgeOk () { message_count: u32 } ();
    /// queue.delete.
    Delete<'a> (ticket: u16) { queue: &'a str, if_unused: bool, if_empty: bool, nowait: bool } ();
    /// queue.delete-ok.
    DeleteOk () { message_count: u32 } ();
}
