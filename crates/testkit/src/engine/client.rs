//! A client's end of a wire.

use super::Wire;
use amqp::frame::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEADER_SIZE, FRAME_METHOD, write_frame, write_method};
use amqp::method::{basic, connection};
use amqp::{DecodeError, FieldTable, FrameHeader, Method, MethodId, Properties, ProtocolHeader, TableRef};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A method from the broker, with its content where it has one.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The channel that it came on.
    pub channel: u16,
    /// The payload of its content header, empty without content.
    pub header: Vec<u8>,
    /// Its body, empty without one.
    pub body: Vec<u8>,
    payload: Vec<u8>,
}

impl Arrival {
    /// The method.
    pub fn method(&self) -> Method<'_> {
        Method::decode(&self.payload).expect("a method whose names are UTF-8")
    }

    /// The properties of its content; none without content.
    pub fn properties(&self) -> Properties<'_> {
        let header = amqp::ContentHeader::parse(&self.header);
        header.and_then(|header| header.properties.decode()).unwrap_or_default()
    }
}

/// A method whose content is still coming.
struct Partial {
    arrival: Arrival,
    /// Bytes of body to come; `None` before the content header.
    left: Option<u64>,
}

/// A client that says whatever a test wants.
pub struct Client {
    /// Its connection.
    pub wire: Arc<Wire>,
    frame_max: usize,
    bytes: Vec<u8>,
    partial: BTreeMap<u16, Partial>,
    arrivals: VecDeque<Arrival>,
}

impl Client {
    pub(super) fn new(wire: Arc<Wire>) -> Client {
        let frame_max = amqp::frame::FRAME_MIN_SIZE;
        Client { wire, frame_max, bytes: Vec::new(), partial: BTreeMap::new(), arrivals: VecDeque::new() }
    }

    /// Sends the protocol header.
    pub fn greet(&self) {
        self.wire.send(&ProtocolHeader::AMQP_0_9_1);
    }

    /// Sends connection.start-ok for guest, with the capabilities that clients usually have.
    pub fn log_in(&self) {
        let mut capabilities = FieldTable::new();
        for name in ["basic.nack", "connection.blocked", "consumer_cancel_notify", "authentication_failure_close"] {
            capabilities.insert(name, true);
        }
        let mut properties = FieldTable::new();
        properties.insert("capabilities", capabilities);
        let mut table = Vec::new();
        properties.encode(&mut table);
        let client_properties = TableRef::parse(&table[4..]).expect("a table that was just encoded");
        self.method(
            0,
            &Method::ConnectionStartOk(connection::StartOk {
                client_properties,
                mechanism: "PLAIN",
                response: b"\0guest\0guest",
                locale: "en_US",
            }),
        );
    }

    /// Takes the broker's limits, without heartbeats, and opens the default virtual host.
    pub fn tune_and_open(&mut self, tune: connection::Tune) {
        self.frame_max = tune.frame_max as usize;
        let connection::Tune { channel_max, frame_max, .. } = tune;
        self.method(0, &Method::ConnectionTuneOk(connection::TuneOk { channel_max, frame_max, heartbeat: 0 }));
        self.method(0, &Method::ConnectionOpen(connection::Open { virtual_host: "/" }));
    }

    /// Sends a method.
    pub fn method(&self, channel: u16, method: &Method<'_>) {
        let mut frame = Vec::new();
        write_method(&mut frame, channel, method);
        self.wire.send(&frame);
    }

    /// Sends a publish with its content.
    pub fn publish(&self, channel: u16, publish: basic::Publish<'_>, properties: &Properties<'_>, body: &[u8]) {
        let mut frames = Vec::new();
        write_publish(&mut frames, channel, self.frame_max, publish, properties, body);
        self.wire.send(&frames);
    }

