//! The opening of a connection step by step, so that a test can stop or misbehave at any of them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::client::RawClient;
use crate::method::{Method, id};
use crate::value::{Table, Value, table};

/// The protocol header of AMQP 0-9-1.
pub const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// What a client says while it connects.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The first eight bytes.
    pub protocol_header: [u8; 8],
    /// The SASL mechanism.
    pub mechanism: String,
    /// The SASL response.
    pub response: Vec<u8>,
    /// Client properties beside `capabilities`.
    pub client_properties: Table,
    /// Client capabilities.
    pub capabilities: Table,
    /// The virtual host.
    pub vhost: String,
    /// The channel_max to answer; `None` takes the server's.
    pub channel_max: Option<u16>,
    /// The frame_max to answer; `None` takes the server's.
    pub frame_max: Option<u32>,
    /// The heartbeat to answer, in seconds.
    pub heartbeat: u16,
    /// How long any wait may take.
    pub timeout: Duration,
}

impl Default for ConnectOptions {
    /// guest on `/` with every capability, no heartbeat and the server's limits.
    fn default() -> ConnectOptions {
        let capabilities = [
            "publisher_confirms",
            "exchange_exchange_bindings",
            "basic.nack",
            "consumer_cancel_notify",
            "connection.blocked",
            "authentication_failure_close",
        ];
        ConnectOptions {
            protocol_header: PROTOCOL_HEADER,
            mechanism: "PLAIN".to_owned(),
            response: plain("guest", "guest"),
            client_properties: table([("product", Value::from("testkit"))]),
            capabilities: capabilities.map(|name| (name.to_owned(), Value::Bool(true))).to_vec(),
            vhost: "/".to_owned(),
            channel_max: None,
            frame_max: None,
            heartbeat: 0,
            timeout: Duration::from_secs(10),
        }
    }
}

impl ConnectOptions {
    /// Logs in as another user.
    #[must_use]
    pub fn user(self, user: &str, password: &str) -> ConnectOptions {
        ConnectOptions { response: plain(user, password), ..self }
    }

    /// Without the capability `name`.
    #[must_use]
    pub fn without_capability(mut self, name: &str) -> ConnectOptions {
        self.capabilities.retain(|(capability, _)| capability != name);
        self
    }

    /// With another frame_max.
    #[must_use]
    pub fn frame_max(self, bytes: u32) -> ConnectOptions {
        ConnectOptions { frame_max: Some(bytes), ..self }
    }

    /// connection.start-ok as these options have it.
    pub fn start_ok(&self) -> Method {
        let mut properties = self.client_properties.clone();
        if !self.capabilities.is_empty() {
            properties.push(("capabilities".to_owned(), Value::Table(self.capabilities.clone())));
        }
        Method::new(id::CONNECTION_START_OK, |out| {
            out.table(&properties).short_string(&self.mechanism).long_string(&self.response).short_string("en_US");
        })
    }
}

/// The response of mechanism PLAIN.
pub fn plain(user: &str, password: &str) -> Vec<u8> {
    format!("\0{user}\0{password}").into_bytes()
}

/// connection.tune-ok.
pub fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Method {
    Method::new(id::CONNECTION_TUNE_OK, |out| {
        out.short(channel_max).long(frame_max).short(heartbeat);
    })
}

/// connection.open.
pub fn connection_open(vhost: &str) -> Method {
    Method::new(id::CONNECTION_OPEN, |out| {
        out.short_string(vhost).short_string("").bits(&[false]);
    })
}

/// connection.start as the server sent it.
#[derive(Clone, Debug)]
pub struct Start {
    /// Major and minor protocol version.
    pub version: (u8, u8),
    /// Properties of the server.
    pub server_properties: Table,
    /// Mechanisms, separated by spaces.
    pub mechanisms: String,
    /// Locales, separated by spaces.
    pub locales: String,
}

/// connection.tune as the server sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tune {
    /// Highest channel number.
    pub channel_max: u16,
    /// Largest frame in bytes.
    pub frame_max: u32,
    /// Heartbeat in seconds.
    pub heartbeat: u16,
}

impl RawClient {
    /// Connects and opens the virtual host; panics with what the server said instead.
    #[track_caller]
    pub fn connect(address: SocketAddr, options: &ConnectOptions) -> RawClient {
        let mut client = RawClient::tuned(address, options);
        client.send(0, connection_open(&options.vhost));
        client.expect_method(0, id::CONNECTION_OPEN_OK);
        client
    }

    /// Connects as far as connection.tune-ok.
    #[track_caller]
    pub fn tuned(address: SocketAddr, options: &ConnectOptions) -> RawClient {
        let mut client = RawClient::logged_in(address, options);
        let tune = client.expect_tune();
        let channel_max = options.channel_max.unwrap_or(tune.channel_max);
        let frame_max = options.frame_max.unwrap_or(tune.frame_max);
        client.send(0, tune_ok(channel_max, frame_max, options.heartbeat));
        client.set_frame_max(frame_max);
        client
    }

    /// Connects as far as connection.start-ok; the server's answer is not read.
    #[track_caller]
    pub fn logged_in(address: SocketAddr, options: &ConnectOptions) -> RawClient {
        let mut client = RawClient::open(address, options.timeout);
        client.send_raw(&options.protocol_header);
        client.expect_start();
        client.send(0, options.start_ok());
        client
    }

    /// Expects connection.start.
    #[track_caller]
    pub fn expect_start(&mut self) -> Start {
        let method = self.expect_method(0, id::CONNECTION_START);
        let mut input = method.reader();
        let start = Start {
            version: (input.octet(), input.octet()),
            server_properties: input.table(),
            mechanisms: String::from_utf8_lossy(&input.long_string()).into_owned(),
            locales: String::from_utf8_lossy(&input.long_string()).into_owned(),
        };
        assert!(input.is_empty(), "bytes after connection.start");
        start
    }

    /// Expects connection.tune.
    #[track_caller]
    pub fn expect_tune(&mut self) -> Tune {
        let method = self.expect_method(0, id::CONNECTION_TUNE);
        let mut input = method.reader();
        Tune { channel_max: input.short(), frame_max: input.long(), heartbeat: input.short() }
    }
}
