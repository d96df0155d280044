//! Class 60, basic: publishing, consuming and settling.

use super::arguments::{ShortBytes, methods};
use crate::field::TableRef;

methods! {
    /// basic.qos.
    Qos () { prefetch_size: u32, prefetch_count: u16, global: bool } ();
    /// basic.qos-ok.
    QosOk () {} ();
    /// basic.consume.
    Consume<'a> (ticket: u16) {
        queue: &'a str,
        consumer_tag: &'a str,
        no_local: bool,
        no_ack: bool,
        exclusive: bool,
        nowait: bool,
        arguments: TableRef<'a>,
    } ();
    /// basic.consume-ok.
    ConsumeOk<'a> () { consumer_tag: &'a str } ();
    /// basic.cancel.
    Cancel<'a> () { consumer_tag: &'a str, nowait: bool } ();
    /// basic.cancel-ok.
    CancelOk<'a> () { consumer_tag: &'a str } ();
    /// basic.publish.
    Publish<'a> (ticket: u16) {
        exchange: ShortBytes<'a>,
        routing_key: ShortBytes<'a>,
        mandatory: bool,
        immediate: bool,
    } ();
    /// basic.return.
    Return<'a> () { reply_code: u16, reply_text: &'a str, exchange: &'a str, routing_key: &'a str } ();
    /// basic.deliver.
    Deliver<'a> () {
        consumer_tag: &'a str,
        delivery_tag: u64,
        redelivered: bool,
        exchange: &'a str,
        routing_key: &'a str,
    } ();
    /// basic.get.
    Get<'a> (ticket: u16) { queue: &'a str, no_ack: bool } ();
    /// basic.get-ok.
    GetOk<'a> () {
        delivery_tag: u64,
        redelivered: bool,
        exchange: &'a str,
        routing_key: &'a str,
        message_count: u32,
    } ();
    /// basic.get-empty.
    GetEmpty () {} (cluster_id: &str);
    /// basic.ack.
    Ack () { delivery_tag: u64, multiple: bool } ();
    /// basic.reject.
    Reject () { delivery_tag: u64, requeue: bool } ();
    /// basic.recover-async.
    RecoverAsync () { requeue: bool } ();
    /// basic.recover.
    Recover () { requeue: bool } ();
    /// basic.recover-ok.
    RecoverOk () {} ();
    /// basic.nack.
    Nack () { delivery_tag: u64, multiple: bool, requeue: bool } ();
}

impl<'a> Publish<'a> {
    /// Reads the payload of a method frame when it holds a basic.publish that is well formed; the short way for the
    /// method that comes most often. Returns besides the bytes of exchange and routing key, each behind its length,
    /// which is how they stand in basic.deliver too.
    #[inline]
    pub fn from_payload(payload: &'a [u8]) -> Option<(Publish<'a>, &'a [u8])> {
        let arguments = payload.strip_prefix(&[0, 60, 0, 40])?;
        let publish = Publish::decode(arguments).ok()?;
        // Between the reserved field of two octets and the octet of flags.
        Some((publish, arguments.get(2..arguments.len() - 1)?))
    }
}