    /// Everything that has arrived and was not taken yet.
    pub fn arrivals(&mut self) -> impl Iterator<Item = Arrival> + '_ {
        self.decode();
        self.arrivals.drain(..)
    }

    /// Gives back what was taken with [`Client::arrivals`] and is for somebody else to look at.
    pub fn put_back(&mut self, arrivals: impl IntoIterator<Item = Arrival>) {
        let later = std::mem::take(&mut self.arrivals);
        self.arrivals.extend(arrivals);
        self.arrivals.extend(later);
    }

    /// Takes the first answer on `channel`: what is neither a delivery nor a return nor a confirm.
    ///
    /// # Panics
    /// When there is none.
    pub fn expect(&mut self, channel: u16) -> Arrival {
        self.decode();
        let is_answer = |arrival: &Arrival| {
            let unasked = matches!(
                arrival.method(),
                Method::BasicDeliver(_) | Method::BasicReturn(_) | Method::BasicAck(_) | Method::BasicNack(_)
            );
            arrival.channel == channel && !unasked
        };
        let at = self.arrivals.iter().position(is_answer);
        let Some(arrival) = at.and_then(|at| self.arrivals.remove(at)) else {
            panic!("an answer on channel {channel} is due; there is {:?}", self.arrivals)
        };
        arrival
    }

    fn decode(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        self.wire.take(&mut bytes);
        let mut at = 0;
        while let Some(taken) = self.frame(&bytes[at..]) {
            at += taken;
        }
        bytes.drain(..at);
        self.bytes = bytes;
    }

    /// Decodes the frame at the front of `bytes`; `None` when it is not there whole.
    fn frame(&mut self, bytes: &[u8]) -> Option<usize> {
        let header = FrameHeader::parse(bytes.first_chunk::<FRAME_HEADER_SIZE>()?);
        let end = FRAME_HEADER_SIZE + header.size as usize;
        assert!(end < self.frame_max, "a frame of {} bytes is longer than agreed", header.size);
        let payload = bytes.get(FRAME_HEADER_SIZE..end)?;
        assert_eq!(*bytes.get(end)?, FRAME_END, "every frame ends with its octet");
        let channel = header.channel;
        match header.kind {
            FRAME_METHOD => {
                assert!(!self.partial.contains_key(&channel), "content is whole before the channel's next method");
                let arrival = Arrival { channel, header: Vec::new(), body: Vec::new(), payload: payload.to_vec() };
                if has_content(payload) {
                    self.partial.insert(channel, Partial { arrival, left: None });
                } else {
                    self.arrivals.push_back(arrival);
                }
            }
            FRAME_HEADER | FRAME_BODY => self.content(header, payload),
            _ => {}
        }
        Some(end + 1)
    }

    fn content(&mut self, header: FrameHeader, payload: &[u8]) {
        let mut partial = self.partial.remove(&header.channel).expect("content follows a method that has it");
        partial.left = match (header.kind, partial.left) {
            (FRAME_HEADER, None) => {
                partial.arrival.header = payload.to_vec();
                let header = amqp::ContentHeader::parse(payload).expect("the broker sends a valid content header");
                Some(header.body_size)
            }
            (FRAME_BODY, Some(left)) => {
                partial.arrival.body.extend_from_slice(payload);
                Some(left.checked_sub(payload.len() as u64).expect("a body is as long as its header says"))
            }
            (kind, left) => panic!("frame type {kind} with {left:?} bytes of body to come"),
        };
        if partial.left == Some(0) {
            self.arrivals.push_back(partial.arrival);
        } else {
            self.partial.insert(header.channel, partial);
        }
    }
}

/// True when a content header follows the method.
///
/// # Panics
/// When it is no method. Names that a publisher chose need not be UTF-8.
fn has_content(payload: &[u8]) -> bool {
    match Method::decode(payload) {
        Ok(method) => method.has_content(),
        Err(DecodeError::MalformedUtf8(MethodId { class: 60, method: 50 | 60 | 71 })) => true,
        Err(error) => panic!("the broker sends what cannot be decoded: {error}"),
    }
}

/// Appends the frames of a publish.
pub fn write_publish(
    out: &mut Vec<u8>,
    channel: u16,
    frame_max: usize,
    publish: basic::Publish<'_>,
    properties: &Properties<'_>,
    body: &[u8],
) {
    write_method(out, channel, &Method::BasicPublish(publish));
    let mut header = Vec::new();
    properties.encode_header(body.len() as u64, &mut header);
    write_frame(out, FRAME_HEADER, channel, &header);
    for part in body.chunks(frame_max - amqp::frame::FRAME_OVERHEAD) {
        write_frame(out, FRAME_BODY, channel, part);
    }
}
