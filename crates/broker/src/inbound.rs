//! Bytes from a client: frames, and what each is allowed to be.
//!
//! A publish whose content lies whole in the read buffer is taken from there as it is; one that is short and cut by the
//! end of the buffer is left over for the next read. Other content is put together per channel as it arrives, so that
//! what is left over stays small and is never looked at often.

use crate::channel::Assembly;
use crate::channel::content::read_header;
use crate::connection::{Connection, Park, PartialBody, Phase};
use crate::core::{Core, Incoming, IncomingBody};
use crate::delivery::INLINE_BODY;
use crate::errors::{self, ProtocolError, Scope, Snippet};
use crate::link::OUTPUT_HIGH;
use amqp::frame::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEADER_SIZE, FRAME_HEARTBEAT, FRAME_METHOD};
use amqp::method::basic;
use amqp::{DecodeError, FrameHeader, Method, ProtocolHeader};

/// The largest method on a channel, in bytes: above the usual frame_max, and well below the smallest log segment.
const LARGEST_METHOD: usize = 256 << 10;

/// RabbitMQ takes payloads that are this much longer than frame_max allows.
const FRAME_SIZE_TOLERANCE: usize = 8;

/// In place of how many bytes are done with: the frame is to be presented again with what comes behind it.
const AGAIN: usize = usize::MAX;

/// Bytes that a client may leave unread while it asks for more. Far above what holds its consumers back.
const MOST_UNREAD: usize = 4 * OUTPUT_HIGH;

/// True for methods that make no output: acknowledgements, and the end of a channel. They get through however much the
/// client has not read.
#[inline]
fn frees_or_ends(payload: &[u8]) -> bool {
    let Some([0, class, 0, method]) = payload.first_chunk::<4>() else { return false };
    matches!((class, method), (60, 80 | 90 | 120) | (20, 40 | 41))
}

/// What is wrong with received bytes, and with which channel.
struct Fault {
    channel: u16,
    error: ProtocolError,
    /// True when it cannot be told where the next frame begins.
    out_of_step: bool,
}

impl Core {
    /// Processes received bytes; returns how many are done with. The rest has to be presented again, with what comes
    /// behind it, unless the connection is parked or closed.
    pub(crate) fn receive(&mut self, conn: &mut Connection, buffer: &[u8]) -> usize {
        if conn.out_of_step {
            return buffer.len();
        }
        let mut at = 0;
        while at < buffer.len() && conn.is_reading() {
            match self.receive_one(conn, buffer, at) {
                Ok(0) => break,
                Ok(taken) => at += taken,
                Err(fault) => {
                    self.finish_batch(conn, buffer);
                    let Some(taken) = self.fail(conn, fault, &buffer[at..]) else { break };
                    at += taken;
                }
            }
        }
        self.finish_batch(conn, buffer);
        at.min(buffer.len())
    }

    /// Ends what was gathered over one read: the run of publishes, the acknowledgements, and the confirms due.
    pub(crate) fn finish_batch(&mut self, conn: &mut Connection, buffer: &[u8]) {
        self.flush_run(conn, buffer);
        self.settle(conn);
        self.tell_confirms(conn);
    }

    /// Takes one frame, or the part of a body frame that is there; 0 when more bytes are needed.
    #[inline]
    fn receive_one(&mut self, conn: &mut Connection, buffer: &[u8], at: usize) -> Result<usize, Fault> {
        let rest = &buffer[at..];
        if conn.phase == Phase::Header {
            return Ok(self.protocol_header(conn, rest));
        }
        if let Some(partial) = conn.partial_body {
            return self.more_of_body(conn, partial, rest);
        }
        let Some(header) = rest.first_chunk::<FRAME_HEADER_SIZE>() else { return Ok(0) };
        let header = FrameHeader::parse(header);
        let size = header.size as usize;
        self.check_size(conn, header)?;
        let whole = FRAME_HEADER_SIZE + size + 1;
        if rest.len() < whole {
            let streams = header.kind == FRAME_BODY && conn.phase == Phase::Running && header.channel != 0;
            return if streams { self.start_of_body(conn, header, rest) } else { Ok(0) };
        }
        let payload = &rest[FRAME_HEADER_SIZE..whole - 1];
        if rest[whole - 1] != FRAME_END {
            let error = errors::BAD_FRAME_END.with(&[&Snippet::new(header.kind, payload), &rest[whole - 1]]);
            return Err(Fault { channel: 0, error, out_of_step: true });
        }
        match self.frame(conn, header, payload, buffer, at + whole) {
            Ok(AGAIN) => Ok(0),
            Ok(more) => Ok(whole + more),
            // The pieces of a content cannot be presented again; what they need was asked before the first came.
            Err(_) if header.kind == FRAME_METHOD && self.ask_for(conn) => Ok(0),
            Err(error) => Err(Fault { channel: header.channel, error, out_of_step: false }),
        }
    }

