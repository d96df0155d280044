//! Class 30, access: the tickets of AMQP 0-8 that old clients still ask for.

use super::arguments::methods;

methods! {
    /// access.request.
    Request<'a> () {
        realm: &'a str,
        exclusive: bool,
        passive: bool,
        active: bool,
        write: bool,
        read: bool,
    } ();
    /// access.request-ok.
    RequestOk () { ticket: u16 } ();
}
