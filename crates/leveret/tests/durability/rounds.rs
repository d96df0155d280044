//! What the long tests have in common: how often, when, and comparing what is left with what the oracle knows.

use std::time::{Duration, SystemTime};

use testkit::method::ack;
use testkit::{BrokerProcess, Consume, RawClient};

use crate::content;
use crate::load::{QUEUES, prepare};
use crate::oracle::{Found, Oracle};
use crate::support::{connect, wait_for_count};

/// How often the broker is ended.
pub fn rounds(default: u32) -> u32 {
    std::env::var("LEVERET_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

/// Random times, from a seed that is printed.
pub struct Moments(u64);

impl Moments {
    pub fn new() -> Moments {
        let given = std::env::var("LEVERET_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_nanos() as u64);
        let seed = given.unwrap_or(now % 1_000_000);
        eprintln!("LEVERET_SEED={seed}");
        Moments(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A time between these.
    pub fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(from_ms + self.0 % (to_ms - from_ms))
    }
}

/// Looks into every queue of a broker that was started again, and compares with what has to be there. Some rounds take
/// everything out, the others leave it for the next.
#[track_caller]
pub fn check(broker: &BrokerProcess, oracle: &mut Oracle, round: u32) {
    let mut client = connect(broker);
    prepare(&mut client);
    let found: Vec<Vec<Found>> = QUEUES.iter().map(|queue| look(broker, queue)).collect();
    oracle.restarted(&found);
    let violations = oracle.violations();
    let shown = &violations[..violations.len().min(20)];
    assert!(violations.is_empty(), "{} violations after round {round}, such as {shown:#?}", violations.len());
    let counts: Vec<usize> = found.iter().map(Vec::len).collect();
    eprintln!("round {round}: {counts:?} messages were left");
    if round % 3 == 1 {
        for (queue, found) in found.iter().enumerate() {
            take(&mut client, oracle, queue, found);
        }
    }
}

/// Everything in a queue, which goes back there.
#[track_caller]
pub fn look(broker: &BrokerProcess, queue: &str) -> Vec<Found> {
    let mut client = connect(broker);
    let count = client.message_count(1, queue) as usize;
    client.consume(1, Consume::new(queue, ""));
    let mut found = Vec::with_capacity(count);
    while found.len() < count || client.has_delivery(1) {
        let delivery = client.expect_delivery(1);
        found.push((content::id_of(&delivery.body), delivery.redelivered));
    }
    client.close();
    // It is back when the count says so, and only then in its old order.
    wait_for_count(&mut connect(broker), queue, found.len());
    found
}

/// Acknowledges everything in a queue.
#[track_caller]
fn take(client: &mut RawClient, oracle: &mut Oracle, queue: usize, found: &[Found]) {
    let tag = client.consume(1, Consume::new(QUEUES[queue], ""));
    let mut last = 0;
    for (id, _) in found {
        let delivery = client.expect_delivery(1);
        assert_eq!(content::id_of(&delivery.body), *id, "the order in {} has changed", QUEUES[queue]);
        last = delivery.delivery_tag;
    }
    for (id, _) in found {
        oracle.acked(queue, *id);
    }
    client.call(1, testkit::method::cancel(&tag));
    if last > 0 {
        client.send(1, ack(last, true));
    }
    assert_eq!(client.message_count(1, QUEUES[queue]), 0);
    oracle.acks_read(found.iter().map(|(id, _)| (queue, *id)).collect());
}
