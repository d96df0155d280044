//! Class 10, connection: handshake, tuning, closing, and RabbitMQ's blocked, unblocked and update-secret.

use super::arguments::methods;
use crate::field::TableRef;

methods! {
    /// connection.start: the server's offer; `mechanisms` and `locales` are separated by spaces.
    Start<'a> () {
        version_major: u8,
        version_minor: u8,
        server_properties: TableRef<'a>,
        mechanisms: &'a [u8],
        locales: &'a [u8],
    } ();
    /// connection.start-ok: the client's choice, its properties and the first SASL response.
    StartOk<'a> () {
        client_properties: TableRef<'a>,
        mechanism: &'a str,
        response: &'a [u8],
        locale: &'a str,
    } ();
    /// connection.secure: a SASL challenge.
    Secure<'a> () { challenge: &'a [u8] } ();
    /// connection.secure-ok: the answer to a SASL challenge.
    SecureOk<'a> () { response: &'a [u8] } ();
    /// connection.tune: the server's limits; `frame_max` in bytes, `heartbeat` in seconds, 0 for none.
    Tune () { channel_max: u16, frame_max: u32, heartbeat: u16 } ();
    /// connection.tune-ok: what the client takes of the limits.
    TuneOk () { channel_max: u16, frame_max: u32, heartbeat: u16 } ();
    /// connection.open: the virtual host to work with.
    Open<'a> () { virtual_host: &'a str } (capabilities: &str, insist: bool);
    /// connection.open-ok.
    OpenOk () {} (known_hosts: &str);
    /// connection.close: a reply code and text, and the method at fault or 0/0.
    Close<'a> () { reply_code: u16, reply_text: &'a str, class_id: u16, method_id: u16 } ();
    /// connection.close-ok.
    CloseOk () {} ();
    /// connection.blocked: the server reads no more, for `reason`.
    Blocked<'a> () { reason: &'a str } ();
    /// connection.unblocked: the server reads again.
    Unblocked () {} ();
    /// connection.update-secret: new credentials for the same user.
    UpdateSecret<'a> () { new_secret: &'a [u8], reason: &'a str } ();
    /// connection.update-secret-ok.
    UpdateSecretOk () {} ();
}
