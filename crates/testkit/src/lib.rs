//! What the tests share: a raw AMQP client, a broker process, faults.
//!
//! The client has an encoding of its own, written from the specification and apart from the broker's crates, so that the
//! two can disagree; it panics with what it expected and what came, and no wait of it is without a limit.
//!
//! [`engine`] runs the broker inside the test instead, without sockets, threads or a clock.

mod admin;
mod broker;
mod bytes;
mod client;
pub mod engine;
mod expect;
mod frame;
mod handshake;
pub mod method;
mod ports;
mod properties;
mod value;
mod volume;
mod wait;

pub use admin::{Answer, path_segment};
pub use broker::BrokerProcess;
pub use bytes::{Reader, Writer};
pub use client::{Content, Event, RawClient, publish_frames};
pub use expect::{Close, CloseScope, Confirm, Declared, Delivery, Return, confirm, delivery};
pub use frame::{
    FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, Frame, FrameStream, encode_frame, is_timeout,
};
pub use handshake::{ConnectOptions, PROTOCOL_HEADER, Start, Tune, connection_open, plain, tune_ok};
pub use method::{Consume, ExchangeDeclare, Method, MethodId, Publish, QueueDeclare, id};
pub use ports::free_address;
pub use properties::Properties;
pub use value::{Table, Value, field, table};
pub use volume::Volume;
pub use wait::{eventually, pause};
