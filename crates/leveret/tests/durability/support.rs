//! A broker of each test's own, ways to end it, and looking into what is left.

use std::time::{Duration, Instant};

use testkit::method::queue_bind;
use testkit::{
    BrokerProcess, ConnectOptions, Delivery, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, pause,
};

pub const BINARY: &str = env!("CARGO_BIN_EXE_leveret");

/// A broker of the test's own.
#[track_caller]
pub fn start() -> BrokerProcess {
    BrokerProcess::start(BINARY, &[])
}

/// A connection with channel 1 open.
#[track_caller]
pub fn connect(broker: &BrokerProcess) -> RawClient {
    let options = ConnectOptions { timeout: Duration::from_secs(30), ..ConnectOptions::default() };
    let mut client = RawClient::connect(broker.address(), &options);
    client.open_channel(1);
    client
}

/// How a broker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// kill -9.
    Kill,
    /// SIGTERM.
    Clean,
}

impl Ending {
    pub const BOTH: [Ending; 2] = [Ending::Kill, Ending::Clean];

    /// Ends the broker, starts it again and connects.
    #[track_caller]
    pub fn restart(self, broker: &mut BrokerProcess) -> RawClient {
        match self {
            Ending::Kill => {
                broker.kill_9();
                broker.launch();
            }
            Ending::Clean => broker.restart(),
        }
        connect(broker)
    }
}

/// Declares durable queues on channel 1.
#[track_caller]
pub fn declare(client: &mut RawClient, queues: &[&str]) {
    for queue in queues {
        client.declare(1, QueueDeclare::new(queue).durable());
    }
}

/// A durable exchange `all` that is bound to these queues.
#[track_caller]
pub fn fanout(client: &mut RawClient, queues: &[&str]) {
    client.call(1, ExchangeDeclare::new("all", "fanout").durable());
    for queue in queues {
        client.call(1, queue_bind(queue, "all", "", &Vec::new()));
    }
}

pub fn persistent() -> Properties {
    Properties::default().persistent()
}

/// Publishes persistent messages on a channel of their own, and waits for the confirms.
#[track_caller]
pub fn publish(client: &mut RawClient, exchange: &str, key: &str, bodies: &[String]) {
    const CHANNEL: u16 = 2000;
    client.open_channel(CHANNEL);
    client.confirm_select(CHANNEL);
    for body in bodies {
        client.publish_with(CHANNEL, Publish::new(exchange, key), &persistent(), body);
    }
    client.expect_all_confirmed(CHANNEL, bodies.len() as u64);
    client.close_channel(CHANNEL);
}

/// Makes sure that everything the broker has read is on disk: a later message is confirmed.
#[track_caller]
pub fn settle(client: &mut RawClient) {
    client.assert_alive(1);
    client.declare(1, QueueDeclare::new("settling").durable());
    publish(client, "", "settling", &["later".to_owned()]);
}

pub fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Takes everything out of a queue.
#[track_caller]
pub fn take(client: &mut RawClient, queue: &str) -> Vec<Delivery> {
    std::iter::from_fn(|| client.get(1, queue, true)).collect()
}

/// The bodies in a queue, which is empty afterwards.
#[track_caller]
pub fn bodies(client: &mut RawClient, queue: &str) -> Vec<String> {
    take(client, queue).iter().map(Delivery::text).collect()
}

/// Waits until a queue has so many ready messages.
#[track_caller]
pub fn wait_for_count(client: &mut RawClient, queue: &str, expected: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let count = client.message_count(1, queue) as usize;
        if count == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{queue} has {count} ready messages instead of {expected}");
        pause(Duration::from_millis(10));
    }
}
