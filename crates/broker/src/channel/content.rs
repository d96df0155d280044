//! Content as it arrives: a publish's header and body, put together per channel.

use crate::connection::Connection;
use crate::core::{Core, Incoming, IncomingBody};
use crate::errors::{self, ProtocolError};
use amqp::{ContentHeader, PropertiesError, method::basic};
use store::{LARGEST_SLICE, MessageParts, Slice};

/// The largest body that a header may declare, whatever the configured limit (RabbitMQ 4.x).
const BODY_SIZE_CAP: u64 = 512 << 20;
/// The largest content header that a message record takes, in bytes; far above the usual frame_max.
const LARGEST_HEADER: usize = LARGEST_SLICE / 2;

/// A publish whose content has not arrived whole.
pub(crate) struct Assembly {
    /// Exchange and routing key, each behind its length.
    names: Box<[u8]>,
    mandatory: bool,
    immediate: bool,
    /// The content header frame's payload, once it is there.
    header: Option<Vec<u8>>,
    body_size: u64,
    received: u64,
    pieces: Vec<Slice>,
}

impl Assembly {
    pub(crate) fn new(publish: &basic::Publish<'_>, names: &[u8]) -> Assembly {
        Assembly {
            names: names.into(),
            mandatory: publish.mandatory,
            immediate: publish.immediate,
            header: None,
            body_size: 0,
            received: 0,
            pieces: Vec::new(),
        }
    }

    /// Name of the exchange.
    pub(crate) fn exchange(&self) -> Vec<u8> {
        let names = MessageParts { names: &self.names, header: &[], persistent: false, entered_ms: 0 };
        names.exchange().to_vec()
    }

    /// True while the header is due.
    pub(crate) fn wants_header(&self) -> bool {
        self.header.is_none()
    }

    /// Bytes of body to come.
    pub(crate) fn remaining(&self) -> u64 {
        self.body_size - self.received
    }
}

/// Reads a content header of class basic.
pub(crate) fn read_header(payload: &[u8]) -> Result<ContentHeader<'_>, ProtocolError> {
    let header = match ContentHeader::parse(payload) {
        Ok(header) => header,
        Err(PropertiesError::Weight(_)) => {
            return Err(errors::EXPECTED_HEADER.with(&[&amqp::properties::CLASS_BASIC]).by_method(60, 40));
        }
        Err(_) => {
            let frame = errors::Snippet::new(amqp::frame::FRAME_HEADER, payload);
            return Err(errors::UNKNOWN_FRAME.with(&[&frame]));
        }
    };
    if header.class_id != amqp::properties::CLASS_BASIC {
        let expected = amqp::properties::CLASS_BASIC;
        return Err(errors::HEADER_OF_OTHER_CLASS.with(&[&expected, &header.class_id]).by_method(60, 40));
    }
    if header.body_size > BODY_SIZE_CAP {
        return Err(errors::BODY_SIZE_CAP.with(&[&header.body_size]).by_method(60, 40));
    }
    if payload.len() > LARGEST_HEADER {
        let size = payload.len();
        return Err(errors::FRAME_TOO_LARGE.with(&[&amqp::frame::FRAME_HEADER, &size, &LARGEST_HEADER]));
    }
    Ok(header)
}

impl Core {
    /// A content header frame for a publish that is being assembled.
    pub(crate) fn content_header(
        &mut self,
        conn: &mut Connection,
        number: u16,
        payload: &[u8],
    ) -> Result<(), ProtocolError> {
        let body_size = read_header(payload)?.body_size;
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let Some(assembly) = channel.assembly.as_mut() else { return Err(errors::EXPECTED_METHOD.with(&[])) };
        assembly.header = Some(payload.to_vec());
        assembly.body_size = body_size;
        if body_size == 0 {
            return self.content_complete(conn, number);
        }
        // Before the body comes: once it is here it cannot wait outside.
        self.park_if_log_is_full(conn, body_size);
        Ok(())
    }

    /// Bytes of a content body frame, in order. `frame_left` more follow in the same frame.
    pub(crate) fn content_body(
        &mut self,
        conn: &mut Connection,
        number: u16,
        bytes: &[u8],
        frame_left: usize,
    ) -> Result<(), ProtocolError> {
        let limit = self.broker.limits.max_message_size();
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let Some(assembly) = channel.assembly.as_mut() else { return Err(errors::EXPECTED_METHOD.with(&[])) };
        assembly.received += bytes.len() as u64;
        if assembly.received > assembly.body_size {
            return Err(errors::BODY_OVERFLOW.with(&[]).by_method(60, 40));
        }
        // What is too large will be refused when it is complete; until then it is counted and not kept.
        if assembly.body_size <= limit {
            assembly.pieces.extend(bytes.chunks(LARGEST_SLICE).map(|piece| self.arena.append([piece])));
        }
        if assembly.remaining() == 0 && frame_left == 0 { self.content_complete(conn, number) } else { Ok(()) }
    }

    fn content_complete(&mut self, conn: &mut Connection, number: u16) -> Result<(), ProtocolError> {
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let Some(assembly) = channel.assembly.take() else { return Ok(()) };
        let Some(header_payload) = assembly.header else { return Ok(()) };
        if assembly.immediate {
            return Err(errors::IMMEDIATE.with(&[]).by_method(60, 40));
        }
        let limit = self.broker.limits.max_message_size();
        if assembly.body_size > limit {
            return Err(errors::MESSAGE_TOO_LARGE.with(&[&assembly.body_size, &limit]).by_method(60, 40));
        }
        let names = MessageParts { names: &assembly.names, header: &[], persistent: false, entered_ms: 0 };
        let incoming = Incoming {
            names: &assembly.names,
            exchange: names.exchange(),
            routing_key: names.routing_key(),
            mandatory: assembly.mandatory,
            header: read_header(&header_payload)?,
            header_payload: &header_payload,
            body: IncomingBody::Stored(assembly.pieces),
        };
        // What was gathered before lies in the read buffer, which this message does not share.
        self.publish(conn, number, incoming, &[]).map_err(|error| error.by_method(60, 40))
    }
}