    fn check_size(&self, conn: &Connection, header: FrameHeader) -> Result<(), Fault> {
        let most = match conn.phase {
            Phase::Running | Phase::Closing | Phase::Opening => conn.frame_max,
            _ => (self.broker.settings.initial_frame_max as usize).max(amqp::frame::FRAME_MIN_SIZE),
        } - amqp::frame::FRAME_OVERHEAD;
        if header.size as usize <= most + FRAME_SIZE_TOLERANCE {
            return Ok(());
        }
        let error = errors::FRAME_TOO_LARGE.with(&[&header.kind, &header.size, &most]);
        Err(Fault { channel: 0, error: error.on_connection(), out_of_step: true })
    }

    /// One whole frame. Returns how many bytes behind it are done with too, the content of a publish, or [`AGAIN`].
    #[inline]
    fn frame(
        &mut self,
        conn: &mut Connection,
        header: FrameHeader,
        payload: &[u8],
        buffer: &[u8],
        end: usize,
    ) -> Result<usize, ProtocolError> {
        let unexpected = || errors::UNEXPECTED_FRAME.with(&[&Snippet::new(header.kind, payload)]);
        if !is_frame(header.kind, payload) {
            return Err(errors::UNKNOWN_FRAME.with(&[&Snippet::new(header.kind, payload)]).on_connection());
        }
        match header.kind {
            FRAME_METHOD if header.channel == 0 => {
                self.flush_for(conn, buffer);
                self.connection_method(conn, payload).map(|()| 0)
            }
            FRAME_HEARTBEAT if header.channel == 0 => Ok(0),
            FRAME_METHOD | FRAME_HEADER | FRAME_BODY if header.channel == 0 => {
                if conn.phase == Phase::Closing {
                    Ok(0)
                } else {
                    Err(unexpected().on_connection())
                }
            }
            _ if conn.phase == Phase::Closing => Ok(0),
            FRAME_METHOD | FRAME_HEADER | FRAME_BODY if conn.phase != Phase::Running => {
                Err(unexpected().on_connection())
            }
            // Definitions have to fit records of the log, however large frames may be.
            FRAME_METHOD if payload.len() > LARGEST_METHOD => {
                let size = payload.len();
                Err(errors::FRAME_TOO_LARGE.with(&[&FRAME_METHOD, &size, &LARGEST_METHOD]).on_connection())
            }
            FRAME_METHOD => self.channel_method(conn, header.channel, payload, buffer, end),
            FRAME_HEADER | FRAME_BODY => {
                self.flush_for(conn, buffer);
                if header.kind == FRAME_HEADER && self.must_ask_for_more_keys(conn, header.channel, payload) {
                    return Ok(AGAIN);
                }
                self.content_frame(conn, header, payload).map(|()| 0)
            }
            _ => Err(unexpected().on_connection()),
        }
    }

    /// A method on a channel.
    #[inline]
    fn channel_method(
        &mut self,
        conn: &mut Connection,
        number: u16,
        payload: &[u8],
        buffer: &[u8],
        end: usize,
    ) -> Result<usize, ProtocolError> {
        if conn.link.pending() >= MOST_UNREAD && !frees_or_ends(payload) {
            self.flush_for(conn, buffer);
            conn.park = Some(Park::Output);
            return Ok(AGAIN);
        }
        if let Some((publish, names)) = basic::Publish::from_payload(payload)
            && let Some(channel) = conn.channels.find(number)
            && !channel.closing
            && channel.assembly.is_none()
        {
            return self.publish_frames(conn, number, &publish, names, buffer, end);
        }
        self.other_method(conn, number, payload, buffer)
    }

