//! What a test says to a channel and expects of it, in one call each.

use std::time::Duration;

use crate::client::{Content, Event, RawClient};
use crate::frame::FRAME_HEARTBEAT;
use crate::method::{self, Consume, Method, MethodId, Publish, QueueDeclare, id};
use crate::properties::Properties;

/// What a close shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseScope {
    /// channel.close.
    Channel,
    /// connection.close.
    Connection,
}

/// A close by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Channel or connection.
    pub scope: CloseScope,
    /// The reply code.
    pub code: u16,
    /// The whole reply text.
    pub text: String,
    /// Class and method id that failed.
    pub method: MethodId,
}

/// basic.deliver or basic.get-ok with its content.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The consumer, empty for basic.get.
    pub consumer_tag: String,
    /// The delivery tag.
    pub delivery_tag: u64,
    /// Delivered before.
    pub redelivered: bool,
    /// Where it was published.
    pub exchange: String,
    /// With which key.
    pub routing_key: String,
    /// Ready messages left, for basic.get.
    pub message_count: Option<u32>,
    /// The properties.
    pub properties: Properties,
    /// The body.
    pub body: Vec<u8>,
}

impl Delivery {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// basic.return with its content.
#[derive(Clone, Debug, PartialEq)]
pub struct Return {
    /// The reply code.
    pub code: u16,
    /// The reply text.
    pub text: String,
    /// Where it was published.
    pub exchange: String,
    /// With which key.
    pub routing_key: String,
    /// The properties.
    pub properties: Properties,
    /// The body.
    pub body: Vec<u8>,
}

/// queue.declare-ok.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The queue's name.
    pub queue: String,
    /// Ready messages.
    pub message_count: u32,
    /// Consumers.
    pub consumer_count: u32,
}

/// A publisher confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// False for basic.nack.
    pub ack: bool,
    /// The tag.
    pub delivery_tag: u64,
    /// Whether lower tags are covered too.
    pub multiple: bool,
}

fn is_close(event: &Event, channel: u16) -> bool {
    event.method.id == id::CONNECTION_CLOSE || (event.channel == channel && event.method.id == id::CHANNEL_CLOSE)
}

fn close(event: &Event) -> Close {
    let mut input = event.method.reader();
    let scope = if event.channel == 0 { CloseScope::Connection } else { CloseScope::Channel };
    Close { scope, code: input.short(), text: input.short_string(), method: (input.short(), input.short()) }
}

/// Reads basic.deliver or basic.get-ok.
pub fn delivery(event: Event) -> Delivery {
    let mut input = event.method.reader();
    let is_get = event.method.id == id::BASIC_GET_OK;
    let Content { properties, body } = event.content.unwrap_or_default();
    Delivery {
        consumer_tag: if is_get { String::new() } else { input.short_string() },
        delivery_tag: input.longlong(),
        redelivered: input.octet() & 1 == 1,
        exchange: input.short_string(),
        routing_key: input.short_string(),
        message_count: is_get.then(|| input.long()),
        properties,
        body,
    }
}

/// Reads basic.ack or basic.nack; `None` for anything else.
pub fn confirm(event: &Event) -> Option<Confirm> {
    let ack = match event.method.id {
        id::BASIC_ACK => true,
        id::BASIC_NACK => false,
        _ => return None,
    };
    let mut input = event.method.reader();
    Some(Confirm { ack, delivery_tag: input.longlong(), multiple: input.octet() & 1 == 1 })
}

impl RawClient {
    /// Opens a channel.
    #[track_caller]
    pub fn open_channel(&mut self, channel: u16) {
        self.call(channel, method::channel_open());
    }

    /// Sends a request and returns its reply; deliveries and confirms that come first stay for later. Panics when the
    /// channel or the connection closes instead.
    #[track_caller]
    pub fn call(&mut self, channel: u16, request: impl Into<Method>) -> Method {
        let request = request.into();
        let reply = request.reply_id();
        self.send(channel, request);
        self.expect_reply(channel, &[reply]).method
    }

    #[track_caller]
    fn expect_reply(&mut self, channel: u16, replies: &[MethodId]) -> Event {
        let event = self.wait_for(&format!("reply {replies:?} on channel {channel}"), |event| {
            is_close(event, channel) || (event.channel == channel && replies.contains(&event.method.id))
        });
        assert!(!is_close(&event, channel), "{replies:?} was due on channel {channel}, got {:?}", close(&event));
        event
    }

    /// Expects `id` as the next event on `channel`.
    #[track_caller]
    pub fn expect_method(&mut self, channel: u16, id: MethodId) -> Method {
        let event = self.next_event(channel);
        assert!(!is_close(&event, channel) || event.method.id == id, "{id:?} was due, got {:?}", close(&event));
        assert_eq!(event.method.id, id, "another method on channel {channel}: {event:?}");
        event.method
    }

    /// Expects the server to close the channel or the connection, and answers with close-ok.
    #[track_caller]
    pub fn expect_close(&mut self, channel: u16) -> Close {
        let event = self.next_event(channel);
        assert!(is_close(&event, channel), "a close was due on channel {channel}, got {event:?}");
        // A server may have closed its socket without waiting for the answer.
        let _ = self.try_send(event.channel, &Method { id: event.method.reply_id(), arguments: Vec::new() });
        close(&event)
    }

    /// Expects a delivery as the next event on `channel`.
    #[track_caller]
    pub fn expect_delivery(&mut self, channel: u16) -> Delivery {
        let event = self.next_event(channel);
        assert!(!is_close(&event, channel), "a delivery was due, got {:?}", close(&event));
        assert_eq!(event.method.id, id::BASIC_DELIVER, "a delivery was due on channel {channel}, got {event:?}");
        delivery(event)
    }

