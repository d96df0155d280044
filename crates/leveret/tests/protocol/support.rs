//! The broker under test, connections to it and names in it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use testkit::{BrokerProcess, ConnectOptions, ExchangeDeclare, QueueDeclare, RawClient, method};

const BINARY: &str = env!("CARGO_BIN_EXE_leveret");

static SHARED: OnceLock<BrokerProcess> = OnceLock::new();

/// The broker that was named in the environment.
fn external() -> Option<SocketAddr> {
    let address = std::env::var("LEVERET_TEST_ADDRESS").ok()?;
    let mut resolved = address.to_socket_addrs().unwrap_or_else(|error| panic!("{address}: {error}"));
    resolved.next()
}

/// True when the tests run against a broker that is not ours to configure, and may be RabbitMQ.
pub fn is_external() -> bool {
    external().is_some()
}

/// Where the shared broker listens.
pub fn address() -> SocketAddr {
    external().unwrap_or_else(|| SHARED.get_or_init(|| BrokerProcess::start(BINARY, &[])).address())
}

/// A broker of the test's own with rabbitmq.conf settings; `None`, with a line that says so, for an external one.
pub fn own_broker(settings: &[(&str, &str)]) -> Option<BrokerProcess> {
    if is_external() {
        eprintln!("skipped: needs a broker with {settings:?} of its own");
        return None;
    }
    Some(BrokerProcess::start(BINARY, settings))
}

/// Ends a test that asserts what only this broker does, when it runs against another one.
#[macro_export]
macro_rules! ours_only {
    ($why:literal) => {
        if $crate::support::is_external() {
            eprintln!("skipped: {}", $why);
            return;
        }
    };
}

/// A connection to the shared broker with channel 1 open.
#[track_caller]
pub fn connect() -> RawClient {
    connect_to(address())
}

/// A connection with channel 1 open.
#[track_caller]
pub fn connect_to(address: SocketAddr) -> RawClient {
    connect_with(address, &ConnectOptions::default())
}

/// A connection with options of its own and channel 1 open.
#[track_caller]
pub fn connect_with(address: SocketAddr, options: &ConnectOptions) -> RawClient {
    let mut client = RawClient::connect(address, options);
    client.open_channel(1);
    client
}

/// A name that no other test and no other run uses.
pub fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t.{what}.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// An exclusive queue on channel 1 under a name of its own.
#[track_caller]
pub fn queue(client: &mut RawClient, what: &str) -> String {
    let name = unique(what);
    client.declare(1, QueueDeclare::exclusive(&name));
    name
}

/// An exchange on channel 1 under a name of its own; the test deletes it with [`delete_exchange`].
#[track_caller]
pub fn exchange(client: &mut RawClient, exchange_type: &str) -> String {
    let name = unique(exchange_type);
    client.call(1, ExchangeDeclare::new(&name, exchange_type));
    name
}

/// Binds a queue on channel 1 without arguments.
#[track_caller]
pub fn bind(client: &mut RawClient, queue: &str, exchange: &str, key: &str) {
    client.call(1, method::queue_bind(queue, exchange, key, &Vec::new()));
}

/// Deletes an exchange on channel 1.
#[track_caller]
pub fn delete_exchange(client: &mut RawClient, exchange: &str) {
    client.call(1, method::exchange_delete(exchange, false));
}
