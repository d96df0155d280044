//! One publish of a run: where it lies in the read buffer, or the message that it is already.

use crate::delivery::{Content, ContentBody};
use crate::trace::Look;
use store::{Message, MessageParts, Place};

/// Bytes of the read buffer.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Where `part` lies in `whole`, of which it is a part; anywhere when it is empty.
    #[inline]
    pub(super) fn of(whole: &[u8], part: &[u8]) -> Span {
        if part.is_empty() {
            return Span::default();
        }
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        debug_assert!(start + part.len() <= whole.len(), "the part lies in the read buffer");
        Span { start: start as u32, end: (start + part.len()) as u32 }
    }

    #[inline]
    fn in_buffer(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..self.end as usize]
    }
}

/// Where a publish lies in the read buffer.
#[derive(Clone, Copy, Default)]
pub(super) struct InBuffer {
    /// Exchange and routing key, each behind its length, as they stand in the method.
    pub(super) names: Span,
    pub(super) header: Span,
    pub(super) body: Span,
}

/// Apart, so that what is not stored is encoded without a call.
#[inline(never)]
fn stored_content(message: &Message) -> Content<'_> {
    Content::of(message)
}

/// When a message expires by its own expiration, in ms since 1970.
pub(super) fn own_due_ms(message: &Message) -> Option<u64> {
    let ttl_ms = amqp::properties::expiration_of(message.parts().header)?;
    Some(message.entered_ms().saturating_add(ttl_ms))
}

/// A publish of the run.
#[derive(Default)]
pub(crate) struct Item {
    pub(super) place: InBuffer,
    /// Set when it is stored already; then `place` means nothing.
    pub(super) stored: Option<Message>,
    pub(super) persistent: bool,
    pub(super) mandatory: bool,
    pub(super) body_len: usize,
    /// Where it is in the log, once it is there.
    pub(super) logged: Option<Place>,
    /// True when the log has it for a queue that it is to survive in.
    pub(super) durable: bool,
    /// True when it has an expiration of its own.
    pub(super) expires: bool,
    /// True when a queue had no room for it and refuses what it has no room for.
    pub(super) rejected: bool,
    /// Its priority in the queue that it is being put into; 0 where that has none.
    pub(super) level: u8,
}

impl Item {
    /// A message that nobody publishes now: it is stored already.
    pub(super) fn of(message: &Message) -> Item {
        Item {
            stored: Some(message.clone()),
            persistent: message.is_persistent(),
            body_len: message.body_len(),
            expires: amqp::properties::expiration_of(message.parts().header).is_some(),
            ..Item::default()
        }
    }

    /// The priority that its publisher gave it; 0 when none.
    pub(super) fn priority(&self, buffer: &[u8]) -> u8 {
        amqp::properties::priority_of(self.header(buffer)).unwrap_or(0)
    }

    /// Its content header.
    pub(super) fn header<'a>(&'a self, buffer: &'a [u8]) -> &'a [u8] {
        match &self.stored {
            Some(message) => message.parts().header,
            None => self.place.header.in_buffer(buffer),
        }
    }

    pub(super) fn parts<'a>(&'a self, buffer: &'a [u8], entered_ms: u64) -> MessageParts<'a> {
        MessageParts {
            names: self.place.names.in_buffer(buffer),
            header: self.place.header.in_buffer(buffer),
            persistent: self.persistent,
            entered_ms,
        }
    }

    #[inline]
    pub(super) fn content<'a>(&'a self, buffer: &'a [u8]) -> Content<'a> {
        if let Some(message) = &self.stored {
            return stored_content(message);
        }
        let (names, header) = (self.place.names.in_buffer(buffer), self.place.header.in_buffer(buffer));
        Content { names, header, body: ContentBody::Bytes(self.body(buffer)) }
    }

    /// What tracing looks at.
    pub(super) fn look<'a>(&'a self, buffer: &'a [u8]) -> Look<'a> {
        match &self.stored {
            Some(message) => Look::at(message, self.body_len),
            None => {
                let (names, header) = (self.place.names.in_buffer(buffer), self.place.header.in_buffer(buffer));
                Look { names, header, body_bytes: self.body_len }
            }
        }
    }

    #[inline]
    pub(super) fn body<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        self.place.body.in_buffer(buffer)
    }
}
