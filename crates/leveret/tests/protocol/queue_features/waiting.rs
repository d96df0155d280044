//! Waiting without fixed sleeps, and reading what dead-lettering adds to a message.

use std::time::{Duration, Instant};

use testkit::{Delivery, Properties, Publish, QueueDeclare, RawClient, Value, field, id, pause};

use crate::support::unique;

/// How long something may take that has to happen.
pub const LIMIT: Duration = Duration::from_secs(15);

/// Repeats `attempt` until it has something; panics with `what` after [`LIMIT`].
#[track_caller]
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "no {what} within {LIMIT:?}");
        pause(Duration::from_millis(5));
    }
}

/// Waits for the next message of `queue` and takes it.
#[track_caller]
pub fn await_message(client: &mut RawClient, queue: &str) -> Delivery {
    until(&format!("message in {queue}"), || client.get(1, queue, true))
}

/// Waits for these bodies in this order and takes them.
#[track_caller]
pub fn await_bodies(client: &mut RawClient, queue: &str, bodies: &[&str]) {
    for body in bodies {
        assert_eq!(await_message(client, queue).text(), *body, "the next message of {queue}");
    }
}

/// Waits until `queue` has `count` ready messages.
#[track_caller]
pub fn await_count(client: &mut RawClient, queue: &str, count: u32) {
    let mut seen = 0;
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        seen = client.message_count(1, queue);
        if seen == count {
            return;
        }
        pause(Duration::from_millis(5));
    }
    panic!("{queue} has {seen} messages, {count} were due");
}

/// Publishes to a queue through the default exchange on channel 1.
#[track_caller]
pub fn put(client: &mut RawClient, queue: &str, properties: &Properties, body: &str) {
    client.publish_with(1, Publish::new("", queue), properties, body);
}

/// Publishes bodies to a queue on channel 1, which then sees them.
#[track_caller]
pub fn put_all(client: &mut RawClient, queue: &str, bodies: &[&str]) {
    for body in bodies {
        client.publish(1, "", queue, body);
    }
}

/// An exclusive queue with arguments on channel 1 under a name of its own.
#[track_caller]
pub fn queue_with<const N: usize>(client: &mut RawClient, what: &str, arguments: [(&str, Value); N]) -> String {
    let name = unique(what);
    let mut declare = QueueDeclare::exclusive(&name);
    for (argument, value) in arguments {
        declare = declare.argument(argument, value);
    }
    client.declare(1, declare);
    name
}

/// A queue with more arguments whose dead letters go to the second one, through the default exchange.
#[track_caller]
pub fn with_dead_letters<const N: usize>(
    client: &mut RawClient,
    what: &str,
    arguments: [(&str, Value); N],
) -> (String, String) {
    let target = queue_with(client, &format!("{what}.dead"), []);
    let name = unique(what);
    let mut declare = QueueDeclare::exclusive(&name)
        .argument("x-dead-letter-exchange", "")
        .argument("x-dead-letter-routing-key", target.as_str());
    for (argument, value) in arguments {
        declare = declare.argument(argument, value);
    }
    client.declare(1, declare);
    (name, target)
}

/// Takes `count` messages on channel 1 and returns them, still to be acknowledged.
#[track_caller]
pub fn take(client: &mut RawClient, queue: &str, count: usize) -> Vec<Delivery> {
    (0..count).map(|at| client.get(1, queue, false).unwrap_or_else(|| panic!("no message {at} in {queue}"))).collect()
}

/// True when a mandatory message to `queue` comes back because the queue is not there; asks without using the queue.
#[track_caller]
pub fn is_gone(client: &mut RawClient, queue: &str) -> bool {
    const CHANNEL: u16 = 1998;
    client.open_channel(CHANNEL);
    client.confirm_select(CHANNEL);
    client.publish_with(CHANNEL, Publish::new("", queue).mandatory(), &Properties::default(), "probe");
    let event = client.next_event(CHANNEL);
    let returned = event.method.id == id::BASIC_RETURN;
    if returned {
        client.expect_confirm(CHANNEL);
    }
    client.close_channel(CHANNEL);
    returned
}

/// One entry of x-death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    pub reason: String,
    pub queue: String,
    pub exchange: String,
    pub routing_keys: Vec<String>,
    pub count: i64,
    pub original_expiration: Option<String>,
    /// When it happened first, in seconds since 1970.
    pub time_s: u64,
    /// The names of all fields, in their order.
    pub fields: Vec<String>,
}

fn text(value: &Value) -> String {
    match value {
        Value::LongString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("a long string was due, got {other:?}"),
    }
}

fn death(value: &Value) -> Death {
    let Value::Table(table) = value else { panic!("x-death holds {value:?}") };
    let named = |name| field(table, name).unwrap_or_else(|| panic!("no {name} in {table:?}"));
    let Value::Array(keys) = named("routing-keys") else { panic!("routing-keys are no array in {table:?}") };
    let Value::Long(count) = named("count") else { panic!("count is no long in {table:?}") };
    let Value::Timestamp(time_s) = named("time") else { panic!("time is no timestamp in {table:?}") };
    Death {
        reason: text(named("reason")),
        queue: text(named("queue")),
        exchange: text(named("exchange")),
        routing_keys: keys.iter().map(text).collect(),
        count: *count,
        original_expiration: field(table, "original-expiration").map(text),
        time_s: *time_s,
        fields: table.iter().map(|(name, _)| name.clone()).collect(),
    }
}

/// The entries of x-death, newest first; empty without that header.
pub fn deaths(delivery: &Delivery) -> Vec<Death> {
    match header(delivery, "x-death") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries.iter().map(death).collect(),
        Some(other) => panic!("x-death is {other:?}"),
    }
}

/// Reason, queue and count of every entry of x-death.
pub fn death_counts(delivery: &Delivery) -> Vec<(String, String, i64)> {
    deaths(delivery).into_iter().map(|death| (death.reason, death.queue, death.count)).collect()
}

/// A header.
pub fn header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a Value> {
    delivery.properties.headers.as_ref().and_then(|headers| field(headers, name))
}

/// A header that is a long string.
pub fn text_header(delivery: &Delivery, name: &str) -> Option<String> {
    header(delivery, name).map(text)
}

/// A header that is an integer of any width.
pub fn number_header(delivery: &Delivery, name: &str) -> Option<i64> {
    header(delivery, name).map(|value| match value {
        Value::Long(number) => *number,
        Value::SignedInt(number) => i64::from(*number),
        other => panic!("{name} is {other:?}"),
    })
}
