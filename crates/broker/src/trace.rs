//! Telling somebody about messages whose publishers trace them.
//!
//! A message is traced when its headers have a `traceparent` (W3C Trace Context) that says so. The headers are never
//! touched: whoever is told makes spans beside the message, not in it.

use crate::core::Core;
use crate::delivery::{Consumer, Content};
use amqp::properties::PropertiesRef;
use std::sync::Arc;
use store::Message;

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It came from its publisher, and was routed.
    Publish,
    /// It goes to a consumer.
    Deliver,
    /// Its delivery was acknowledged.
    Acknowledge,
    /// Its delivery was given back.
    Return,
}

/// Something that happens to a message whose publisher may trace it.
#[derive(Clone, Copy, Debug)]
pub struct Traced<'a> {
    /// What.
    pub operation: Operation,
    /// The header `traceparent`.
    pub parent: &'a str,
    /// The header `tracestate`.
    pub state: Option<&'a str>,
    /// When the turn began in which it happens, in ns since 1970.
    pub began_ns: u64,
    /// Name of the exchange that it was published to.
    pub exchange: &'a str,
    /// Its routing key.
    pub routing_key: &'a str,
    /// Name of the queue; empty for a publish.
    pub queue: &'a str,
    /// Tag of the consumer; empty where there is none.
    pub consumer_tag: &'a str,
    /// How many queues it was routed to; 0 except for a publish.
    pub routed: usize,
    /// Bytes of its body.
    pub body_bytes: usize,
}

/// Whoever makes spans. Called on reactors, also with a queue locked: it must neither wait nor do I/O.
pub trait Tracer: Send + Sync {
    /// True when messages with this `traceparent` are traced: asked before anything else is looked at.
    fn wants(&self, parent: &str) -> bool;
    /// Something happened on the reactor with this number.
    fn note(&self, reactor: usize, traced: &Traced<'_>);
}

/// A message as far as tracing looks at it.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    /// Exchange and routing key, each behind its length.
    pub(crate) names: &'a [u8],
    pub(crate) header: &'a [u8],
    pub(crate) body_bytes: usize,
}

impl<'a> Look<'a> {
    pub(crate) fn at(message: &'a Message, body_bytes: usize) -> Look<'a> {
        let content = Content::of(message);
        Look { names: content.names, header: content.header, body_bytes }
    }
}

/// Where something happens to a message.
#[derive(Clone, Copy, Default)]
pub(crate) struct At<'a> {
    pub(crate) queue: &'a str,
    pub(crate) consumer: Option<&'a Consumer>,
    pub(crate) routed: usize,
}

impl Core {
    /// Tells the tracer, if there is one and it wants to know of this message.
    #[cold]
    pub(crate) fn trace(&self, operation: Operation, look: Look<'_>, at: At<'_>) {
        let Some(tracer) = &self.tracer else { return };
        let Some(headers) = PropertiesRef::of_payload(look.header).and_then(|properties| properties.headers()) else {
            return;
        };
        let Some(parent) = headers.find("traceparent").and_then(amqp::FieldRef::as_str) else { return };
        if !tracer.wants(parent) {
            return;
        }
        let (exchange, routing_key) = names(look.names);
        let state = headers.find("tracestate").and_then(amqp::FieldRef::as_str);
        let traced = Traced {
            operation,
            parent,
            state,
            began_ns: self.now.wall_ms.saturating_mul(1_000_000),
            exchange,
            routing_key,
            queue: at.queue,
            consumer_tag: at.consumer.map_or("", |consumer| &consumer.tag),
            routed: at.routed,
            body_bytes: look.body_bytes,
        };
        tracer.note(self.shard, &traced);
    }
}

/// Two short strings, one behind the other; what is none is empty.
fn names(bytes: &[u8]) -> (&str, &str) {
    let short = |bytes: &'_ [u8]| -> Option<(usize, usize)> {
        let length = usize::from(*bytes.first()?);
        (bytes.len() > length).then_some((1, 1 + length))
    };
    let Some((start, end)) = short(bytes) else { return ("", "") };
    let exchange = std::str::from_utf8(&bytes[start..end]).unwrap_or_default();
    let rest = &bytes[end..];
    let key = short(rest).and_then(|(start, end)| std::str::from_utf8(&rest[start..end]).ok());
    (exchange, key.unwrap_or_default())
}

impl crate::Broker {
    /// Sets who traces messages; once, and before there are reactors.
    pub fn set_tracer(&self, tracer: Arc<dyn Tracer>) {
        // A second call would be a mistake of the wiring; the first stays.
        let _ = self.tracer.set(tracer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_two_short_strings() {
        assert_eq!(names(b"\x01x\x03key"), ("x", "key"));
        assert_eq!(names(b"\x00\x00"), ("", ""));
        for bad in [&b""[..], b"\x05x", b"\x01"] {
            assert_eq!(names(bad), ("", ""), "{bad:?}");
        }
    }
}
