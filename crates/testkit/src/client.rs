//! A raw AMQP 0-9-1 client that sends whatever it is told and checks whatever comes back.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::bytes::{Reader, Writer};
use crate::frame::{
    FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, Frame, FrameStream, encode_frame, is_timeout,
};
use crate::method::{Method, Publish, id};
use crate::properties::Properties;

/// Something the server sent: a method, with its content where it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The channel.
    pub channel: u16,
    /// The method.
    pub method: Method,
    /// Properties and body of basic.deliver, basic.get-ok and basic.return.
    pub content: Option<Content>,
}

/// A message's properties and body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The properties.
    pub properties: Properties,
    /// The whole body.
    pub body: Vec<u8>,
}

/// A content of which frames are still missing.
#[derive(Debug)]
struct Partial {
    method: Method,
    properties: Option<Properties>,
    size: u64,
    body: Vec<u8>,
}

/// A blocking connection; every wait ends after the timeout with a panic that says what was awaited.
#[derive(Debug)]
pub struct RawClient {
    stream: FrameStream,
    timeout: Duration,
    frame_max: usize,
    partial: HashMap<u16, Partial>,
    pending: VecDeque<Event>,
    heartbeats: usize,
    body_frames: usize,
}

/// Bytes of a frame around its payload.
const FRAME_OVERHEAD: usize = 8;

fn method_payload(Method { id: (class, method), arguments }: &Method) -> Vec<u8> {
    let mut payload = Writer::default();
    payload.short(*class).short(*method).raw(arguments);
    payload.finish()
}

fn header_payload(size: u64, properties: &Properties) -> Vec<u8> {
    let mut payload = Writer::default();
    payload.short(60).short(0).longlong(size).raw(&properties.encode());
    payload.finish()
}

/// The frames of a publish, for clients that write them in their own way; `frame_max` 0 is no limit.
pub fn publish_frames(
    channel: u16,
    publish: Publish,
    properties: &Properties,
    body: &[u8],
    frame_max: usize,
) -> Vec<u8> {
    let limit = if frame_max == 0 { usize::MAX } else { frame_max.saturating_sub(FRAME_OVERHEAD).max(1) };
    let mut frames = encode_frame(FRAME_METHOD, channel, &method_payload(&publish.into()), FRAME_END);
    frames.extend(encode_frame(FRAME_HEADER, channel, &header_payload(body.len() as u64, properties), FRAME_END));
    for part in body.chunks(limit) {
        frames.extend(encode_frame(FRAME_BODY, channel, part, FRAME_END));
    }
    frames
}

impl RawClient {
    /// A TCP connection on which nothing is sent yet.
    #[track_caller]
    pub fn open(address: SocketAddr, timeout: Duration) -> RawClient {
        let stream = match FrameStream::connect(address, timeout) {
            Ok(stream) => stream,
            Err(error) => panic!("cannot connect to {address}: {error}"),
        };
        let (partial, pending) = (HashMap::new(), VecDeque::new());
        RawClient { stream, timeout, frame_max: 4096, partial, pending, heartbeats: 0, body_frames: 0 }
    }

    /// The frames underneath.
    pub fn stream(&mut self) -> &mut FrameStream {
        &mut self.stream
    }

    /// Splits bodies for frames of this size from now on; 0 is no limit.
    pub fn set_frame_max(&mut self, frame_max: u32) {
        self.frame_max = if frame_max == 0 { usize::MAX } else { frame_max as usize };
    }

    /// Heartbeats seen while reading.
    pub fn heartbeats(&self) -> usize {
        self.heartbeats
    }

    /// Body frames seen while reading.
    pub fn body_frames(&self) -> usize {
        self.body_frames
    }

    // --- sending ---

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send_raw(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write(bytes) {
            panic!("cannot send {} bytes: {error}", bytes.len());
        }
    }

    /// Sends a frame of any type.
    #[track_caller]
    pub fn send_frame(&mut self, frame_type: u8, channel: u16, payload: &[u8]) {
        self.send_raw(&encode_frame(frame_type, channel, payload, FRAME_END));
    }