    /// Any but a publish that is in its place. Apart, because what the others need makes publishes dearer.
    #[inline(never)]
    fn other_method(
        &mut self,
        conn: &mut Connection,
        number: u16,
        payload: &[u8],
        buffer: &[u8],
    ) -> Result<usize, ProtocolError> {
        let method = Method::decode(payload).map_err(|error| match error {
            // RabbitMQ names the method of a malformed name on channel 0 only.
            DecodeError::MalformedUtf8(_) => undecodable(error, payload).by_method(0, 0),
            error => undecodable(error, payload),
        })?;
        let id = method.id();
        let blame =
            |error: ProtocolError| if error.method == (0, 0) { error.by_method(id.class, id.method) } else { error };
        let Some(channel) = conn.channels.find(number) else {
            self.flush_for(conn, buffer);
            return self.on_unopened_channel(conn, number, method).map(|()| 0);
        };
        if channel.closing {
            return self.on_closing_channel(conn, number, method, buffer);
        }
        if let Some(assembly) = &channel.assembly {
            let error = if assembly.wants_header() { &errors::EXPECTED_HEADER } else { &errors::EXPECTED_BODY };
            let class = amqp::properties::CLASS_BASIC;
            let error = if error.holes() > 0 { error.with(&[&class]) } else { error.with(&[]) };
            return Err(error.by_method(60, 40));
        }
        match method {
            Method::BasicAck(ack) => self.ack(conn, number, ack).map(|()| 0).map_err(blame),
            method => {
                self.flush_for(conn, buffer);
                self.method(conn, number, method).map(|()| 0).map_err(blame)
            }
        }
    }

    /// The content of a publish, when it lies in the buffer whole; otherwise the beginning of an assembly.
    #[inline]
    fn publish_frames(
        &mut self,
        conn: &mut Connection,
        number: u16,
        publish: &basic::Publish<'_>,
        names: &[u8],
        buffer: &[u8],
        end: usize,
    ) -> Result<usize, ProtocolError> {
        if !self.settling.is_empty() {
            self.settle(conn);
        }
        if self.broker.is_alarmed() {
            self.block_publisher(conn);
            return Ok(AGAIN);
        }
        let Some((header_payload, body, taken)) = whole_content(&buffer[end..], number, conn.frame_max) else {
            if is_cut(&buffer[end..], number, conn.frame_max) {
                return Ok(AGAIN);
            }
            if self.must_ask_to_publish(conn, number, publish.exchange.0, publish.routing_key.0) {
                return Ok(AGAIN);
            }
            let Some(channel) = conn.channels.find(number) else { return Ok(0) };
            channel.assembly = Some(Box::new(Assembly::new(publish, names)));
            return Ok(0);
        };
        let header = match read_header(header_payload) {
            Ok(header) => header,
            Err(error) => return Err(error.by_method(60, 40)),
        };
        if publish.immediate {
            return Err(errors::IMMEDIATE.with(&[]).by_method(60, 40));
        }
        let incoming = Incoming {
            names,
            exchange: publish.exchange.0,
            routing_key: publish.routing_key.0,
            mandatory: publish.mandatory,
            header,
            header_payload,
            body: IncomingBody::Read(body),
        };
        let published = self.publish(conn, number, incoming, buffer);
        if let Err(error) = published {
            if self.ask_for(conn) {
                return Ok(AGAIN);
            }
            // The frames of the content are done with all the same: a channel error must not let them be read again.
            return self.refused_content(conn, number, error, taken, buffer);
        }
        Ok(taken)
    }

    fn refused_content(
        &mut self,
        conn: &mut Connection,
        number: u16,
        error: ProtocolError,
        taken: usize,
        buffer: &[u8],
    ) -> Result<usize, ProtocolError> {
        let error = error.by_method(60, 40);
        if error.scope == Scope::Connection {
            return Err(error);
        }
        // What was published before is returned and confirmed before the channel is closed.
        self.finish_batch(conn, buffer);
        self.close_channel(conn, number, &error);
        Ok(taken)
    }

