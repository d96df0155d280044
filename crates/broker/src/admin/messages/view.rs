//! A message as operators see it.

use store::{Body, Message};

/// A message that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageView {
    /// Position in its queue.
    pub seq: u64,
    /// Its priority there.
    pub level: u8,
    /// The exchange that it was published to.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
    /// Payload of its content header.
    pub header: Vec<u8>,
    /// The beginning of its body, as much of it as was asked for.
    pub body: Vec<u8>,
    /// Bytes of the whole body.
    pub body_bytes: usize,
    /// When it entered its queue, in ms since 1970; 0 = not known.
    pub entered_ms: u64,
    /// It may have been delivered before.
    pub redelivered: bool,
    /// How often it came back after a delivery.
    pub delivery_count: u32,
    /// Messages that were ready when it had been taken out; 0 for one that was not.
    pub remaining: u64,
}

impl MessageView {
    /// A message, with up to `truncate` bytes of its body.
    pub(crate) fn of(message: &Message, truncate: Option<usize>) -> MessageView {
        let parts = message.parts();
        MessageView {
            exchange: String::from_utf8_lossy(parts.exchange()).into_owned(),
            routing_key: String::from_utf8_lossy(parts.routing_key()).into_owned(),
            header: parts.header.to_vec(),
            body: body_of(message, truncate.unwrap_or(usize::MAX)),
            body_bytes: message.body_len(),
            entered_ms: message.entered_ms(),
            ..MessageView::default()
        }
    }
}

/// The first `most` bytes of a body.
pub(super) fn body_of(message: &Message, most: usize) -> Vec<u8> {
    match message.body() {
        Body::Whole(bytes) => bytes[..bytes.len().min(most)].to_vec(),
        Body::Pieces(pieces) => {
            let mut body = Vec::new();
            for piece in pieces {
                body.extend_from_slice(&piece[..piece.len().min(most - body.len())]);
                if body.len() == most {
                    break;
                }
            }
            body
        }
    }
}