    /// Sends a method.
    #[track_caller]
    pub fn send(&mut self, channel: u16, method: impl Into<Method>) {
        self.send_frame(FRAME_METHOD, channel, &method_payload(&method.into()));
    }

    /// Sends a method to a peer that may be gone.
    pub fn try_send(&mut self, channel: u16, method: &Method) -> io::Result<()> {
        self.stream.write(&encode_frame(FRAME_METHOD, channel, &method_payload(method), FRAME_END))
    }

    /// Sends a content header of class basic that declares `size` bytes.
    #[track_caller]
    pub fn send_header(&mut self, channel: u16, size: u64, properties: &Properties) {
        self.send_frame(FRAME_HEADER, channel, &header_payload(size, properties));
    }

    /// Publishes without properties.
    #[track_caller]
    pub fn publish(&mut self, channel: u16, exchange: &str, routing_key: &str, body: impl AsRef<[u8]>) {
        self.publish_with(channel, Publish::new(exchange, routing_key), &Properties::default(), body);
    }

    /// Publishes with flags and properties, the body in frames of frame_max.
    #[track_caller]
    pub fn publish_with(&mut self, channel: u16, publish: Publish, properties: &Properties, body: impl AsRef<[u8]>) {
        self.send_raw(&publish_frames(channel, publish, properties, body.as_ref(), self.frame_max));
    }

    /// Lets `send` write many frames that then leave in one socket write.
    #[track_caller]
    pub fn in_one_write(&mut self, send: impl FnOnce(&mut RawClient)) {
        self.stream.cork();
        send(self);
        if let Err(error) = self.stream.uncork() {
            panic!("cannot send: {error}");
        }
    }

    // --- receiving ---

    /// The next frame whatever it is, past everything already read; `None` at the end of the stream.
    #[track_caller]
    pub fn frame(&mut self) -> Option<Frame> {
        match self.stream.read() {
            Ok(frame) => frame,
            Err(error) if is_timeout(&error) => panic!("no frame within {:?}", self.timeout),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => panic!("the stream ended within a frame"),
            Err(error) => panic!("cannot read a frame: {error}"),
        }
    }

    /// Reads frames until one completes an event; false at the end of the stream.
    #[track_caller]
    fn read_event(&mut self) -> bool {
        loop {
            let Some(frame) = self.frame() else { return false };
            if let Some(event) = self.assemble(frame) {
                self.pending.push_back(event);
                return true;
            }
        }
    }

    #[track_caller]
    fn assemble(&mut self, frame: Frame) -> Option<Event> {
        let Frame { frame_type, channel, payload } = frame;
        match frame_type {
            FRAME_METHOD => self.method_frame(channel, &payload),
            FRAME_HEADER => {
                let Some(partial) = self.partial.get_mut(&channel) else {
                    panic!("content header on channel {channel} without a method")
                };
                let mut input = Reader::new(&payload);
                assert_eq!((input.short(), input.short()), (60, 0), "class and weight of a content header");
                partial.size = input.longlong();
                partial.properties = Some(Properties::decode(input.rest()));
                self.complete(channel)
            }
            FRAME_BODY => {
                let Some(partial) = self.partial.get_mut(&channel).filter(|partial| partial.properties.is_some())
                else {
                    panic!("content body on channel {channel} without a header")
                };
                let limit = self.frame_max.saturating_sub(FRAME_OVERHEAD);
                assert!(payload.len() <= limit, "a body frame of {} bytes, at most {limit} agreed", payload.len());
                self.body_frames += 1;
                partial.body.extend_from_slice(&payload);
                self.complete(channel)
            }
            FRAME_HEARTBEAT => {
                assert!(channel == 0 && payload.is_empty(), "heartbeat on channel {channel} with {payload:?}");
                self.heartbeats += 1;
                None
            }
            other => panic!("the broker sent a frame of type {other}"),
        }
    }