    /// A content header or body frame on its own.
    fn content_frame(
        &mut self,
        conn: &mut Connection,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), ProtocolError> {
        let number = header.channel;
        let Some(channel) = conn.channels.find(number) else {
            let late = self.is_just_closed(conn, number);
            return if late { Ok(()) } else { Err(errors::CHANNEL_NOT_OPEN.with(&[])) };
        };
        if channel.closing {
            return Ok(());
        }
        let Some(assembly) = &channel.assembly else { return Err(errors::EXPECTED_METHOD.with(&[])) };
        match (header.kind, assembly.wants_header()) {
            (FRAME_HEADER, true) => self.content_header(conn, number, payload),
            (FRAME_BODY, false) => self.content_body(conn, number, payload, 0),
            (FRAME_BODY, true) => {
                Err(errors::EXPECTED_HEADER.with(&[&amqp::properties::CLASS_BASIC]).by_method(60, 40))
            }
            _ => Err(errors::EXPECTED_BODY.with(&[]).by_method(60, 40)),
        }
    }

    /// A body frame that is not there whole: its payload is taken as it comes.
    fn start_of_body(&mut self, conn: &mut Connection, header: FrameHeader, rest: &[u8]) -> Result<usize, Fault> {
        let partial = PartialBody { channel: header.channel, left: header.size as usize };
        conn.partial_body = Some(partial);
        let blame = |error| Fault { channel: header.channel, error, out_of_step: true };
        // An empty part of a body that is due completes nothing; any error is about the frame itself.
        self.content_frame(conn, FrameHeader { size: 0, ..header }, &[]).map_err(blame)?;
        let taken = self.more_of_body(conn, partial, &rest[FRAME_HEADER_SIZE..])?;
        Ok(FRAME_HEADER_SIZE + taken)
    }

    fn more_of_body(&mut self, conn: &mut Connection, partial: PartialBody, rest: &[u8]) -> Result<usize, Fault> {
        let blame = |error| Fault { channel: partial.channel, error, out_of_step: true };
        let taken = partial.left.min(rest.len());
        let left = partial.left - taken;
        let ended = left == 0 && rest.len() > taken;
        conn.partial_body = (!ended).then_some(PartialBody { left, ..partial });
        if ended && rest[taken] != FRAME_END {
            let snippet = Snippet::new(FRAME_BODY, &rest[..taken]);
            let error = errors::BAD_FRAME_END.with(&[&snippet, &rest[taken]]);
            return Err(Fault { channel: 0, error: error.on_connection(), out_of_step: true });
        }
        let discards =
            conn.phase == Phase::Closing || conn.channels.find(partial.channel).is_none_or(|channel| channel.closing);
        if !discards {
            let frame_left = if ended { 0 } else { left + 1 };
            match self.content_body(conn, partial.channel, &rest[..taken], frame_left) {
                Err(error) if error.scope == Scope::Channel => self.close_channel(conn, partial.channel, &error),
                outcome => outcome.map_err(blame)?,
            }
        }
        Ok(taken + usize::from(ended))
    }

    /// What was gathered has to happen before anything else does.
    fn flush_for(&mut self, conn: &mut Connection, buffer: &[u8]) {
        self.flush_run(conn, buffer);
        self.settle(conn);
    }

    /// Answers an error. Returns how many bytes of `rest` to pass over.
    fn fail(&mut self, conn: &mut Connection, fault: Fault, rest: &[u8]) -> Option<usize> {
        if fault.error.scope == Scope::Channel && fault.channel != 0 {
            self.close_channel(conn, fault.channel, &fault.error);
        } else {
            self.close_connection(conn, &fault.error);
        }
        if fault.out_of_step {
            conn.out_of_step = true;
            return Some(rest.len());
        }
        // The frame is there whole: what is behind it may be the answer to our close.
        let header = FrameHeader::parse(rest.first_chunk::<FRAME_HEADER_SIZE>()?);
        Some(FRAME_HEADER_SIZE + header.size as usize + 1)
    }

    /// The first eight bytes.
    fn protocol_header(&mut self, conn: &mut Connection, bytes: &[u8]) -> usize {
        let Some(header) = ProtocolHeader::classify(bytes) else {
            // A wrong beginning is refused at once; the client may be waiting for an answer to less than eight bytes.
            let expected = ProtocolHeader::AMQP_0_9_1;
            let plausible = bytes.iter().zip(&expected[..4]).all(|(a, b)| a == b);
            if !plausible {
                self.refuse_protocol(conn, ProtocolHeader::Other);
            }
            return 0;
        };
        match header.refusal() {
            None => self.start(conn),
            Some(_) => self.refuse_protocol(conn, header),
        }
        ProtocolHeader::SIZE
    }
}