    /// True when a delivery on `channel` has come or comes within 50 ms.
    #[track_caller]
    pub fn has_delivery(&mut self, channel: u16) -> bool {
        self.poll(Duration::from_millis(50), |event| event.channel == channel && event.method.id == id::BASIC_DELIVER)
    }

    /// Expects deliveries of exactly these bodies in order, and returns their tags.
    #[track_caller]
    pub fn expect_bodies(&mut self, channel: u16, bodies: &[&str]) -> Vec<u64> {
        let mut tags = Vec::new();
        for body in bodies {
            let delivery = self.expect_delivery(channel);
            assert_eq!(delivery.text(), *body, "body of delivery {}", delivery.delivery_tag);
            tags.push(delivery.delivery_tag);
        }
        tags
    }

    /// Expects basic.return as the next event on `channel`.
    #[track_caller]
    pub fn expect_return(&mut self, channel: u16) -> Return {
        let event = self.next_event(channel);
        assert!(!is_close(&event, channel), "a return was due, got {:?}", close(&event));
        assert_eq!(event.method.id, id::BASIC_RETURN, "a return was due on channel {channel}, got {event:?}");
        let mut input = event.method.reader();
        let (code, text) = (input.short(), input.short_string());
        let (exchange, routing_key) = (input.short_string(), input.short_string());
        let Content { properties, body } = event.content.unwrap_or_default();
        Return { code, text, exchange, routing_key, properties, body }
    }

    /// Expects basic.ack or basic.nack as the next event on `channel`.
    #[track_caller]
    pub fn expect_confirm(&mut self, channel: u16) -> Confirm {
        let event = self.next_event(channel);
        assert!(!is_close(&event, channel), "a confirm was due, got {:?}", close(&event));
        let Some(confirm) = confirm(&event) else { panic!("a confirm was due on channel {channel}, got {event:?}") };
        confirm
    }

    /// Waits until everything up to `last` is confirmed with acks only, in any order.
    #[track_caller]
    pub fn expect_all_confirmed(&mut self, channel: u16, last: u64) {
        let mut waiting: std::collections::BTreeSet<u64> = (1..=last).collect();
        while !waiting.is_empty() {
            let confirm = self.expect_confirm(channel);
            assert!(confirm.ack, "nack of {}", confirm.delivery_tag);
            if confirm.multiple {
                waiting.retain(|tag| *tag > confirm.delivery_tag);
            } else {
                waiting.remove(&confirm.delivery_tag);
            }
        }
    }

    /// Declares a queue.
    #[track_caller]
    pub fn declare(&mut self, channel: u16, declare: QueueDeclare) -> Declared {
        let reply = self.call(channel, declare);
        let mut input = reply.reader();
        Declared { queue: input.short_string(), message_count: input.long(), consumer_count: input.long() }
    }

    /// Ready messages of a queue, by a passive declare.
    #[track_caller]
    pub fn message_count(&mut self, channel: u16, queue: &str) -> u32 {
        self.declare(channel, QueueDeclare::passive(queue)).message_count
    }

    /// Starts a consumer and returns its tag.
    #[track_caller]
    pub fn consume(&mut self, channel: u16, consume: Consume) -> String {
        self.call(channel, consume).reader().short_string()
    }

    /// basic.get; `None` for an empty queue.
    #[track_caller]
    pub fn get(&mut self, channel: u16, queue: &str, no_ack: bool) -> Option<Delivery> {
        self.send(channel, method::get(queue, no_ack));
        let event = self.expect_reply(channel, &[id::BASIC_GET_OK, id::BASIC_GET_EMPTY]);
        (event.method.id == id::BASIC_GET_OK).then(|| delivery(event))
    }

    /// Takes everything ready in `queue` without acknowledging and returns the bodies.
    #[track_caller]
    pub fn drain(&mut self, channel: u16, queue: &str) -> Vec<String> {
        std::iter::from_fn(|| self.get(channel, queue, true)).map(|delivery| delivery.text()).collect()
    }

    /// Puts the channel in confirm mode.
    #[track_caller]
    pub fn confirm_select(&mut self, channel: u16) {
        self.call(channel, method::confirm_select());
    }

    /// Publishes bodies to one queue on a channel of its own and waits until they are confirmed, so that any other
    /// channel finds them there.
    #[track_caller]
    pub fn fill(&mut self, queue: &str, bodies: &[&str]) {
        const CHANNEL: u16 = 1999;
        self.open_channel(CHANNEL);
        self.confirm_select(CHANNEL);
        for body in bodies {
            self.publish_with(CHANNEL, Publish::new("", queue), &Properties::default(), body);
        }
        self.expect_all_confirmed(CHANNEL, bodies.len() as u64);
        self.close_channel(CHANNEL);
    }

    /// Closes a channel in order.
    #[track_caller]
    pub fn close_channel(&mut self, channel: u16) {
        self.call(channel, method::close(id::CHANNEL_CLOSE));
    }

    /// Closes the connection in order.
    #[track_caller]
    pub fn close(mut self) {
        self.call(0, method::close(id::CONNECTION_CLOSE));
    }

    /// Sends a heartbeat.
    #[track_caller]
    pub fn send_heartbeat(&mut self) {
        self.send_frame(FRAME_HEARTBEAT, 0, &[]);
    }

    /// Asserts that this channel still answers.
    #[track_caller]
    pub fn assert_alive(&mut self, channel: u16) {
        self.call(channel, method::channel_flow(true));
    }

    /// The silence that counts as nothing coming.
    pub const SILENCE: Duration = Duration::from_millis(150);
}