    #[track_caller]
    fn method_frame(&mut self, channel: u16, payload: &[u8]) -> Option<Event> {
        assert!(!self.partial.contains_key(&channel), "a method on channel {channel} within a content");
        let mut input = Reader::new(payload);
        let method = Method { id: (input.short(), input.short()), arguments: input.rest().to_vec() };
        if matches!(method.id, id::BASIC_DELIVER | id::BASIC_GET_OK | id::BASIC_RETURN) {
            self.partial.insert(channel, Partial { method, properties: None, size: 0, body: Vec::new() });
            return None;
        }
        Some(Event { channel, method, content: None })
    }

    fn complete(&mut self, channel: u16) -> Option<Event> {
        let partial = self.partial.get(&channel)?;
        let received = partial.body.len() as u64;
        assert!(received <= partial.size, "{received} bytes of body where {} were declared", partial.size);
        if received < partial.size {
            return None;
        }
        let Partial { method, properties, body, .. } = self.partial.remove(&channel)?;
        let content = Some(Content { properties: properties.unwrap_or_default(), body });
        Some(Event { channel, method, content })
    }

    /// The first event, already read or still to come, that `wanted` accepts; earlier ones stay for later.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + self.timeout;
        let mut from = 0;
        loop {
            if let Some(at) = self.pending.iter().skip(from).position(&wanted)
                && let Some(event) = self.pending.remove(from + at)
            {
                return event;
            }
            from = self.pending.len();
            assert!(Instant::now() < deadline, "no {what} within {:?}; unread: {:?}", self.timeout, self.pending);
            if !self.read_event() {
                panic!("the connection ended where {what} was due; unread: {:?}", self.pending);
            }
        }
    }

    /// The next event on any channel, `None` when none comes within `wait`, and an error however the connection ended:
    /// for tests that take the broker away.
    pub fn try_next(&mut self, wait: Duration) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(Some(event));
            }
            if !self.stream.readable_within(wait)? {
                return Ok(None);
            }
            let frame = self.stream.read()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if let Some(event) = self.assemble(frame) {
                self.pending.push_back(event);
            }
        }
    }

    /// Publishes to a peer that may be gone.
    pub fn try_publish(
        &mut self,
        channel: u16,
        publish: Publish,
        properties: &Properties,
        body: &[u8],
    ) -> io::Result<()> {
        self.stream.write(&publish_frames(channel, publish, properties, body, self.frame_max))
    }

    /// The next event on `channel`, or the connection's close.
    #[track_caller]
    pub fn next_event(&mut self, channel: u16) -> Event {
        self.wait_for(&format!("event on channel {channel}"), |event| {
            event.channel == channel || event.method.id == id::CONNECTION_CLOSE
        })
    }

    /// True when an event that `wanted` accepts has come or comes within `wait`.
    #[track_caller]
    pub fn poll(&mut self, wait: Duration, wanted: impl Fn(&Event) -> bool) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            if self.pending.iter().any(&wanted) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.stream.readable_within(left).unwrap_or(true) || !self.read_event() {
                return false;
            }
        }
    }

    /// Asserts that nothing comes on `channel` within `wait`.
    #[track_caller]
    pub fn expect_nothing(&mut self, channel: u16, wait: Duration) {
        let deadline = Instant::now() + wait;
        loop {
            let unexpected = self.pending.iter().find(|event| event.channel == channel || event.channel == 0);
            assert!(unexpected.is_none(), "expected nothing on channel {channel}, got {unexpected:?}");
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.stream.readable_within(left).unwrap_or(true) {
                return;
            }
            assert!(self.read_event(), "expected silence on channel {channel}, the connection ended");
        }
    }

    /// Asserts that the server ends the stream without another frame (heartbeats aside).
    #[track_caller]
    pub fn expect_eof(&mut self) {
        assert!(self.pending.is_empty(), "expected the end of the stream, unread: {:?}", self.pending);
        if self.read_event() {
            panic!("expected the end of the stream, got {:?}", self.pending);
        }
    }
}