/// The content header payload and the body of a publish, and the bytes that their frames take, when the frames are at
/// the front of `rest`, whole, right, and at most one of them is a body frame.
#[inline]
fn whole_content(rest: &[u8], channel: u16, frame_max: usize) -> Option<(&[u8], &[u8], usize)> {
    let (header_payload, taken) = whole_frame(rest, FRAME_HEADER, channel, frame_max)?;
    let body_size = u64::from_be_bytes(*header_payload.get(4..)?.first_chunk()?);
    if body_size == 0 {
        return Some((header_payload, &[], taken));
    }
    let (body, body_taken) = whole_frame(&rest[taken..], FRAME_BODY, channel, frame_max)?;
    (body.len() as u64 == body_size).then_some((header_payload, body, taken + body_taken))
}

#[inline]
fn whole_frame(rest: &[u8], kind: u8, channel: u16, frame_max: usize) -> Option<(&[u8], usize)> {
    let header = FrameHeader::parse(rest.first_chunk::<FRAME_HEADER_SIZE>()?);
    let size = header.size as usize;
    let whole = FRAME_HEADER_SIZE + size + 1;
    let right = header.kind == kind && header.channel == channel && whole <= frame_max + FRAME_SIZE_TOLERANCE;
    if !right || *rest.get(whole - 1)? != FRAME_END {
        return None;
    }
    Some((&rest[FRAME_HEADER_SIZE..whole - 1], whole))
}

/// True when `rest` is the beginning of a publish's content and nothing else, and the content is short.
#[cold]
fn is_cut(rest: &[u8], channel: u16, frame_max: usize) -> bool {
    let most = INLINE_BODY.min(frame_max);
    let Some((header_payload, rest)) = frame_or_beginning(rest, FRAME_HEADER, channel, most) else { return false };
    let Some(header_payload) = header_payload else { return true };
    // What is wrong with the header is told at once.
    let Ok(header) = read_header(header_payload) else { return false };
    let body = frame_or_beginning(rest, FRAME_BODY, channel, most);
    header.body_size <= INLINE_BODY as u64 && matches!(body, Some((None, _)))
}

/// The payload of the frame at the front of `rest`, or `None` for it when the frame is not there whole, and what
/// follows; `None` for any other frame, and for one that is longer than `most`.
fn frame_or_beginning(rest: &[u8], kind: u8, channel: u16, most: usize) -> Option<(Option<&[u8]>, &[u8])> {
    let Some(header) = rest.first_chunk::<FRAME_HEADER_SIZE>() else {
        let [high, low] = channel.to_be_bytes();
        return rest.iter().zip(&[kind, high, low]).all(|(a, b)| a == b).then_some((None, &[]));
    };
    let header = FrameHeader::parse(header);
    let size = header.size as usize;
    if header.kind != kind || header.channel != channel || size > most {
        return None;
    }
    match rest.get(FRAME_HEADER_SIZE + size) {
        None => Some((None, &[])),
        Some(&FRAME_END) => {
            Some((Some(&rest[FRAME_HEADER_SIZE..FRAME_HEADER_SIZE + size]), &rest[FRAME_HEADER_SIZE + size + 1..]))
        }
        Some(_) => None,
    }
}

/// True for a type that exists with a payload that is long enough for it.
#[inline]
fn is_frame(kind: u8, payload: &[u8]) -> bool {
    match kind {
        FRAME_METHOD => payload.len() >= 4,
        // Class, weight and body size.
        FRAME_HEADER => payload.len() >= 12,
        FRAME_BODY => true,
        FRAME_HEARTBEAT => payload.is_empty(),
        _ => false,
    }
}

/// The error for a method that cannot be decoded.
pub(crate) fn undecodable(error: DecodeError, payload: &[u8]) -> ProtocolError {
    let id = error.method_id();
    let arguments = payload.get(4..).unwrap_or_default();
    let error = match error {
        DecodeError::UnknownMethod(id) => errors::UNKNOWN_METHOD.with(&[&id.method, &id.class]),
        DecodeError::MalformedUtf8(_) => errors::MALFORMED_UTF8.with(&[]),
        DecodeError::Malformed(_) | DecodeError::MalformedTable(_) => {
            errors::CANNOT_DECODE.with(&[&errors::Octets(arguments)])
        }
    };
    error.by_method(id.class, id.method).on_connection()
}
